#include "engine/device_loop.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "elver/error.hpp"
#include "types/arena.hpp"
#include "types/reads_for.hpp"
#include "types/text.hpp"

namespace elver::engine {
namespace {

/// Large enough that a device is busy for some hundred microseconds, small enough that three fit beside each other.
constexpr std::size_t kTilePixels = 32768;
constexpr std::size_t kLeastTiles = 4;  ///< an image in one tile would be read, copied and computed in turn

/// What all devices share.
struct Loop {
  const Image& image;
  const cuda::Job& job;
  std::span<const std::uint8_t> mask;
  const RunContext& context;
  const std::function<void(PixelRange, const cuda::TileResult&)>& take;
  std::atomic<std::uint64_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex{};  ///< of progress and error
  std::exception_ptr error = nullptr;
};

/// The counts of a tile as the device wants them, by all threads.
void read_counts(const Loop& loop, PixelRange pixels, std::span<std::byte> out) {
  const cuda::Job& job = loop.job;
  const std::size_t number = bytes_of(job.type), count = pixels.size();
  const bool native = job.edges != nullptr && job.type == loop.image.info().type;
  const std::vector<ChannelRange> all{{0, job.rows}};
  const std::vector<ChannelRange>& windows = job.edges != nullptr ? job.edges->windows : all;
  std::size_t before = 0;
  for (const ChannelRange& window : windows) {
    std::byte* const to = out.data() + before * count * number;
    const std::size_t items = job.pixel_major ? count : window.size();
    const std::size_t parts = std::min<std::size_t>(items, 4 * loop.context.thread_count());
    oneapi::tbb::parallel_for(std::size_t{0}, parts, [&](std::size_t i) {
      const ReadsFor reading(loop.context);
      const std::size_t first = items * i / parts, last = items * (i + 1) / parts;
      if (job.pixel_major) {
        const std::size_t bytes = window.size() * number;
        loop.image.read({pixels.first + first, pixels.first + last}, window, {to + first * bytes, (last - first) * bytes});
        return;
      }
      const ChannelRange part{window.first + first, window.first + last};
      const std::span<std::byte> place{to + first * count * number, (last - first) * count * number};
      if (native) {
        loop.image.read_channels(pixels, part, place);
      } else {
        loop.image.read_tile(pixels, part, {reinterpret_cast<float*>(place.data()), part.size() * count});
      }
    });
    before += window.size();
  }
}

/// Which pixels of a tile are to be computed; how many.
std::size_t choose_pixels(const Loop& loop, PixelRange pixels, std::span<std::uint32_t> out) {
  if (loop.mask.empty()) return pixels.size();
  std::size_t rows = 0;
  for (std::uint64_t p = pixels.first; p < pixels.last; ++p) {
    if (loop.mask[p] == 0) out[rows++] = static_cast<std::uint32_t>(p - pixels.first);
  }
  return rows;
}

/// One device's share: while it computes one tile, the next is read.
void work(Loop& loop, int device) {
  cuda::Pipeline pipeline(loop.job, device);
  struct Sent {
    PixelRange pixels;
    bool busy = false;
  };
  std::array<Sent, cuda::Pipeline::kSlots> sent;
  const std::uint64_t total = loop.image.pixels();
  const auto collect = [&](std::size_t slot) {
    if (!std::exchange(sent[slot].busy, false)) return;
    loop.take(sent[slot].pixels, pipeline.finish(slot));
    const std::lock_guard lock(loop.mutex);
    if (loop.context.progress != nullptr) loop.context.progress->advance(sent[slot].pixels.size());
  };
  std::size_t slot = 0;
  for (; !loop.stop; slot = (slot + 1) % sent.size()) {
    loop.context.check_interrupt();
    collect(slot);
    const std::uint64_t first = loop.next.fetch_add(pipeline.tile_pixels());
    if (first >= total) break;
    const PixelRange pixels{first, std::min<std::uint64_t>(total, first + pipeline.tile_pixels())};
    const std::size_t rows = choose_pixels(loop, pixels, pipeline.pixels(slot));
    if (rows > 0) read_counts(loop, pixels, pipeline.counts(slot));
    pipeline.start(slot, pixels.size(), rows);
    sent[slot] = {pixels, true};
  }
  for (std::size_t i = 0; i < sent.size(); ++i) collect((slot + i) % sent.size());
}

}  // namespace

std::vector<int> devices_to_use(const RunContext& context, const std::string& why_not) {
  const bool demanded = context.backend == Backend::cuda;
  if (context.backend == Backend::cpu || (!demanded && !why_not.empty())) return {};
  if (!why_not.empty()) throw Error(ErrorKind::mismatch, "cannot compute on a GPU", why_not, "Use --backend cpu");
  const DeviceList found = cuda::devices();
  if (found.devices.empty()) {
    if (!demanded) return {};
    throw Error(ErrorKind::resources, "cannot compute on a GPU", found.why_none, "Use --backend cpu");
  }
  std::vector<int> out;
  for (const DeviceInfo& device : found.devices) {
    if (context.device < 0 || context.device == device.number) out.push_back(device.number);
  }
  if (out.empty()) {
    throw Error(ErrorKind::resources, text("there is no GPU %d", context.device),
                text("%zu found, counted from 0", found.devices.size()), "See elver devices");
  }
  return out;
}

std::string names_of(std::span<const int> devices) {
  std::string out;
  const DeviceList found = cuda::devices();
  for (const DeviceInfo& device : found.devices) {
    if (std::ranges::find(devices, device.number) == devices.end()) continue;
    out += (out.empty() ? "" : ", ") + text("%s (%d)", device.name.c_str(), device.number);
  }
  return out;
}

void choose_wire(const Image& image, cuda::Job& job) {
  const NumberType type = image.info().type;
  const bool native = type == NumberType::u8 || type == NumberType::u16 || type == NumberType::i16 ||
                      type == NumberType::u32 || type == NumberType::i32 || type == NumberType::f32 ||
                      type == NumberType::f64;
  job.type = native ? type : NumberType::f32;
  job.pixel_major = native && !image.channels_first();
}

void for_each_device_tile(const Image& image, cuda::Job job, std::span<const int> devices,
                          std::span<const std::uint8_t> mask, const RunContext& context, std::string_view stage,
                          const std::function<void(PixelRange, const cuda::TileResult&)>& take) {
  const std::size_t share = (image.pixels() + kLeastTiles * devices.size() - 1) / (kLeastTiles * devices.size());
  job.tile_pixels = job.tile_pixels > 0 ? job.tile_pixels : std::min(kTilePixels, std::max<std::size_t>(share, 1024));
  job.memory_bytes = context.memory_bytes / devices.size();
  Loop loop{image, job, mask, context, take};
  if (context.progress != nullptr) context.progress->begin(stage, image.pixels(), "px");
  const auto run = [&](int device) {
    try {
      in_arena(context, [&] { work(loop, device); });
    } catch (...) {
      loop.stop = true;
      const std::lock_guard lock(loop.mutex);
      if (!loop.error) loop.error = std::current_exception();
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < devices.size(); ++i) others.emplace_back(run, devices[i]);
  run(devices[0]);
  others.clear();
  if (loop.error) std::rethrow_exception(loop.error);
  if (context.progress != nullptr) context.progress->end();
}

}  // namespace elver::engine
