#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "elver/error.hpp"
#include "elver/image.hpp"
#include "io/transpose.hpp"

/// Values as they lie in a file or a chunk of one, to numbers in another order.
namespace elver::values {

/// How one value is stored.
struct Format {
  NumberType type = NumberType::f32;
  bool swapped = false;  ///< the file's byte order is not this machine's
  bool half = false;     ///< IEEE half floats; they are handed out as float32
};

/// IEEE half precision; only ever converted.
struct Half {
  std::uint16_t bits;
};

inline float value_of(Half half) {
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
inline std::uint8_t value_of(Truth truth) { return truth.byte != 0 ? 1 : 0; }
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
  using Value = Number;
  static constexpr std::size_t kBytes = sizeof(Number);
  static auto load(const std::byte* at) {
    typename UnsignedOf<kBytes>::type bits;
    std::memcpy(&bits, at, kBytes);
    if constexpr (kSwapped) bits = reversed(bits);
    return value_of(std::bit_cast<Number>(bits));
  }
};

template <class Number>
constexpr NumberType number_type_of() {
  if constexpr (std::is_same_v<Number, std::uint16_t>) return NumberType::u16;
  if constexpr (std::is_same_v<Number, std::int16_t>) return NumberType::i16;
  if constexpr (std::is_same_v<Number, std::int32_t>) return NumberType::i32;
  return NumberType::f32;
}

/// Whether the conversion is one of those that are compiled for every kind of vector register (transpose.hpp).
template <class Out, class Source>
constexpr bool becomes_float() {
  return std::is_same_v<Out, float> &&
         (std::is_same_v<Source, Stored<std::uint16_t, false>> || std::is_same_v<Source, Stored<std::int16_t, false>> ||
          std::is_same_v<Source, Stored<std::int32_t, false>> || std::is_same_v<Source, Stored<float, false>>);
}

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
  if constexpr (becomes_float<Out, Source>()) {
    return transpose_to_floats(from, number_type_of<typename Source::Value>(), rows, stride, n, out, out_step);
  }
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

/// `rows` rows of `n` contiguous values, `stride` bytes apart, to rows `out_step` apart.
template <class Out, class Source>
void convert_rows(const std::byte* from, std::size_t rows, std::ptrdiff_t stride, std::size_t n, Out* out,
                  std::size_t out_step) {
  if constexpr (becomes_float<Out, Source>()) {
    return rows_to_floats(from, number_type_of<typename Source::Value>(), rows, stride, n, out, out_step);
  }
  for (std::size_t r = 0; r < rows; ++r)
    convert<Out, Source>(from + static_cast<std::ptrdiff_t>(r) * stride, out + r * out_step, n);
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
    convert_rows<Out, Source>(from, channels, channel_stride, pixels, out, out_channel);
  } else if (channel_stride == kNext && out_channel == 1) {
    convert_rows<Out, Source>(from, pixels, pixel_stride, channels, out, out_pixel);
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
void with_stored(const Format& format, Work&& work) {
  if (format.half) {
    return format.swapped ? work.template operator()<Stored<Half, true>>()
                          : work.template operator()<Stored<Half, false>>();
  }
  return format.swapped ? with_number<true>(format.type, work) : with_number<false>(format.type, work);
}

}  // namespace elver::values
