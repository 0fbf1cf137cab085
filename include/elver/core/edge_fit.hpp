#pragma once
#include <cmath>
#include <limits>

#include "elver/background.hpp"
#include "elver/core/chebyshev.hpp"
#include "elver/core/power_law.hpp"

/// One edge of one pixel: from counts to a background, its signal, its errors and its status, in the order in which a
/// lane meets the channels.
namespace elver::core {

/// Sums over the fit window.
template <class T>
struct WindowSums {
  T counts = 0, moment = 0;
  T spoiled = 0;  ///< NaN where a value was not finite

  ELVER_HD void add(T y, T x) {
    counts = counts + y;
    moment = moment + y * x;
    spoiled = spoiled + y * T(0);
  }
};

/// Chebyshev series of a PoissonWindow, `count` coefficients each, one after another: r, log2_mean, variance, skew.
template <class Coefficients, class T>
ELVER_HD PoissonState<T> poisson_state(const Coefficients& series, int count, T u) {
  const T two_u = u + u;
  T sums[4];
  for (int s = 0; s < 4; ++s) {
    T b1 = 0, b2 = 0;
    for (int k = count - 1; k > 0; --k) clenshaw_step(series[s * count + k], two_u, b1, b2);
    sums[s] = clenshaw_end(series[s * count], two_u, b1, b2);
  }
  return {sums[0], sums[1], sums[2], sums[3]};
}

/// What a channel of the fit window adds to Pearson's chi-square of a power law.
template <class T>
ELVER_HD T chi_square_term(const BackgroundCurve<T>& law, T x, T y) {
  const T mean = law.scale * exp2(law.c0 + x * law.c1);
  const T d = y - mean;
  return d * d / mean;
}

/// Variance of a count over its mean: what is given, else 1 where the reduced chi-square is what electrons give, else
/// that itself. Electrons scatter it around 1; five of its standard deviations away they are not electrons.
ELVER_HD inline float variance_of_counts(float chi_square, float counts, float channels, float given) {
  const float two_over_freedom = 2.0f / (channels - 2.0f);
  const float mean = counts / channels;
  const float upper = 1.0f + 5.0f * std::sqrt(two_over_freedom * (1.0f + 0.5f / mean));
  const float below = 1.0f - 5.0f * std::sqrt(two_over_freedom);
  const float lower = 0.02f < below ? below : 0.02f;
  const bool electrons = chi_square < upper && chi_square > lower;
  // Counts without noise (simulated, or saturated alike) still have the rounding of single precision.
  constexpr float kRounding = 1e-12f;
  const float least = kRounding * mean;
  const float found = chi_square < least ? least : chi_square;
  return given > 0 ? given : (electrons ? 1.0f : found);
}

/// Sums over the signal window.
template <class T>
struct SignalSums {
  T background = 0, lever = 0, signal = 0;

  /// Takes the channel in and returns its net counts.
  ELVER_HD T add(const BackgroundCurve<T>& curve, T x, T y) {
    const T b = curve(x);
    background = background + b;
    lever = lever + b * x;
    const T net = y - b;
    signal = signal + net;
    return net;
  }
};

/// Below and beyond which a fit is refused: BackgroundOptions, in numbers that every lane reads.
struct FitLimits {
  double minimum_counts = 0, r_minimum = 0, r_maximum = 0, r_standard_errors = 0;
};

/// Everything known of one edge of one pixel before it is judged.
struct EdgeSums {
  WindowSums<float> window;
  SignalSums<float> signal;
  BackgroundCurve<float> curve;
  float amplitude = 0, r = 0, chi_square = 0, phi = 0;
  PixelStatus status = PixelStatus::ok;  ///< of the fit itself
};

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kLargest = std::numeric_limits<float>::max();

ELVER_HD inline EdgeFit without_value(PixelStatus status) {
  return {kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, status};
}

/// The first reason to refuse the fit, or ok.
ELVER_HD inline PixelStatus judged(const EdgeSums& s, const FitLimits& limits) {
  const float counts = s.window.counts;
  if (s.window.spoiled != s.window.spoiled || !(counts >= -kLargest && counts <= kLargest)) return PixelStatus::not_finite;
  if (s.status == PixelStatus::non_positive_window) return s.status;
  if (static_cast<double>(counts / s.phi) < limits.minimum_counts) return PixelStatus::too_few_counts;
  constexpr double kLn2 = 0.69314718055994530942;
  const double r = static_cast<double>(s.r);
  // Of r: ln of the curve falls by r ln 2 per unit of x.
  const double error = std::sqrt(static_cast<double>(s.curve.slope_variance)) / kLn2;
  const double allowed = limits.r_standard_errors > 0 ? limits.r_standard_errors * error : 0.0;
  if (!(r >= limits.r_minimum - allowed && r <= limits.r_maximum + allowed)) return PixelStatus::r_out_of_range;
  return s.status;
}

/// The fit as it is handed out.
ELVER_HD inline EdgeFit finished(const EdgeSums& s, const FitLimits& limits) {
  const PixelStatus status = judged(s, limits);
  if (failed(status)) return without_value(status);
  EdgeFit fit;
  fit.status = status;
  fit.A = kLargest < s.amplitude ? kLargest : s.amplitude;
  fit.r = s.r;
  fit.reduced_chi_square = s.chi_square;
  fit.phi = s.phi;
  fit.background = s.signal.background;
  const float d = s.signal.lever / s.signal.background - s.curve.centre;
  fit.background_error = fit.background * std::sqrt(s.curve.level_variance + s.curve.slope_variance * d * d);
  fit.signal = s.signal.signal;
  // Squares of counts that a file has scaled up or down leave single precision.
  const double sum = static_cast<double>(fit.signal) + static_cast<double>(fit.background);
  const double total = 0.0 < sum ? sum : 0.0;
  const double error = static_cast<double>(fit.background_error);
  const double variance = static_cast<double>(fit.phi) * total + error * error;
  const double most = static_cast<double>(kLargest);
  double snr = variance > 0 ? static_cast<double>(fit.signal) / std::sqrt(variance) : 0.0;
  snr = snr < -most ? -most : snr;
  snr = most < snr ? most : snr;
  fit.snr = static_cast<float>(snr);
  return fit;
}

/// Less than three standard errors of what the background alone would give there.
ELVER_HD inline bool edge_absent(const EdgeFit& fit) {
  constexpr float kSigmas = 3.0f;
  return fit.signal < kSigmas * std::sqrt(fit.phi * fit.background + fit.background_error * fit.background_error);
}

/// What a pixel is, from what its edges are: a failure before an absent edge before ok; the lowest code of failures.
ELVER_HD inline PixelStatus worse(PixelStatus a, PixelStatus b) {
  if (failed(a) != failed(b)) return failed(a) ? a : b;
  const bool less = b < a;
  return failed(a) == less ? b : a;
}

}  // namespace elver::core
