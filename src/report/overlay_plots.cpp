#include "report/overlay_plots.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver::report {
namespace {

constexpr double kWidth = 400, kHeight = 150;
constexpr double kLeft = 70;  ///< for the labels of the vertical axis

/// One direction of a plot: values to picture pixels.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool logarithmic = false;
  double at(double value) const {
    const double share = logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + std::clamp(share, 0.0, 1.0) * (to - from);
  }
  Ticks ticks() const { return logarithmic ? logarithmic_ticks(low, high) : linear_ticks(low, high); }
};

struct Curve {
  std::vector<OverlapAt> points;  ///< one threshold moves, the other stays
  bool of_first = true;
  double threshold(const OverlapAt& at) const { return of_first ? at.threshold_first : at.threshold_second; }
};

void draw_frame(Canvas& canvas, const Scale& x, const Scale& y, const std::string& name) {
  canvas.frame(std::floor(x.from), std::floor(y.to), std::floor(x.to - x.from), std::floor(y.from - y.to), kFaint);
  double last = 1e9;
  for (const Tick& tick : y.ticks().ticks) {
    const double at = std::floor(y.at(tick.value));
    canvas.fill(x.from - 6, at, 5, 1, kInk);
    if (last - at < 16) continue;
    canvas.text(x.from - 10, at + 5, tick.label, kNote, kInk, false, Canvas::Align::right);
    last = at;
  }
  canvas.text(x.from, y.to - 8, name, kNote, kInk);
}

void draw_x_labels(Canvas& canvas, const Scale& x, double y, const std::string& name) {
  const Ticks ticks = x.ticks();
  double last = -1e9;
  for (const Tick& tick : ticks.ticks) {
    const double at = std::floor(x.at(tick.value)), half = canvas.text_width(tick.label, kNote) / 2;
    canvas.fill(at, y + 1, 1, 5, kInk);
    if (at - half < last + 8) continue;
    canvas.text(at, y + 21, tick.label, kNote, kInk, false, Canvas::Align::centre);
    last = at + half;
  }
  const std::string power = ticks.exponent != 0 ? " (\xC3\x97 " + power_of_ten(ticks.exponent) + ")" : "";
  canvas.text(x.from, y + 42, name + power, kNote);
}

template <class ValueOf>
void draw_line(Canvas& canvas, const Curve& curve, const Scale& x, const Scale& y, const ValueOf& value_of,
               Canvas::Stroke stroke, Colour colour) {
  Canvas::Points points;
  for (const OverlapAt& at : curve.points) {
    if (std::isfinite(value_of(at))) points.emplace_back(x.at(curve.threshold(at)), y.at(value_of(at)));
  }
  if (points.size() > 1) canvas.line(points, 1.5, colour, stroke);
}

/// A dot a point: full where p <= 0.05.
template <class ValueOf>
void draw_dots(Canvas& canvas, const Curve& curve, const Scale& x, const Scale& y, const ValueOf& value_of,
               Colour colour) {
  for (const OverlapAt& at : curve.points) {
    if (!std::isfinite(value_of(at))) continue;
    const bool found = at.p_value && *at.p_value <= 0.05;
    canvas.disc(x.at(curve.threshold(at)), y.at(value_of(at)), 3.5, found ? colour : kPaper, colour);
  }
}

void draw_interval(Canvas& canvas, const Curve& curve, const Scale& x, const Scale& y, Colour colour) {
  Canvas::Points band;
  for (const OverlapAt& at : curve.points) band.emplace_back(x.at(curve.threshold(at)), y.at(at.correlated_high));
  for (auto at = curve.points.rbegin(); at != curve.points.rend(); ++at)
    band.emplace_back(x.at(curve.threshold(*at)), y.at(at->correlated_low));
  if (band.size() > 3) canvas.polygon(band, colour, 0.22);
}

/// The odds ratios of both curves, and 1, in powers of ten; the intervals may leave it.
std::pair<double, double> odds_range(const std::array<Curve, 2>& curves) {
  double low = 0.5, high = 2;
  for (const Curve& curve : curves) {
    for (const OverlapAt& at : curve.points) {
      low = std::min(low, at.odds_ratio / 2);
      high = std::max(high, at.odds_ratio * 2);
    }
  }
  return {std::max(low, 1e-6), std::min(high, 1e6)};
}

}  // namespace

Colour overlay_colour(std::size_t index, OverlayColours scheme) {
  constexpr std::array<Colour, kLargestOverlay> kPaperColours{
      {{40, 190, 70}, {225, 45, 45}, {70, 130, 255}, {240, 205, 60}}};
  constexpr std::array<Colour, kLargestOverlay> kSafeColours{
      {{50, 110, 250}, {255, 145, 0}, {150, 225, 255}, {165, 60, 40}}};
  return (scheme == OverlayColours::safe ? kSafeColours : kPaperColours)[index];
}

Colour added(Colour a, Colour b) {
  const auto sum = [](std::uint8_t x, std::uint8_t y) { return static_cast<std::uint8_t>(std::min(255, x + y)); };
  return {sum(a.r, b.r), sum(a.g, b.g), sum(a.b, b.b)};
}

Colour between(Colour a, Colour b, double share) {
  const auto mix = [share](std::uint8_t x, std::uint8_t y) {
    return static_cast<std::uint8_t>(std::lround(x + share * (y - x)));
  };
  return {mix(a.r, b.r), mix(a.g, b.g), mix(a.b, b.b)};
}

double draw_curves(Canvas& canvas, double top, const OverlayResult& result, OverlayColours scheme) {
  const Overlap& overlap = result.overlaps.front();
  const std::array<Curve, 2> curves{{{overlap.by_first, true}, {overlap.by_second, false}}};
  if (curves[0].points.empty() || curves[1].points.empty()) return top;
  const auto [low, high] = odds_range(curves);
  const double second = top + kHeight + 34;
  for (std::size_t k = 0; k < 2; ++k) {
    const Curve& curve = curves[k];
    const Colour colour = between(overlay_colour(k, scheme), kAbsent, 0.15);
    const double left = kLeft + static_cast<double>(k) * (kWidth + kLeft + 40);
    Scale x{curve.threshold(curve.points.front()), curve.threshold(curve.points.back()), left + 8, left + kWidth - 8};
    if (!(x.high > x.low)) {
      x.low -= 0.5;
      x.high += 0.5;
    }
    const Scale frame{0, 1, left, left + kWidth};
    const Scale jaccard{0, 1, top + kHeight, top}, odds{low, high, second + kHeight, second, true};
    const double used = std::floor(x.at(result.thresholds[k]));
    for (const Scale* y : {&jaccard, &odds}) {
      draw_frame(canvas, {frame.low, frame.high, frame.from, frame.to}, *y,
                 y == &jaccard ? "Jaccard index (dashed: by chance)" : "odds ratio (band: 95 %)");
      canvas.line({{used + 0.5, y->from}, {used + 0.5, y->to}}, 1, kFaint, Canvas::Stroke::dashed);
    }
    const auto jaccard_of = [](const OverlapAt& at) { return at.jaccard; };
    const auto odds_of = [](const OverlapAt& at) { return at.odds_ratio; };
    draw_line(
        canvas, curve, x, jaccard, [](const OverlapAt& at) { return at.null_jaccard; }, Canvas::Stroke::dashed, kFaint);
    draw_line(canvas, curve, x, jaccard, jaccard_of, Canvas::Stroke::whole, colour);
    draw_dots(canvas, curve, x, jaccard, jaccard_of, colour);
    draw_interval(canvas, curve, x, odds, colour);
    canvas.line({{left, odds.at(1)}, {left + kWidth, odds.at(1)}}, 1, kFaint);
    draw_line(canvas, curve, x, odds, odds_of, Canvas::Stroke::whole, colour);
    draw_dots(canvas, curve, x, odds, odds_of, colour);
    draw_x_labels(canvas, x, second + kHeight, "threshold of " + result.maps[k].name);
  }
  const double y = second + kHeight + 68;
  canvas.text(0, y,
              "full dots: p \xE2\x89\xA4 0.05, one-sided; upright line: the threshold used; intervals allow for "
              "neighbours that resemble each other",
              kNote, kFaint);
  return y + 20;
}

}  // namespace elver::report
