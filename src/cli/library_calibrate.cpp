#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/calibrate_library.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::string library, reference, out;
  LibraryCalibrationOptions calibrate;
  RunOptions run;
};

void print(const LibraryCalibration& c) {
  std::printf("%-6s %9s %9s %9s %9s %10s %10s %9s %9s %19s %19s\n", "edge", "shift eV", "Gauss eV", "Lorentz", "growth", "continuum",
              "splitting", "L2 factor", "L2 width", "cosine", "Pearson");
  for (const EdgeCalibration& e : c.edges) {
    std::printf("%-6s %+9.3f %9.3f %9.3f %9.4f %+10.3f", e.edge.c_str(), e.shift_ev, e.gauss_fwhm_ev, e.lorentz_ev, e.lorentz_growth, e.continuum);
    if (e.edge.ends_with("_L")) {
      std::printf(" %+10.3f %9.3f %9.3f", e.splitting_ev, e.l2_ratio, e.l2_lorentz_ev);
    } else {
      std::printf(" %10s %9s %9s", "", "", "");
    }
    std::printf("  %.4f -> %.4f  %.4f -> %.4f\n", e.before.cosine, e.after.cosine, e.before.pearson, e.after.pearson);
  }
  std::printf("t/lambda %.3f, continuum falling as E^-%.2f", c.thickness, c.continuum_power);
  if (c.resolution_ev > 0) std::printf(", a resolution of %.2f eV", c.resolution_ev);
  std::printf(": the reference's own, not put into the library\nmixture:");
  for (const auto& [name, share] : c.mixture) {
    if (share >= 0.01) std::printf(" %s %.0f %%;", name.c_str(), 100 * share);
  }
  std::printf("\n");
}

void run_calibrate(const Options& options) {
  const Run run(options.run);
  LibraryTables tables = load_tables(options.library);
  if (!tables.calibration.empty()) {
    throw Error(ErrorKind::mismatch, options.library + " is calibrated already", "a lifetime would be put in twice",
                "Calibrate the library that it was made from");
  }
  const Library library = load_library(options.library);
  const LibraryCalibration found = calibrate_library(library, read_named_spectrum(options.reference), options.calibrate, run.context());
  save_tables(calibrated_tables(std::move(tables), library, found), options.out);
  const std::filesystem::path out = options.out;
  OutputSet pictures(out.has_parent_path() ? out.parent_path() : std::filesystem::path("."));
  for (const EdgeCalibration& edge : found.edges) draw_calibration(found, edge, pictures.stage(out.stem().string() + "_" + edge.edge + ".png"));
  pictures.commit();
  if (options.run.json) {
    std::fputs(calibration_json(found).c_str(), stdout);
  } else if (!options.run.quiet) {
    print(found);
    std::printf("written: %s, with a picture of each edge beside it\n", options.out.c_str());
  }
  print_notes(found.notes, options.run);
}

}  // namespace

void add_library_calibrate(CLI::App& library) {
  CLI::App* const command = library.add_subcommand("calibrate", "Fits a library to a measured reference: shifts, broadening, splitting, continuum");
  const auto options = std::make_shared<Options>();
  command->add_option("LIBRARY", options->library, "Library, LIB.h5")->required();
  command->add_option("--to", options->reference,
                      "What was measured, counts on a right energy axis: an image (its mean), a spectrum, or a table of two columns")
      ->required();
  command->add_option("--out", options->out, "Library to write; pictures of the edges come beside it")->required();
  command->add_option("--resolution", options->calibrate.resolution_ev,
                      "FWHM of the instrument, eV, as its zero loss shows it: this much stays out of the library")
      ->check(CLI::Range(0.0, 20.0));
  add_run(*command, options->run);
  command->footer(
      "Fitted at once: each edge's shift, Gaussian, Lorentzian that grows with the energy, higher continuum, L2's distance,\n"
      "strength and width; t/lambda, the fall of the continuum, and the mixture of the library's structures.\n"
      "Example: elver calibrate cathode.dm3 --model nmc.elver --auto-axis --out cathode.hspy\n"
      "         elver library calibrate library.h5 --to cathode.hspy --resolution 1.1 --out calibrated.h5");
  command->callback([options] { run_calibrate(*options); });
}

}  // namespace elver::cli
