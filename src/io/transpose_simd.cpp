// Compiled once for every target: foreach_target.h includes this file again and again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "io/transpose_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "io/transpose.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class Number>
float as_float(const std::byte* at) {
  Number number;
  std::memcpy(&number, at, sizeof(Number));
  return static_cast<float>(number);
}

#if HWY_TARGET != HWY_SCALAR
/// Eight rows of eight 16-bit numbers, as eight columns.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void turn_8x8(D d, V (&v)[8]) {
  const hn::Repartition<std::uint32_t, D> d32;
  const hn::Repartition<std::uint64_t, D> d64;
  V a[8], b[8];
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = hn::InterleaveLower(d, v[2 * i], v[2 * i + 1]);      // columns 0 to 3 of rows 2i, 2i + 1
    a[2 * i + 1] = hn::InterleaveUpper(d, v[2 * i], v[2 * i + 1]);  // columns 4 to 7
  }
  const auto lower32 = [&](V x, V y) {
    return hn::BitCast(d, hn::InterleaveLower(d32, hn::BitCast(d32, x), hn::BitCast(d32, y)));
  };
  const auto upper32 = [&](V x, V y) {
    return hn::BitCast(d, hn::InterleaveUpper(d32, hn::BitCast(d32, x), hn::BitCast(d32, y)));
  };
  for (int half = 0; half < 2; ++half) {    // rows 0 to 3, rows 4 to 7
    for (int side = 0; side < 2; ++side) {  // columns 0 to 3, columns 4 to 7
      b[4 * half + 2 * side] = lower32(a[4 * half + side], a[4 * half + 2 + side]);
      b[4 * half + 2 * side + 1] = upper32(a[4 * half + side], a[4 * half + 2 + side]);
    }
  }
  for (int pair = 0; pair < 4; ++pair) {
    const auto x = hn::BitCast(d64, b[pair]), y = hn::BitCast(d64, b[4 + pair]);
    v[2 * pair] = hn::BitCast(d, hn::InterleaveLower(d64, x, y));
    v[2 * pair + 1] = hn::BitCast(d, hn::InterleaveUpper(d64, x, y));
  }
}

/// The next `rows` rows at the same place: the processor's own foresight ends with each short row.
inline void foresee(const std::byte* at, std::ptrdiff_t stride, int rows) {
  for (int r = rows; r < 2 * rows; ++r) hwy::Prefetch(at + r * stride);
}

/// Eight or sixteen rows of 16-bit numbers: sixteen fill the lines that they become at once.
template <class Number, int kRows>
void turn_rows_16(const std::byte* from, std::ptrdiff_t stride, std::size_t n, float* out, std::size_t out_step) {
  const hn::Full128<Number> d;
  const hn::Full128<float> df;
  const hn::Full128<std::int32_t> di;
  const hn::Half<decltype(d)> half;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    if (i % 32 == 0) foresee(from + i * sizeof(Number), stride, kRows);
    hn::Vec<decltype(d)> v[kRows / 8][8];
    for (int r = 0; r < kRows; ++r) {
      v[r / 8][r % 8] = hn::LoadU(d, reinterpret_cast<const Number*>(from + r * stride) + i);
    }
    for (auto& eight : v) turn_8x8(d, eight);
    for (std::size_t c = 0; c < 8; ++c) {
      float* to = out + (i + c) * out_step;
      for (const auto& eight : v) {
        hn::StoreU(hn::ConvertTo(df, hn::PromoteTo(di, hn::LowerHalf(half, eight[c]))), df, to);
        hn::StoreU(hn::ConvertTo(df, hn::PromoteTo(di, hn::UpperHalf(half, eight[c]))), df, to + 4);
        to += 8;
      }
    }
  }
  for (; i < n; ++i) {
    for (int r = 0; r < kRows; ++r) {
      out[i * out_step + static_cast<std::size_t>(r)] =
          as_float<Number>(from + r * stride + static_cast<std::ptrdiff_t>(i * sizeof(Number)));
    }
  }
}

/// Eight rows of 32-bit numbers.
template <class Number>
void turn_rows_32(const std::byte* from, std::ptrdiff_t stride, std::size_t n, float* out, std::size_t out_step) {
  const hn::Full128<Number> d;
  const hn::Full128<float> df;
  const hn::Full128<std::uint64_t> d64;
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    if (i % 16 == 0) foresee(from + i * sizeof(Number), stride, 8);
    for (int four = 0; four < 8; four += 4) {
      hn::Vec<decltype(df)> v[4];
      for (int r = 0; r < 4; ++r) {
        const auto x = hn::LoadU(d, reinterpret_cast<const Number*>(from + (four + r) * stride) + i);
        if constexpr (std::is_same_v<Number, float>) {
          v[r] = x;
        } else {
          v[r] = hn::ConvertTo(df, x);
        }
      }
      const auto a = hn::BitCast(d64, hn::InterleaveLower(df, v[0], v[1])),
                 b = hn::BitCast(d64, hn::InterleaveLower(df, v[2], v[3])),
                 e = hn::BitCast(d64, hn::InterleaveUpper(df, v[0], v[1])),
                 f = hn::BitCast(d64, hn::InterleaveUpper(df, v[2], v[3]));
      float* const to = out + i * out_step + four;
      hn::StoreU(hn::BitCast(df, hn::InterleaveLower(d64, a, b)), df, to);
      hn::StoreU(hn::BitCast(df, hn::InterleaveUpper(d64, a, b)), df, to + out_step);
      hn::StoreU(hn::BitCast(df, hn::InterleaveLower(d64, e, f)), df, to + 2 * out_step);
      hn::StoreU(hn::BitCast(df, hn::InterleaveUpper(d64, e, f)), df, to + 3 * out_step);
    }
  }
  for (; i < n; ++i) {
    for (int r = 0; r < 8; ++r) {
      out[i * out_step + static_cast<std::size_t>(r)] =
          as_float<Number>(from + r * stride + static_cast<std::ptrdiff_t>(i * sizeof(Number)));
    }
  }
}

#endif

template <class Number>
void turn(const std::byte* from, std::size_t rows, std::ptrdiff_t stride, std::size_t n, float* out,
          std::size_t out_step) {
  std::size_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; sizeof(Number) == 2 && r + 16 <= rows; r += 16) {
    if constexpr (sizeof(Number) == 2)
      turn_rows_16<Number, 16>(from + static_cast<std::ptrdiff_t>(r) * stride, stride, n, out + r, out_step);
  }
  for (; r + 8 <= rows; r += 8) {
    const std::byte* const first = from + static_cast<std::ptrdiff_t>(r) * stride;
    if constexpr (sizeof(Number) == 2) {
      turn_rows_16<Number, 8>(first, stride, n, out + r, out_step);
    } else {
      turn_rows_32<Number>(first, stride, n, out + r, out_step);
    }
  }
#endif
  for (; r < rows; ++r) {
    const std::byte* const row = from + static_cast<std::ptrdiff_t>(r) * stride;
    for (std::size_t i = 0; i < n; ++i) out[i * out_step + r] = as_float<Number>(row + i * sizeof(Number));
  }
}

void transpose_to_floats(const std::byte* from, NumberType type, std::size_t rows, std::ptrdiff_t stride, std::size_t n,
                         float* out, std::size_t out_step) {
  if (type == NumberType::u16) return turn<std::uint16_t>(from, rows, stride, n, out, out_step);
  if (type == NumberType::i16) return turn<std::int16_t>(from, rows, stride, n, out, out_step);
  if (type == NumberType::i32) return turn<std::int32_t>(from, rows, stride, n, out, out_step);
  turn<float>(from, rows, stride, n, out, out_step);
}

/// A row's numbers as floats.
template <class Number>
void convert(const std::byte* from, std::size_t n, float* out) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> df;
  const hn::RebindToSigned<decltype(df)> di;
  const hn::Rebind<Number, decltype(df)> d;
  for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df)) {
    const auto v = hn::LoadU(d, reinterpret_cast<const Number*>(from) + i);
    if constexpr (sizeof(Number) == 2) {
      hn::StoreU(hn::ConvertTo(df, hn::PromoteTo(di, v)), df, out + i);
    } else {
      hn::StoreU(hn::ConvertTo(df, v), df, out + i);
    }
  }
#endif
  for (; i < n; ++i) out[i] = as_float<Number>(from + i * sizeof(Number));
}

/// The processor's own foresight ends with each short row. Asked for 12 ahead, rows of 256 bytes take two thirds of the time
/// without, and a tenth less than 4 or 24 ahead.
template <class Number>
void convert_rows(const std::byte* from, std::size_t rows, std::ptrdiff_t stride, std::size_t n, float* out,
                  std::size_t out_step) {
  constexpr std::size_t kLine = 64, kLines = 48, kMostRows = 12;
  const std::size_t bytes = n * sizeof(Number), ahead = std::min(kMostRows, kLines / (bytes / kLine + 1));
  for (std::size_t r = 0; r < rows; ++r) {
    const std::byte* const row = from + static_cast<std::ptrdiff_t>(r) * stride;
    if (ahead > 0 && r + ahead < rows) {
      const std::byte* const later = row + static_cast<std::ptrdiff_t>(ahead) * stride;
      for (std::size_t byte = 0; byte < bytes; byte += kLine) hwy::Prefetch(later + byte);
    }
    if constexpr (std::is_same_v<Number, float>) {
      std::memcpy(out + r * out_step, row, bytes);
    } else {
      convert<Number>(row, n, out + r * out_step);
    }
  }
}

void rows_to_floats(const std::byte* from, NumberType type, std::size_t rows, std::ptrdiff_t stride, std::size_t n, float* out,
                    std::size_t out_step) {
  if (type == NumberType::u16) return convert_rows<std::uint16_t>(from, rows, stride, n, out, out_step);
  if (type == NumberType::i16) return convert_rows<std::int16_t>(from, rows, stride, n, out, out_step);
  if (type == NumberType::i32) return convert_rows<std::int32_t>(from, rows, stride, n, out, out_step);
  convert_rows<float>(from, rows, stride, n, out, out_step);
}

}  // namespace elver::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace elver {

HWY_EXPORT(transpose_to_floats);
HWY_EXPORT(rows_to_floats);

void transpose_to_floats(const std::byte* from, NumberType type, std::size_t rows, std::ptrdiff_t stride, std::size_t n,
                         float* out, std::size_t out_step) {
  HWY_DYNAMIC_DISPATCH(transpose_to_floats)(from, type, rows, stride, n, out, out_step);
}

void rows_to_floats(const std::byte* from, NumberType type, std::size_t rows, std::ptrdiff_t stride, std::size_t n, float* out,
                    std::size_t out_step) {
  HWY_DYNAMIC_DISPATCH(rows_to_floats)(from, type, rows, stride, n, out, out_step);
}

}  // namespace elver
#endif
