#include "io/strided_image.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "elver/error.hpp"
#include "io/values.hpp"

namespace elver {
StridedImage::StridedImage(ImageInfo info, StridedLayout layout) : Image(std::move(info)), layout_(std::move(layout)) {
  const std::vector<Axis>& axes = this->info().axes;
  assert(axes.size() == layout_.strides.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].role == AxisRole::energy) {
      channel_stride_ = layout_.strides[i];
      continue;
    }
    if (axes[i].size == 1 && !navigation_.empty()) continue;
    const Dimension next{axes[i].size, layout_.strides[i]};
    if (!navigation_.empty() && (navigation_.back().size == 1 ||
                                 navigation_.back().stride == next.stride * static_cast<std::ptrdiff_t>(next.size))) {
      navigation_.back() = {navigation_.back().size * next.size, next.stride};
    } else {
      navigation_.push_back(next);
    }
  }
  if (navigation_.empty()) navigation_.push_back({1, 0});
}

void StridedImage::check(PixelRange pixels, ChannelRange channels, std::size_t values) const {
  if (!info().refusal.empty()) {
    throw Error(ErrorKind::input, "cannot read image " + info().id + " \"" + info().title + "\"", info().refusal);
  }
  assert(pixels.first <= pixels.last && pixels.last <= this->pixels());
  assert(channels.first <= channels.last && channels.last <= this->channels());
  assert(values >= pixels.size() * channels.size());
  static_cast<void>(pixels), static_cast<void>(channels), static_cast<void>(values);
}

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

bool StridedImage::copies(std::ptrdiff_t pixel_stride) const {
  constexpr std::ptrdiff_t kApart = 16 << 10;
  return sparing_ && layout_.bytes.file >= 0 && std::abs(channel_stride_) >= kApart &&
         pixel_stride == static_cast<std::ptrdiff_t>(value_bytes());
}

std::vector<std::byte> StridedImage::copied(const std::byte* from, std::size_t pixels, std::size_t channels) const {
  const std::size_t bytes = pixels * value_bytes();
  std::vector<std::byte> out(bytes * channels);
  std::ptrdiff_t offset = from - layout_.bytes.span.data();
  for (std::size_t c = 0; c < channels; ++c, offset += channel_stride_) {
    copy_from_file(layout_.bytes, static_cast<std::size_t>(offset), std::span(out).subspan(c * bytes, bytes));
  }
  return out;
}

void StridedImage::read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const {
  check(pixels, channels, out.size());
  const auto count = static_cast<std::size_t>(pixels.size());
  values::with_stored(format(), [&]<class Source>() {
    for_each_run(pixels, channels,
                 [&](const std::byte* from, std::size_t run, std::ptrdiff_t stride, std::size_t before) {
                   std::ptrdiff_t channel_stride = channel_stride_;
                   std::vector<std::byte> near;
                   if (copies(stride)) {
                     near = copied(from, run, channels.size());
                     from = near.data();
                     channel_stride = stride * static_cast<std::ptrdiff_t>(run);
                   }
                   values::copy_block<float, Source>(from, run, stride, channels.size(), channel_stride,
                                                     out.data() + before, 1, count);
                 });
  });
  if (sparing_) give_back_pages(layout_.bytes);
}

void StridedImage::read_mapped(PixelRange pixels, ChannelRange channels, std::span<float> out) const {
  check(pixels, channels, out.size());
  const auto count = static_cast<std::size_t>(pixels.size());
  values::with_stored(format(), [&]<class Source>() {
    for_each_run(pixels, channels,
                 [&](const std::byte* from, std::size_t run, std::ptrdiff_t stride, std::size_t before) {
                   values::copy_block<float, Source>(from, run, stride, channels.size(), channel_stride_,
                                                     out.data() + before, 1, count);
                 });
  });
}

/// Pages of a mapped file: asked for when it is made, no longer counted as this program's memory when it is gone.
class StridedImage::Mapped : public Stretch {
 public:
  Mapped(const StridedImage& image, const PixelBlock& pixels, std::span<const ChannelRange> channels) : image_(image) {
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
                               add(from, static_cast<std::ptrdiff_t>(count - 1) * stride,
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
    for (const std::span<const std::byte> run : runs_) will_need(image.layout_.bytes, run);
    for (const std::span<const std::byte> run : runs_) fetch(image.layout_.bytes, run);
  }
  ~Mapped() override {
    if (!image_.sparing_) return;
    for (const std::span<const std::byte> run : runs_) give_back(image_.layout_.bytes, run);
  }
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    image_.read_mapped(pixels, channels, out);
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
  std::vector<std::span<const std::byte>> runs_;
};

Grain StridedImage::grain() const { return {1, std::max<std::uint64_t>(1, std::min<std::uint64_t>(columns(), 64))}; }

std::unique_ptr<Stretch> StridedImage::stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const {
  if (layout_.bytes.file < 0 || pixels.size() == 0 || channels.empty()) return Image::stretch(pixels, channels);
  check({0, 0}, channels.front(), 0);
  return std::make_unique<Mapped>(*this, pixels, channels);
}

bool StridedImage::channels_first() const {
  const auto step = [](std::ptrdiff_t stride) { return stride < 0 ? -stride : stride; };
  return step(navigation_.back().stride) < step(channel_stride_);
}

void StridedImage::read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const {
  read_numbers(pixels, channels, out, false);
}

void StridedImage::read_channels(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const {
  read_numbers(pixels, channels, out, true);
}

void StridedImage::read_numbers(PixelRange pixels, ChannelRange channels, std::span<std::byte> out,
                                bool channels_first) const {
  check(pixels, channels, out.size() / bytes_of(info().type));
  values::with_stored(format(), [&]<class Source>() {
    using Number = decltype(Source::load(nullptr));
    std::vector<Number> aligned;  // only when the caller's bytes are not
    auto* target = reinterpret_cast<Number*>(out.data());
    if (reinterpret_cast<std::uintptr_t>(out.data()) % alignof(Number) != 0) {
      aligned.resize(static_cast<std::size_t>(pixels.size()) * channels.size());
      target = aligned.data();
    }
    const std::size_t pixel_step = channels_first ? 1 : channels.size();
    const std::size_t channel_step = channels_first ? static_cast<std::size_t>(pixels.size()) : 1;
    for_each_run(pixels, channels,
                 [&](const std::byte* from, std::size_t run, std::ptrdiff_t stride, std::size_t before) {
                   std::ptrdiff_t channel_stride = channel_stride_;
                   std::vector<std::byte> near;
                   if (copies(stride)) {
                     near = copied(from, run, channels.size());
                     from = near.data();
                     channel_stride = stride * static_cast<std::ptrdiff_t>(run);
                   }
                   values::copy_block<Number, Source>(from, run, stride, channels.size(), channel_stride,
                                                      target + before * pixel_step, pixel_step, channel_step);
                 });
    if (sparing_) give_back_pages(layout_.bytes);
    if (!aligned.empty()) std::memcpy(out.data(), aligned.data(), aligned.size() * sizeof(Number));
  });
}

}  // namespace elver
