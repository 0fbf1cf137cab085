#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "elver/image.hpp"

/// What the pictures are measured by: nothing here draws.
namespace elver::report {

/// How the pixels of a map become pixels of a picture: whole numbers of them, so that edges stay sharp.
struct Panel {
  std::uint64_t rows = 0, columns = 0;  ///< of the map
  std::uint64_t step = 1;               ///< every step-th row and column is drawn; > 1 only for very large maps
  int column_pixels = 1;                ///< picture pixels across one map pixel
  int row_pixels = 1;                   ///< and down
  bool to_scale = true;                 ///< false where the calibrated shape would be too extreme to see

  int width() const { return static_cast<int>((columns + step - 1) / step) * column_pixels; }
  int height() const { return static_cast<int>((rows + step - 1) / step) * row_pixels; }
  /// Which pixel of the map lies at (x, y) of the panel.
  std::uint64_t pixel(int x, int y) const {
    return static_cast<std::uint64_t>(y / row_pixels) * step * columns +
           static_cast<std::uint64_t>(x / column_pixels) * step;
  }
};
/// `long_side` is what its longer side aims at, in picture pixels.
Panel panel_for(std::uint64_t rows, std::uint64_t columns, const Axis& row_axis, const Axis& column_axis,
                int long_side = 1080);

struct ScaleBar {
  double length = 0;  ///< in columns of the map
  std::string label;  ///< "5 nm", "200 nm", "4 px"
};
/// A length of 1, 2 or 5 times a power of ten, not above a quarter of `across` columns.
ScaleBar scale_bar_for(double across, const Axis& column_axis);

/// The part of a map's values that the colours are spread over.
struct ColourRange {
  double low = 0, high = 1;
  bool below = false, above = false;  ///< values lie beyond the end
  bool empty = false;                 ///< no value at all
  bool constant = false;              ///< all the same value: it lies in the middle
};
/// From the 2nd to the 98th percentile of the finite values, widened where they are all equal.
ColourRange percentile_range(const std::vector<float>& values);

struct Tick {
  double value;
  std::string label;
};
/// Four to seven round values within [low, high], and the power of ten that the labels leave out (0: none).
struct Ticks {
  std::vector<Tick> ticks;
  int exponent = 0;
};
Ticks linear_ticks(double low, double high);
/// Powers of ten within [low, high], both > 0; with 2 and 5 between where they are few.
Ticks logarithmic_ticks(double low, double high);

/// "0.5", "1.76 x 10^6" with a raised exponent.
std::string number_label(double value);
/// 10 to this power, with raised digits.
std::string power_of_ten(int exponent);
/// Valid UTF-8 on one line, at most `length` characters: what a drawing library accepts of any text.
std::string drawable(const std::string& text, std::size_t length = 90);

}  // namespace elver::report
