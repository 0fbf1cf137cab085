#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "elver/io.hpp"

namespace elver::cli {
namespace {

void print_formats(bool as_json) {
  if (as_json) {
    nlohmann::json list = nlohmann::json::array();
    for (const FormatInfo& f : formats_read())
      list.push_back({{"name", f.name}, {"title", f.title}, {"extensions", f.extensions}, {"carries", f.carries}});
    std::printf("%s\n", nlohmann::json{{"reads", list}}.dump(2).c_str());
    return;
  }
  std::printf("elver reads, by content and whatever the name:\n");
  for (const FormatInfo& f : formats_read()) {
    std::printf("  %-10s %-36s %-15s %s\n", std::string(f.name).c_str(), std::string(f.title).c_str(),
                std::string(f.extensions).c_str(), std::string(f.carries).c_str());
  }
}

}  // namespace

void add_formats(CLI::App& program) {
  CLI::App* command = program.add_subcommand("formats", "List the formats that elver reads, and what each can carry");
  const auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print the result as JSON");
  command->footer("Example: elver formats");
  command->callback([as_json] { print_formats(*as_json); });
}

}  // namespace elver::cli
