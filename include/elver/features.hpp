#pragma once
#include <cstdint>

namespace elver {

enum class FeatureKind : std::uint8_t { cdf, raw };
/// inclusive: numpy.cumsum; exclusive: the sum of the points before, so it starts at 0; trapezoid: running
/// trapezoid sum in units of the spacing, starting at 0.
enum class CdfSum : std::uint8_t { inclusive, exclusive, trapezoid };
/// What the vector of one edge is divided by. `area` is for raw intensity: the sum of its points.
enum class Divisor : std::uint8_t { last, max, area, none };

struct FeatureRule {
  FeatureKind kind = FeatureKind::cdf;
  CdfSum sum = CdfSum::inclusive;
  Divisor divide_by = Divisor::last;
  bool clip_negative = true;  ///< negative net counts count as 0 in the features (never in the signal)
};

}  // namespace elver
