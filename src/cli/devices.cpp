#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "elver/devices.hpp"

namespace elver::cli {
namespace {

void devices(bool as_json) {
  const DeviceList found = list_devices();
  if (as_json) {
    nlohmann::json list = nlohmann::json::array();
    for (const DeviceInfo& d : found.devices) {
      list.push_back({{"number", d.number},
                      {"name", d.name},
                      {"compute_capability", d.compute_capability},
                      {"multiprocessors", d.multiprocessors},
                      {"memory_bytes", d.memory_bytes},
                      {"shared_bytes", d.shared_bytes}});
    }
    std::printf("%s\n", nlohmann::json{{"devices", list}, {"why_none", found.why_none}, {"versions", found.versions}}.dump(2).c_str());
    return;
  }
  for (const DeviceInfo& d : found.devices) {
    std::printf("%d  %s, compute capability %s, %d multiprocessors, %.1f GiB\n", d.number, d.name.c_str(),
                d.compute_capability.c_str(), d.multiprocessors, static_cast<double>(d.memory_bytes) / 1073741824.0);
  }
  if (found.devices.empty()) std::printf("no GPU: %s. Pixels are computed on the CPU\n", found.why_none.c_str());
  if (!found.versions.empty()) std::printf("%s\n", found.versions.c_str());
}

}  // namespace

void add_devices(CLI::App& program) {
  CLI::App* command = program.add_subcommand("devices", "List the GPUs that --backend cuda would use, or say why there is none");
  const auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print the result as JSON");
  command->footer("Example: elver devices");
  command->callback([as_json] { devices(*as_json); });
}

}  // namespace elver::cli
