#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "elver/overlay.hpp"
#include "overlay/shifts.hpp"

namespace elver {

/// Two maps on one grid and every shift of the second over the first: what chance alone makes of them.
class ShiftNull {
 public:
  /// (rows, columns) values each, NaN where there is none.
  ShiftNull(std::span<const float> first, std::span<const float> second, std::uint64_t rows, std::uint64_t columns,
            const Shifts& shifts);

  /// One table a shift, the observed one first. Pixels count where both have a value.
  std::vector<PresenceTable> tables(float threshold_first, float threshold_second) const;
  /// Correlation of ranks a shift, the observed one first, and over how many pixels. NaN where one is constant.
  struct Correlation {
    double value = 0;
    std::uint64_t n = 0;
  };
  std::vector<Correlation> rank_correlations() const;

 private:
  std::span<const float> first_, second_;
  std::uint64_t rows_, columns_;
  const Shifts& shifts_;
  std::vector<std::uint8_t> known_first_, known_second_;
  bool complete_ = true;  ///< every pixel has a value in both
};

/// Ranks from 1, equal values at their mean rank; 0 for values that are not finite.
std::vector<double> ranks_of(std::span<const float> values);

}  // namespace elver
