#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "types/arena.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr std::uint64_t kTileBytes = 1 << 20;  ///< counts of a tile: about a second-level cache
constexpr std::uint64_t kBlock = 64;           ///< pixels that the stages work on together
constexpr std::uint64_t kMostTilePixels = 16 * kBlock;

/// A thread's tile, kept from tile to tile: fresh memory would cost more than what is done with it.
class Buffer {
 public:
  std::span<float> of(std::size_t values) {
    if (values > size_) {
      memory_.reset();
      memory_ = std::make_unique_for_overwrite<float[]>(values);
      size_ = values;
    }
    return {memory_.get(), values};
  }

 private:
  std::unique_ptr<float[]> memory_;
  std::size_t size_ = 0;
};

/// Pixels of a tile: the usual number, or fewer where memory is short. Each thread holds one tile of counts, and about
/// as much again of what is made of it.
std::uint64_t tile_pixels(const Image& image, std::size_t channels, const RunContext& context, std::uint64_t usual) {
  const std::uint64_t per_pixel = 2 * sizeof(float) * std::max<std::uint64_t>(channels, 1);
  std::uint64_t pixels = std::min(usual, std::max<std::uint64_t>(image.pixels(), 1));
  if (context.memory_bytes > 0) {
    const std::uint64_t fits = context.memory_bytes / context.thread_count() / per_pixel;
    if (fits == 0) {
      throw Error(ErrorKind::resources, "not enough memory",
                  text("one pixel of %zu channels on %u threads needs %llu bytes", channels, context.thread_count(),
                       static_cast<unsigned long long>(per_pixel * context.thread_count())),
                  "Raise --memory or lower --threads");
    }
    pixels = std::min(pixels, fits);
  }
  return pixels;
}

void deal_tiles(const Image& image, ChannelRange channels, std::uint64_t step, const RunContext& context,
                std::string_view stage, const std::function<void(const Tile&)>& work) {
  const std::uint64_t total = image.pixels();
  const std::uint64_t tiles = (total + step - 1) / step;
  if (context.memory_bytes > 0) image.stay_within(context.memory_bytes / 4);
  std::mutex progress_mutex;
  if (context.progress != nullptr) context.progress->begin(stage, total, "px");

  oneapi::tbb::enumerable_thread_specific<Buffer> buffers;
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(std::uint64_t{0}, tiles, [&](std::uint64_t i) {
      context.check_interrupt();
      const PixelRange pixels{i * step, std::min(total, (i + 1) * step)};
      Buffer& buffer = buffers.local();
      const std::span<float> counts = buffer.of(pixels.size() * channels.size());
      image.read_tile(pixels, channels, counts);
      work(Tile{pixels, TileView{counts.data(), static_cast<std::size_t>(pixels.size()), channels}});
      if (context.progress != nullptr) {
        const std::lock_guard lock(progress_mutex);
        context.progress->advance(pixels.size());
      }
    });
  });
  context.check_interrupt();
  if (context.progress != nullptr) context.progress->end();
}

}  // namespace

void for_each_tile(const Image& image, ChannelRange channels, const RunContext& context, std::string_view stage,
                   const std::function<void(const Tile&)>& work) {
  const std::uint64_t fitting = kTileBytes / sizeof(float) / std::max<std::uint64_t>(channels.size(), 1);
  const std::uint64_t usual = std::clamp(fitting / kBlock * kBlock, kBlock, kMostTilePixels);
  deal_tiles(image, channels, tile_pixels(image, channels.size(), context, usual), context, stage, work);
}

std::vector<double> mean_spectrum(const Image& image, const RunContext& context) {
  const std::size_t channels = image.channels();
  // Few tiles, since each leaves a spectrum behind.
  const std::uint64_t step = tile_pixels(image, channels, context, kMostTilePixels);
  // One partial sum a tile, added in tile order: the same bits whatever the number of threads.
  struct Sum {
    std::vector<double> counts;
    std::size_t pixels = 0;
  };
  std::vector<Sum> partial((image.pixels() + step - 1) / step);
  deal_tiles(image, {0, channels}, step, context, "mean spectrum", [&](const Tile& tile) {
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
    partial[tile.pixels.first / step] = std::move(sum);
  });
  std::vector<double> mean(channels, 0.0);
  std::size_t pixels = 0;
  for (const Sum& sum : partial) {
    pixels += sum.pixels;
    for (std::size_t c = 0; c < channels; ++c) mean[c] += sum.counts[c];
  }
  if (pixels == 0) return std::vector<double>(channels, std::numeric_limits<double>::quiet_NaN());
  for (double& value : mean) value /= static_cast<double>(pixels);
  return mean;
}

}  // namespace elver
