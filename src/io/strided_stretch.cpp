#include <algorithm>
#include <cstdlib>

#include "io/strided_image.hpp"
#include "types/large_pages.hpp"

/// Stretches of images in mapped files.
namespace elver {

constexpr std::size_t kMayStay = 256 << 20;  ///< of a file whose pages may all stay this program's memory
constexpr std::size_t kCopied = 8 << 10;     ///< bytes of a channel that are copied sooner than the page that holds them is mapped

/// Pages of a mapped file: asked for when it is made. In a mapping of its own, so that all of them are let go at once when it is
/// gone, unless the file is small.
class StridedImage::Mapped : public Stretch {
 public:
  Mapped(const StridedImage& image, const PixelBlock& pixels, std::span<const ChannelRange> channels)
      : image_(image),
        bytes_(image.sparing_ || image.layout_.bytes.span.size() > kMayStay ? map_again(image.layout_.bytes)
                                                                            : image.layout_.bytes) {
    const bool apart = image.channels_first();
    const std::uint64_t columns = image.columns();
    const auto add_runs = [&](PixelRange run) {
      for (const ChannelRange& window : channels) {
        // Channels that lie apart are fetched each by itself, spectra with what lies between the windows.
        const ChannelRange whole{channels.front().first, channels.back().last};
        const ChannelRange part = apart ? window : whole;
        for (std::size_t c = part.first; c < part.last; c = apart ? c + 1 : part.last) {
          image.for_each_run(run, {c, apart ? c + 1 : part.last},
                             [&](const std::byte* from, std::size_t count, std::ptrdiff_t stride, std::size_t) {
                               add(image.in(bytes_, from),
                                   static_cast<std::ptrdiff_t>(count - 1) * stride,
                                   apart ? 0 : static_cast<std::ptrdiff_t>(whole.size() - 1) * image.channel_stride_);
                             });
        }
        if (!apart) break;
      }
    };
    if (pixels.columns() == columns) {
      add_runs({pixels.first_row * columns, pixels.last_row * columns});
    } else {
      for (std::uint64_t row = pixels.first_row; row < pixels.last_row; ++row) {
        add_runs({row * columns + pixels.first_column, row * columns + pixels.last_column});
      }
    }
    for (const std::span<const std::byte> run : runs_) will_need(bytes_, run);
    for (const std::span<const std::byte> run : runs_) fetch(bytes_, run);
  }
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    image_.read_mapped(bytes_, pixels, channels, out);
  }

 private:
  /// From the first value to the last, which lie `pixels` and `channels` bytes on from it.
  void add(const std::byte* first, std::ptrdiff_t pixels, std::ptrdiff_t channels) {
    const std::byte* const start = first + std::min<std::ptrdiff_t>(pixels, 0) + std::min<std::ptrdiff_t>(channels, 0);
    const std::span<const std::byte> run(
        start, static_cast<std::size_t>(std::abs(pixels) + std::abs(channels)) + image_.value_bytes());
    if (!runs_.empty() && runs_.back().data() + runs_.back().size() == run.data()) {
      runs_.back() = {runs_.back().data(), runs_.back().size() + run.size()};
    } else {
      runs_.push_back(run);
    }
  }

  const StridedImage& image_;
  Bytes bytes_;
  std::vector<std::span<const std::byte>> runs_;
};

/// Where memory is short, channels that lie apart are copied and not mapped: Linux maps 64 KiB around each page.
class StridedImage::Copied : public Stretch {
 public:
  Copied(const StridedImage& image, const PixelBlock& pixels, std::span<const ChannelRange> channels)
      : image_(image), block_(pixels), windows_(channels.begin(), channels.end()) {
    std::size_t count = 0;
    for (const ChannelRange& window : windows_) count += window.size();
    const std::size_t value = image.value_bytes();
    bytes_ = std::make_unique_for_overwrite<std::byte[]>(count * pixels.size() * value);
    ask_for_large_pages(bytes_.get(), count * pixels.size() * value);
    const std::uint64_t columns = image.columns();
    const bool whole = pixels.columns() == columns;
    std::byte* to = bytes_.get();
    for (const ChannelRange& window : windows_) {
      for (std::size_t c = window.first; c < window.last; ++c) {
        for (std::uint64_t row = pixels.first_row; row < pixels.last_row; row = whole ? pixels.last_row : row + 1) {
          const PixelRange run =
              whole ? PixelRange{row * columns, pixels.last_row * columns}
                    : PixelRange{row * columns + pixels.first_column, row * columns + pixels.last_column};
          image.for_each_run(run, {c, c + 1},
                             [&](const std::byte* from, std::size_t n, std::ptrdiff_t stride, std::size_t) {
                               copy(from, n, stride, {to, n * value});
                               to += n * value;
                             });
        }
      }
    }
  }
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    std::size_t before = 0;  // channels held before these
    for (const ChannelRange& window : windows_) {
      if (channels.first < window.last) {
        before += channels.first - window.first;
        break;
      }
      before += window.size();
    }
    const std::uint64_t columns = image_.columns();
    const std::uint64_t place =
        (pixels.first / columns - block_.first_row) * block_.columns() + pixels.first % columns - block_.first_column;
    const std::size_t value = image_.value_bytes();
    const std::byte* const from = bytes_.get() + (before * block_.size() + place) * value;
    values::with_stored(image_.format(), [&]<class Source>() {
      values::copy_block<float, Source>(from, pixels.size(), static_cast<std::ptrdiff_t>(value), channels.size(),
                                        static_cast<std::ptrdiff_t>(block_.size() * value), out.data(), 1,
                                        pixels.size());
    });
  }

 private:
  void copy(const std::byte* from, std::size_t count, std::ptrdiff_t stride, std::span<std::byte> to) const {
    const std::size_t value = image_.value_bytes();
    if (stride == static_cast<std::ptrdiff_t>(value)) {
      return copy_from_file(image_.layout_.bytes, static_cast<std::size_t>(from - image_.layout_.bytes.span.data()),
                            to);
    }
    for (std::size_t i = 0; i < count; ++i)
      std::copy_n(from + static_cast<std::ptrdiff_t>(i) * stride, value, to.data() + i * value);
  }

  const StridedImage& image_;
  PixelBlock block_;
  std::vector<ChannelRange> windows_;
  std::unique_ptr<std::byte[]> bytes_;  ///< [channel of the windows][pixel of the block]
};

std::unique_ptr<Stretch> StridedImage::stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const {
  if (layout_.bytes.file < 0 || pixels.size() == 0 || channels.empty()) return Image::stretch(pixels, channels);
  check({0, 0}, channels.front(), 0);
  if (channels_first() && (sparing_ || pixels.size() * value_bytes() <= kCopied)) {
    return std::make_unique<Copied>(*this, pixels, channels);
  }
  return std::make_unique<Mapped>(*this, pixels, channels);
}

}  // namespace elver
