#pragma once
#include <cmath>

#include "elver/core/elementary.hpp"
#include "elver/core/host_device.hpp"

/// The power law A E^-r of one pixel. Energies enter as x = log2(E / E0), E0 the geometric mean of the fit window, so
/// that |x| is small and single precision is enough.
namespace elver::core {

/// A background and how well it is known:
/// background(x) = scale * 2^(c0 + x (c1 + x c2)), counts per channel;
/// variance of ln background(x) = level_variance + slope_variance * (x - centre)^2.
template <class T>
struct BackgroundCurve {
  T scale, c0, c1, c2;
  T level_variance, slope_variance, centre;

  ELVER_HD T operator()(T x) const { return scale * exp2(c0 + x * (c1 + x * c2)); }
};

/// Sufficient statistics of a Poisson power law in its fit window, from polynomials made once per window (see
/// PoissonWindow): all functions of q, the counts' mean of x.
template <class T>
struct PoissonState {
  T r;          ///< exponent at which the model's mean of x is q
  T log2_mean;  ///< log2 of the window's mean of 2^(-r x)
  T variance;   ///< of x under 2^(-r x)
  T skew;       ///< third central moment over the variance: d variance / d q
};

/// Maximum-likelihood curve, not corrected: what chi-square is made with. `counts` is the sum over the fit window of
/// `channels` channels.
template <class T>
ELVER_HD BackgroundCurve<T> poisson_curve(const PoissonState<T>& state, T q, T counts, T channels, T phi) {
  const T level = phi / counts;
  return {counts / channels, -state.log2_mean, -state.r, T(0), level, level / state.variance, q};
}

/// The same with its bias taken out to first order in 1/counts. To second order in the fluctuation of q,
/// E[b(x)] = b(x) (1 + phi/(2N) [(x-q)^2/v - 1 - (x-q) v'/v]), since d ln b/dq = (x-q)/v and d2 ln b/dq2 = -1/v - (x-q)
/// v'/v^2: the bracket goes into the exponent, where it is one more multiply-add. `phi` is the variance of a count over
/// its mean.
template <class T>
ELVER_HD BackgroundCurve<T> unbiased_poisson_curve(const PoissonState<T>& state, T q, T counts, T channels, T phi) {
  constexpr T kLog2e = T(1.4426950408889634);
  BackgroundCurve<T> curve = poisson_curve(state, q, counts, channels, phi);
  const T k = T(0.5) * kLog2e * curve.level_variance;
  const T k_over_v = k / state.variance;
  curve.c0 = curve.c0 + k - k_over_v * q * (q + state.skew);
  curve.c1 = curve.c1 + k_over_v * (q + q + state.skew);
  curve.c2 = -k_over_v;
  return curve;
}

/// A and r in A E^-r per channel.
template <class T>
struct PowerLaw {
  T A, r;
};

/// HyperSpy 2.5's two-area estimate from the counts of two adjacent intervals [e1, e2) and [e2, e4) (eV; channel
/// coordinates). Counts per channel: HyperSpy's A times the dispersion.
/// Source: two-area formula in Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed., 4.4.3;
/// A as the mean of both areas' own values, weighted by their counts.
template <class T>
ELVER_HD PowerLaw<T> two_area(T counts1, T counts2, T e1, T e2, T e4, T dispersion) {
  const T r = T(2) * std::log(counts1 / counts2 * (e4 - e2) / (e2 - e1)) / std::log(e4 / e1);
  const T k = T(1) - r;
  // k / (b^k - a^k) without the loss of digits, and without the 0/0, where k is near 0.
  const auto per_area = [k](T a, T b) {
    const T span = std::log(b / a), t = k * span;
    const T growth = std::abs(t) < T(1e-7) ? span * (T(1) + T(0.5) * t) : std::expm1(t) / k;
    return std::exp(-k * std::log(a)) / growth;
  };
  const T a1 = counts1 * per_area(e1, e2), a2 = counts2 * per_area(e2, e4);
  return {dispersion * (a1 * counts1 + a2 * counts2) / (counts1 + counts2), r};
}

}  // namespace elver::core
