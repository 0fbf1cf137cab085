#include <cstdio>
#include <future>
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
  std::vector<std::string> formats{"hspy"};
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
  std::printf("%.3g s; %zu files in %s\n", result.seconds.total, files, options.out.c_str());
}

void map(const Options& options) {
  const Stopwatch before;
  const Run run(options.run);
  const Pictures pictures = pictures_named(options.pictures);
  std::future<void> fonts;
  if (pictures != Pictures::none) fonts = std::async(std::launch::async, &ready_to_draw);
  const Model model = load_model(options.model);
  MapJob job;
  job.input = options.input.file;
  job.open = options.input.open;
  job.preparation = preparation_of(options.input, &model);
  job.mask = options.mask;
  job.out = options.out;
  job.record.command_line = command_line();
  job.record.model = options.model;
  job.record.pictures = pictures;
  job.record.formats = map_formats(options.formats);
  job.record.keep_edges = !options.keep.empty();
  job.record.memory_bytes = run.asked_bytes();
  job.seconds_before = before.seconds();
  const MapRun done = run_map(job, model, run.context());
  if (options.run.json) {
    std::fputs(done.json.c_str(), stdout);
  } else if (!options.run.quiet) {
    print_preparation(done.preparation);
    print_summary(done.result, options, done.files);
  }
  print_notes(done.result.notes, options.run);
}

}  // namespace

void add_map(CLI::App& program) {
  CLI::App* command = program.add_subcommand("map", "Map what a model predicts in every pixel of a spectrum image");
  const auto options = std::make_shared<Options>();
  add_input(*command, options->input);
  command->add_option("--model", options->model, "Model file, NAME.elver")->required();
  command
      ->add_option("--out", options->out,
                   "Folder for the maps, the pictures and run.json; an earlier result in it is replaced")
      ->required();
  command->add_option("--keep", options->keep, "edges: also write the background-subtracted spectra of each edge")
      ->check(CLI::IsMember({"edges"}));
  command->add_option("--pictures", options->pictures, "tasks (with status), all or none (default: tasks)");
  add_format(*command, options->formats);
  add_mask(*command, options->mask);
  add_run(*command, options->run);
  add_backend(*command, options->run);
  add_forest(*command, options->run);
  command->footer(
      "Example: elver map cathode.dm3 --model samples/nmc.elver --mark Mn_L3=642.0 --mark Ni_L3=855.0 --out maps");
  command->callback([options] { map(*options); });
}

}  // namespace elver::cli
