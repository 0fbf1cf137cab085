#include "background/edge_fitter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "elver/core/chebyshev.hpp"
#include "elver/core/power_law.hpp"
#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kRounding = 1e-12f;  // relative variance of a count that single precision has been through
constexpr double kLargest = std::numeric_limits<float>::max();  // A saturates there

using Lane = float[kBlock];

}  // namespace

EdgeFit failed_fit(PixelStatus status) {
  EdgeFit fit;
  fit.A = fit.r = fit.reduced_chi_square = fit.background = fit.background_error = fit.signal = fit.snr = fit.phi =
      kNaN;
  fit.status = status;
  return fit;
}

/// What is known of a block of pixels; an array a quantity, so that loops over pixels become vector instructions.
struct EdgeFitter::Block {
  alignas(64) Lane counts, moment, spoiled;  // sums over the fit window; spoiled is NaN where a value is not finite
  alignas(64) Lane q, r, log2_mean, variance, skew;  // Poisson
  alignas(64) Lane scale, c0, c1, c2, level, slope, centre;
  alignas(64) Lane amplitude;  // A: counts per channel at 1 eV
  alignas(64) Lane chi, phi;
  alignas(64) Lane background, lever, signal;  // sums over the signal window: b, b x, counts - b
  PixelStatus status[kBlock];

  core::BackgroundCurve<float> curve(std::size_t p) const {
    return {scale[p], c0[p], c1[p], c2[p], level[p], slope[p], centre[p]};
  }
  void set_curve(std::size_t p, const core::BackgroundCurve<float>& c) {
    scale[p] = c.scale;
    c0[p] = c.c0;
    c1[p] = c.c1;
    c2[p] = c.c2;
    level[p] = c.level_variance;
    slope[p] = c.slope_variance;
    centre[p] = c.centre;
  }
};

EdgeFitter::EdgeFitter(const EnergyAxis& axis, EnergyWindow fit, EnergyWindow signal, const BackgroundOptions& options)
    : axis_(axis), options_(options), fit_(axis.channels(fit)), signal_(axis.channels(signal)) {
  const std::string name = text("fit window %g:%g eV", fit.start_ev, fit.stop_ev);
  if (fit_.size() < 3) {
    throw Error(ErrorKind::mismatch, name, text("it holds %zu channels of %g eV", fit_.size(), axis.dispersion_ev),
                "A power law needs at least 3");
  }
  const auto first = static_cast<double>(fit_.first);
  if (!(axis.energy(std::min(first, static_cast<double>(signal_.first))) > 0)) {
    throw Error(ErrorKind::mismatch, name, text("it begins at %g eV", axis.energy(first)),
                "A power law needs energies above 0");
  }
  double sum = 0;
  for (std::size_t c = fit_.first; c < fit_.last; ++c) sum += std::log2(axis.energy(static_cast<double>(c)));
  log2_e0_ = sum / static_cast<double>(fit_.size());
  x_.resize(axis.size);
  std::vector<double> exact;
  for (std::size_t c = 0; c < axis.size; ++c) {
    const double energy = axis.energy(static_cast<double>(c));
    const double x = energy > 0 ? std::log2(energy) - log2_e0_ : std::numeric_limits<double>::infinity();
    x_[c] = static_cast<float>(x);
    if (c >= fit_.first && c < fit_.last) exact.push_back(static_cast<double>(x_[c]));
  }
  if (options.method == BackgroundMethod::poisson_ml) {
    // Room for the scatter of r around its limits: 3 over half the window's width in ln E is five standard errors of r
    // from ten electrons.
    const double scatter =
        options.r_standard_errors > 0 ? 6.0 / ((exact.back() - exact.front()) * std::numbers::ln2) : 0.0;
    poisson_.emplace(exact, options.r_minimum - scatter, options.r_maximum + scatter);
  }
  // HyperSpy's rule: an odd window loses its last channel; an empty one is given two.
  two_area_last_ = fit_.last - (fit_.first + fit_.last) % 2;
  half_ = (fit_.first + two_area_last_) / 2;
}

void EdgeFitter::sum_window(const TileView& tile, std::size_t first, std::size_t count, Block& block) const {
  std::fill_n(block.counts, kBlock, 0.0f);
  std::fill_n(block.moment, kBlock, 0.0f);
  std::fill_n(block.spoiled, kBlock, 0.0f);
  for (std::size_t c = fit_.first; c < fit_.last; ++c) {
    const float* y = tile.channel(c) + first;
    const float x = x_[c];
    for (std::size_t p = 0; p < count; ++p) {
      block.counts[p] += y[p];
      block.moment[p] += y[p] * x;
      block.spoiled[p] += y[p] * 0.0f;
    }
  }
  for (std::size_t p = 0; p < count; ++p) {
    block.status[p] = block.counts[p] > 0 ? PixelStatus::ok : PixelStatus::non_positive_window;
  }
}

void EdgeFitter::fit_poisson(std::size_t count, Block& block) const {
  const PoissonWindow& window = *poisson_;
  const auto channels = static_cast<float>(fit_.size());
  alignas(64) Lane u;
  for (std::size_t p = 0; p < count; ++p) {
    block.q[p] = block.moment[p] / block.counts[p];
    u[p] = (block.q[p] - window.q_centre) * window.q_half_inverse;
  }
  const auto series = [&](const std::vector<float>& coefficients, Lane& out) {
    alignas(64) Lane b1{}, b2{};
    for (int k = window.count - 1; k > 0; --k) {
      const float c = coefficients[static_cast<std::size_t>(k)];
      for (std::size_t p = 0; p < count; ++p) core::clenshaw_step(c, u[p] + u[p], b1[p], b2[p]);
    }
    for (std::size_t p = 0; p < count; ++p) out[p] = core::clenshaw_end(coefficients[0], u[p] + u[p], b1[p], b2[p]);
  };
  series(window.r, block.r);
  series(window.log2_mean, block.log2_mean);
  series(window.variance, block.variance);
  series(window.skew, block.skew);
  const auto log2_e0 = static_cast<float>(log2_e0_);
  for (std::size_t p = 0; p < count; ++p) {
    const core::PoissonState<float> state{block.r[p], block.log2_mean[p], block.variance[p], block.skew[p]};
    block.set_curve(p, core::poisson_curve(state, block.q[p], block.counts[p], channels, 1.0f));
    const float at_e0 = block.counts[p] / channels;
    block.amplitude[p] = at_e0 * core::exp2(block.r[p] * log2_e0 - block.log2_mean[p]);
    // Outside the series nothing it says holds.
    if (!(u[p] >= -1.0f && u[p] <= 1.0f) && block.status[p] == PixelStatus::ok)
      block.status[p] = PixelStatus::r_out_of_range;
  }
}

void EdgeFitter::fit_two_area(const TileView& tile, std::size_t first, std::size_t count, Block& block) const {
  const double e1 = axis_.energy(static_cast<double>(fit_.first)), e2 = axis_.energy(static_cast<double>(half_)),
               e4 = axis_.energy(static_cast<double>(two_area_last_));
  const double l1 = 0.5 * std::log2(e1 * e2) - log2_e0_, l2 = 0.5 * std::log2(e2 * e4) - log2_e0_;
  for (std::size_t p = 0; p < count; ++p) {
    double i1 = 0, i2 = 0;
    for (std::size_t c = fit_.first; c < half_; ++c) i1 += static_cast<double>(tile.channel(c)[first + p]);
    for (std::size_t c = half_; c < two_area_last_; ++c) i2 += static_cast<double>(tile.channel(c)[first + p]);
    if (!(i1 > 0 && i2 > 0)) {
      block.status[p] = PixelStatus::non_positive_window;
      continue;
    }
    const core::PowerLaw<double> law = core::two_area(i1, i2, e1, e2, e4, axis_.dispersion_ev);
    const double log2_a = std::log2(law.A);
    block.r[p] = static_cast<float>(law.r);
    block.amplitude[p] = static_cast<float>(std::min(law.A, kLargest));
    const double level = 1.0 / (i1 + i2), slope = (1.0 / i1 + 1.0 / i2) / ((l2 - l1) * (l2 - l1));
    block.set_curve(
        p, {static_cast<float>(std::exp2(log2_a - law.r * log2_e0_)), 0.0f, -block.r[p], 0.0f,
            static_cast<float>(level), static_cast<float>(slope), static_cast<float>((l1 * i1 + l2 * i2) * level)});
  }
}

void EdgeFitter::fit_log_lsq(const TileView& tile, std::size_t first, std::size_t count, Block& block) const {
  for (std::size_t p = 0; p < count; ++p) {
    double n = 0, sx = 0, sl = 0, sxx = 0, sxl = 0, sll = 0;
    for (std::size_t c = fit_.first; c < fit_.last; ++c) {
      const float y = tile.channel(c)[first + p];
      if (!(y >= std::numeric_limits<float>::min())) continue;
      const auto x = static_cast<double>(x_[c]);
      const double l = std::log2(static_cast<double>(y));
      n += 1;
      sx += x;
      sl += l;
      sxx += x * x;
      sxl += x * l;
      sll += l * l;
    }
    if (n < 3) {
      block.status[p] = PixelStatus::non_positive_window;
      continue;
    }
    const double xm = sx / n, lm = sl / n, vxx = sxx - n * xm * xm, vxl = sxl - n * xm * lm, vll = sll - n * lm * lm;
    const double slope = vxl / vxx, level = lm - slope * xm;
    constexpr double kLn2Squared = 0.6931471805599453 * 0.6931471805599453;
    const double residual = std::max(0.0, vll - slope * vxl) / (n - 2) * kLn2Squared;
    block.r[p] = static_cast<float>(-slope);
    block.amplitude[p] = static_cast<float>(std::min(std::exp2(level - slope * log2_e0_), kLargest));
    block.set_curve(p, {static_cast<float>(std::exp2(level)), 0.0f, -block.r[p], 0.0f, static_cast<float>(residual / n),
                        static_cast<float>(residual / vxx), static_cast<float>(xm)});
  }
}

void EdgeFitter::chi_square(const TileView& tile, std::size_t first, std::size_t count, Block& block) const {
  std::fill_n(block.chi, kBlock, 0.0f);
  for (std::size_t c = fit_.first; c < fit_.last; ++c) {
    const float* y = tile.channel(c) + first;
    const float x = x_[c];
    for (std::size_t p = 0; p < count; ++p) {
      const float mean = block.scale[p] * core::exp2(block.c0[p] + x * block.c1[p]);
      const float d = y[p] - mean;
      block.chi[p] += d * d / mean;
    }
  }
  const float freedom = static_cast<float>(fit_.size()) - 2.0f;
  for (std::size_t p = 0; p < count; ++p) block.chi[p] /= freedom;
}

void EdgeFitter::finish_curve(std::size_t count, Block& block) const {
  const auto channels = static_cast<float>(fit_.size());
  const float two_over_freedom = 2.0f / (channels - 2.0f);
  const auto given = static_cast<float>(options_.phi);
  for (std::size_t p = 0; p < count; ++p) {
    const float mean = block.counts[p] / channels;
    // Electrons scatter their chi-square by this much; beyond five of it they are not electrons.
    const float upper = 1.0f + 5.0f * std::sqrt(two_over_freedom * (1.0f + 0.5f / mean));
    const float lower = std::max(0.02f, 1.0f - 5.0f * std::sqrt(two_over_freedom));
    const bool electrons = block.chi[p] < upper && block.chi[p] > lower;
    // Counts without noise (simulated, or saturated alike) still have the rounding of single precision.
    block.phi[p] = given > 0 ? given : (electrons ? 1.0f : std::max(block.chi[p], kRounding * mean));
  }
  if (options_.method == BackgroundMethod::poisson_ml) {
    for (std::size_t p = 0; p < count; ++p) {
      const core::PoissonState<float> state{block.r[p], block.log2_mean[p], block.variance[p], block.skew[p]};
      block.set_curve(p, core::unbiased_poisson_curve(state, block.q[p], block.counts[p], channels, block.phi[p]));
    }
  } else if (options_.method == BackgroundMethod::two_area) {
    for (std::size_t p = 0; p < count; ++p) {
      block.level[p] *= block.phi[p];
      block.slope[p] *= block.phi[p];
    }
  }
}

void EdgeFitter::subtract(const TileView& tile, std::size_t first, std::size_t count, ChannelRange checked,
                          ChannelRange net_channels, float* net, Block& block) const {
  std::fill_n(block.background, kBlock, 0.0f);
  std::fill_n(block.lever, kBlock, 0.0f);
  std::fill_n(block.signal, kBlock, 0.0f);
  for (std::size_t c = net_channels.first; c < net_channels.last; ++c) {
    const float* y = tile.channel(c) + first;
    float* out = net + (c - net_channels.first) * kBlock;
    const float x = x_[c];
    if (c >= checked.first && c < checked.last) {
      for (std::size_t p = 0; p < count; ++p) block.spoiled[p] += y[p] * 0.0f;
    }
    if (std::isinf(x)) {  // no power law at and below 0 eV
      std::copy_n(y, count, out);
      continue;
    }
    if (c >= signal_.first && c < signal_.last) {
      for (std::size_t p = 0; p < count; ++p) {
        const float b = block.scale[p] * core::exp2(block.c0[p] + x * (block.c1[p] + x * block.c2[p]));
        block.background[p] += b;
        block.lever[p] += b * x;
        out[p] = y[p] - b;
        block.signal[p] += out[p];
        block.spoiled[p] += y[p] * 0.0f;
      }
    } else {
      for (std::size_t p = 0; p < count; ++p) {
        out[p] = y[p] - block.scale[p] * core::exp2(block.c0[p] + x * (block.c1[p] + x * block.c2[p]));
      }
    }
  }
}

EdgeFit EdgeFitter::result(std::size_t p, const Block& block) const {
  EdgeFit fit;
  fit.status = block.status[p];
  if (std::isnan(block.spoiled[p]) || !std::isfinite(block.counts[p])) {
    fit.status = PixelStatus::not_finite;
  } else if (fit.status != PixelStatus::non_positive_window) {
    const auto r = static_cast<double>(block.r[p]);
    // Of r: ln of the curve falls by r ln 2 per unit of x.
    const double error = std::sqrt(static_cast<double>(block.slope[p])) / std::numbers::ln2;
    const double allowed = options_.r_standard_errors > 0 ? options_.r_standard_errors * error : 0.0;
    if (static_cast<double>(block.counts[p] / block.phi[p]) < options_.minimum_counts) {
      fit.status = PixelStatus::too_few_counts;
    } else if (!(r >= options_.r_minimum - allowed && r <= options_.r_maximum + allowed)) {
      fit.status = PixelStatus::r_out_of_range;
    }
  }
  if (failed(fit.status)) return failed_fit(fit.status);
  fit.A = std::min(block.amplitude[p], std::numeric_limits<float>::max());
  fit.r = block.r[p];
  fit.reduced_chi_square = block.chi[p];
  fit.phi = block.phi[p];
  fit.background = block.background[p];
  const float d = block.lever[p] / block.background[p] - block.centre[p];
  fit.background_error = fit.background * std::sqrt(block.level[p] + block.slope[p] * d * d);
  fit.signal = block.signal[p];
  // Squares of counts that a file has scaled up or down leave single precision.
  const double total = std::max(0.0, static_cast<double>(fit.signal) + static_cast<double>(fit.background));
  const auto error = static_cast<double>(fit.background_error);
  const double variance = static_cast<double>(block.phi[p]) * total + error * error;
  const double snr = variance > 0 ? static_cast<double>(fit.signal) / std::sqrt(variance) : 0.0;
  fit.snr = static_cast<float>(std::clamp(snr, -kLargest, kLargest));
  return fit;
}

void EdgeFitter::fit(const TileView& tile, std::size_t first, std::size_t count, ChannelRange checked,
                     ChannelRange net_channels, float* net, EdgeFit* fits) const {
  Block block{};
  sum_window(tile, first, count, block);
  switch (options_.method) {
    case BackgroundMethod::poisson_ml:
      fit_poisson(count, block);
      break;
    case BackgroundMethod::log_lsq:
      fit_log_lsq(tile, first, count, block);
      break;
    case BackgroundMethod::two_area:
      fit_two_area(tile, first, count, block);
      break;
  }
  chi_square(tile, first, count, block);
  finish_curve(count, block);
  subtract(tile, first, count, checked, net_channels, net, block);
  for (std::size_t p = 0; p < count; ++p) {
    fits[p] = result(p, block);
    if (failed(fits[p].status)) {
      for (std::size_t c = 0; c < net_channels.size(); ++c) net[c * kBlock + p] = kNaN;
    }
  }
}

}  // namespace elver
