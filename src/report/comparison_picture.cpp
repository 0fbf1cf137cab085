#include <algorithm>
#include <cmath>

#include "elver/compare.hpp"
#include "report/canvas.hpp"
#include "report/curves.hpp"
#include "report/layout.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace report;

constexpr double kWidth = 900, kHeight = 420, kLower = 130, kGap = 26;
constexpr Colour kFirst{0, 84, 166}, kSecond{214, 96, 0};

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
  draw_axes(canvas, upper, AxisLabels::none);
  draw_curve(canvas, upper, c.energy_ev, c.a, kFirst);
  draw_curve(canvas, upper, c.energy_ev, c.b, kSecond);
  canvas.text(8, upper.top + 20, "over the mean", kNote, kFaint);
  const Frame lower{0, y + kHeight + kGap, kWidth, kLower, first, last, -1.1 * apart, 1.1 * apart};
  draw_axes(canvas, lower, AxisLabels::below);
  canvas.line({{lower.left, lower.y(0)}, {lower.left + kWidth, lower.y(0)}}, 1, kFaint, Canvas::Stroke::dashed);
  draw_curve(canvas, lower, c.energy_ev, difference, kInk);
  canvas.text(8, lower.top + 20, "first minus second", kNote, kFaint);
  canvas.text(kWidth / 2, lower.top + kLower + 48, "energy (eV)", kLabel, kInk, false, Canvas::Align::centre);
  canvas.save_png(png, kMargin);
}

}  // namespace elver
