#pragma once
#include <cmath>
#include <cstdint>

#include "elver/core/host_device.hpp"

/// exp2 and log2 of one number. In single precision they are our own polynomials of additions and multiplications, so
/// that both back ends agree bit for bit and the compiler runs them on a register of pixels; in double precision, for
/// tests and for what is made once, the library's.
namespace elver::core {

/// The bits of a float, and back.
ELVER_HD inline std::int32_t bits_of(float x) { return __builtin_bit_cast(std::int32_t, x); }
ELVER_HD inline float float_of(std::int32_t bits) { return __builtin_bit_cast(float, bits); }

/// exp2 of |x| <= 126, and of NaN, which stays NaN. T: a number or, for `Bits` likewise, a compiler's vector of them;
/// it must become part of its caller, who knows the registers.
template <class Bits, class T>
ELVER_HD __attribute__((always_inline)) inline T exp2_within(T x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, held in the low bits
  const T shifted = x + kRound;
  const T f = x - (shifted - kRound);  // in [-0.5, 0.5], exact
  // Minimax for the relative error (2e-9) on [-0.5, 0.5], constant term 1.
  T p = f * 0x1.41fbbcp-13f + 0x1.5f3e52p-10f;
  p = p * f + 0x1.3b2d4cp-7f;
  p = p * f + 0x1.c6aee8p-5f;
  p = p * f + 0x1.ebfbdcp-3f;
  p = p * f + 0x1.62e430p-1f;
  p = p * f + 1.0f;
  // The integer in the low bits becomes the exponent; unsigned, so that shifting out what is above is well defined.
  return __builtin_bit_cast(T, __builtin_bit_cast(Bits, p) + (__builtin_bit_cast(Bits, shifted) << 23));
}

/// 2^x within 1.5 ulp for |x| <= 126. Beyond, it saturates at 2^-126 and 2^127.49 and stays finite; NaN stays NaN.
ELVER_HD inline float exp2(float x) {
  x = x < -126.0f ? -126.0f : x;
  x = x > 127.49f ? 127.49f : x;
  return exp2_within<std::uint32_t>(x);
}

/// log2(x) within 2 ulp for normal x > 0 (away from x = 1, where the error is below 1e-7 absolute). Not for x <= 0.
ELVER_HD inline float log2(float x) {
  const std::int32_t bits = bits_of(x);
  // The exponent that brings the mantissa into [sqrt(1/2), sqrt(2)).
  const std::int32_t exponent = (bits - 0x3f3504f3) >> 23;
  const float m = float_of(bits - exponent * (1 << 23));
  const float s = (m - 1.0f) / (m + 1.0f);
  const float z = s * s;
  // 2 atanh(s) / (s ln 2), minimax (7e-10) for |s| <= 0.1716.
  float p = 0.43173633f;
  p = p * z + 0.57671437f;
  p = p * z + 0.96179885f;
  p = p * z + 2.88539008f;
  return s * p + static_cast<float>(exponent);
}

ELVER_HD inline double exp2(double x) { return std::exp2(x); }
ELVER_HD inline double log2(double x) { return std::log2(x); }

}  // namespace elver::core
