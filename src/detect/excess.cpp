#include "detect/excess.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace elver {
namespace {

constexpr double kMaxTilt = 20.0;  ///< of |r| times half the window's width in ln E
constexpr int kMostSteps = 60;
constexpr double kNoExcess = 1e-3;  ///< standard deviations: both measures are the same there
constexpr double kHalf = 0.5;       ///< electrons: the correction for counting whole ones

/// One Newton step that never leaves the bracket; true when it no longer moves.
bool step_to(double& r, double next, double low, double high) {
  if (!(next > low && next < high)) next = 0.5 * (low + high);
  const bool still = std::abs(next - r) <= 1e-10 * (1.0 + std::abs(r));
  r = next;
  return still;
}

}  // namespace

PowerMoments power_moments(const std::vector<double>& ln_energy, double r) {
  double s0 = 0, s1 = 0, s2 = 0;
  for (const double x : ln_energy) {
    const double w = std::exp(-r * x), wx = w * x;
    s0 += w;
    s1 += wx;
    s2 += wx * x;
  }
  const double mean = s1 / s0;
  return {s0, mean, std::max(0.0, s2 / s0 - mean * mean)};
}

ExcessTest::ExcessTest(const EnergyAxis& axis, ChannelRange fit, ChannelRange signal) {
  for (std::size_t c = fit.first; c < fit.last; ++c) fit_.push_back(std::log(axis.energy(static_cast<double>(c))));
  for (std::size_t c = signal.first; c < signal.last; ++c) {
    signal_.push_back(std::log(axis.energy(static_cast<double>(c))));
  }
  double centre = 0;
  for (const double x : fit_) centre += x / static_cast<double>(fit_.size());
  for (double& x : fit_) x -= centre;
  for (double& x : signal_) x -= centre;
  steepest_ = kMaxTilt / (0.5 * (fit_.back() - fit_.front()));
}

double ExcessTest::exponent(double mean) const {
  double low = -steepest_, high = steepest_, r = 3.0;
  for (int i = 0; i < kMostSteps; ++i) {
    const PowerMoments m = power_moments(fit_, r);
    (m.mean > mean ? low : high) = r;  // the mean falls as r grows
    if (step_to(r, r + (m.mean - mean) / m.variance, low, high)) break;
  }
  return r;
}

/// The exponent of greatest likelihood where one power law makes both windows: the root of the derivative of
/// -T ln(f(r) + g(r)) - r M + S ln g(r), with f and g the sums of both windows. It lies between the fit window's own
/// exponent and that which makes the ratio of both windows right.
double ExcessTest::null_exponent(const WindowSums& sums, double start) const {
  const double total = sums.counts + sums.signal;
  double low = -steepest_, high = steepest_, r = start;
  for (int i = 0; i < kMostSteps; ++i) {
    const PowerMoments f = power_moments(fit_, r), g = power_moments(signal_, r);
    const double in_signal = g.sum / (f.sum + g.sum);
    const double mean = (1.0 - in_signal) * f.mean + in_signal * g.mean;
    const double slope = total * mean - sums.moment - sums.signal * g.mean;
    (slope > 0 ? low : high) = r;
    const double variance = (1.0 - in_signal) * (f.variance + (f.mean - mean) * (f.mean - mean)) +
                            in_signal * (g.mean - mean) * (g.mean - mean);
    if (step_to(r, r + slope / (total * variance), low, high)) break;
  }
  return r;
}

double ExcessTest::p_value(const WindowSums& all, double freedom) const {
  const WindowSums sums{all.counts, all.moment, all.signal - kHalf};
  if (!(sums.signal > 0)) return 1.0;
  const double own = exponent(sums.moment / sums.counts), null = null_exponent(sums, own);
  const double total = sums.counts + sums.signal;
  const PowerMoments f = power_moments(fit_, own), f0 = power_moments(fit_, null), g0 = power_moments(signal_, null);
  const double level = std::log(sums.counts / f.sum), level0 = std::log(total / (f0.sum + g0.sum));
  // Logarithms of the likelihoods, without what both have in common.
  const double free = sums.counts * level - own * sums.moment + sums.signal * std::log(sums.signal);
  const double bound = total * level0 - null * sums.moment + sums.signal * std::log(g0.sum);
  const double foretold = sums.counts * power_moments(signal_, own).sum / f.sum;
  const double root = std::copysign(std::sqrt(std::max(0.0, 2.0 * (free - bound))), sums.signal - foretold);
  // The same distance in the canonical parameters, in units of the information: determinants of the matrices of
  // (level, exponent, signal) with the signal free, and of (level, exponent) where it is not.
  const double in_signal = g0.sum / (f0.sum + g0.sum), mean = (1 - in_signal) * f0.mean + in_signal * g0.mean;
  const double variance = (1 - in_signal) * (f0.variance + (f0.mean - mean) * (f0.mean - mean)) +
                          in_signal * (g0.variance + (g0.mean - mean) * (g0.mean - mean));
  const double information = sums.counts * sums.counts * f.variance * sums.signal;
  const double information0 = total * (total * variance - sums.signal * g0.variance);
  const double distance = (std::log(sums.signal / g0.sum) - level + g0.mean * (own - null)) *
                          std::sqrt(information / std::max(information0, 1e-300));
  double score = root;
  if (std::abs(root) > kNoExcess && information0 > 0 && distance / root > 0) {
    score += std::log(distance / root) / root;
  }
  if (freedom > 0) {  // Student's t as a normal deviate (D. L. Wallace, Ann. Math. Statist. 30 (1959) 1124)
    score = std::copysign(std::sqrt(freedom * std::log1p(score * score / freedom)), score) * (8 * freedom + 1) /
            (8 * freedom + 3);
  }
  return std::max(0.5 * std::erfc(score / std::numbers::sqrt2), static_cast<double>(std::numeric_limits<float>::min()));
}

}  // namespace elver
