#include "elver/compare.hpp"

#include <cmath>
#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::string first, second, out, align = "shift", range;
  CompareOptions compare;
  bool json = false, quiet = false;
};

void run_compare(const Options& options) {
  CompareOptions wanted = options.compare;
  wanted.alignment = options.align == "none" ? CompareShift::none : CompareShift::best;
  if (!options.range.empty()) wanted.window = parse_window(options.range, "--range");
  const NamedSpectrum first = read_named_spectrum(options.first), second = read_named_spectrum(options.second);
  const Comparison found = compare_spectra(first, second, wanted);
  if (!options.out.empty()) {
    const std::filesystem::path png = options.out;
    OutputSet out(png.has_parent_path() ? png.parent_path() : std::filesystem::path("."));
    draw_comparison(found, out.stage(png.filename().string()));
    out.commit();
  }
  if (options.json) {
    std::fputs(comparison_json(found).c_str(), stdout);
  } else if (!options.quiet) {
    std::printf("cosine similarity %.5f\nPearson correlation %.5f\n", found.similarity.cosine, found.similarity.pearson);
    std::printf("over %.2f to %.2f eV, %zu points", found.energy_ev.front(), found.energy_ev.back(), found.energy_ev.size());
    if (wanted.alignment == CompareShift::best) std::printf("; the second was moved by %+.3f eV", found.shift_ev);
    std::printf("\n");
    if (!options.out.empty()) std::printf("written: %s\n", options.out.c_str());
  }
  if (found.at_limit && !options.quiet)
    std::fprintf(stderr, "elver: note: the best shift lies at the end of the search; widen it with --reach\n");
}

}  // namespace

void add_compare(CLI::App& program) {
  CLI::App* command = program.add_subcommand("compare", "How alike two spectra are: cosine similarity and Pearson correlation");
  const auto options = std::make_shared<Options>();
  constexpr const char* kWhat =
      "A spectrum: output of FEFF, FDMNES, OCEAN, XSPECTRA or VASP, a table of two columns, an image or spectrum (mean "
      "over its pixels), or LIBRARY.h5:EDGE[:STRUCTURE[:ATOM]] (mean over those sites)";
  command->add_option("A", options->first, kWhat)->required();
  command->add_option("B", options->second, "The same")->required();
  command->add_option("--align", options->align, "shift: the second is moved to where it correlates best; none")
      ->check(CLI::IsMember({"shift", "none"}))
      ->capture_default_str();
  command->add_option("--reach", options->compare.reach_ev, "How far the shift is sought to both sides of where the onsets coincide, eV")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  command->add_option("--range", options->range, "Energies that are compared, START:STOP in eV on the first's axis");
  command->add_option("--broaden-a", options->compare.broaden_first_ev, "FWHM of a Gaussian that the first is convolved with, eV")
      ->check(CLI::Range(0.0, 100.0));
  command->add_option("--broaden-b", options->compare.broaden_second_ev, "The same for the second")->check(CLI::Range(0.0, 100.0));
  command->add_option("--out", options->out, "PNG with both curves and their difference");
  command->add_flag("--json", options->json, "As JSON");
  command->add_flag("--quiet", options->quiet, "Print nothing but errors");
  command->footer("Example: elver compare xmu.dat library.h5:Ni_L3:811_L05_P_00150 --out compared.png");
  command->callback([options] { run_compare(*options); });
}

}  // namespace elver::cli
