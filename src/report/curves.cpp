#include "report/curves.hpp"

#include <algorithm>
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

void draw_spectra(Canvas& canvas, double top, const std::vector<double>& energy_ev, std::span<const Curve> curves,
                  const std::string& note, const std::vector<double>& difference, const std::string& difference_note) {
  constexpr double kWidth = 900, kHeight = 420, kLower = 130, kGap = 26;
  double low = 0, high = 0, apart = 0;
  for (const Curve& curve : curves) {
    low = std::min(low, *std::ranges::min_element(curve.values));
    high = std::max(high, *std::ranges::max_element(curve.values));
  }
  for (const double d : difference) apart = std::max(apart, std::abs(d));
  apart = std::max(apart, 0.05 * (high - low));
  const double first = energy_ev.front(), last = energy_ev.back(), room = 0.04 * (high - low);
  const Frame upper{0, top, kWidth, kHeight, first, last, low - room, high + room};
  draw_axes(canvas, upper, AxisLabels::none);
  for (const Curve& curve : curves) draw_curve(canvas, upper, energy_ev, curve.values, curve.colour);
  canvas.text(8, upper.top + 20, note, kNote, kFaint);
  const Frame lower{0, top + kHeight + kGap, kWidth, kLower, first, last, -1.1 * apart, 1.1 * apart};
  draw_axes(canvas, lower, AxisLabels::below);
  canvas.line({{lower.left, lower.y(0)}, {lower.left + kWidth, lower.y(0)}}, 1, kFaint, Canvas::Stroke::dashed);
  draw_curve(canvas, lower, energy_ev, difference, kInk);
  canvas.text(8, lower.top + 20, difference_note, kNote, kFaint);
  canvas.text(kWidth / 2, lower.top + kLower + 48, "energy (eV)", kLabel, kInk, false, Canvas::Align::centre);
}

double draw_legend(Canvas& canvas, double y, Colour colour, const std::string& line) {
  canvas.fill(0, y - 6, 28, 3, colour);
  canvas.text(38, y, line, kLabel);
  return y + 26;
}

}  // namespace elver::report
