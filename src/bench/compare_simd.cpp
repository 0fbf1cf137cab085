// Compiled once for every target: foreach_target.h includes this file again and again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/compare_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "bench/machine.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3_DL

void compare_nodes(const std::uint8_t* codes, std::uint8_t least, std::size_t count, std::uint8_t* answers) {
  const __m512i wanted = _mm512_set1_epi8(static_cast<char>(least));
  auto* const out = reinterpret_cast<std::uint64_t*>(answers);
  for (std::size_t i = 0; i < count; i += kCompareRows) {
    for (std::size_t row = 0; row < kCompareRows; ++row) {
      out[i + row] = _cvtmask64_u64(_mm512_cmple_epu8_mask(wanted, _mm512_load_si512(codes + 64 * row)));
    }
  }
}

#else

void compare_nodes(const std::uint8_t* codes, std::uint8_t least, std::size_t count, std::uint8_t* answers) {
  const hn::ScalableTag<std::uint8_t> d;
  const auto wanted = hn::Set(d, least);
  for (std::size_t i = 0; i < count; i += kCompareRows) {
    for (std::size_t row = 0; row < kCompareRows; ++row) {
      for (std::size_t p = 0; p < 64; p += hn::Lanes(d)) {
        const auto code = hn::Load(d, codes + 64 * row + p);
        hn::Store(hn::VecFromMask(d, hn::Eq(hn::Max(code, wanted), code)), d, answers + 64 * (i + row) + p);
      }
    }
  }
}

#endif

}  // namespace elver::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace elver::bench {

HWY_EXPORT(compare_nodes);
HWY_EXPORT(target_name);

void compare_nodes(const std::uint8_t* codes, std::uint8_t least, std::size_t count, std::uint8_t* answers) {
  HWY_DYNAMIC_DISPATCH(compare_nodes)(codes, least, count, answers);
}

std::string vector_registers() { return HWY_DYNAMIC_DISPATCH(target_name)(); }

}  // namespace elver::bench
#endif
