#include "report/parts.hpp"

#include <algorithm>
#include <cmath>

#include "types/text.hpp"

namespace elver::report {

double draw_scale(Canvas& canvas, double y, const Panel& panel, const Axis& column_axis) {
  const double column_width = panel.column_pixels / static_cast<double>(panel.step);
  const double across =
      std::max<double>(panel.width(), panel.height() / 3.0) / column_width;  // a thin panel's bar stays visible
  const ScaleBar bar = scale_bar_for(across, column_axis);
  const double length = bar.length * column_width;
  y += 24;
  canvas.fill(0, y - 6, length, 6, kInk);
  canvas.text(length + 10, y + 3, bar.label, kLabel);
  std::string note;
  if (!panel.to_scale) note = "rows and columns not to the same scale";
  if (panel.step > 1)
    note += text("%s1 in %llu rows and columns shown", note.empty() ? "" : "; ",
                 static_cast<unsigned long long>(panel.step));
  if (panel.rows == 1 && panel.columns > 1) {
    note = panel.step > 1 ? text("line scan; 1 in %llu columns shown", static_cast<unsigned long long>(panel.step))
                          : "line scan";
  }
  if (!note.empty()) {
    y += 24;
    canvas.text(0, y, note, kNote, kFaint);
  }
  return y + 18;
}

double draw_swatches(Canvas& canvas, double y, double width, const std::vector<Swatch>& swatches) {
  constexpr int kSwatch = 20;
  double x = 0;
  if (swatches.empty()) return y;
  for (const Swatch& swatch : swatches) {
    const double needed = kSwatch + 8 + canvas.text_width(swatch.label, kLabel) + 24;
    if (x > 0 && x + needed > width) {
      x = 0;
      y += kSwatch + 10;
    }
    std::vector<Colour> colours(static_cast<std::size_t>(kSwatch * kSwatch), swatch.colour);
    for (int i = 0; i < kSwatch * kSwatch && (swatch.hatched || !swatch.stripes.empty()); ++i) {
      const int px = i % kSwatch, py = i / kSwatch;
      colours[static_cast<std::size_t>(i)] = swatch.hatched ? hatched(px, py) : striped(swatch.stripes, px, py);
    }
    canvas.pixels(static_cast<int>(x), static_cast<int>(y), kSwatch, kSwatch, colours);
    canvas.frame(std::floor(x), std::floor(y), kSwatch, kSwatch, kFaint);
    canvas.text(std::floor(x) + kSwatch + 8, y + kSwatch - 4, swatch.label, kLabel);
    x = std::floor(x + needed);
  }
  return y + kSwatch + 18;
}

std::string share(std::uint64_t part, std::uint64_t whole) {
  const double percent = whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
  return text("(%.1f %%)", percent);
}

}  // namespace elver::report
