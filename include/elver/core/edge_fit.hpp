#pragma once
#include <cmath>
#include <limits>

#include "elver/background.hpp"
#include "elver/core/chebyshev.hpp"
#include "elver/core/power_law.hpp"

/// One edge of one pixel: from counts to a background, its signal, its errors and its status, in the order in which a
/// lane meets the channels. Both back ends run this text: CUDA in one thread a pixel, SIMD loop by loop over a block of
/// pixels. Where T is said, it is a number or a register of the numbers of several pixels (and the function part of its
/// caller, who knows the registers); x is the same for all of them.
namespace elver::core {

/// Sums over the fit window.
template <class T>
struct WindowSums {
  T counts{}, moment{};

  ELVER_HD __attribute__((always_inline)) void add(T y, float x) {
    counts = counts + y;
    moment = moment + y * x;
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

/// Whether the series hold there; outside nothing they say does.
ELVER_HD inline bool in_series(float u) { return u >= -1.0f && u <= 1.0f; }

/// A: counts per channel at 1 eV.
ELVER_HD inline float amplitude(const PoissonState<float>& state, float counts, float channels, float log2_e0) {
  return counts / channels * exp2(state.r * log2_e0 - state.log2_mean);
}

/// The curve before it is corrected, when its exponent is a straight line.
ELVER_HD inline float straight(const BackgroundCurve<float>& law, float x) {
  return law.scale * exp2(law.c0 + x * law.c1);
}

/// What a channel of the fit window adds to Pearson's chi-square.
template <class T>
ELVER_HD __attribute__((always_inline)) inline T chi_square_term(T mean, T y) {
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
  T background{}, lever{}, signal{};

  /// Takes the channel in, whose background is b, and returns its net counts.
  ELVER_HD __attribute__((always_inline)) T add(T b, float x, T y) {
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
  float spoiled = 0;  ///< NaN where a value beyond the fit window is not finite
  float amplitude = 0, r = 0, chi_square = 0, phi = 0;
  PixelStatus status = PixelStatus::ok;  ///< of the fit itself
};

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kLargest = std::numeric_limits<float>::max();

ELVER_HD inline EdgeFit without_value(PixelStatus status) {
  return {kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, status};
}

// Reasons to refuse a fit. Without branches, so that a loop of them becomes vector instructions.

ELVER_HD inline bool too_few(float counts, float phi, const FitLimits& limits) {
  return static_cast<double>(counts / phi) < limits.minimum_counts;
}

ELVER_HD inline bool r_outside(float r_found, float slope_variance, const FitLimits& limits) {
  constexpr double kLn2 = 0.69314718055994530942;
  const double r = static_cast<double>(r_found);
  // Of r: ln of the curve falls by r ln 2 per unit of x.
  const double error = std::sqrt(static_cast<double>(slope_variance)) / kLn2;
  const double allowed = limits.r_standard_errors > 0 ? limits.r_standard_errors * error : 0.0;
  return !(r >= limits.r_minimum - allowed && r <= limits.r_maximum + allowed);
}

ELVER_HD constexpr std::int32_t code_of(PixelStatus status) { return static_cast<std::int32_t>(status); }

/// The first of them, or what the fit itself was. A sum is finite only where all that is in it is.
ELVER_HD inline std::int32_t judged(std::int32_t status, bool few, bool outside, float counts, float spoiled) {
  const std::int32_t refused =
      few ? code_of(PixelStatus::too_few_counts) : (outside ? code_of(PixelStatus::r_out_of_range) : status);
  const std::int32_t found = status == code_of(PixelStatus::non_positive_window) ? status : refused;
  const bool finite = spoiled == spoiled && counts >= -kLargest && counts <= kLargest;
  return finite ? found : code_of(PixelStatus::not_finite);
}

/// Of the background's sum over the signal window.
ELVER_HD inline float background_error(float background, float lever, float level_variance, float slope_variance,
                                       float centre) {
  const float d = lever / background - centre;
  return background * std::sqrt(level_variance + slope_variance * d * d);
}

ELVER_HD inline float signal_to_noise(float signal, float background, float background_error, float phi) {
  // Squares of counts that a file has scaled up or down leave single precision.
  const double sum = static_cast<double>(signal) + static_cast<double>(background);
  const double total = 0.0 < sum ? sum : 0.0;
  const double error = static_cast<double>(background_error);
  const double variance = static_cast<double>(phi) * total + error * error;
  constexpr double kMost = static_cast<double>(kLargest);
  double snr = variance > 0 ? static_cast<double>(signal) / std::sqrt(variance) : 0.0;
  snr = snr < -kMost ? -kMost : snr;
  snr = kMost < snr ? kMost : snr;
  return static_cast<float>(snr);
}

/// The fit as it is handed out.
ELVER_HD inline EdgeFit finished(const EdgeSums& s, const FitLimits& limits) {
  const auto status =
      static_cast<PixelStatus>(judged(code_of(s.status), too_few(s.window.counts, s.phi, limits),
                                      r_outside(s.r, s.curve.slope_variance, limits), s.window.counts, s.spoiled));
  if (failed(status)) return without_value(status);
  EdgeFit fit;
  fit.status = status;
  fit.A = kLargest < s.amplitude ? kLargest : s.amplitude;
  fit.r = s.r;
  fit.reduced_chi_square = s.chi_square;
  fit.phi = s.phi;
  fit.background = s.signal.background;
  fit.background_error = background_error(s.signal.background, s.signal.lever, s.curve.level_variance,
                                          s.curve.slope_variance, s.curve.centre);
  fit.signal = s.signal.signal;
  fit.snr = signal_to_noise(fit.signal, fit.background, fit.background_error, fit.phi);
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
