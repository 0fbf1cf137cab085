#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "elver/image.hpp"
#include "io/reader.hpp"
#include "io/values.hpp"

namespace elver {

/// Where the values of an image lie in its bytes.
struct StridedLayout {
  Bytes bytes;
  std::size_t first = 0;                ///< offset of the first value
  std::vector<std::ptrdiff_t> strides;  ///< bytes from one element to the next, for each axis of the ImageInfo
  bool swapped = false;                 ///< the file's byte order is not this machine's
  bool half = false;                    ///< values are IEEE half floats; they are handed out as float32
};

/// Memory that one stretch leaves to the next: fresh pages would cost more than what is copied into them. None is kept when the
/// last stretch is gone.
class SpareBytes {
 public:
  struct GiveBack {
    SpareBytes* to = nullptr;
    std::size_t size = 0;
    void operator()(std::byte* bytes) const { to->give_back(std::unique_ptr<std::byte[]>(bytes), size); }
  };
  using Taken = std::unique_ptr<std::byte[], GiveBack>;
  Taken take(std::size_t size);

 private:
  void give_back(std::unique_ptr<std::byte[]> bytes, std::size_t size);
  std::mutex mutex_;
  int taken_ = 0;
  std::unique_ptr<std::byte[]> kept_;
  std::size_t size_ = 0;
};

/// An image whose values lie at fixed strides in memory or in a mapped file: Gatan DM, NumPy, EMSA.
/// Nothing is copied before it is asked for.
class StridedImage : public Image {
 public:
  /// The layout must lie within its bytes: readers check before.
  StridedImage(ImageInfo info, StridedLayout layout);
  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override;
  bool channels_first() const override;
  void read_channels(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override;
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override;
  Grain grain() const override;
  std::unique_ptr<Stretch> stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const override;
  void stay_within(std::uint64_t bytes) const override { may_keep_ = bytes; }

 private:
  class Mapped;
  class Copied;
  values::Format format() const { return {info().type, layout_.swapped, layout_.half}; }
  std::size_t value_bytes() const { return layout_.half ? 2 : bytes_of(info().type); }
  /// The same place of the file in `bytes`, where it is mapped once more.
  const std::byte* in(const Bytes& bytes, const std::byte* place) const {
    return bytes.span.data() + (place - layout_.bytes.span.data());
  }
  /// From `bytes`, the file mapped elsewhere.
  void read_mapped(const Bytes& bytes, PixelRange pixels, ChannelRange channels, std::span<float> out) const;
  struct Dimension {
    std::uint64_t size;
    std::ptrdiff_t stride;
  };
  template <class Work>
  void for_each_run(PixelRange pixels, ChannelRange channels, Work work) const;
  /// Calls work(first byte, pixels, pixel stride, channel stride, pixels before) for each run, its channels copied
  /// together where that is cheaper.
  template <class Work>
  void for_each_block(PixelRange pixels, ChannelRange channels, Work work) const;
  /// The file is larger than what reading may keep of it in memory.
  bool keeps_no_pages() const { return may_keep_ < layout_.bytes.span.size(); }
  /// Channels that lie apart cost a page and more each, up to 2 MiB, for a few bytes: of a file whose pages may not stay they
  /// are copied together first.
  bool copies(std::ptrdiff_t pixel_stride) const;
  /// Waits for what is to be read through the mapping.
  void fetch_block(const std::byte* from, std::size_t pixels, std::ptrdiff_t pixel_stride, std::size_t channels) const;
  std::vector<std::byte> copied(const std::byte* from, std::size_t pixels, std::size_t channels) const;
  void read_numbers(PixelRange pixels, ChannelRange channels, std::span<std::byte> out, bool channels_first) const;
  void check(PixelRange pixels, ChannelRange channels, std::size_t values) const;

  StridedLayout layout_;
  std::vector<Dimension> navigation_;  ///< neighbours that lie evenly are one dimension
  std::ptrdiff_t channel_stride_ = 0;
  mutable std::atomic<std::uint64_t> may_keep_{256 << 20};  ///< bytes of the file that may be this program's memory
  mutable SpareBytes spare_;
};

/// Calls work(first byte, pixels, pixel stride, pixels before) for each run of pixels that lie evenly.
template <class Work>
void StridedImage::for_each_run(PixelRange pixels, ChannelRange channels, Work work) const {
  if (pixels.size() == 0 || channels.size() == 0) return;
  const std::byte* const start =
      layout_.bytes.span.data() + layout_.first + static_cast<std::ptrdiff_t>(channels.first) * channel_stride_;
  const Dimension& inner = navigation_.back();
  for (std::uint64_t pixel = pixels.first; pixel < pixels.last;) {
    const std::uint64_t column = pixel % inner.size;
    const std::uint64_t count = std::min(inner.size - column, pixels.last - pixel);
    std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(column) * inner.stride;
    std::uint64_t rest = pixel / inner.size;
    for (std::size_t i = navigation_.size() - 1; i-- > 0;) {
      offset += static_cast<std::ptrdiff_t>(rest % navigation_[i].size) * navigation_[i].stride;
      rest /= navigation_[i].size;
    }
    work(start + offset, static_cast<std::size_t>(count), inner.stride, static_cast<std::size_t>(pixel - pixels.first));
    pixel += count;
  }
}

}  // namespace elver
