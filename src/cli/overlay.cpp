#include <array>
#include <cstdio>
#include <filesystem>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/overlay.hpp"
#include "elver/report.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::vector<std::string> maps;
  std::string out, colours = "paper";
  bool same_field = false;
  std::array<std::optional<double>, kLargestOverlay> thresholds;
  OverlayOptions overlay;
  RunOptions run;
};

void print_overlap(const OverlayResult& result, const Overlap& overlap) {
  const char *const a = result.maps[overlap.first].name.c_str(), *const b = result.maps[overlap.second].name.c_str();
  const OverlapAt& at = overlap.at;
  std::printf(
      "%s and %s over %llu pixels (%s >= %.4g, %s >= %.4g): both %llu, only %s %llu, only %s %llu, neither %llu\n", a,
      b, static_cast<unsigned long long>(overlap.n), a, at.threshold_first, b, at.threshold_second,
      static_cast<unsigned long long>(at.table.both), a, static_cast<unsigned long long>(at.table.only_first), b,
      static_cast<unsigned long long>(at.table.only_second), static_cast<unsigned long long>(at.table.neither));
  std::printf(
      "  Jaccard index %.3g (by chance %.3g), odds ratio %.3g (95 %%: %.3g to %.3g, or %.3g to %.3g as if pixels were "
      "independent)\n  ",
      at.jaccard, at.null_jaccard, at.odds_ratio, at.correlated_low, at.correlated_high, at.odds_ratio_low,
      at.odds_ratio_high);
  if (at.p_value) {
    std::printf("p = %.2g (one-sided, %llu shifts)\n", *at.p_value, static_cast<unsigned long long>(overlap.draws));
  } else {
    std::printf("%s\n", overlap.note.c_str());
  }
  std::printf("  rank correlation %.3g", overlap.rank_correlation);
  if (overlap.rank_correlation_p_value) std::printf(", p = %.2g", *overlap.rank_correlation_p_value);
  std::printf("; the pixels are worth about %.3g independent ones\n", overlap.independent_pixels);
}

void lay(const Options& options) {
  OverlayOptions overlay_options = options.overlay;
  overlay_options.field = options.same_field ? FieldOfView::same : FieldOfView::by_axes;
  for (std::size_t m = 0; m < options.thresholds.size(); ++m) {
    if (!options.thresholds[m]) continue;
    overlay_options.thresholds.resize(m + 1);
    overlay_options.thresholds[m] = options.thresholds[m];
  }
  const Run run(options.run);
  std::vector<PlacedMap> maps;
  for (const std::string& map : options.maps) maps.push_back(read_placed_map(map));
  OutputSet out(options.out);
  const OverlayResult result = overlay(maps, overlay_options, run.context());
  OverlayRecord record;
  record.command_line = command_line();
  record.colours = overlay_colours_named(options.colours);
  const std::string json = write_overlay(out, maps, overlay_options, result, record, run.context());
  out.commit();
  if (options.run.json) {
    std::fputs(json.c_str(), stdout);
  } else if (!options.run.quiet) {
    std::printf("common grid of %llu x %llu pixels\n", static_cast<unsigned long long>(result.rows.size),
                static_cast<unsigned long long>(result.columns.size));
    for (const Overlap& overlap : result.overlaps) print_overlap(result, overlap);
    for (const std::string& note : result.notes) std::printf("note: %s\n", note.c_str());
    std::printf("written: overlay.png, overlay.json, overlay.hspy in %s\n", options.out.c_str());
  }
}

}  // namespace

void add_overlay(CLI::App& program) {
  CLI::App* command = program.add_subcommand(
      "overlay", "Lay maps of one field of view over each other; do they overlap by more than chance?");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("MAPS", options->maps, "Two to four maps, each FILE.hspy:TITLE, or FILE.hspy where it holds one map")
      ->required()
      ->expected(2, static_cast<int>(kLargestOverlay));
  command->add_option("--out", options->out, "Folder for overlay.json, overlay.hspy and overlay.png")->required();
  command->add_flag("--same-field", options->same_field,
                    "All maps cover the rectangle of the first, whatever their axes say");
  for (std::size_t m = 0; m < kLargestOverlay; ++m) {
    const std::string letter(1, static_cast<char>('a' + m));
    command->add_option("--threshold-" + letter, options->thresholds[m],
                        "A value of map " + letter + " that is not below this is present (default: Otsu's threshold)");
  }
  command
      ->add_option("--colours", options->colours,
                   "paper (green, red, ...) or safe, for people who do not see red and green apart")
      ->capture_default_str();
  command->add_option("--draws", options->overlay.draws, "Shifts drawn where there are too many to take all")
      ->capture_default_str()
      ->check(CLI::Range(99, 1000000));
  command->add_option("--seed", options->overlay.seed, "Seed of the shifts drawn")->capture_default_str();
  add_run(*command, options->run);
  command->footer(
      "Example: elver overlay silicon.hspy:signal_Si_L maps/maps.hspy:probability_oxygen_vacancy --same-field --out "
      "overlay");
  command->callback([options] { lay(*options); });
}

}  // namespace elver::cli
