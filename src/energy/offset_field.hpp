#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace elver::energy {

/// Offsets of all pixels, each from its own measurement and those of its neighbours.
struct OffsetField {
  std::vector<double> value, error;            ///< best prediction, and its standard error
  std::vector<double> without, without_error;  ///< prediction from the neighbours alone
};

/// Kriging (best linear unbiased prediction) of measurements with known standard errors; infinity where there is none.
/// How much neighbours are alike is taken from the measurements: the covariance of a pair is fitted to the squared
/// differences along rows and columns, less what the standard errors explain. So a pixel whose own error is small
/// beside the difference of neighbours keeps what it measured, and one whose error is large takes its neighbours'.
/// A measurement more than four standard errors off its neighbourhood counts as none. Rows of `columns`, C order.
OffsetField krige(std::span<const double> measured, std::span<const double> error, std::uint64_t rows,
                  std::uint64_t columns, unsigned threads);

}  // namespace elver::energy
