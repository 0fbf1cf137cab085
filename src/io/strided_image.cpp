#include "io/strided_image.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "elver/error.hpp"

namespace elver {
namespace {

/// IEEE half precision; only ever converted.
struct Half {
  std::uint16_t bits;
};

float value_of(Half half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (half.bits >> 10) & 0x1FU;
  const std::uint32_t fraction = half.bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormal: fraction * 2^-24, exact
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent == 31 ? 0x7F800000U : (exponent + 112) << 23) | (fraction << 13));
}
/// A stored boolean: any byte but 0 is true.
struct Truth {
  std::uint8_t byte;
};
std::uint8_t value_of(Truth truth) { return truth.byte != 0 ? 1 : 0; }
template <class Number>
Number value_of(Number number) {
  return number;
}

template <std::size_t kSize>
struct UnsignedOf;
template <>
struct UnsignedOf<1> {
  using type = std::uint8_t;
};
template <>
struct UnsignedOf<2> {
  using type = std::uint16_t;
};
template <>
struct UnsignedOf<4> {
  using type = std::uint32_t;
};
template <>
struct UnsignedOf<8> {
  using type = std::uint64_t;
};

template <class Unsigned>
Unsigned reversed(Unsigned bits) {
  if constexpr (sizeof(Unsigned) == 2) return __builtin_bswap16(bits);
  if constexpr (sizeof(Unsigned) == 4) return __builtin_bswap32(bits);
  if constexpr (sizeof(Unsigned) == 8) return __builtin_bswap64(bits);
  return bits;
}

/// How one value lies in the file: its number type and whether its bytes are reversed.
template <class Number, bool kSwapped>
struct Stored {
  static constexpr std::size_t kBytes = sizeof(Number);
  static auto load(const std::byte* at) {
    typename UnsignedOf<kBytes>::type bits;
    std::memcpy(&bits, at, kBytes);
    if constexpr (kSwapped) bits = reversed(bits);
    return value_of(std::bit_cast<Number>(bits));
  }
};

/// A run that is contiguous on both sides: one loop that the compiler turns into vector code.
template <class Out, class Source>
void convert(const std::byte* from, Out* out, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<Out>(Source::load(from + i * Source::kBytes));
}

/// Turns rows into columns: `rows` rows of `n` contiguous values, `stride` bytes apart, become out[i * out_step + row].
/// Goes through a small square, so that lines of the cache are read and written whole however far apart they lie.
template <class Out, class Source>
void transpose(const std::byte* from, std::size_t rows, std::ptrdiff_t stride, std::size_t n, Out* out,
               std::size_t out_step) {
  constexpr std::size_t kSide = 64;  // measured: 32 is a third slower, 128 no faster
  Out square[kSide][kSide + 1];      // + 1: columns do not fall into one set of the cache
  for (std::size_t r0 = 0; r0 < rows; r0 += kSide) {
    const std::size_t height = std::min(kSide, rows - r0);
    for (std::size_t i0 = 0; i0 < n; i0 += kSide) {
      const std::size_t width = std::min(kSide, n - i0);
      for (std::size_t r = 0; r < height; ++r) {
        convert<Out, Source>(from + static_cast<std::ptrdiff_t>(r0 + r) * stride + i0 * Source::kBytes, square[r],
                             width);
      }
      for (std::size_t i = 0; i < width; ++i) {
        Out* const line = out + (i0 + i) * out_step + r0;
        for (std::size_t r = 0; r < height; ++r) line[r] = square[r][i];
      }
    }
  }
}

/// out[c * out_channel + p * out_pixel] = value at (p, c), as `Out`. One of the two steps of `out` is 1.
template <class Out, class Source>
void copy_block(const std::byte* from, std::size_t pixels, std::ptrdiff_t pixel_stride, std::size_t channels,
                std::ptrdiff_t channel_stride, Out* out, std::size_t out_pixel, std::size_t out_channel) {
  constexpr auto kNext = static_cast<std::ptrdiff_t>(Source::kBytes);
  const auto at = [&](std::size_t p, std::size_t c) {
    return from + static_cast<std::ptrdiff_t>(p) * pixel_stride + static_cast<std::ptrdiff_t>(c) * channel_stride;
  };
  if (pixel_stride == kNext && out_pixel == 1) {
    for (std::size_t c = 0; c < channels; ++c) convert<Out, Source>(at(0, c), out + c * out_channel, pixels);
  } else if (channel_stride == kNext && out_channel == 1) {
    for (std::size_t p = 0; p < pixels; ++p) convert<Out, Source>(at(p, 0), out + p * out_pixel, channels);
  } else if (channel_stride == kNext && out_pixel == 1) {
    transpose<Out, Source>(from, pixels, pixel_stride, channels, out, out_channel);
  } else if (pixel_stride == kNext && out_channel == 1) {
    transpose<Out, Source>(from, channels, channel_stride, pixels, out, out_pixel);
  } else {
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t p = 0; p < pixels; ++p) {
        out[p * out_pixel + c * out_channel] = static_cast<Out>(Source::load(at(p, c)));
      }
    }
  }
}

/// Calls `work.template operator()<Source>()` for the way in which the values are stored.
template <bool kSwapped, class Work>
void with_number(NumberType type, Work&& work) {
  switch (type) {
    case NumberType::u8:
      return work.template operator()<Stored<std::uint8_t, kSwapped>>();
    case NumberType::i8:
      return work.template operator()<Stored<std::int8_t, kSwapped>>();
    case NumberType::boolean:
      return work.template operator()<Stored<Truth, kSwapped>>();
    case NumberType::u16:
      return work.template operator()<Stored<std::uint16_t, kSwapped>>();
    case NumberType::i16:
      return work.template operator()<Stored<std::int16_t, kSwapped>>();
    case NumberType::u32:
      return work.template operator()<Stored<std::uint32_t, kSwapped>>();
    case NumberType::i32:
      return work.template operator()<Stored<std::int32_t, kSwapped>>();
    case NumberType::u64:
      return work.template operator()<Stored<std::uint64_t, kSwapped>>();
    case NumberType::i64:
      return work.template operator()<Stored<std::int64_t, kSwapped>>();
    case NumberType::f32:
      return work.template operator()<Stored<float, kSwapped>>();
    case NumberType::f64:
      return work.template operator()<Stored<double, kSwapped>>();
    case NumberType::c64:
    case NumberType::c128:
    case NumberType::rgb:
      break;
  }
  throw Error(ErrorKind::input, "cannot read values", "they are not real numbers");
}

template <class Work>
void with_stored(NumberType type, const StridedLayout& layout, Work&& work) {
  if (layout.half) {
    return layout.swapped ? work.template operator()<Stored<Half, true>>()
                          : work.template operator()<Stored<Half, false>>();
  }
  return layout.swapped ? with_number<true>(type, work) : with_number<false>(type, work);
}

}  // namespace

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
         pixel_stride == static_cast<std::ptrdiff_t>(layout_.half ? 2 : bytes_of(info().type));
}

std::vector<std::byte> StridedImage::copied(const std::byte* from, std::size_t pixels, std::size_t channels) const {
  const std::size_t bytes = pixels * (layout_.half ? 2 : bytes_of(info().type));
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
  with_stored(info().type, layout_, [&]<class Source>() {
    for_each_run(
        pixels, channels, [&](const std::byte* from, std::size_t run, std::ptrdiff_t stride, std::size_t before) {
          std::ptrdiff_t channel_stride = channel_stride_;
          std::vector<std::byte> near;
          if (copies(stride)) {
            near = copied(from, run, channels.size());
            from = near.data();
            channel_stride = stride * static_cast<std::ptrdiff_t>(run);
          }
          copy_block<float, Source>(from, run, stride, channels.size(), channel_stride, out.data() + before, 1, count);
        });
  });
  if (sparing_) give_back_pages(layout_.bytes);
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
  with_stored(info().type, layout_, [&]<class Source>() {
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
                   copy_block<Number, Source>(from, run, stride, channels.size(), channel_stride,
                                              target + before * pixel_step, pixel_step, channel_step);
                 });
    if (sparing_) give_back_pages(layout_.bytes);
    if (!aligned.empty()) std::memcpy(out.data(), aligned.data(), aligned.size() * sizeof(Number));
  });
}

}  // namespace elver
