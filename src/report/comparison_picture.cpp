#include <algorithm>
#include <cmath>

#include "elver/compare.hpp"
#include "report/canvas.hpp"
#include "report/layout.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace report;

constexpr double kWidth = 900, kHeight = 420, kLower = 130, kGap = 26;
constexpr Colour kFirst{0, 84, 166}, kSecond{214, 96, 0};

struct Frame {
  double left, top, width, height, x_low, x_high, y_low, y_high;
  double x(double value) const { return left + (value - x_low) / (x_high - x_low) * width; }
  double y(double value) const { return top + height - (value - y_low) / (y_high - y_low) * height; }
};

void draw_axes(Canvas& canvas, const Frame& f, bool labels) {
  canvas.frame(f.left, f.top, f.width, f.height, kFaint);
  for (const Tick& tick : linear_ticks(f.x_low, f.x_high).ticks) {
    canvas.fill(std::floor(f.x(tick.value)), f.top + f.height, 1, 6, kInk);
    if (labels) canvas.text(f.x(tick.value), f.top + f.height + 22, number_label(tick.value), kNote, kInk, false, Canvas::Align::centre);
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

}  // namespace

void draw_comparison(const Comparison& c, const std::filesystem::path& png) {
  Canvas canvas;
  std::vector<double> difference;
  for (std::size_t i = 0; i < c.a.size(); ++i) difference.push_back(c.a[i] - c.b[i]);
  double low = 0, high = 0, apart = 0;
  for (const std::vector<double>* values : {&c.a, &c.b}) {
    low = std::min(low, *std::min_element(values->begin(), values->end()));
    high = std::max(high, *std::max_element(values->begin(), values->end()));
  }
  for (const double d : difference) apart = std::max(apart, std::abs(d));
  apart = std::max(apart, 0.05 * (high - low));
  double y = kTitle;
  canvas.text(0, y, text("cosine similarity %.4f, Pearson correlation %.4f", c.similarity.cosine, c.similarity.pearson), kTitle, kInk, true);
  y += 34;
  canvas.fill(0, y - 6, 28, 3, kFirst);
  canvas.text(38, y, drawable(c.first), kLabel);
  y += 26;
  canvas.fill(0, y - 6, 28, 3, kSecond);
  canvas.text(38, y, drawable(c.second) + (c.shift_ev != 0 ? text(" (moved by %+.2f eV)", c.shift_ev) : ""), kLabel);
  y += 26;
  const double first = c.energy_ev.front(), last = c.energy_ev.back(), room = 0.04 * (high - low);
  const Frame upper{0, y, kWidth, kHeight, first, last, low - room, high + room};
  draw_axes(canvas, upper, false);
  draw_curve(canvas, upper, c.energy_ev, c.a, kFirst);
  draw_curve(canvas, upper, c.energy_ev, c.b, kSecond);
  canvas.text(8, upper.top + 20, "over the mean", kNote, kFaint);
  const Frame lower{0, y + kHeight + kGap, kWidth, kLower, first, last, -1.1 * apart, 1.1 * apart};
  draw_axes(canvas, lower, true);
  canvas.line({{lower.left, lower.y(0)}, {lower.left + kWidth, lower.y(0)}}, 1, kFaint, Canvas::Stroke::dashed);
  draw_curve(canvas, lower, c.energy_ev, difference, kInk);
  canvas.text(8, lower.top + 20, "first minus second", kNote, kFaint);
  canvas.text(kWidth / 2, lower.top + kLower + 48, "energy (eV)", kLabel, kInk, false, Canvas::Align::centre);
  canvas.save_png(png, kMargin);
}

}  // namespace elver
