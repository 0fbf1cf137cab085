#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/overlay_inputs.hpp"
#include "elver/error.hpp"
#include "elver/overlay.hpp"
#include "elver/report.hpp"
#include "types/text.hpp"

namespace elver::cli {
namespace {

struct Options {
  OverlayInputs inputs;
  std::string out, colours = "paper";
  bool same_field = false;
  std::array<std::optional<double>, kLargestOverlay> thresholds;
  OverlayOptions overlay;
  RunOptions run;
  std::vector<std::string> formats{"hspy"};
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

using Json = nlohmann::ordered_json;

Json outline_json(const ScanPlace::Outline& o) { return {o.top, o.left, o.bottom, o.right}; }

Json registration_json(const Registration& found, const std::string& letter) {
  const Affine& t = found.to_first;
  Json out{{"of", letter},
           {"by", name_of(found.by)},
           {"to_a", {{t.xx, t.xy, t.dx}, {t.yx, t.yy, t.dy}}},
           {"field_a", outline_json(found.first)},
           {"field_" + letter, outline_json(found.second)},
           {"notes", found.notes}};
  if (found.match) {
    const PictureMatch& match = *found.match;
    out["pictures"] = {{"shift_rows", match.dy},
                       {"shift_columns", match.dx},
                       {"scale", match.scale},
                       {"scale_by_sizes", match.sizes_say},
                       {"peak", match.peak},
                       {"chance", match.chance},
                       {"correlation", match.correlation}};
  }
  return out;
}

void print_registration(const Registration& found, const std::string& letter) {
  const Affine& t = found.to_first;
  std::printf("%s placed by %s: x %.5g x %+.5g, y %.5g y %+.5g (in the units of a)\n", letter.c_str(),
              std::string(name_of(found.by)).c_str(), t.xx, t.dx, t.yy, t.dy);
  if (found.match) {
    const PictureMatch& match = *found.match;
    std::printf(
        "  its picture is shifted by %.2f rows and %.2f columns, scale %.4f (the pixel sizes say %.4f), peak "
        "%.2f (unrelated pictures reach %.2f)\n",
        match.dy, match.dx, match.scale, match.sizes_say, match.peak, match.chance);
  }
  for (const std::string& note : found.notes) std::printf("note: %s\n", note.c_str());
}

/// Whether the fields are to be laid over each other by more than the maps' own axes: something was given to do it by,
/// or the files are acquisitions that say where they were taken.
bool places_are_known(const Acquisition& first, const Acquisition& other) {
  const auto knows = [](const Acquisition& a) {
    return a.corners || a.picture || a.place.in_survey || a.place.stage_x_um;
  };
  return first.corners || other.corners || first.picture || other.picture || (knows(first) && knows(other));
}

/// The first's picture with the outlines of each map that was placed; returns the names of what is staged.
std::vector<std::string> draw_places(OutputSet& out, const std::vector<OverlayMap>& made,
                                     const std::vector<std::pair<std::string, Registration>>& placed) {
  std::vector<std::string> names;
  for (const auto& [letter, found] : placed) {
    if (!found.on_picture) continue;
    names.push_back("registration_" + letter + ".png");
    const Acquisition &first = made[0].acquisition, &other = made[static_cast<std::size_t>(letter[0] - 'a')].acquisition;
    const auto label = [](const std::string& of, const Acquisition& a) {
      return of + ": " + std::filesystem::path(a.map.source).filename().string();
    };
    draw_registration(*first.picture, found, {label("a", first), label(letter, other)}, out.stage(names.back()));
  }
  return names;
}

/// Where the fields lie apart, the picture of them is what the user needs: it is kept, and the error names it.
OverlayResult overlay_or_picture(std::span<const PlacedMap> maps, const OverlayOptions& options, OutputSet& out,
                                 const std::vector<std::string>& pictures, const RunContext& context) {
  try {
    return overlay(maps, options, context);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::mismatch || pictures.empty()) throw;
    out.commit();
    std::string names;
    for (const std::string& name : pictures) names += (names.empty() ? "" : ", ") + (out.directory() / name).string();
    throw Error(error.kind(), error.what(), "where the fields lie is drawn in " + names);
  }
}

void lay(const Options& options) {
  OverlayOptions overlay_options = options.overlay;
  overlay_options.field = options.same_field ? FieldOfView::same : FieldOfView::by_axes;
  for (std::size_t m = 0; m < options.thresholds.size(); ++m) {
    if (!options.thresholds[m]) continue;
    overlay_options.thresholds.resize(m + 1);
    overlay_options.thresholds[m] = options.thresholds[m];
  }
  OverlayRecord record;
  record.formats = map_formats(options.formats);
  record.colours = overlay_colours_named(options.colours);
  const Run run(options.run);
  std::vector<OverlayMap> made = overlay_maps(options.inputs, run.context());
  // One a map; more are left for overlay() to refuse.
  overlay_options.thresholds.resize(std::max(made.size(), overlay_options.thresholds.size()));
  Json more{{"computed", Json::array()}, {"registration", Json::array()}};
  std::vector<std::pair<std::string, Registration>> placed;
  std::vector<PlacedMap> maps;
  for (std::size_t m = 0; m < made.size(); ++m) {
    const std::string letter(1, static_cast<char>('a' + m));
    if (!overlay_options.thresholds[m]) overlay_options.thresholds[m] = made[m].threshold;
    more["computed"].push_back(made[m].computed);
    Acquisition& acquisition = made[m].acquisition;
    if (m > 0 && !options.same_field && places_are_known(made[0].acquisition, acquisition)) {
      placed.emplace_back(letter, coregister(made[0].acquisition, acquisition, run.context()));
      acquisition.map.to_first = placed.back().second.to_first;
      acquisition.map.placed_by = name_of(placed.back().second.by);
      more["registration"].push_back(registration_json(placed.back().second, letter));
    }
    maps.push_back(acquisition.map);
  }
  OutputSet out(options.out);
  const std::vector<std::string> pictures = draw_places(out, made, placed);
  OverlayResult result = overlay_or_picture(maps, overlay_options, out, pictures, run.context());
  for (std::size_t m = 0; m < made.size(); ++m) {  // what was said of the maps as they were made
    if (!made[m].computed.is_object()) continue;
    for (const Json& note : made[m].computed.at("notes")) {
      result.notes.push_back(text("map %c: ", static_cast<char>('a' + m)) + note.get<std::string>());
    }
  }
  record.command_line = command_line();
  record.more_json = more.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string json = write_overlay(out, maps, overlay_options, result, record, run.context());
  out.commit();
  if (options.run.json) {
    std::fputs(json.c_str(), stdout);
  } else if (!options.run.quiet) {
    for (const auto& [letter, found] : placed) print_registration(found, letter);
    std::printf("common grid of %llu x %llu pixels\n", static_cast<unsigned long long>(result.rows.size),
                static_cast<unsigned long long>(result.columns.size));
    for (const Overlap& overlap : result.overlaps) print_overlap(result, overlap);
    for (const std::string& note : result.notes) std::printf("note: %s\n", note.c_str());
    std::printf("written: %zu files in %s\n", out.names().size(), options.out.c_str());
  }
}

}  // namespace

void add_overlay(CLI::App& program) {
  CLI::App* command = program.add_subcommand(
      "overlay", "Lay maps of one field of view over each other; do they overlap by more than chance?");
  const auto options = std::make_shared<Options>();
  add_overlay_inputs(*command, options->inputs);
  command->add_option("--out", options->out, "Folder for overlay.json, overlay.png and the maps; an earlier result in it is replaced")->required();
  add_format(*command, options->formats);
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
      "Example: elver overlay Si.dm3 TM.dm3 --edge Si_L --model nmc.elver --map probability_oxygen_vacancy --adf-a "
      "Si-survey.dm3 --adf-b TM-survey.dm3 --out overlay\n"
      "Example: elver overlay silicon.hspy:signal_Si_L maps/maps.hspy:probability_oxygen_vacancy --same-field --out "
      "overlay");
  command->callback([options] { lay(*options); });
}

}  // namespace elver::cli
