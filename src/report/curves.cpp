#include "report/curves.hpp"

#include <cmath>

#include "report/layout.hpp"
#include "report/parts.hpp"

namespace elver::report {

void draw_axes(Canvas& canvas, const Frame& f, AxisLabels labels) {
  canvas.frame(f.left, f.top, f.width, f.height, kFaint);
  for (const Tick& tick : linear_ticks(f.x_low, f.x_high).ticks) {
    canvas.fill(std::floor(f.x(tick.value)), f.top + f.height, 1, 6, kInk);
    if (labels == AxisLabels::below)
      canvas.text(f.x(tick.value), f.top + f.height + 22, number_label(tick.value), kNote, kInk, false, Canvas::Align::centre);
  }
  for (const Tick& tick : linear_ticks(f.y_low, f.y_high).ticks) {
    canvas.fill(f.left - 6, std::floor(f.y(tick.value)), 6, 1, kInk);
    canvas.text(f.left - 10, f.y(tick.value) + 5, tick.label, kNote, kInk, false, Canvas::Align::right);
  }
}

void draw_curve(Canvas& canvas, const Frame& f, const std::vector<double>& x, const std::vector<double>& y, Colour colour) {
  Canvas::Points points;
  for (std::size_t i = 0; i < x.size(); ++i) points.emplace_back(f.x(x[i]), f.y(y[i]));
  canvas.line(points, 2, colour);
}

}  // namespace elver::report
