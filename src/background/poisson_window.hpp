#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace elver {

/// Everything that the Poisson maximum-likelihood fit of a power law needs to know of a set of channels, made once in
/// double precision. Counts y_i with means proportional to 2^(-r x_i) are an exponential family: r depends on the data
/// through q = sum(y x) / sum(y) alone, and so do the window's normalisation and moments. Each is a Chebyshev series in
/// u = (q - q_centre) / q_half.
struct PoissonWindow {
  double r_low = 0, r_high = 0;  ///< the exponents that the series cover
  float q_centre = 0, q_half_inverse = 0;
  int count = 0;  ///< coefficients of each series
  std::vector<float> r, log2_mean, variance, skew;

  /// `x`: log2(E/E0) of the channels, strictly ascending, at least 3. The range asked for is cut to what the window can
  /// tell apart (|r| times half its width in ln E up to 8).
  PoissonWindow(std::span<const double> x, double r_low, double r_high);
};

}  // namespace elver
