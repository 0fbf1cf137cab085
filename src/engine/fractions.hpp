#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "elver/engine.hpp"

/// Pixels of an aligned image lie on a few energy axes, eighths of a channel apart (Image::eighths).
namespace elver {

inline constexpr int kLeastEighth = -3;
inline constexpr std::size_t kFractions = 8;  ///< -3/8 to 4/8 of a channel
inline constexpr std::size_t kWhole = 3;      ///< the fraction 0: energy() itself

/// The axis of the pixels of one fraction.
inline EnergyAxis axis_of(const EnergyAxis& axis, std::size_t fraction) {
  return {axis.energy(-(static_cast<double>(fraction) + kLeastEighth) / 8.0), axis.dispersion_ev, axis.size};
}

/// True for the fractions that occur in an image.
inline std::array<bool, kFractions> fractions_of(const Image& image) {
  std::array<bool, kFractions> occur{};
  for (const std::int8_t eighth : image.eighths()) occur[static_cast<std::size_t>(eighth - kLeastEighth)] = true;
  if (image.eighths().empty()) occur[kWhole] = true;
  return occur;
}

/// Calls work(fraction, counts, places) for the pixels of each fraction in a tile: `places` says where in the tile
/// each of them lies. All pixels as they lie, and no places, where the image is not aligned or they share a fraction.
template <class Work>
void for_each_fraction(const Image& image, PixelRange pixels, const TileView& tile, const Work& work) {
  if (image.eighths().empty()) return work(kWhole, tile, std::span<const std::size_t>{});
  std::array<std::vector<std::size_t>, kFractions> members;
  for (std::size_t p = 0; p < tile.pixels; ++p) {
    members[static_cast<std::size_t>(image.eighths()[pixels.first + p] - kLeastEighth)].push_back(p);
  }
  std::vector<float> counts;
  for (std::size_t f = 0; f < kFractions; ++f) {
    const std::vector<std::size_t>& places = members[f];
    if (places.empty()) continue;
    if (places.size() == tile.pixels) return work(f, tile, std::span<const std::size_t>{});
    counts.resize(places.size() * tile.channels.size());
    for (std::size_t c = tile.channels.first; c < tile.channels.last; ++c) {
      const float* const from = tile.channel(c);
      float* const to = counts.data() + (c - tile.channels.first) * places.size();
      for (std::size_t p = 0; p < places.size(); ++p) to[p] = from[places[p]];
    }
    work(f, TileView{counts.data(), places.size(), tile.channels}, std::span<const std::size_t>(places));
  }
}

}  // namespace elver
