// Compiled once for every target: foreach_target.h includes this file again and again. The loops are plain; each target
// turns them into its own vector instructions, in the same order of operations, so with the same bits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "background/edge_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "background/edge_block.hpp"
#include "elver/core/chebyshev.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::HWY_NAMESPACE {

constexpr std::size_t kUnroll = 4;  // channels taken together: each sum is loaded and stored once for them

constexpr float kRounding = 1e-12f;  // relative variance of a count that single precision has been through
constexpr float kLargest = std::numeric_limits<float>::max();

constexpr std::int32_t code(PixelStatus status) { return static_cast<std::int32_t>(status); }

template <std::size_t kChannels>
void sum_channels(const float* y, std::size_t stride, const float* x, std::size_t count, EdgeBlock& block) {
  float* __restrict counts = block.counts;
  float* __restrict moment = block.moment;
  float* __restrict spoiled = block.spoiled;
  for (std::size_t p = 0; p < count; ++p) {
    float n = counts[p], m = moment[p], s = spoiled[p];
    for (std::size_t c = 0; c < kChannels; ++c) {
      const float value = y[c * stride + p];
      n += value;
      m += value * x[c];
      s += value * 0.0f;
    }
    counts[p] = n;
    moment[p] = m;
    spoiled[p] = s;
  }
}

void sum_window(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block) {
  const std::size_t stride = pixels.tile.pixels, last = edge.fit.last;
  std::size_t c = edge.fit.first;
  const auto y = [&](std::size_t channel) { return pixels.tile.channel(channel) + pixels.first; };
  for (; c + kUnroll <= last; c += kUnroll) sum_channels<kUnroll>(y(c), stride, edge.x + c, pixels.count, block);
  for (; c < last; ++c) sum_channels<1>(y(c), stride, edge.x + c, pixels.count, block);
  for (std::size_t p = 0; p < pixels.count; ++p) {
    block.status[p] = block.counts[p] > 0 ? code(PixelStatus::ok) : code(PixelStatus::non_positive_window);
  }
}

void fit_poisson(const EdgeView& edge, std::size_t count, EdgeBlock& block) {
  const PoissonWindow& window = *edge.poisson;
  const auto channels = static_cast<float>(edge.fit.size());
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
  const auto log2_e0 = static_cast<float>(edge.log2_e0);
  for (std::size_t p = 0; p < count; ++p) {
    const core::PoissonState<float> state{block.r[p], block.log2_mean[p], block.variance[p], block.skew[p]};
    block.set_curve(p, core::poisson_curve(state, block.q[p], block.counts[p], channels, 1.0f));
    const float at_e0 = block.counts[p] / channels;
    block.amplitude[p] = at_e0 * core::exp2(block.r[p] * log2_e0 - block.log2_mean[p]);
  }
  for (std::size_t p = 0; p < count; ++p) {
    // Outside the series nothing it says holds.
    const bool outside = !(u[p] >= -1.0f && u[p] <= 1.0f);
    block.status[p] =
        outside && block.status[p] == code(PixelStatus::ok) ? code(PixelStatus::r_out_of_range) : block.status[p];
  }
}

void begin_fit(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block) {
  sum_window(edge, pixels, block);
  if (edge.poisson != nullptr) fit_poisson(edge, pixels.count, block);
}

template <std::size_t kChannels>
void chi_square_of(const float* y, std::size_t stride, const float* x, std::size_t count, EdgeBlock& block) {
  float* __restrict chi = block.chi;
  for (std::size_t p = 0; p < count; ++p) {
    float sum = chi[p];
    for (std::size_t c = 0; c < kChannels; ++c) {
      const float mean = block.scale[p] * core::exp2(block.c0[p] + x[c] * block.c1[p]);
      const float d = y[c * stride + p] - mean;
      sum += d * d / mean;
    }
    chi[p] = sum;
  }
}

void chi_square(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block) {
  const std::size_t stride = pixels.tile.pixels, last = edge.fit.last;
  std::size_t c = edge.fit.first;
  const auto y = [&](std::size_t channel) { return pixels.tile.channel(channel) + pixels.first; };
  for (; c + 2 <= last; c += 2) chi_square_of<2>(y(c), stride, edge.x + c, pixels.count, block);
  for (; c < last; ++c) chi_square_of<1>(y(c), stride, edge.x + c, pixels.count, block);
  const float freedom = static_cast<float>(edge.fit.size()) - 2.0f;
  for (std::size_t p = 0; p < pixels.count; ++p) block.chi[p] /= freedom;
}

void finish_curve(const EdgeView& edge, std::size_t count, EdgeBlock& block) {
  const auto channels = static_cast<float>(edge.fit.size());
  const float two_over_freedom = 2.0f / (channels - 2.0f);
  const auto given = static_cast<float>(edge.options->phi);
  const float below = 1.0f - 5.0f * std::sqrt(two_over_freedom);
  const float lower = 0.02f < below ? below : 0.02f;
  for (std::size_t p = 0; p < count; ++p) {
    const float mean = block.counts[p] / channels;
    // Electrons scatter their chi-square by this much; beyond five of it they are not electrons.
    const float upper = 1.0f + 5.0f * std::sqrt(two_over_freedom * (1.0f + 0.5f / mean));
    const bool electrons = block.chi[p] < upper && block.chi[p] > lower;
    // Counts without noise (simulated, or saturated alike) still have the rounding of single precision.
    const float least = kRounding * mean;
    const float found = block.chi[p] < least ? least : block.chi[p];
    block.phi[p] = given > 0 ? given : (electrons ? 1.0f : found);
  }
  if (edge.poisson != nullptr) {
    for (std::size_t p = 0; p < count; ++p) {
      const core::PoissonState<float> state{block.r[p], block.log2_mean[p], block.variance[p], block.skew[p]};
      block.set_curve(p, core::unbiased_poisson_curve(state, block.q[p], block.counts[p], channels, block.phi[p]));
    }
  } else if (edge.options->method == BackgroundMethod::two_area) {
    for (std::size_t p = 0; p < count; ++p) {
      block.level[p] *= block.phi[p];
      block.slope[p] *= block.phi[p];
    }
  }
}

inline float background_at(const EdgeBlock& block, std::size_t p, float x) {
  return block.scale[p] * core::exp2(block.c0[p] + x * (block.c1[p] + x * block.c2[p]));
}

/// Channels of the signal window: net counts and sums.
template <std::size_t kChannels>
void subtract_signal(const float* y, std::size_t stride, const float* x, std::size_t count, float* __restrict net,
                     EdgeBlock& block) {
  float* __restrict background = block.background;
  float* __restrict lever = block.lever;
  float* __restrict signal = block.signal;
  float* __restrict spoiled = block.spoiled;
  for (std::size_t p = 0; p < count; ++p) {
    float sum = background[p], moment = lever[p], above = signal[p], s = spoiled[p];
    for (std::size_t c = 0; c < kChannels; ++c) {
      const float value = y[c * stride + p];
      const float b = background_at(block, p, x[c]);
      sum += b;
      moment += b * x[c];
      const float n = value - b;
      net[c * kBlock + p] = n;
      above += n;
      s += value * 0.0f;
    }
    background[p] = sum;
    lever[p] = moment;
    signal[p] = above;
    spoiled[p] = s;
  }
}

void subtract(const EdgeView& edge, const TileBlock& pixels, ChannelRange checked, ChannelRange net_channels,
              float* net, EdgeBlock& block) {
  const std::size_t stride = pixels.tile.pixels, count = pixels.count;
  for (std::size_t c = net_channels.first; c < net_channels.last;) {
    const float* const y = pixels.tile.channel(c) + pixels.first;
    float* const out = net + (c - net_channels.first) * kBlock;
    const float x = edge.x[c];
    const bool in_signal = c >= edge.signal.first && c < edge.signal.last;
    // A pixel's `spoiled` is NaN or a zero; how often a channel is looked at does not matter.
    if (c >= checked.first && c < checked.last && !(in_signal && !std::isinf(x))) {
      for (std::size_t p = 0; p < count; ++p) block.spoiled[p] += y[p] * 0.0f;
    }
    if (std::isinf(x)) {  // no power law at and below 0 eV
      std::copy_n(y, count, out);
      ++c;
    } else if (!in_signal) {
      for (std::size_t p = 0; p < count; ++p) out[p] = y[p] - background_at(block, p, x);
      ++c;
    } else if (c + 2 <= std::min(edge.signal.last, net_channels.last)) {
      subtract_signal<2>(y, stride, edge.x + c, count, out, block);
      c += 2;
    } else {
      subtract_signal<1>(y, stride, edge.x + c, count, out, block);
      ++c;
    }
  }
}

/// The first reason to refuse a fit, or what it was before.
void judge(const EdgeView& edge, std::size_t count, EdgeBlock& block) {
  const BackgroundOptions& options = *edge.options;
  alignas(64) std::int32_t few[kBlock], outside[kBlock];
  for (std::size_t p = 0; p < count; ++p) {
    few[p] = static_cast<double>(block.counts[p] / block.phi[p]) < options.minimum_counts ? 1 : 0;
  }
  const double errors = options.r_standard_errors > 0 ? options.r_standard_errors : 0.0;
  for (std::size_t p = 0; p < count; ++p) {
    // Of r: ln of the curve falls by r ln 2 per unit of x.
    const double r = static_cast<double>(block.r[p]);
    const double error = std::sqrt(static_cast<double>(block.slope[p])) / std::numbers::ln2;
    const double allowed = errors > 0 ? errors * error : 0.0;
    outside[p] = r >= options.r_minimum - allowed && r <= options.r_maximum + allowed ? 0 : 1;
  }
  for (std::size_t p = 0; p < count; ++p) {
    std::int32_t status = block.status[p];
    const std::int32_t refused = few[p] != 0       ? code(PixelStatus::too_few_counts)
                                 : outside[p] != 0 ? code(PixelStatus::r_out_of_range)
                                                   : status;
    status = status == code(PixelStatus::non_positive_window) ? status : refused;
    const float n = block.counts[p];
    const bool finite = block.spoiled[p] == block.spoiled[p] && n >= -kLargest && n <= kLargest;
    block.status[p] = finite ? status : code(PixelStatus::not_finite);
  }
}

void end_fit(const EdgeView& edge, const TileBlock& pixels, ChannelRange checked, ChannelRange net_channels, float* net,
             EdgeBlock& block, EdgeFit* fits) {
  const std::size_t count = pixels.count;
  chi_square(edge, pixels, block);
  finish_curve(edge, count, block);
  subtract(edge, pixels, checked, net_channels, net, block);
  judge(edge, count, block);
  for (std::size_t p = 0; p < count; ++p) {
    const float b = block.background[p];
    const float d = block.lever[p] / b - block.centre[p];
    block.background_error[p] = b * std::sqrt(block.level[p] + block.slope[p] * d * d);
    block.amplitude[p] = kLargest < block.amplitude[p] ? kLargest : block.amplitude[p];
  }
  for (std::size_t p = 0; p < count; ++p) {
    // Squares of counts that a file has scaled up or down leave single precision.
    const double sum = static_cast<double>(block.signal[p]) + static_cast<double>(block.background[p]);
    const double total = 0.0 < sum ? sum : 0.0;
    const double error = static_cast<double>(block.background_error[p]);
    const double variance = static_cast<double>(block.phi[p]) * total + error * error;
    double snr = variance > 0 ? static_cast<double>(block.signal[p]) / std::sqrt(variance) : 0.0;
    constexpr auto kMost = static_cast<double>(kLargest);
    snr = snr < -kMost ? -kMost : snr;
    snr = kMost < snr ? kMost : snr;
    block.snr[p] = static_cast<float>(snr);
  }
  for (std::size_t p = 0; p < count; ++p) {
    const auto status = static_cast<PixelStatus>(block.status[p]);
    if (failed(status)) {
      constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
      fits[p] = {kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, status};
      for (std::size_t c = 0; c < net_channels.size(); ++c) net[c * kBlock + p] = kNaN;
      continue;
    }
    fits[p] = {
        block.amplitude[p], block.r[p],   block.chi[p], block.background[p], block.background_error[p], block.signal[p],
        block.snr[p],       block.phi[p], status};
  }
}

}  // namespace elver::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace elver {

HWY_EXPORT(begin_fit);
HWY_EXPORT(end_fit);

void begin_fit(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block) {
  HWY_DYNAMIC_DISPATCH(begin_fit)(edge, pixels, block);
}

void end_fit(const EdgeView& edge, const TileBlock& pixels, ChannelRange checked, ChannelRange net_channels, float* net,
             EdgeBlock& block, EdgeFit* fits) {
  HWY_DYNAMIC_DISPATCH(end_fit)(edge, pixels, checked, net_channels, net, block, fits);
}

}  // namespace elver
#endif
