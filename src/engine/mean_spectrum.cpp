#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>

#include "engine/tiles.hpp"

namespace elver {
namespace {

constexpr std::uint64_t kMostTilePixels = 1024;

}  // namespace

std::vector<double> mean_spectrum(const Image& image, const RunContext& context) {
  const std::size_t channels = image.channels();
  // Few tiles, since each leaves a spectrum behind.
  const ChannelRange all{0, channels};
  const engine::TileCut cut = engine::cut_tiles(image, {&all, 1}, context, kMostTilePixels);
  // One partial sum a tile, added in the order of their pixels: the same bits whatever the number of threads.
  struct Sum {
    std::vector<double> counts;
    std::size_t pixels = 0;
  };
  std::map<std::uint64_t, Sum> partial;  // by first pixel
  std::mutex mutex;
  engine::deal_tiles(image, {&all, 1}, cut, context, "mean spectrum", [&](const Tile& tile) {
    std::vector<std::uint8_t> finite(tile.counts.pixels, 1);
    for (std::size_t c = 0; c < channels; ++c) {
      const float* counts = tile.counts.channel(c);
      for (std::size_t p = 0; p < finite.size(); ++p) {
        finite[p] = std::isfinite(counts[p]) ? finite[p] : std::uint8_t{0};
      }
    }
    Sum sum{std::vector<double>(channels, 0.0), static_cast<std::size_t>(std::ranges::count(finite, 1))};
    for (std::size_t c = 0; c < channels; ++c) {
      const float* counts = tile.counts.channel(c);
      for (std::size_t p = 0; p < finite.size(); ++p) sum.counts[c] += finite[p] ? static_cast<double>(counts[p]) : 0.0;
    }
    const std::lock_guard lock(mutex);
    partial.emplace(tile.pixels.first, std::move(sum));
  });
  std::vector<double> mean(channels, 0.0);
  std::size_t pixels = 0;
  for (const auto& [first, sum] : partial) {
    pixels += sum.pixels;
    for (std::size_t c = 0; c < channels; ++c) mean[c] += sum.counts[c];
  }
  if (pixels == 0) return std::vector<double>(channels, std::numeric_limits<double>::quiet_NaN());
  for (double& value : mean) value /= static_cast<double>(pixels);
  return mean;
}

}  // namespace elver
