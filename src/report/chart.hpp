#pragma once
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "report/canvas.hpp"

/// Charts of figures: what to draw, not how. Each draws itself with its upper left corner at (x, y) and returns the y
/// under it. Numbers that are not finite are left out.
namespace elver::report {

inline constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

struct ChartFrame {
  std::string title, axis;  ///< of the vertical axis
  double low = 0, high = 1;
  double width = 620, height = 260;
};

struct Bar {
  double value = kNoNumber, low = kNoNumber, high = kNoNumber;  ///< with its interval
  double reference = kNoNumber;                                 ///< somebody else's number, drawn as a dashed line
};
struct BarChart {
  ChartFrame frame;
  std::string reference_name;  ///< what the dashed lines are
  std::vector<std::string> groups, series;
  std::vector<std::vector<Bar>> bars;  ///< [group][series]
};
double draw(Canvas& canvas, double x, double y, const BarChart& chart);

/// Least, quartile, median, quartile, most.
struct Box {
  std::string label;
  std::array<double, 5> at{};
};
struct BoxChart {
  ChartFrame frame;
  std::vector<Box> boxes;
};
double draw(Canvas& canvas, double x, double y, const BoxChart& chart);

struct ChartLine {
  std::string name;
  std::vector<double> x, y, low, high;  ///< low and high may be empty
  bool dots = true;
};
struct LineChart {
  ChartFrame frame;
  std::string x_axis;
  std::vector<ChartLine> lines;
};
double draw(Canvas& canvas, double x, double y, const LineChart& chart);

/// A curve over the energy whose inside is coloured by a second quantity, 0 (dark) to 1 (bright).
struct HeatCurve {
  ChartFrame frame;
  std::string x_axis;
  std::vector<double> x, y, heat;
};
double draw(Canvas& canvas, double x, double y, const HeatCurve& chart);

}  // namespace elver::report
