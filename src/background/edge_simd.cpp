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

/// A register of pixels, whose sums stay in registers while the channels go by.
#if HWY_TARGET <= HWY_AVX3
constexpr std::size_t kLanes = 16;
#elif HWY_TARGET <= HWY_AVX2
constexpr std::size_t kLanes = 8;
#else
constexpr std::size_t kLanes = 4;
#endif
typedef float Pack __attribute__((vector_size(4 * kLanes)));
typedef std::uint32_t PackBits __attribute__((vector_size(4 * kLanes)));

constexpr float kRounding = 1e-12f;  // relative variance of a count that single precision has been through
constexpr float kLargest = std::numeric_limits<float>::max();

constexpr std::int32_t code(PixelStatus status) { return static_cast<std::int32_t>(status); }

inline Pack load(const float* from) {
  Pack out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
inline void store(const Pack& pack, float* to) { __builtin_memcpy(to, &pack, sizeof pack); }

/// Counts, channel after channel, from some pixel on.
struct Rows {
  const float* first = nullptr;
  std::size_t stride = 0, count = 0;
  const float* x = nullptr;
  const float* operator[](std::size_t channel) const { return first + channel * stride; }
};
inline Rows rows_of(const EdgeView& edge, const TileBlock& pixels, ChannelRange channels, std::size_t first_pixel) {
  return {pixels.tile.channel(channels.first) + pixels.first + first_pixel, pixels.tile.pixels, channels.size(),
          edge.x + channels.first};
}

/// Asks for a line of Ahead at every step, so that the requests fill the time that the steps take.
class Prefetch {
 public:
  explicit Prefetch(const Ahead& ahead) {
    if (ahead.pixels.count == 0 || ahead.channels.size() == 0) return;
    first_ = reinterpret_cast<const char*>(ahead.pixels.tile.channel(ahead.channels.first) + ahead.pixels.first);
    stride_ = ahead.pixels.tile.pixels * sizeof(float);
    bytes_ = ahead.pixels.count * sizeof(float);
    channels_ = ahead.channels.size();
  }
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;
  ~Prefetch() {
    while (channels_ > 0) step();
  }
  void step() {
    if (channels_ == 0) return;
    __builtin_prefetch(first_ + at_, 0, 2);
    at_ += kLine;
    if (at_ < bytes_) return;
    at_ = 0;
    first_ += stride_;
    --channels_;
  }

 private:
  static constexpr std::size_t kLine = 64;
  const char* first_ = nullptr;
  std::size_t stride_ = 0, bytes_ = 0, at_ = 0, channels_ = 0;
};

void sum_pack(const Rows& y, float* counts, float* moment) {
  Pack n{}, m{};
  for (std::size_t c = 0; c < y.count; ++c) {
    const Pack value = load(y[c]);
    n += value;
    m += value * y.x[c];
  }
  store(n, counts);
  store(m, moment);
}

void sum_window(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block) {
  std::size_t p = 0;
  for (; p + kLanes <= pixels.count; p += kLanes) {
    sum_pack(rows_of(edge, pixels, edge.fit, p), block.counts + p, block.moment + p);
  }
  for (; p < pixels.count; ++p) {
    const Rows y = rows_of(edge, pixels, edge.fit, p);
    for (std::size_t c = 0; c < y.count; ++c) {
      block.counts[p] += *y[c];
      block.moment[p] += *y[c] * y.x[c];
    }
  }
  for (p = 0; p < pixels.count; ++p) {
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

/// Whether a curve's exponents are all such as exp2_within takes.
inline bool within(const EdgeBlock& block, std::size_t first, float farthest, float curved) {
  constexpr float kMost = 125.0f;  // the curve is rounded otherwise than its bound
  int beyond = 0;
  for (std::size_t p = first; p < first + kLanes; ++p) {
    const float slope = std::abs(block.c1[p]) + farthest * std::abs(block.c2[p]) * curved;
    beyond |= std::abs(block.c0[p]) + farthest * slope > kMost ? 1 : 0;
  }
  return beyond == 0;
}
inline float farthest(const EdgeView& edge, ChannelRange channels) {
  return std::max(std::abs(edge.x[channels.first]), std::abs(edge.x[channels.last - 1]));
}

void chi_square_of_pack(const Rows& y, const EdgeBlock& block, std::size_t first, float* chi, Prefetch& prefetch) {
  const Pack scale = load(block.scale + first), c0 = load(block.c0 + first), c1 = load(block.c1 + first);
  Pack sum{};
  for (std::size_t c = 0; c < y.count; ++c) {
    prefetch.step();
    const Pack mean = scale * core::exp2_within<PackBits>(c0 + y.x[c] * c1);
    const Pack d = load(y[c]) - mean;
    sum += d * d / mean;
  }
  store(sum, chi);
}

void chi_square(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block, Prefetch prefetch) {
  const float most_x = farthest(edge, edge.fit);
  for (std::size_t p = 0; p < pixels.count;) {
    const Rows y = rows_of(edge, pixels, edge.fit, p);
    if (p + kLanes <= pixels.count && within(block, p, most_x, 0.0f)) {
      chi_square_of_pack(y, block, p, block.chi + p, prefetch);
      p += kLanes;
      continue;
    }
    for (std::size_t c = 0; c < y.count; ++c) {
      const float mean = block.scale[p] * core::exp2(block.c0[p] + y.x[c] * block.c1[p]);
      const float d = *y[c] - mean;
      block.chi[p] += d * d / mean;
    }
    ++p;
  }
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
void subtract_pack(const Rows& y, std::size_t first, float* net, EdgeBlock& block, Prefetch& prefetch) {
  const Pack scale = load(block.scale + first), c0 = load(block.c0 + first), c1 = load(block.c1 + first),
             c2 = load(block.c2 + first);
  Pack background{}, lever{}, signal{};
  for (std::size_t c = 0; c < y.count; ++c) {
    prefetch.step();
    const float x = y.x[c];
    const Pack b = scale * core::exp2_within<PackBits>(c0 + x * (c1 + x * c2));
    background += b;
    lever += b * x;
    const Pack n = load(y[c]) - b;
    signal += n;
    store(n, net + c * kBlock);
  }
  store(background, block.background + first);
  store(lever, block.lever + first);
  store(signal, block.signal + first);
}

void subtract_signal(const EdgeView& edge, const TileBlock& pixels, float* net, EdgeBlock& block, Prefetch prefetch) {
  const float most_x = farthest(edge, edge.signal);
  for (std::size_t p = 0; p < pixels.count;) {
    const Rows y = rows_of(edge, pixels, edge.signal, p);
    if (p + kLanes <= pixels.count && within(block, p, most_x, 1.0f)) {
      subtract_pack(y, p, net + p, block, prefetch);
      p += kLanes;
      continue;
    }
    for (std::size_t c = 0; c < y.count; ++c) {
      const float b = background_at(block, p, y.x[c]), n = *y[c] - b;
      block.background[p] += b;
      block.lever[p] += b * y.x[c];
      block.signal[p] += n;
      net[c * kBlock + p] = n;
    }
    ++p;
  }
}

/// Net counts of a channel, without sums.
void subtract_channel(const EdgeView& edge, const TileBlock& pixels, std::size_t channel, float* out,
                      const EdgeBlock& block) {
  const float* const y = pixels.tile.channel(channel) + pixels.first;
  const float x = edge.x[channel];
  if (std::isinf(x)) {  // no power law at and below 0 eV
    std::copy_n(y, pixels.count, out);
    return;
  }
  for (std::size_t p = 0; p < pixels.count; ++p) out[p] = y[p] - background_at(block, p, x);
}

/// NaN where a value of the channels is not finite.
void spoil(const TileBlock& pixels, ChannelRange channels, EdgeBlock& block) {
  for (std::size_t c = channels.first; c < channels.last; ++c) {
    const float* const y = pixels.tile.channel(c) + pixels.first;
    for (std::size_t p = 0; p < pixels.count; ++p) block.spoiled[p] += y[p] * 0.0f;
  }
}

/// The signal window lies within the net channels, and above 0 eV.
void subtract(const EdgeView& edge, const TileBlock& pixels, ChannelRange checked, ChannelRange net_channels,
              float* net, EdgeBlock& block, const Ahead& ahead) {
  const ChannelRange& signal = edge.signal;
  const auto out = [&](std::size_t channel) { return net + (channel - net_channels.first) * kBlock; };
  if (signal.size() > 0) subtract_signal(edge, pixels, out(signal.first), block, Prefetch(ahead));
  for (std::size_t c = net_channels.first; c < signal.first; ++c) subtract_channel(edge, pixels, c, out(c), block);
  for (std::size_t c = signal.last; c < net_channels.last; ++c) subtract_channel(edge, pixels, c, out(c), block);
  // A value that is not finite leaves none of the sums that it is in finite.
  bool finite = true;
  for (std::size_t p = 0; p < pixels.count; ++p) finite = finite && std::abs(block.signal[p]) <= kLargest;
  if (!finite) spoil(pixels, signal, block);
  spoil(pixels, {std::max(checked.first, net_channels.first), signal.first}, block);
  spoil(pixels, {signal.last, std::min(checked.last, net_channels.last)}, block);
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
    const float n = block.counts[p];  // finite only where all that is in it is
    const bool finite = block.spoiled[p] == block.spoiled[p] && n >= -kLargest && n <= kLargest;
    block.status[p] = finite ? status : code(PixelStatus::not_finite);
  }
}

void end_fit(const EdgeView& edge, const TileBlock& pixels, ChannelRange checked, ChannelRange net_channels, float* net,
             EdgeBlock& block, EdgeFit* fits, const Ahead& ahead) {
  const std::size_t count = pixels.count;
  chi_square(edge, pixels, block, Prefetch({pixels, net_channels}));
  finish_curve(edge, count, block);
  subtract(edge, pixels, checked, net_channels, net, block, ahead);
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
             EdgeBlock& block, EdgeFit* fits, const Ahead& ahead) {
  HWY_DYNAMIC_DISPATCH(end_fit)(edge, pixels, checked, net_channels, net, block, fits, ahead);
}

}  // namespace elver
#endif
