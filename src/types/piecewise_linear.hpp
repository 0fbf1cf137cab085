#pragma once
#include <algorithm>
#include <cstddef>
#include <span>

namespace elver {

/// The value at `at` of the straight lines between points, of which there is one at least, their x rising; beyond both
/// ends that of the end.
template <class X, class Y>
double piecewise_linear(std::span<const X> x, std::span<const Y> y, double at) {
  const auto next = std::lower_bound(x.begin(), x.end(), at,
                                     [](X point, double value) { return static_cast<double>(point) < value; });
  if (next == x.begin()) return static_cast<double>(y.front());
  if (next == x.end()) return static_cast<double>(y.back());
  const auto k = static_cast<std::size_t>(next - x.begin()) - 1;
  const double t = (at - static_cast<double>(x[k])) / (static_cast<double>(x[k + 1]) - static_cast<double>(x[k]));
  return (1 - t) * static_cast<double>(y[k]) + t * static_cast<double>(y[k + 1]);
}

}  // namespace elver
