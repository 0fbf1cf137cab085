#include <algorithm>
#include <cmath>

#include "elver/report.hpp"
#include "report/overlay_plots.hpp"
#include "report/parts.hpp"

namespace elver {

using namespace report;

void draw_registration(const PlacedMap& picture, const Registration& registration,
                       const std::vector<std::string>& labels, const std::filesystem::path& png) {
  if (!registration.on_picture) return;
  const Panel panel = panel_for(picture.rows.size, picture.columns.size, picture.rows, picture.columns);
  const ColourRange range = percentile_range(picture.map.values);
  Canvas canvas;
  canvas.text(0, -16, "Where the fields lie", kTitle, kInk, true);
  draw_pixels(canvas, 0, 0, panel, [&](std::uint64_t pixel, int x, int y) {
    const auto value = static_cast<double>(picture.map.values[pixel]);
    if (!std::isfinite(value)) return hatched(x, y);
    const double share = std::clamp((value - range.low) / std::max(1e-300, range.high - range.low), 0.0, 1.0);
    const auto grey = static_cast<std::uint8_t>(std::lround(255 * share));
    return Colour{grey, grey, grey};
  });
  const double across = panel.column_pixels / static_cast<double>(panel.step);
  const double down = panel.row_pixels / static_cast<double>(panel.step);
  const ScanPlace::Outline outlines[] = {registration.on_picture->first, registration.on_picture->second};
  std::vector<Swatch> swatches;
  for (std::size_t i = 0; i < 2; ++i) {
    const ScanPlace::Outline& o = outlines[i];
    const Colour colour = overlay_colour(i, OverlayColours::safe);
    const auto at = [&](double x, double y) { return std::pair{x * across, y * down}; };
    canvas.line({at(o.left, o.top), at(o.right, o.top), at(o.right, o.bottom), at(o.left, o.bottom), at(o.left, o.top)},
                2, colour);
    swatches.push_back({colour, drawable(i < labels.size() ? labels[i] : "", 60)});
  }
  const double y = draw_scale(canvas, panel.height(), panel, picture.columns);
  draw_swatches(canvas, y, std::max(460, panel.width()), swatches);
  canvas.save_png(png, kMargin);
}

}  // namespace elver
