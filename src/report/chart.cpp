#include "report/chart.hpp"

#include <algorithm>
#include <cmath>

#include "report/layout.hpp"
#include "report/parts.hpp"
#include "types/text.hpp"

namespace elver::report {
namespace {

constexpr double kLeft = 66, kTop = 52, kSmall = 12;

/// Values to picture pixels; the vertical direction runs from below upwards.
struct Span {
  double low = 0, high = 1, from = 0, to = 1;
  double at(double value) const { return from + std::clamp((value - low) / (high - low), 0.0, 1.0) * (to - from); }
};

/// Colours of series: blue, orange, green, violet, grey, apart in lightness too.
Colour series_colour(std::size_t index) {
  constexpr std::array<Colour, 6> kColours{
      {{38, 84, 160}, {240, 150, 40}, {70, 160, 110}, {150, 80, 160}, {130, 130, 130}, {200, 70, 60}}};
  return kColours[index % kColours.size()];
}

struct Frame {
  Span vertical;
  double left = 0, bottom = 0;
};

/// Title, vertical axis and frame; where the values go.
Frame draw_frame(Canvas& canvas, double x, double y, const ChartFrame& chart) {
  const Frame out{{chart.low, chart.high, y + kTop + chart.height, y + kTop}, x + kLeft, y + kTop + chart.height};
  canvas.text(x, y + 16, chart.title, kNote + 1, kInk, true);
  canvas.text(x + kLeft, y + 40, chart.axis, kNote - 1, kFaint);
  const Ticks ticks = linear_ticks(chart.low, chart.high);
  for (const Tick& tick : ticks.ticks) {
    const double at = std::floor(out.vertical.at(tick.value));
    canvas.fill(out.left, at, chart.width, 1, {228, 228, 228});
    canvas.text(out.left - 8, at + 5, tick.label, kNote - 1, kInk, false, Canvas::Align::right);
  }
  canvas.fill(out.left, y + kTop, 1, chart.height, kFaint);
  canvas.fill(out.left, out.bottom, chart.width, 1, kFaint);
  return out;
}

double draw_legend(Canvas& canvas, double x, double y, const std::vector<std::string>& series, const std::string& dashed) {
  double at = x;
  for (std::size_t s = 0; s < series.size(); ++s) {
    canvas.fill(at, y - 11, 14, 12, series_colour(s));
    canvas.text(at + 20, y, series[s], kNote - 1);
    at += 20 + canvas.text_width(series[s], kNote - 1) + 22;
  }
  if (!dashed.empty()) {
    canvas.line({{at, y - 5}, {at + 22, y - 5}}, 2, kInk, Canvas::Stroke::dashed);
    canvas.text(at + 28, y, dashed, kNote - 1);
  }
  return y + 14;
}

/// A whisker with feet.
void draw_interval(Canvas& canvas, const Span& scale, double x, double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high)) return;
  const double a = scale.at(low), b = scale.at(high);
  canvas.line({{x, a}, {x, b}}, 1.3, kInk);
  for (const double end : {a, b}) canvas.line({{x - 4, end}, {x + 4, end}}, 1.3, kInk);
}

/// The label below its place; one that is too wide is broken at its spaces.
void draw_label(Canvas& canvas, double centre, double y, double width, const std::string& label) {
  std::vector<std::string> lines{""};
  std::size_t begin = 0;
  while (begin < label.size()) {
    const std::size_t end = std::min(label.find(' ', begin), label.size());
    const std::string word = label.substr(begin, end - begin);
    const std::string longer = lines.back().empty() ? word : text("%s %s", lines.back().c_str(), word.c_str());
    if (!lines.back().empty() && canvas.text_width(longer, kNote - 1) > width) {
      lines.push_back(word);
    } else {
      lines.back() = longer;
    }
    begin = end + 1;
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    canvas.text(centre, y + 17 * static_cast<double>(i + 1), lines[i], kNote - 1, kInk, false, Canvas::Align::centre);
  }
}

constexpr double kLabels = 42;  ///< height of two lines of labels

/// From 0, with something beyond the last, where 0 is not far.
Span horizontal(const std::vector<double>& x, double left, double width) {
  const auto [low, high] = std::ranges::minmax(x);
  if (low >= 0 && low < 0.3 * high) return {0, 1.05 * high, left, left + width};
  return {low, high > low ? high : low + 1, left, left + width};
}

void draw_x_axis(Canvas& canvas, const Span& scale, double y, const std::string& name) {
  for (const Tick& tick : linear_ticks(scale.low, scale.high).ticks) {
    const double at = scale.at(tick.value);
    canvas.fill(std::floor(at), y, 1, 5, kFaint);
    canvas.text(at, y + 20, tick.label, kNote - 1, kInk, false, Canvas::Align::centre);
  }
  canvas.text((scale.from + scale.to) / 2, y + 38, name, kNote - 1, kFaint, false, Canvas::Align::centre);
}

}  // namespace

double draw(Canvas& canvas, double x, double y, const BarChart& chart) {
  const Frame frame = draw_frame(canvas, x, y, chart.frame);
  const double slot = chart.frame.width / static_cast<double>(std::max<std::size_t>(1, chart.groups.size()));
  const double width = std::min(64.0, 0.8 * slot / static_cast<double>(std::max<std::size_t>(1, chart.series.size())));
  bool referred = false;
  for (std::size_t g = 0; g < chart.groups.size(); ++g) {
    const double centre = frame.left + (static_cast<double>(g) + 0.5) * slot;
    for (std::size_t s = 0; s < chart.series.size(); ++s) {
      const Bar& bar = chart.bars[g][s];
      const double left =
          centre + (static_cast<double>(s) - static_cast<double>(chart.series.size()) / 2) * width + 0.05 * width;
      const double middle = left + 0.45 * width;
      if (std::isfinite(bar.value)) {
        const double top = frame.vertical.at(bar.value);
        canvas.fill(left, top, 0.9 * width, frame.bottom - top, series_colour(s));
        draw_interval(canvas, frame.vertical, middle, bar.low, bar.high);
        const std::string value = text(width < 44 ? "%.2f" : "%.3f", bar.value);
        const bool inside = frame.bottom - top > 3 * kSmall;  // where no whisker is
        const double over = frame.vertical.at(std::isfinite(bar.high) ? std::max(bar.high, bar.value) : bar.value);
        canvas.text(middle, inside ? frame.bottom - 6 : over - 5, value, kSmall, inside && s != 1 ? kPaper : kInk, false,
                    Canvas::Align::centre);
      }
      if (std::isfinite(bar.reference)) {
        const double at = frame.vertical.at(bar.reference);
        canvas.line({{left - 0.05 * width, at}, {left + 0.95 * width, at}}, 2, kInk, Canvas::Stroke::dashed);
        referred = true;
      }
    }
    draw_label(canvas, centre, frame.bottom, slot - 8, chart.groups[g]);
  }
  const std::string dashed = referred ? chart.reference_name : "";
  if (chart.series.size() < 2 && dashed.empty()) return frame.bottom + kLabels;
  return draw_legend(canvas, frame.left, frame.bottom + kLabels + 20, chart.series, dashed);
}

double draw(Canvas& canvas, double x, double y, const BoxChart& chart) {
  const Frame frame = draw_frame(canvas, x, y, chart.frame);
  const double slot = chart.frame.width / static_cast<double>(std::max<std::size_t>(1, chart.boxes.size()));
  const double half = std::min(28.0, 0.3 * slot);
  for (std::size_t b = 0; b < chart.boxes.size(); ++b) {
    const Box& box = chart.boxes[b];
    const double centre = frame.left + (static_cast<double>(b) + 0.5) * slot;
    draw_label(canvas, centre, frame.bottom, slot - 8, box.label);
    if (!std::ranges::all_of(box.at, [](double v) { return std::isfinite(v); })) continue;
    draw_interval(canvas, frame.vertical, centre, box.at[0], box.at[4]);
    const double top = frame.vertical.at(box.at[3]), bottom = frame.vertical.at(box.at[1]);
    canvas.fill(centre - half, top, 2 * half, std::max(2.0, bottom - top), series_colour(2));
    canvas.line({{centre - half, frame.vertical.at(box.at[2])}, {centre + half, frame.vertical.at(box.at[2])}}, 2.5, kInk);
    canvas.text(centre, frame.vertical.at(box.at[4]) - 6, text("%.3f", box.at[2]), kSmall, kInk, false, Canvas::Align::centre);
  }
  return frame.bottom + kLabels;
}

double draw(Canvas& canvas, double x, double y, const LineChart& chart) {
  const Frame frame = draw_frame(canvas, x, y, chart.frame);
  std::vector<double> all;
  for (const ChartLine& line : chart.lines) all.insert(all.end(), line.x.begin(), line.x.end());
  if (all.empty()) return frame.bottom;
  const Span across = horizontal(all, frame.left, chart.frame.width);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    const ChartLine& line = chart.lines[i];
    Canvas::Points points;
    for (std::size_t k = 0; k < line.x.size(); ++k) {
      if (!std::isfinite(line.y[k])) continue;
      points.emplace_back(across.at(line.x[k]), frame.vertical.at(line.y[k]));
      if (!line.low.empty()) draw_interval(canvas, frame.vertical, points.back().first, line.low[k], line.high[k]);
    }
    if (points.size() > 1) canvas.line(points, 2, series_colour(i));
    for (const auto& [px, py] : points) {
      if (line.dots) canvas.disc(px, py, 3.5, series_colour(i), series_colour(i));
    }
    if (!line.name.empty()) names.push_back(line.name);
  }
  draw_x_axis(canvas, across, frame.bottom, chart.x_axis);
  return names.empty() ? frame.bottom + kLabels : draw_legend(canvas, frame.left, frame.bottom + kLabels + 20, names, "");
}

double draw(Canvas& canvas, double x, double y, const HeatCurve& chart) {
  const Frame frame = draw_frame(canvas, x, y, chart.frame);
  if (chart.x.size() < 2) return frame.bottom;
  const Span across = horizontal(chart.x, frame.left, chart.frame.width);
  Canvas::Points line;
  for (std::size_t i = 0; i < chart.x.size(); ++i) line.emplace_back(across.at(chart.x[i]), frame.vertical.at(chart.y[i]));
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    const double right = line[i + 1].first + 0.5;  // without a seam
    canvas.polygon({{line[i].first, frame.bottom}, line[i], {right, line[i + 1].second}, {right, frame.bottom}},
                   perceptual_at(0.08 + 0.9 * chart.heat[i]));
  }
  canvas.line(line, 1.2, kInk);
  draw_x_axis(canvas, across, frame.bottom, chart.x_axis);
  return frame.bottom + kLabels;
}

}  // namespace elver::report
