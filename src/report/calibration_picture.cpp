#include <algorithm>
#include <cmath>

#include "elver/calibrate_library.hpp"
#include "report/canvas.hpp"
#include "report/curves.hpp"
#include "report/layout.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver {

void draw_calibration(const LibraryCalibration& calibration, const EdgeCalibration& e, const std::filesystem::path& png) {
  using namespace report;
  constexpr double kWidth = 900, kHeight = 420, kLower = 130, kGap = 26;
  constexpr Colour kMeasured{0, 84, 166}, kPlain{150, 150, 150}, kFitted{214, 96, 0};
  Canvas canvas;
  std::vector<double> difference;
  for (std::size_t i = 0; i < e.measured.size(); ++i) difference.push_back(e.measured[i] - e.calibrated[i]);
  double low = 0, high = 0, apart = 0;
  for (const std::vector<double>* values : {&e.measured, &e.as_it_is, &e.calibrated}) {
    low = std::min(low, *std::ranges::min_element(*values));
    high = std::max(high, *std::ranges::max_element(*values));
  }
  for (const double d : difference) apart = std::max(apart, std::abs(d));
  apart = std::max(apart, 0.05 * (high - low));
  double y = kTitle;
  canvas.text(0, y, e.edge + ": the library and the reference", kTitle, kInk, true);
  y += 34;
  const auto legend = [&](Colour colour, const std::string& line) {
    canvas.fill(0, y - 6, 28, 3, colour);
    canvas.text(38, y, line, kLabel);
    y += 26;
  };
  legend(kMeasured, drawable("measured: " + calibration.reference, 80));
  legend(kPlain, text("the library as it is: cosine %.4f, Pearson %.4f", e.before.cosine, e.before.pearson));
  legend(kFitted, text("calibrated: cosine %.4f, Pearson %.4f", e.after.cosine, e.after.pearson));
  const double first = e.energy_ev.front(), last = e.energy_ev.back(), room = 0.04 * (high - low);
  const Frame upper{0, y, kWidth, kHeight, first, last, low - room, high + room};
  draw_axes(canvas, upper, AxisLabels::none);
  draw_curve(canvas, upper, e.energy_ev, e.as_it_is, kPlain);
  draw_curve(canvas, upper, e.energy_ev, e.measured, kMeasured);
  draw_curve(canvas, upper, e.energy_ev, e.calibrated, kFitted);
  canvas.text(8, upper.top + 20, "net counts over their mean", kNote, kFaint);
  const Frame lower{0, y + kHeight + kGap, kWidth, kLower, first, last, -1.1 * apart, 1.1 * apart};
  draw_axes(canvas, lower, AxisLabels::below);
  canvas.line({{lower.left, lower.y(0)}, {lower.left + kWidth, lower.y(0)}}, 1, kFaint, Canvas::Stroke::dashed);
  draw_curve(canvas, lower, e.energy_ev, difference, kInk);
  canvas.text(8, lower.top + 20, "measured minus calibrated", kNote, kFaint);
  canvas.text(kWidth / 2, lower.top + kLower + 48, "energy (eV)", kLabel, kInk, false, Canvas::Align::centre);
  canvas.save_png(png, kMargin);
}

}  // namespace elver
