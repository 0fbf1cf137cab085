#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/maps.hpp"
#include "elver/report.hpp"
#include "types/stopwatch.hpp"

namespace elver::cli {
namespace {

struct Options {
  InputOptions input;
  MaskOptions mask;
  RunOptions run;
  std::string model, out, pictures = "tasks";
  std::vector<std::string> keep;
  bool csv = false;
};

void print_summary(const MapResult& result, const Options& options, std::size_t files) {
  for (const Map& map : result.maps) {
    if (!map.of_task) continue;
    const MapSpread spread = spread_of(map);
    if (spread.values == 0) {
      std::printf("%-32s no value\n", map.name.c_str());
    } else {
      std::printf("%-32s median %.4g, from %.4g to %.4g%s%s\n", map.name.c_str(), spread.median, spread.minimum,
                  spread.maximum, map.unit.empty() ? "" : " ", map.unit.c_str());
    }
  }
  std::printf("%llu pixels (%llu x %llu):", static_cast<unsigned long long>(result.status.size()),
              static_cast<unsigned long long>(result.rows), static_cast<unsigned long long>(result.columns));
  const char* separator = " ";
  for (std::size_t code = 0; code < status_count; ++code) {
    if (result.status_counts[code] == 0) continue;
    const double percent =
        100.0 * static_cast<double>(result.status_counts[code]) / static_cast<double>(result.status.size());
    std::printf("%s%s %llu (%.1f %%)", separator, std::string(name_of(static_cast<PixelStatus>(code))).c_str(),
                static_cast<unsigned long long>(result.status_counts[code]), percent);
    separator = ", ";
  }
  std::printf("\n");
  std::printf("%.3g s; %zu files in %s, the maps in %s\n", result.seconds.total, files, options.out.c_str(),
              (std::filesystem::path(options.out) / "maps.hspy").c_str());
}

/// The energy axis as the file has it, where --offset-ev or --dispersion-ev put another in its place.
std::optional<EnergyAxis> axis_in_file(const InputOptions& input) {
  if (!input.open.offset_ev && !input.open.dispersion_ev) return std::nullopt;
  OpenOptions plain = input.open;
  plain.offset_ev = plain.dispersion_ev = std::nullopt;
  try {
    return open_image(input.file, plain)->energy();
  } catch (const Error&) {
    return std::nullopt;  // it has none of its own
  }
}

void map(const Options& options) {
  const Stopwatch before;
  const Run run(options.run);
  RunRecord record;
  record.command_line = command_line();
  record.input = options.input.file;
  record.model = options.model;
  record.mask = options.mask;
  record.threads = run.context().thread_count();
  record.memory_bytes = run.context().memory_bytes;
  record.pictures = pictures_named(options.pictures);
  record.csv = options.csv;
  record.keep_edges = !options.keep.empty();

  const Model model = load_model(options.model);
  const std::unique_ptr<Image> image = open_input(options.input, run.context(), &record.preparation, &model);
  record.axis_in_file = axis_in_file(options.input);
  OutputSet out(options.out);
  std::vector<std::uint8_t> mask;
  if (options.mask.automatic || options.mask.minimum_counts >= 0) mask = make_mask(*image, options.mask, run.context());
  const double opening = before.seconds();
  MapResult result = map_image(*image, model, mask, run.context());
  result.seconds.read += opening;
  result.seconds.total += opening;
  const std::string json = write_maps(out, *image, model, result, record, run.context());
  const std::size_t files = out.names().size();
  out.commit();
  if (options.run.json) {
    std::fputs(json.c_str(), stdout);
  } else if (!options.run.quiet) {
    print_preparation(record.preparation);
    print_summary(result, options, files);
  }
  print_notes(result.notes, options.run);
}

}  // namespace

void add_map(CLI::App& program) {
  CLI::App* command = program.add_subcommand("map", "Map what a model predicts in every pixel of a spectrum image");
  const auto options = std::make_shared<Options>();
  add_input(*command, options->input);
  command->add_option("--model", options->model, "Model file, NAME.elver")->required();
  command
      ->add_option("--out", options->out,
                   "Folder for maps.hspy, the pictures and run.json; an earlier result in it is replaced")
      ->required();
  command->add_option("--keep", options->keep, "edges: also write the background-subtracted spectra of each edge")
      ->check(CLI::IsMember({"edges"}));
  command->add_option("--pictures", options->pictures, "tasks (with status), all or none (default: tasks)");
  command->add_flag("--csv", options->csv, "Also write maps.csv, a line a pixel");
  add_mask(*command, options->mask);
  add_run(*command, options->run);
  add_backend(*command, options->run);
  command->footer(
      "Example: elver map cathode.dm3 --model samples/nmc.elver --mark Mn_L3=642.0 --mark Ni_L3=855.0 --out maps");
  command->callback([options] { map(*options); });
}

}  // namespace elver::cli
