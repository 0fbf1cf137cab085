#include <algorithm>
#include <array>
#include <cmath>

#include "elver/report.hpp"
#include "report/canvas.hpp"
#include "report/colours.hpp"
#include "report/layout.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace report;

constexpr double kNarrowest = 460;  ///< of what stands under a small panel

/// Title, panel, scale bar; returns the y under them. `paint_of` says what a pixel of the map looks like.
template <class PaintOf>
double draw_panel(Canvas& canvas, const std::string& title, const Panel& panel, const Axis& column_axis,
                  const std::vector<PixelStatus>& status, PaintOf&& paint_of) {
  canvas.text(0, -16, drawable(title), kTitle, kInk, true);
  draw_paints(canvas, 0, 0, panel, [&](std::uint64_t pixel) { return paint_of(pixel, status[pixel]); });
  return draw_scale(canvas, panel.height(), panel, column_axis);
}

/// Masked and failed pixels, where there are any.
std::vector<Swatch> missing_swatches(const std::vector<PixelStatus>& status) {
  std::uint64_t masked = 0, lost = 0;
  for (const PixelStatus s : status) {
    masked += s == PixelStatus::masked ? 1 : 0;
    lost += failed(s) && s != PixelStatus::masked ? 1 : 0;
  }
  std::vector<Swatch> out;
  if (masked > 0) out.push_back({kMasked, "masked " + share(masked, status.size())});
  if (lost > 0) out.push_back({kFailed, "no value " + share(lost, status.size()), true});
  return out;
}

/// What a map's colours mean: where a value stands between 0 and 1, and the ticks.
struct Scale {
  ColourRange range;
  bool logarithmic = false;
  Ticks ticks;
  double position(double value) const {
    return logarithmic ? std::log(value / range.low) / std::log(range.high / range.low)
                       : (value - range.low) / (range.high - range.low);
  }
};

Scale scale_of(const Map& map) {
  Scale scale;
  if (map.scale == MapScale::probability) {
    scale.range = {0, 1};
    scale.ticks = linear_ticks(0, 1);
    return scale;
  }
  scale.range = percentile_range(map.values);
  scale.logarithmic = map.scale == MapScale::logarithmic && scale.range.low > 0;
  if (scale.logarithmic) scale.ticks = logarithmic_ticks(scale.range.low, scale.range.high);
  if (scale.ticks.ticks.size() < 2) scale.ticks = linear_ticks(scale.range.low, scale.range.high);
  return scale;
}

double draw_colour_bar(Canvas& canvas, double y, double width, const Scale& scale, const Map& map) {
  constexpr double kHeight = 22, kPoint = 14;
  const int length = static_cast<int>(width - 2 * kPoint);
  std::vector<Colour> colours(static_cast<std::size_t>(length) * static_cast<std::size_t>(kHeight));
  for (std::size_t i = 0; i < colours.size(); ++i) {
    colours[i] = perceptual_at(static_cast<double>(i % static_cast<std::size_t>(length)) / (length - 1));
  }
  const double right = kPoint + length;
  canvas.pixels(static_cast<int>(kPoint), static_cast<int>(y), length, static_cast<int>(kHeight), colours);
  if (scale.range.below) canvas.triangle(kPoint, y, kPoint, y + kHeight, 0, y + kHeight / 2, perceptual_at(0));
  if (scale.range.above)
    canvas.triangle(right, y, right, y + kHeight, right + kPoint, y + kHeight / 2, perceptual_at(1));
  double last_end = -1e9;
  for (const Tick& tick : scale.ticks.ticks) {
    const double x = std::floor(kPoint + std::clamp(scale.position(tick.value), 0.0, 1.0) * (length - 1));
    canvas.fill(x, y + kHeight, 1, 7, kInk);
    const double half = canvas.text_width(tick.label, kLabel) / 2;
    if (x - half < last_end + 8) continue;
    canvas.text(x, y + kHeight + 26, tick.label, kLabel, kInk, false, Canvas::Align::centre);
    last_end = x + half;
  }
  std::string label = drawable(map.unit, 70);
  if (map.scale == MapScale::probability && label.empty()) label = "probability";
  if (scale.ticks.exponent != 0)
    label = "\xC3\x97 " + power_of_ten(scale.ticks.exponent) + (label.empty() ? "" : "  ") + label;
  y += kHeight + 54;
  if (!label.empty()) {
    canvas.text(0, y, label, kLabel);
    y += 24;
  }
  if (scale.range.constant) {
    canvas.text(0, y, "every value is " + number_label((scale.range.low + scale.range.high) / 2), kNote, kFaint);
    y += 24;
  } else if (map.scale != MapScale::probability) {
    canvas.text(0, y,
                "colours from the 2nd to the 98th percentile, " + number_label(scale.range.low) + " to " +
                    number_label(scale.range.high),
                kNote, kFaint);
    y += 24;
  }
  return y;
}

}  // namespace

void draw_map(const Map& map, const std::vector<PixelStatus>& status, const Axis& row_axis, const Axis& column_axis,
              const std::filesystem::path& png, std::span<const float> in_domain) {
  Canvas canvas;
  const Panel panel = panel_for(row_axis.size, column_axis.size, row_axis, column_axis);
  const std::string title = map.title.empty() ? map.name : map.title;
  const double width = std::max<double>(panel.width(), kNarrowest);
  const Scale scale = map.classes.empty() ? scale_of(map) : Scale{};
  const auto class_of = [&](float value) {
    return static_cast<std::size_t>(
        std::find_if(map.classes.begin(), map.classes.end(), [&](double c) { return static_cast<float>(c) == value; }) -
        map.classes.begin());
  };
  double y =
      draw_panel(canvas, title, panel, column_axis, status, [&](std::uint64_t pixel, PixelStatus s) -> Paint {
        const float value = map.values[pixel];
        if (s == PixelStatus::masked) return kMasked;
        if (!std::isfinite(value)) return hatching();
        const Colour colour = map.classes.empty() ? perceptual_at(scale.position(value))
                                                  : class_colour(class_of(value), map.classes.size());
        return in_domain.empty() || in_domain[pixel] != 0 ? Paint(colour) : Paint(colour, kPaper);
      });
  std::vector<Swatch> swatches = missing_swatches(status);
  if (const auto outside = static_cast<std::uint64_t>(std::ranges::count(in_domain, 0.0F)); outside > 0)
    swatches.push_back({kHatch, "hatched: unlike the training " + share(outside, status.size()), false, {kHatch, kPaper}});
  if (map.classes.empty()) {
    if (!scale.range.empty) y = draw_colour_bar(canvas, y, width, scale, map);
  } else {
    if (!map.unit.empty()) {
      canvas.text(0, y + kLabel, drawable(map.unit, 70), kLabel);
      y += kLabel + 14;
    }
    std::vector<std::uint64_t> found(map.classes.size() + 1);
    std::uint64_t values = 0;
    for (const float value : map.values) {
      if (!std::isfinite(value)) continue;
      ++found[class_of(value)];
      ++values;
    }
    std::vector<Swatch> classes;
    for (std::size_t i = 0; i < map.classes.size(); ++i) {
      classes.push_back({class_colour(i, map.classes.size()), text("%g ", map.classes[i]) + share(found[i], values)});
    }
    y = draw_swatches(canvas, y, width, classes);
  }
  draw_swatches(canvas, y, width, swatches);
  canvas.save_png(png, kMargin);
}

void draw_status(const std::vector<PixelStatus>& status, const Axis& row_axis, const Axis& column_axis,
                 const std::filesystem::path& png) {
  Canvas canvas;
  const Panel panel = panel_for(row_axis.size, column_axis.size, row_axis, column_axis);
  const double y = draw_panel(canvas, "Status", panel, column_axis, status,
                              [&](std::uint64_t, PixelStatus s) -> Paint { return status_colour(s); });
  std::array<std::uint64_t, status_count> counts{};
  for (const PixelStatus s : status) ++counts[static_cast<std::size_t>(s)];
  std::vector<Swatch> swatches;
  for (std::size_t code = 0; code < status_count; ++code) {
    if (counts[code] == 0) continue;
    std::string label(name_of(static_cast<PixelStatus>(code)));
    std::replace(label.begin(), label.end(), '_', ' ');
    swatches.push_back(
        {status_colour(static_cast<PixelStatus>(code)), label + " " + share(counts[code], status.size())});
  }
  draw_swatches(canvas, y, std::max<double>(panel.width(), kNarrowest), swatches);
  canvas.save_png(png, kMargin);
}

void ready_to_draw() noexcept {
  try {
    Canvas canvas;
    for (const bool bold : {false, true}) canvas.text_width("0", kLabel, bold);
    perceptual();
  } catch (...) {  // who draws will say so
  }
}

}  // namespace elver
