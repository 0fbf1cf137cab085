#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "background/edge_fitter.hpp"
#include "engine/fractions.hpp"

namespace elver {

inline ChannelRange together(ChannelRange a, ChannelRange b) {
  return {std::min(a.first, b.first), std::max(a.last, b.last)};
}

/// One edge's fitters for an image: one, or, where it is aligned, one for each eighth of a channel by which its pixels'
/// axes lie apart. Immutable: read by all threads. `image` must outlive them.
class Fitters {
 public:
  /// Throws as EdgeFitter.
  Fitters(const Image& image, EnergyWindow fit, EnergyWindow signal, const BackgroundOptions& options) : image_(image) {
    const std::array<bool, kFractions> occur = fractions_of(image);
    for (std::size_t f = 0; f < kFractions; ++f) {
      if (!occur[f]) continue;
      const EdgeFitter& fitter = fitters_[f].emplace(axis_of(image.energy(), f), fit, signal, options);
      const bool first = channels_.size() == 0;
      signal_ = first ? fitter.signal_channels() : together(signal_, fitter.signal_channels());
      channels_ = together(first ? signal_ : channels_, together(signal_, fitter.fit_channels()));
    }
  }

  /// The channels of both windows, of all pixels.
  ChannelRange channels() const { return channels_; }
  ChannelRange signal_channels() const { return signal_; }

  /// Fits every pixel of a tile, each on its own axis. Calls take(place in the tile, fit, net), net being counts minus
  /// background of `net_channels` (which hold signal_channels()), kBlock floats from channel to channel.
  template <class Take>
  void fit(PixelRange pixels, const TileView& tile, ChannelRange net_channels, const Take& take) const {
    std::vector<float> net(net_channels.size() * kBlock);
    EdgeFit fits[kBlock];
    for_each_fraction(image_, pixels, tile,
                      [&](std::size_t f, const TileView& counts, std::span<const std::size_t> places) {
                        const EdgeFitter& fitter = *fitters_[f];
                        for (std::size_t first = 0; first < counts.pixels; first += kBlock) {
                          const std::size_t size = std::min(kBlock, counts.pixels - first);
                          fitter.fit(counts, first, size, fitter.signal_channels(), net_channels, net.data(), fits);
                          for (std::size_t p = 0; p < size; ++p) {
                            take(places.empty() ? first + p : places[first + p], fits[p], net.data() + p);
                          }
                        }
                      });
  }

 private:
  const Image& image_;
  std::array<std::optional<EdgeFitter>, kFractions> fitters_;
  ChannelRange channels_, signal_;
};

}  // namespace elver
