#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include "engine/tiles.hpp"

namespace elver {
namespace {

constexpr std::uint64_t kMostTilePixels = 1024;

/// A sum to twice the digits of a double: the order of its terms, which hangs on threads and memory, does not show.
class Sum {
 public:
  void add(double term) {  // what rounding takes off is kept (Knuth, The Art of Computer Programming 2, 4.2.2)
    const double sum = sum_ + term, added = sum - sum_;
    rest_ += (sum_ - (sum - added)) + (term - added);
    sum_ = sum;
  }
  void add(const Sum& other) {
    add(other.sum_);
    rest_ += other.rest_;
  }
  double value() const { return sum_ + rest_; }

 private:
  double sum_ = 0, rest_ = 0;
};

}  // namespace

std::vector<double> mean_spectrum(const Image& image, const RunContext& context) {
  const std::size_t channels = image.channels();
  // Few tiles, since each adds a spectrum.
  const ChannelRange all{0, channels};
  const engine::TileCut cut = engine::cut_tiles(image, {&all, 1}, context, kMostTilePixels);
  std::vector<Sum> sums(channels);
  std::uint64_t pixels = 0;
  std::mutex mutex;
  engine::deal_tiles(image, {&all, 1}, cut, context, "mean spectrum", [&](const Tile& tile) {
    std::vector<std::uint8_t> finite(tile.counts.pixels, 1);
    for (std::size_t c = 0; c < channels; ++c) {
      const float* counts = tile.counts.channel(c);
      for (std::size_t p = 0; p < finite.size(); ++p) {
        finite[p] = std::isfinite(counts[p]) ? finite[p] : std::uint8_t{0};
      }
    }
    std::vector<Sum> here(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const float* counts = tile.counts.channel(c);
      for (std::size_t p = 0; p < finite.size(); ++p) here[c].add(finite[p] ? static_cast<double>(counts[p]) : 0.0);
    }
    const std::lock_guard lock(mutex);
    pixels += static_cast<std::uint64_t>(std::ranges::count(finite, 1));
    for (std::size_t c = 0; c < channels; ++c) sums[c].add(here[c]);
  });
  std::vector<double> mean(channels, std::numeric_limits<double>::quiet_NaN());
  if (pixels == 0) return mean;
  for (std::size_t c = 0; c < channels; ++c) mean[c] = sums[c].value() / static_cast<double>(pixels);
  return mean;
}

}  // namespace elver
