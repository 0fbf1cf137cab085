#include "elver/detect.hpp"

#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/report.hpp"

namespace elver::cli {
namespace {

struct Options {
  InputOptions input;
  MaskOptions mask;
  RunOptions run;
  std::string edge, fit, signal, out;
  DetectJob job;
  std::vector<std::string> formats{"hspy"};
};

/// The windows that the user gave, elver's own for what was left out.
EdgeWindows windows_of(const Options& options) {
  EdgeWindows windows;
  if (options.fit.empty() || options.signal.empty()) {
    windows = default_windows(options.edge);
  } else {
    windows.edge = options.edge;
  }
  if (!options.fit.empty()) windows.fit = parse_window(options.fit, "--fit");
  if (!options.signal.empty()) windows.signal = parse_window(options.signal, "--signal");
  return windows;
}

void print_summary(const Options& options, const DetectJob& job, const Detection& found) {
  const bool own_fit = options.fit.empty(), own_signal = options.signal.empty();
  std::printf("%s: background over %g:%g eV%s, signal over %g:%g eV%s\n", job.windows.edge.c_str(),
              job.windows.fit.start_ev, job.windows.fit.stop_ev, own_fit ? " (elver's window)" : "",
              job.windows.signal.start_ev, job.windows.signal.stop_ev, own_signal ? " (elver's window)" : "");
  const MapSpread spread = spread_of(found.maps.maps.front());
  if (spread.values > 0) {
    std::printf("net signal: median %.4g counts, from %.4g to %.4g\n", spread.median, spread.minimum, spread.maximum);
  }
  std::printf("present in %llu of %llu pixels (false discovery rate %g", static_cast<unsigned long long>(found.found),
              static_cast<unsigned long long>(found.tests), job.false_discovery_rate);
  if (found.found > 0) std::printf("; p up to %.3g", found.p_threshold);
  std::printf(")\n");
  const char* separator = "status: ";
  for (std::size_t code = 0; code < status_count; ++code) {
    if (found.maps.status_counts[code] == 0) continue;
    std::printf("%s%s %llu", separator, std::string(name_of(static_cast<PixelStatus>(code))).c_str(),
                static_cast<unsigned long long>(found.maps.status_counts[code]));
    separator = ", ";
  }
  std::printf("\n");
  for (const std::string& note : found.maps.notes) std::printf("note: %s\n", note.c_str());
  std::printf("written: maps, detect.json and pictures in %s\n", options.out.c_str());
}

void run_detect(const Options& options) {
  DetectJob job = options.job;
  job.windows = windows_of(options);
  const Run run(options.run);
  DetectRecord record;
  record.command_line = command_line();
  record.input = options.input.file;
  record.formats = map_formats(options.formats);
  const std::unique_ptr<Image> opened = open_input(options.input, run.context(), &record.preparation);
  std::unique_ptr<Image> storage;
  const Image& image = as_written(*opened, storage);
  OutputSet out(options.out);
  if (options.mask.automatic || options.mask.minimum_counts >= 0)
    job.mask = make_mask(image, options.mask, run.context());
  const Detection found = detect(image, job, run.context());
  const std::string json = write_detection(out, image, job, found, record, run.context());
  out.commit();
  if (options.run.json) {
    std::fputs(json.c_str(), stdout);
  } else if (!options.run.quiet) {
    print_summary(options, job, found);
  }
  print_notes(record.preparation.notes, options.run);
}

}  // namespace

void add_detect(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("detect", "Find the pixels that have an edge, at a known rate of false finds");
  const auto options = std::make_shared<Options>();
  add_input(*command, options->input);
  command
      ->add_option("--edge", options->edge,
                   "Si_L, O_K, Mn_L, ...: gives the maps their names, and the windows where they are left out")
      ->required();
  command->add_option("--fit", options->fit, "Energies of the background fit, START:STOP in eV (half-open)");
  command->add_option("--signal", options->signal, "Energies over which the net signal is summed, START:STOP in eV");
  command
      ->add_option("--out", options->out,
                   "Folder for the maps, the pictures and detect.json; an earlier result in it is replaced")
      ->required();
  command
      ->add_option("--fdr", options->job.false_discovery_rate,
                   "False discovery rate: the share of the pixels called present that may be none")
      ->capture_default_str();
  command
      ->add_option("--minimum-counts", options->job.minimum_counts,
                   "Electrons in the fit window below which a pixel has too few counts")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--phi", options->job.phi,
                   "Counts that one electron gives (their variance over their mean); default: measured on the image")
      ->check(CLI::NonNegativeNumber);
  add_format(*command, options->formats);
  add_mask(*command, options->mask);
  add_run(*command, options->run);
  command->footer(
      "The default windows begin at the edge's nominal energy: put the axis right first (--mark, --offset-ev).\n"
      "Example: elver detect cathode.dm3 --edge Si_L --fit 80:97 --signal 99:115 --out silicon");
  command->callback([options] { run_detect(*options); });
}

}  // namespace elver::cli
