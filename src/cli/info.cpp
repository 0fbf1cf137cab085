#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "types/text.hpp"

namespace elver::cli {
namespace {

/// Columns on a terminal: characters, not bytes.
std::size_t width(const std::string& utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return text;
}

std::string describe(const Axis& axis) {
  const double last = axis.offset + static_cast<double>(axis.size - 1) * axis.scale;
  const std::string range = text("%.6g..%.6g", axis.offset + 0.0, last + 0.0);  // + 0.0: no "-0"
  return axis.name + text(" %llu (", static_cast<unsigned long long>(axis.size)) + range +
         (axis.units.empty() ? "" : " " + axis.units) + ")" +
         (axis.role == AxisRole::energy && axis.units != "eV" ? " as energy" : "");
}

std::string conditions(const ImageInfo& info) {
  std::string out;
  const auto add = [&](const std::optional<double>& value, const char* format) {
    if (value) out += (out.empty() ? "" : ", ") + text(format, *value);
  };
  add(info.beam_energy_kev, "%g kV");
  add(info.convergence_mrad, "convergence %g mrad");
  add(info.collection_mrad, "collection %g mrad");
  add(info.dwell_s, "%g s");
  return out;
}

void print_table(const File& file) {
  std::printf("%s: %s, %zu image%s\n", file.path.c_str(), file.format.c_str(), file.images.size(),
              file.images.size() == 1 ? "" : "s");
  std::vector<std::array<std::string, 7>> rows{{{"", "id", "title", "kind", "type", "axes", "conditions"}}};
  for (const auto& image : file.images) {
    const ImageInfo& info = image->info();
    std::string axes;
    for (const Axis& axis : info.axes) axes += (axes.empty() ? "" : ", ") + one_line(describe(axis));
    rows.push_back({info.selected ? "*" : "", one_line(info.id), one_line(info.title), std::string(name_of(info.kind)),
                    std::string(name_of(info.type)), axes,
                    info.refusal.empty() ? conditions(info) : "cannot be read: " + info.refusal});
  }
  std::array<std::size_t, 7> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - width(row[i]) + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
  }
  const bool selected = std::ranges::any_of(file.images, [](const auto& image) { return image->info().selected; });
  if (file.images.size() == 1) return;
  std::printf(selected ? "* is the image that commands use; --dataset ID names another\n"
                       : "No image is chosen by itself; name one with --dataset ID\n");
}

}  // namespace

void add_info(CLI::App& program) {
  CLI::App* command = program.add_subcommand("info", "List what is in a file");
  struct Options {
    InputOptions input;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  add_file(*command, options->input);
  command->add_flag("--json", options->json, "Print as JSON");
  command->footer("Example: elver info cathode.dm3 --json");
  command->callback([options] {
    const File file = open_file(options->input.file, options->input.open);
    std::vector<std::string> notes;
    for (const auto& image : file.images) {
      const bool spectra = image->info().selected && image->info().refusal.empty() && image->channels() > 1;
      if (!spectra) continue;
      image->stay_within(64 << 20);  // a sample is read, of a file of any size
      notes = look_at_counts(*image, {});
    }
    if (options->json) {
      std::printf("%s\n", info_json(file, notes).c_str());
    } else {
      print_table(file);
      print_notes(notes, {});
    }
  });
}

}  // namespace elver::cli
