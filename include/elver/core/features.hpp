#pragma once
#include "elver/core/host_device.hpp"
#include "elver/features.hpp"

/// One edge of one pixel as a vector of features. Sums run in the order of the energies, as numpy.cumsum's do.
namespace elver::core {

/// A point of the grid, between two channels.
template <class T>
ELVER_HD inline T interpolated(T left, T right, T weight, bool clip_negative) {
  const T value = left + weight * (right - left);
  return clip_negative && value < T(0) ? T(0) : value;
}

/// Running sums over the points of a grid, and the divisor that goes with them.
template <class T>
struct Accumulator {
  T sum = 0;       ///< of the points so far, by the rule
  T previous = 0;  ///< the last point
  T divisor = 0;
};

/// The feature of the next point, not yet divided. `first`: whether it is the first point.
template <class T>
ELVER_HD inline T accumulate(Accumulator<T>& a, T point, const FeatureRule& rule, bool first) {
  T feature = point;
  if (rule.kind == FeatureKind::cdf) {
    switch (rule.sum) {
      case CdfSum::inclusive:
        feature = a.sum = a.sum + point;
        break;
      case CdfSum::exclusive:
        feature = a.sum;
        a.sum = a.sum + point;
        break;
      case CdfSum::trapezoid:
        feature = a.sum = first ? T(0) : a.sum + T(0.5) * (a.previous + point);
        a.previous = point;
        break;
    }
  }
  switch (rule.divide_by) {
    case Divisor::last:
      a.divisor = feature;
      break;
    case Divisor::max:
      a.divisor = first || feature > a.divisor ? feature : a.divisor;
      break;
    case Divisor::area:
      a.divisor = a.divisor + point;
      break;
    case Divisor::none:
      a.divisor = T(1);
      break;
  }
  return feature;
}

}  // namespace elver::core
