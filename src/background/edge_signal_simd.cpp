// Compiled once for every target: foreach_target.h includes this file again and again. The loops are plain; each target
// turns them into its own vector instructions, in the same order of operations, so with the same bits. What a pixel's
// numbers are is core's to say (edge_fit.hpp).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "background/edge_signal_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "background/edge_pack-inl.hpp"
#include "elver/core/edge_fit.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::HWY_NAMESPACE {

/// Channels of the signal window: net counts and sums.
void subtract_signal(const EdgeView& edge, const TileBlock& pixels, float* net, EdgeBlock& block, Prefetch prefetch) {
  const float most_x = farthest(edge, edge.signal);
  for (std::size_t p = 0; p < pixels.count;) {
    const Rows y = rows_of(edge, pixels, edge.signal, p);
    if (p + kLanes <= pixels.count && within(block, p, most_x, 1.0f)) {
      const Pack scale = load(block.scale + p), c0 = load(block.c0 + p), c1 = load(block.c1 + p),
                 c2 = load(block.c2 + p);
      core::SignalSums<Pack> sums;
      for (std::size_t c = 0; c < y.count; ++c) {
        prefetch.step();
        const float x = y.x[c];
        const Pack b = scale * core::exp2_within<PackBits>(c0 + x * (c1 + x * c2));
        store(sums.add(b, x, load(y[c])), net + c * kBlock + p);
      }
      store(sums.background, block.background + p);
      store(sums.lever, block.lever + p);
      store(sums.signal, block.signal + p);
      p += kLanes;
      continue;
    }
    core::SignalSums<float> sums;
    for (std::size_t c = 0; c < y.count; ++c) net[c * kBlock + p] = sums.add(block.curve(p)(y.x[c]), y.x[c], *y[c]);
    block.background[p] = sums.background;
    block.lever[p] = sums.lever;
    block.signal[p] = sums.signal;
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
  for (std::size_t p = 0; p < pixels.count; ++p) out[p] = y[p] - block.curve(p)(x);
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
  for (std::size_t p = 0; p < pixels.count; ++p) finite = finite && std::abs(block.signal[p]) <= core::kLargest;
  if (!finite) spoil(pixels, signal, block);
  spoil(pixels, {std::max(checked.first, net_channels.first), signal.first}, block);
  spoil(pixels, {signal.last, std::min(checked.last, net_channels.last)}, block);
}

void judge(const EdgeView& edge, std::size_t count, EdgeBlock& block) {
  alignas(64) std::int32_t few[kBlock], outside[kBlock];
  for (std::size_t p = 0; p < count; ++p) few[p] = core::too_few(block.counts[p], block.phi[p], edge.limits) ? 1 : 0;
  for (std::size_t p = 0; p < count; ++p) outside[p] = core::r_outside(block.r[p], block.slope[p], edge.limits) ? 1 : 0;
  for (std::size_t p = 0; p < count; ++p) {
    block.status[p] = core::judged(block.status[p], few[p] != 0, outside[p] != 0, block.counts[p], block.spoiled[p]);
  }
}

void end_fit(const EdgeView& edge, const TileBlock& pixels, ChannelRange checked, ChannelRange net_channels, float* net,
             EdgeBlock& block, EdgeFit* fits, const Ahead& ahead) {
  const std::size_t count = pixels.count;
  subtract(edge, pixels, checked, net_channels, net, block, ahead);
  judge(edge, count, block);
  for (std::size_t p = 0; p < count; ++p) {
    block.background_error[p] =
        core::background_error(block.background[p], block.lever[p], block.level[p], block.slope[p], block.centre[p]);
    block.amplitude[p] = core::kLargest < block.amplitude[p] ? core::kLargest : block.amplitude[p];
  }
  for (std::size_t p = 0; p < count; ++p) {
    block.snr[p] = core::signal_to_noise(block.signal[p], block.background[p], block.background_error[p], block.phi[p]);
  }
  for (std::size_t p = 0; p < count; ++p) {
    const auto status = static_cast<PixelStatus>(block.status[p]);
    if (failed(status)) {
      fits[p] = core::without_value(status);
      for (std::size_t c = 0; c < net_channels.size(); ++c) net[c * kBlock + p] = core::kNaN;
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

HWY_EXPORT(end_fit);

void end_fit(const EdgeView& edge, const TileBlock& pixels, ChannelRange checked, ChannelRange net_channels, float* net,
             EdgeBlock& block, EdgeFit* fits, const Ahead& ahead) {
  HWY_DYNAMIC_DISPATCH(end_fit)(edge, pixels, checked, net_channels, net, block, fits, ahead);
}

}  // namespace elver
#endif
