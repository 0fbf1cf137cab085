#pragma once
#include <span>
#include <string>
#include <vector>

#include "report/canvas.hpp"

/// Curves over an axis: what the pictures of spectra share.
namespace elver::report {

/// A rectangle of the picture, and the values at its sides.
struct Frame {
  double left, top, width, height, x_low, x_high, y_low, y_high;
  double x(double value) const { return left + (value - x_low) / (x_high - x_low) * width; }
  double y(double value) const { return top + height - (value - y_low) / (y_high - y_low) * height; }
};

enum class AxisLabels { below, none };
/// The rectangle with round ticks, those of x labelled below it or not.
void draw_axes(Canvas& canvas, const Frame& frame, AxisLabels labels);
void draw_curve(Canvas& canvas, const Frame& frame, const std::vector<double>& x, const std::vector<double>& y, Colour colour);

struct Curve {
  const std::vector<double>& values;
  Colour colour;
};
/// Spectra over each other, the first below the others, and under them a difference of theirs; `top` is that of the upper
/// frame.
void draw_spectra(Canvas& canvas, double top, const std::vector<double>& energy_ev, std::span<const Curve> curves,
                  const std::string& note, const std::vector<double>& difference, const std::string& difference_note);
/// A line of a legend at `y`, and the place of the next.
double draw_legend(Canvas& canvas, double y, Colour colour, const std::string& line);

}  // namespace elver::report
