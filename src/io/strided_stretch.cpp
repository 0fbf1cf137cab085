#include <algorithm>
#include <cstdlib>
#include <utility>

#include "io/strided_image.hpp"
#include "types/large_pages.hpp"

/// Stretches of images in mapped files.
namespace elver {

constexpr std::size_t kCopied = 8 << 10;  ///< bytes of a channel that are copied sooner than the page that holds them is mapped

SpareBytes::Taken SpareBytes::take(std::size_t size) {
  const std::lock_guard held(mutex_);
  if (size_ < size) {
    kept_.reset();  // before there is more
    kept_ = std::make_unique_for_overwrite<std::byte[]>(size);
    size_ = size;
    ask_for_large_pages(kept_.get(), size);
  }
  ++taken_;
  return {kept_.release(), {this, std::exchange(size_, 0)}};
}

void SpareBytes::give_back(std::unique_ptr<std::byte[]> bytes, std::size_t size) {
  const std::lock_guard held(mutex_);
  --taken_;
  if (taken_ > 0 && size > size_) {
    kept_ = std::move(bytes);
    size_ = size;
  } else if (taken_ == 0) {
    kept_.reset();
    size_ = 0;
  }
}

/// Pages of a mapped file: asked for when it is made. In a mapping of its own, so that all of them are let go at once when it is
/// gone, unless the file is small.
class StridedImage::Mapped : public Stretch {
 public:
  Mapped(const StridedImage& image, const PixelBlock& pixels, std::span<const ChannelRange> channels)
      : image_(image),
        bytes_(image.keeps_no_pages() ? map_again(image.layout_.bytes) : image.layout_.bytes) {
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

/// Channels that lie apart are copied and not mapped where pages may not stay: Linux maps 64 KiB around each page, or 2 MiB.
class StridedImage::Copied : public Stretch {
 public:
  Copied(const StridedImage& image, const PixelBlock& pixels, std::span<const ChannelRange> channels)
      : image_(image), block_(pixels), windows_(channels.begin(), channels.end()) {
    std::size_t count = 0;
    for (const ChannelRange& window : windows_) count += window.size();
    const std::size_t value = image.value_bytes();
    kept_ = image.spare_.take(count * pixels.size() * value);
    for_each_place([&](const std::byte* from, std::size_t n, std::ptrdiff_t stride) {
      const bool together = stride == static_cast<std::ptrdiff_t>(value) && n * value > kCopied;
      if (together) will_need(image.layout_.bytes, {from, n * value});
    });
    std::byte* to = kept_.get();
    for_each_place([&](const std::byte* from, std::size_t n, std::ptrdiff_t stride) {
      copy(from, n, stride, {to, n * value});
      to += n * value;
    });
    check_whole(image.layout_.bytes);
    if (image.keeps_no_pages()) give_back_pages(image.layout_.bytes);
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
    const std::byte* const from = kept_.get() + (before * block_.size() + place) * value;
    values::with_stored(image_.format(), [&]<class Source>() {
      values::copy_block<float, Source>(from, pixels.size(), static_cast<std::ptrdiff_t>(value), channels.size(),
                                        static_cast<std::ptrdiff_t>(block_.size() * value), out.data(), 1,
                                        pixels.size());
    });
  }

 private:
  /// Calls work(first byte, pixels, pixel stride) for what lies together, in the order in which it is kept.
  template <class Work>
  void for_each_place(Work work) const {
    const std::uint64_t columns = image_.columns();
    const bool whole = block_.columns() == columns;
    for (const ChannelRange& window : windows_) {
      for (std::size_t c = window.first; c < window.last; ++c) {
        for (std::uint64_t row = block_.first_row; row < block_.last_row; row = whole ? block_.last_row : row + 1) {
          const PixelRange run =
              whole ? PixelRange{row * columns, block_.last_row * columns}
                    : PixelRange{row * columns + block_.first_column, row * columns + block_.last_column};
          image_.for_each_run(
              run, {c, c + 1},
              [&](const std::byte* from, std::size_t n, std::ptrdiff_t stride, std::size_t) { work(from, n, stride); });
        }
      }
    }
  }
  void copy(const std::byte* from, std::size_t count, std::ptrdiff_t stride, std::span<std::byte> to) const {
    const std::size_t value = image_.value_bytes();
    if (stride == static_cast<std::ptrdiff_t>(value)) {
      return copy_from_file(image_.layout_.bytes, static_cast<std::size_t>(from - image_.layout_.bytes.span.data()),
                            to);
    }
    image_.fetch_block(from, count, stride, 1);
    for (std::size_t i = 0; i < count; ++i)
      std::copy_n(from + static_cast<std::ptrdiff_t>(i) * stride, value, to.data() + i * value);
  }

  const StridedImage& image_;
  PixelBlock block_;
  std::vector<ChannelRange> windows_;
  SpareBytes::Taken kept_;  ///< [channel of the windows][pixel of the block]
};

std::unique_ptr<Stretch> StridedImage::stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const {
  if (layout_.bytes.file < 0 || pixels.size() == 0 || channels.empty()) return Image::stretch(pixels, channels);
  check({0, 0}, channels.front(), 0);
  if (channels_first() && (keeps_no_pages() || pixels.size() * value_bytes() <= kCopied)) {
    return std::make_unique<Copied>(*this, pixels, channels);
  }
  return std::make_unique<Mapped>(*this, pixels, channels);
}

}  // namespace elver
