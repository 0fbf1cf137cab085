#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace elver {

/// Where the window on a mirrored map begins: row and column of its first pixel.
struct Shift {
  std::uint64_t down = 0, right = 0;
};
struct Shifts {
  std::vector<Shift> list;  ///< the first is none: the map as it is
  bool all = true;          ///< every one there is
};
/// Every shift of a mirrored map of this shape where they are at most 10 000, else `draws` drawn ones.
Shifts shifts_of(std::uint64_t rows, std::uint64_t columns, std::uint64_t draws, std::uint64_t seed);

/// A map continued by its mirror image, with period twice its size in each direction, so that no seam cuts through it;
/// seen through a window of the map's own shape.
template <class Number>
class Mirrored {
 public:
  Mirrored(const std::vector<Number>& values, std::uint64_t rows, std::uint64_t columns)
      : rows_(rows), columns_(columns), values_(rows * 3 * columns) {
    for (std::uint64_t i = 0; i < rows; ++i) {
      for (std::uint64_t j = 0; j < 3 * columns; ++j)
        values_[i * 3 * columns + j] = values[i * columns + folded(j, columns)];
    }
  }
  /// Row `row` of the window: as many values as the map has columns.
  const Number* row(std::uint64_t row, const Shift& shift) const {
    return values_.data() + folded(row + shift.down, rows_) * 3 * columns_ + shift.right;
  }

 private:
  static std::uint64_t folded(std::uint64_t k, std::uint64_t size) {
    k %= 2 * size;
    return k < size ? k : 2 * size - 1 - k;
  }
  std::uint64_t rows_, columns_;
  std::vector<Number> values_;  ///< (rows, 3 columns): a window begins before 2 columns
};

}  // namespace elver
