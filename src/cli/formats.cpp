#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "elver/io.hpp"

namespace elver::cli {
namespace {

nlohmann::json list_of(const std::vector<FormatInfo>& formats) {
  nlohmann::json list = nlohmann::json::array();
  for (const FormatInfo& f : formats)
    list.push_back({{"name", f.name}, {"title", f.title}, {"extensions", f.extensions}, {"carries", f.carries}});
  return list;
}

void print(const std::vector<FormatInfo>& formats) {
  for (const FormatInfo& f : formats) {
    std::printf("  %-10s %-36s %-15s %s\n", std::string(f.name).c_str(), std::string(f.title).c_str(),
                std::string(f.extensions).c_str(), std::string(f.carries).c_str());
  }
}

void print_formats(bool as_json) {
  if (as_json) {
    std::printf("%s\n", nlohmann::json{{"reads", list_of(formats_read())}, {"writes", list_of(formats_written())}}.dump(2).c_str());
    return;
  }
  std::printf("elver reads, by content and whatever the name:\n");
  print(formats_read());
  std::printf("and writes, by the name's ending (`elver convert`), or for maps by --format:\n");
  print(formats_written());
}

}  // namespace

void add_formats(CLI::App& program) {
  CLI::App* command = program.add_subcommand("formats", "List the formats that elver reads and writes, and what each can carry");
  const auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print the result as JSON");
  command->footer("Example: elver formats");
  command->callback([as_json] { print_formats(*as_json); });
}

}  // namespace elver::cli
