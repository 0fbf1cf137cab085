#include "engine/tiles.hpp"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <future>
#include <memory>
#include <mutex>

#include "elver/error.hpp"
#include "types/arena.hpp"
#include "types/reads_for.hpp"
#include "types/stopwatch.hpp"
#include "types/text.hpp"

namespace elver {
namespace engine {
namespace {

constexpr std::uint64_t kTileBytes = 512 << 10;  ///< counts of a tile: about half of a second-level cache
constexpr std::uint64_t kBlock = 64;             ///< pixels that the stages work on together
constexpr std::uint64_t kMostTilePixels = 16 * kBlock;
constexpr std::uint64_t kStretchBytes = 64 << 20;               ///< as stored; long enough that its ends cost nothing
constexpr std::uint64_t kMostStretchBytes = 4 * kStretchBytes;  ///< where the file's grain is coarse

std::uint64_t channel_count(std::span<const ChannelRange> channels) {
  std::uint64_t count = 0;
  for (const ChannelRange& window : channels) count += window.size();
  return std::max<std::uint64_t>(count, 1);
}

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

std::vector<PixelBlock> stretches_of(const Image& image, const TileCut& cut) {
  const std::uint64_t rows = image.rows(), columns = image.columns();
  std::vector<PixelBlock> out;
  // The first is waited for by all threads: it is a quarter of the others, as far as the grain allows.
  const std::uint64_t grain = image.grain().rows, first = std::max(cut.rows / 4 / grain, std::uint64_t{1}) * grain;
  for (std::uint64_t row = 0, height = std::min(first, cut.rows); row < rows; row += height, height = cut.rows) {
    for (std::uint64_t column = 0; column < columns; column += cut.columns) {
      out.push_back({row, std::min(rows, row + height), column, std::min(columns, column + cut.columns)});
    }
  }
  return out;
}

/// Whole rows are one run of pixels; parts of rows are a run each.
std::vector<PixelRange> tiles_of(const PixelBlock& block, std::uint64_t columns, std::uint64_t step) {
  std::vector<PixelRange> out;
  const auto add = [&](std::uint64_t first, std::uint64_t last) {
    for (; first < last; first += step) out.push_back({first, std::min(last, first + step)});
  };
  if (block.columns() == columns) {
    add(block.first_row * columns, block.last_row * columns);
    return out;
  }
  for (std::uint64_t row = block.first_row; row < block.last_row; ++row) {
    add(row * columns + block.first_column, row * columns + block.last_column);
  }
  return out;
}

}  // namespace

std::uint64_t usual_tile_pixels(std::span<const ChannelRange> channels) {
  const std::uint64_t fitting = kTileBytes / sizeof(float) / channel_count(channels);
  return std::clamp(fitting / kBlock * kBlock, kBlock, kMostTilePixels);
}

TileCut cut_tiles(const Image& image, std::span<const ChannelRange> channels, const RunContext& context,
                  std::uint64_t usual) {
  const std::uint64_t counts = channel_count(channels);
  // Each thread holds one tile of counts, and about as much again of what is made of it.
  const std::uint64_t per_pixel = 2 * sizeof(float) * counts;
  const std::uint64_t memory = context.memory_bytes;
  TileCut cut;
  cut.tile_pixels = std::min(usual, std::max<std::uint64_t>(image.pixels(), 1));
  if (memory > 0) {
    const std::uint64_t fits = memory / 2 / context.thread_count() / per_pixel;
    if (fits == 0) {
      throw Error(ErrorKind::resources, "not enough memory",
                  text("one pixel of %zu channels on %u threads needs %llu bytes", static_cast<std::size_t>(counts),
                       context.thread_count(), static_cast<unsigned long long>(2 * per_pixel * context.thread_count())),
                  "Raise --memory or lower --threads");
    }
    cut.tile_pixels = std::min(cut.tile_pixels, fits);
  }

  // A stretch is in memory as it was fetched and as it was unpacked, and so is the next.
  const std::uint64_t stored = std::max<std::uint64_t>(1, image.channels() * bytes_of(image.info().type));
  // Where channels lie apart, their parts are longer for it: to both sides of each more is mapped than is read.
  const std::uint64_t long_enough = image.channels_first() ? 2 * kStretchBytes : kStretchBytes;
  const std::uint64_t usual_bytes = memory > 0 ? std::min(long_enough, memory / 8) : long_enough;
  const std::uint64_t columns = std::max<std::uint64_t>(image.columns(), 1);
  // The rows of a matrix are one long row here: it is cut as short as many rows would be, so that work begins soon.
  const std::uint64_t most_bytes = memory > 0          ? std::max<std::uint64_t>(memory / 8, 1)
                                   : image.rows() == 1 ? kStretchBytes
                                                       : kMostStretchBytes;
  const Grain grain = image.grain();
  cut.rows = std::max<std::uint64_t>(1, usual_bytes / stored / columns / grain.rows) * grain.rows;
  cut.columns = columns;
  if (cut.rows == grain.rows && cut.rows * columns * stored > most_bytes) {
    const std::uint64_t fit = std::max<std::uint64_t>(1, most_bytes / stored / grain.rows / grain.columns);
    const std::uint64_t grains = (columns + grain.columns - 1) / grain.columns, parts = (grains + fit - 1) / fit;
    cut.columns = std::min(columns, (grains + parts - 1) / parts * grain.columns);
  }
  // As fetched, as unpacked, and the next.
  const std::uint64_t least = 3 * std::min<std::uint64_t>(cut.rows, image.rows()) * cut.columns * stored;
  if (memory > 0 && cut.rows == grain.rows && least > memory) {
    throw Error(ErrorKind::resources, "not enough memory",
                text("%llu x %llu pixels lie together in the file: to read them takes %llu MiB",
                     static_cast<unsigned long long>(cut.rows), static_cast<unsigned long long>(cut.columns),
                     static_cast<unsigned long long>(least >> 20) + 1),
                text("Raise --memory by %lluM", static_cast<unsigned long long>((least - memory) >> 20) + 1));
  }
  return cut;
}

double deal_tiles(const Image& image, std::span<const ChannelRange> channels, const TileCut& cut,
                  const RunContext& context, std::string_view stage, const std::function<void(const Tile&)>& work) {
  const ChannelRange hull =
      channels.empty() ? ChannelRange{} : ChannelRange{channels.front().first, channels.back().last};
  if (context.memory_bytes > 0) image.stay_within(context.memory_bytes / 4);
  const ReadsFor here(context);
  std::mutex progress_mutex;
  if (context.progress != nullptr) context.progress->begin(stage, image.pixels(), "px");

  const std::vector<PixelBlock> blocks = stretches_of(image, cut);
  double waited = 0;
  std::unique_ptr<Stretch> done;  // let go of by the thread that reads
  std::future<std::unique_ptr<Stretch>> next;
  oneapi::tbb::enumerable_thread_specific<Buffer> buffers;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    context.check_interrupt();
    const Stopwatch watch;
    std::unique_ptr<Stretch> stretch = next.valid() ? next.get() : image.stretch(blocks[i], channels);
    waited += watch.seconds();
    if (i + 1 < blocks.size()) {
      next = std::async(std::launch::async,
                        [&image, &context, channels, &block = blocks[i + 1], old = std::move(done)]() mutable {
                          const ReadsFor ahead(context);
                          old.reset();
                          return image.stretch(block, channels);
                        });
    }
    const std::vector<PixelRange> tiles = tiles_of(blocks[i], image.columns(), cut.tile_pixels);
    in_arena(context, [&] {
      oneapi::tbb::parallel_for(std::size_t{0}, stretch->parts(), [&](std::size_t part) {
        context.check_interrupt();
        const ReadsFor reading(context);
        stretch->unpack(part);
      });
      oneapi::tbb::parallel_for(std::size_t{0}, tiles.size(), [&](std::size_t t) {
        context.check_interrupt();
        const ReadsFor reading(context);
        const PixelRange pixels = tiles[t];
        const std::span<float> counts = buffers.local().of(pixels.size() * hull.size());
        for (const ChannelRange& window : channels) {
          stretch->read_tile(
              pixels, window,
              counts.subspan((window.first - hull.first) * pixels.size(), window.size() * pixels.size()));
        }
        work(Tile{pixels, TileView{counts.data(), static_cast<std::size_t>(pixels.size()), hull}});
        if (context.progress != nullptr) {
          const std::lock_guard lock(progress_mutex);
          context.progress->advance(pixels.size());
        }
      });
    });
    done = std::move(stretch);
  }
  context.check_interrupt();
  if (context.progress != nullptr) context.progress->end();
  return waited;
}

double deal_tiles(const Image& image, std::span<const ChannelRange> channels, const RunContext& context,
                  std::string_view stage, const std::function<void(const Tile&)>& work) {
  return deal_tiles(image, channels, cut_tiles(image, channels, context, usual_tile_pixels(channels)), context, stage,
                    work);
}

std::vector<ChannelRange> merged(std::vector<ChannelRange> windows) {
  constexpr std::size_t kClose = 16;  // channels that are read faster than left out
  std::ranges::sort(windows, {}, &ChannelRange::first);
  std::vector<ChannelRange> out;
  for (const ChannelRange& window : windows) {
    if (window.size() == 0) continue;
    if (!out.empty() && window.first <= out.back().last + kClose) {
      out.back().last = std::max(out.back().last, window.last);
    } else {
      out.push_back(window);
    }
  }
  return out;
}

}  // namespace engine

void for_each_tile(const Image& image, ChannelRange channels, const RunContext& context, std::string_view stage,
                   const std::function<void(const Tile&)>& work) {
  engine::deal_tiles(image, {&channels, 1}, context, stage, work);
}

}  // namespace elver
