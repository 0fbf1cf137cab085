#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "elver/error.hpp"
#include "elver/report.hpp"
#include "report/overlay_plots.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace report;

constexpr double kNarrowest = 1000;  ///< of what stands under a small panel
constexpr int kSmallSide = 480;      ///< of the panel of a single map
constexpr double kGap = 40;          ///< between two of them

/// Which maps are present where: a bit a map; kUnknown where one of them has no value.
constexpr unsigned kUnknown = 1U << kLargestOverlay;
unsigned presence(const OverlayResult& result, std::uint64_t pixel) {
  unsigned out = 0;
  for (std::size_t m = 0; m < result.maps.size(); ++m) {
    const float value = result.maps[m].values[pixel];
    if (!std::isfinite(value)) return kUnknown;
    if (value >= static_cast<float>(result.thresholds[m])) out |= 1U << m;
  }
  return out;
}

std::string title_of(const Map& map) {
  std::string out = map.title.empty() ? map.name : map.title;
  std::replace(out.begin(), out.end(), '_', ' ');
  return drawable(out, 50);
}

/// The colours of the maps that are in `present`.
std::vector<Colour> colours_of(unsigned present, OverlayColours scheme) {
  std::vector<Colour> out;
  for (std::size_t m = 0; m < kLargestOverlay; ++m) {
    if ((present >> m & 1U) != 0) out.push_back(overlay_colour(m, scheme));
  }
  return out;
}

/// Two maps' colours add up where both are present. Of more, mixtures would be guesswork: there they stand in stripes.
Swatch swatch_of(unsigned present, std::size_t maps, OverlayColours scheme) {
  const std::vector<Colour> colours = colours_of(present, scheme);
  if (colours.empty()) return {kAbsent, ""};
  if (colours.size() == 1) return {colours.front(), ""};
  if (maps == 2) return {added(colours[0], colours[1]), ""};
  return {colours.front(), "", false, colours};
}

std::string label_of(unsigned present, const OverlayResult& result) {
  if (present == kUnknown) return "no value";
  std::string out;
  for (std::size_t m = 0; m < result.maps.size(); ++m) {
    if ((present >> m & 1U) == 0) continue;
    if (!out.empty()) out += " + ";
    out += result.maps.size() > 2 ? result.maps[m].name : title_of(result.maps[m]);
  }
  if (out.empty()) return result.maps.size() == 2 ? "neither" : "none";
  if (result.maps.size() == 2 && present == 3) return "both";
  return result.maps.size() == 2 ? "only " + out : out;
}

/// The maps over each other: Fig. 5 (b) of the paper. Returns the y under panel and legend.
double draw_together(Canvas& canvas, const Panel& panel, double width, const OverlayResult& result,
                     OverlayColours scheme) {
  const std::size_t maps = result.maps.size();
  std::map<unsigned, Swatch> swatches;
  std::map<unsigned, std::uint64_t> found;
  for (std::uint64_t pixel = 0; pixel < result.rows.size * result.columns.size; ++pixel)
    ++found[presence(result, pixel)];
  for (const auto& [present, count] : found) {
    Swatch swatch = present == kUnknown ? Swatch{kFailed, "", true} : swatch_of(present, maps, scheme);
    swatch.label = label_of(present, result) + text(": %llu ", static_cast<unsigned long long>(count)) +
                   share(count, result.rows.size * result.columns.size);
    swatches[present] = swatch;
  }
  draw_pixels(canvas, 0, 0, panel, [&](std::uint64_t pixel, int x, int y) {
    const Swatch& swatch = swatches[presence(result, pixel)];
    if (swatch.hatched) return hatched(x, y);
    return swatch.stripes.empty() ? swatch.colour : striped(swatch.stripes, x, y);
  });
  const double y = draw_scale(canvas, panel.height(), panel, result.columns);
  std::vector<Swatch> shown;
  for (const auto& [present, swatch] : swatches) {
    if (present != 0 && present != kUnknown) shown.push_back(swatch);
  }
  for (const unsigned last : {0U, kUnknown}) {
    if (swatches.contains(last)) shown.push_back(swatches[last]);
  }
  return draw_swatches(canvas, y, width, shown);
}

/// The border between present and absent pixels, in the panel of one map.
void draw_contour(Canvas& canvas, double left, double top, const Panel& panel, const Map& map, float threshold) {
  const auto state = [&](int x, int y) {
    const float value = map.values[panel.pixel(x, y)];
    return std::isfinite(value) ? (value >= threshold ? 1 : 0) : -1;
  };
  const int across = panel.column_pixels, down = panel.row_pixels;
  const auto border = [](int a, int b) { return a + b == 1 && a >= 0 && b >= 0; };
  for (int y = 0; y < panel.height(); y += down) {
    for (int x = 0; x < panel.width(); x += across) {
      const int here = state(x, y);
      if (x + across < panel.width() && border(here, state(x + across, y)))
        canvas.fill(left + x + across - 1, top + y - 1, 2, down + 2, kPaper);
      if (y + down < panel.height() && border(here, state(x, y + down)))
        canvas.fill(left + x - 1, top + y + down - 1, across + 2, 2, kPaper);
    }
  }
}

/// One map in shades of its colour, its threshold as a line around what is present; returns the y under it.
double draw_alone(Canvas& canvas, int left, int top, const Panel& panel, const OverlayResult& result, std::size_t m,
                  OverlayColours scheme) {
  const Map& map = result.maps[m];
  const Colour colour = overlay_colour(m, scheme);
  const bool one_name = map.title.empty() || map.title == map.name;
  canvas.text(left, top + kLabel, map.name + (one_name ? "" : ": " + title_of(map)), kLabel, kInk, true);
  top += 30;
  const ColourRange range = map.scale == MapScale::probability ? ColourRange{0, 1} : percentile_range(map.values);
  const auto shade = [&](double position) { return between(kAbsent, colour, std::clamp(position, 0.0, 1.0)); };
  draw_pixels(canvas, left, top, panel, [&](std::uint64_t pixel, int x, int y) {
    const auto value = static_cast<double>(map.values[pixel]);
    return std::isfinite(value) ? shade((value - range.low) / (range.high - range.low)) : hatched(x, y);
  });
  draw_contour(canvas, left, top, panel, map, static_cast<float>(result.thresholds[m]));

  constexpr int kBar = 200, kHigh = 14;
  double y = top + panel.height() + 12;
  std::vector<Colour> bar;
  for (int i = 0; i < kBar * kHigh; ++i) bar.push_back(shade((i % kBar) / (kBar - 1.0)));
  const std::string low = number_label(range.low), high = number_label(range.high);
  const double start = std::floor(left + canvas.text_width(low, kNote) + 8);
  canvas.text(left, y + kHigh - 1, low, kNote);
  canvas.pixels(static_cast<int>(start), static_cast<int>(y), kBar, kHigh, bar);
  canvas.frame(start, std::floor(y), kBar, kHigh, kFaint);
  canvas.text(start + kBar + 8, y + kHigh - 1, text("%s %s", high.c_str(), drawable(map.unit, 30).c_str()), kNote);
  y += kHigh + 22;
  canvas.text(left, y, "outlined: from " + number_label(result.thresholds[m]) + " up", kNote, kFaint);
  return y + 24;
}

double draw_each(Canvas& canvas, double y, double width, const OverlayResult& result, OverlayColours scheme) {
  const Panel panel = panel_for(result.rows.size, result.columns.size, result.rows, result.columns, kSmallSide);
  const int step = std::max(panel.width(), 460) + static_cast<int>(kGap);
  const bool beside = step + panel.width() <= 1.1 * width;
  double under = y;
  for (std::size_t m = 0; m < result.maps.size(); ++m) {
    const bool right = beside && m % 2 == 1;
    if (!right) y = under;
    under = std::max(under, draw_alone(canvas, right ? step : 0, static_cast<int>(y), panel, result, m, scheme));
  }
  return under;
}

std::string pair_text(const OverlayResult& result, const Overlap& overlap) {
  const OverlapAt& at = overlap.at;
  const bool pair = result.maps.size() == 2;
  std::string out = pair ? "" : result.maps[overlap.first].name + " and " + result.maps[overlap.second].name + ": ";
  out += std::isfinite(at.jaccard) ? text("Jaccard index %.2f (by chance %.2f), ", at.jaccard, at.null_jaccard)
                                   : std::string("nothing present, ");
  out += text("odds ratio %.3g (95 %%: %.3g to %.3g), ", at.odds_ratio, at.correlated_low, at.correlated_high);
  return out + (at.p_value ? text("p = %.2g", *at.p_value) : std::string("no p-value"));
}

double draw_numbers(Canvas& canvas, double y, const OverlayResult& result) {
  for (const Overlap& overlap : result.overlaps) {
    y += 26;
    canvas.text(0, y, pair_text(result, overlap), kLabel);
  }
  const Overlap& first = result.overlaps.front();
  y += 26;
  std::string rank = text("%srank correlation %.2f", result.maps.size() > 2 ? "a and b: " : "", first.rank_correlation);
  if (first.rank_correlation_p_value) rank += text(", p = %.2g", *first.rank_correlation_p_value);
  rank += text("; %llu pixels, worth about %.0f independent ones", static_cast<unsigned long long>(first.n),
               first.independent_pixels);
  canvas.text(0, y, rank, kLabel);
  y += 24;
  canvas.text(0, y,
              first.note.empty() ? text("p: one-sided, %llu shifts of one map, mirrored at its edges, over the other",
                                        static_cast<unsigned long long>(first.draws))
                                 : drawable(first.note, 120),
              kNote, kFaint);
  return y + 30;
}

}  // namespace

OverlayColours overlay_colours_named(std::string_view name) {
  if (name == "paper") return OverlayColours::paper;
  if (name == "safe") return OverlayColours::safe;
  throw Error(ErrorKind::usage, "--colours " + std::string(name), "no such choice", "Choose paper or safe");
}

void draw_overlay(const OverlayResult& result, OverlayColours scheme, const std::filesystem::path& png) {
  Canvas canvas;
  std::string title;
  for (const Map& map : result.maps) {
    if (!title.empty()) title += result.maps.size() > 2 ? ", " : " and ";
    title += title_of(map);
  }
  canvas.text(0, -16, drawable(title), kTitle, kInk, true);
  const Panel panel = panel_for(result.rows.size, result.columns.size, result.rows, result.columns);
  const double width = std::max<double>(panel.width(), kNarrowest);
  double y = draw_together(canvas, panel, width, result, scheme);
  y = draw_numbers(canvas, y - 10, result);
  y = draw_each(canvas, y, width, result, scheme);
  draw_curves(canvas, y + 20, result, scheme);
  canvas.save_png(png, kMargin);
}

}  // namespace elver
