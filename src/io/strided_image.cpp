#include "io/strided_image.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

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

bool StridedImage::copies(std::ptrdiff_t pixel_stride) const {
  constexpr std::ptrdiff_t kApart = 16 << 10;
  return keeps_no_pages() && layout_.bytes.file >= 0 && std::abs(channel_stride_) >= kApart &&
         pixel_stride == static_cast<std::ptrdiff_t>(value_bytes());
}

std::vector<std::byte> StridedImage::copied(const std::byte* from, std::size_t pixels, std::size_t channels) const {
  const std::size_t bytes = pixels * value_bytes();
  std::vector<std::byte> out(bytes * channels);
  for (std::size_t c = 0; c < channels; ++c)
    will_need(layout_.bytes, {from + static_cast<std::ptrdiff_t>(c) * channel_stride_, bytes});
  std::ptrdiff_t offset = from - layout_.bytes.span.data();
  for (std::size_t c = 0; c < channels; ++c, offset += channel_stride_) {
    copy_from_file(layout_.bytes, static_cast<std::size_t>(offset), std::span(out).subspan(c * bytes, bytes));
  }
  return out;
}

void StridedImage::fetch_block(const std::byte* from, std::size_t pixels, std::ptrdiff_t pixel_stride,
                               std::size_t channels) const {
  constexpr std::ptrdiff_t kTogether = 64 << 10;
  if (layout_.bytes.file < 0 || pixels == 0 || channels == 0) return;
  struct Along {
    std::ptrdiff_t stride;
    std::size_t count;
    std::ptrdiff_t length() const { return stride * static_cast<std::ptrdiff_t>(count - 1); }
  };
  Along inner{pixel_stride, pixels}, outer{channel_stride_, channels};
  if (std::abs(inner.stride) > std::abs(outer.stride)) std::swap(inner, outer);
  const auto fetch_from = [&](const std::byte* first, std::ptrdiff_t a, std::ptrdiff_t b) {
    fetch(layout_.bytes, {first + std::min<std::ptrdiff_t>(a, 0) + std::min<std::ptrdiff_t>(b, 0),
                          static_cast<std::size_t>(std::abs(a) + std::abs(b)) + value_bytes()});
  };
  if (std::abs(outer.stride) <= kTogether) return fetch_from(from, inner.length(), outer.length());
  for (std::size_t i = 0; i < outer.count; ++i, from += outer.stride) fetch_from(from, inner.length(), 0);
}

template <class Work>
void StridedImage::for_each_block(PixelRange pixels, ChannelRange channels, Work work) const {
  for_each_run(pixels, channels,
               [&](const std::byte* from, std::size_t run, std::ptrdiff_t stride, std::size_t before) {
                 if (!copies(stride)) {
                   fetch_block(from, run, stride, channels.size());
                   return work(from, run, stride, channel_stride_, before);
                 }
                 const std::vector<std::byte> near = copied(from, run, channels.size());
                 work(near.data(), run, stride, stride * static_cast<std::ptrdiff_t>(run), before);
               });
}

void StridedImage::read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const {
  check(pixels, channels, out.size());
  const auto count = static_cast<std::size_t>(pixels.size());
  values::with_stored(format(), [&]<class Source>() {
    for_each_block(pixels, channels,
                 [&](const std::byte* from, std::size_t run, std::ptrdiff_t stride, std::ptrdiff_t channel_stride,
                     std::size_t before) {
                   values::copy_block<float, Source>(from, run, stride, channels.size(), channel_stride,
                                                     out.data() + before, 1, count);
                 });
  });
  check_whole(layout_.bytes);
  if (keeps_no_pages()) give_back_pages(layout_.bytes);
}

void StridedImage::read_mapped(const Bytes& bytes, PixelRange pixels, ChannelRange channels,
                               std::span<float> out) const {
  check(pixels, channels, out.size());
  const auto count = static_cast<std::size_t>(pixels.size());
  values::with_stored(format(), [&]<class Source>() {
    for_each_run(pixels, channels,
                 [&](const std::byte* from, std::size_t run, std::ptrdiff_t stride, std::size_t before) {
                   values::copy_block<float, Source>(in(bytes, from), run, stride,
                                                     channels.size(), channel_stride_, out.data() + before, 1, count);
                 });
  });
  check_whole(bytes);
}

Grain StridedImage::grain() const { return {1, std::max<std::uint64_t>(1, std::min<std::uint64_t>(columns(), 64))}; }

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
    for_each_block(pixels, channels,
                 [&](const std::byte* from, std::size_t run, std::ptrdiff_t stride, std::ptrdiff_t channel_stride,
                     std::size_t before) {
                   values::copy_block<Number, Source>(from, run, stride, channels.size(), channel_stride,
                                                      target + before * pixel_step, pixel_step, channel_step);
                 });
    check_whole(layout_.bytes);
    if (keeps_no_pages()) give_back_pages(layout_.bytes);
    if (!aligned.empty()) std::memcpy(out.data(), aligned.data(), aligned.size() * sizeof(Number));
  });
}

}  // namespace elver
