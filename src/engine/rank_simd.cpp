// Compiled once for every target: foreach_target.h includes this file again and again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/rank_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::engine::HWY_NAMESPACE {

/// One value after the other.
inline void rank_row_plainly(const CodeTable& table, std::size_t row, const float* x, std::uint8_t* codes) {
  for (std::size_t p = 0; p < kForestBlock; ++p) codes[p] = code_of(table, row, x[p]);
}

#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3

/// Binary search among 16-bit keys that stay in registers, 32 pixels at a time; where a pixel's key is that of a
/// threshold, the threshold itself decides. kTables: of 64 keys each.
template <int kTables>
struct KeySearch {
  __m512i keys[2 * kTables];
  __m512i ends[kTables];  // the last key of each table but the last

  explicit KeySearch(const std::uint16_t* from) {
    for (int i = 0; i < 2 * kTables; ++i) keys[i] = _mm512_loadu_si512(from + 32 * i);
    for (int i = 0; i + 1 < kTables; ++i) ends[i] = _mm512_set1_epi16(static_cast<short>(from[64 * i + 63]));
  }
  __m512i at(__m512i place, const __mmask32* beyond) const {
    __m512i key = _mm512_permutex2var_epi16(keys[0], place, keys[1]);
    for (int i = 1; i < kTables; ++i) {
      const __m512i other = _mm512_permutex2var_epi16(keys[2 * i], place, keys[2 * i + 1]);
      key = _mm512_mask_mov_epi16(key, beyond[i - 1], other);
    }
    return key;
  }
  /// How many keys are <= each of `wanted`; in `equal` where the last of them is the wanted one.
  __m512i ranks(__m512i wanted, __mmask32& equal) const {
    __mmask32 beyond[kTables];
    for (int i = 0; i + 1 < kTables; ++i) beyond[i] = _mm512_cmple_epu16_mask(ends[i], wanted);
    __m512i rank = _mm512_setzero_si512();
    for (int step = 32; step > 0; step /= 2) {
      const __m512i place = _mm512_add_epi16(rank, _mm512_set1_epi16(static_cast<short>(step - 1)));
      const __mmask32 reached = _mm512_cmple_epu16_mask(at(place, beyond), wanted);
      rank = _mm512_mask_add_epi16(rank, reached, rank, _mm512_set1_epi16(static_cast<short>(step)));
    }
    for (int i = 0; i + 1 < kTables; ++i) {
      rank = _mm512_mask_add_epi16(rank, beyond[i], rank, _mm512_set1_epi16(64));
    }
    const __m512i last = _mm512_sub_epi16(rank, _mm512_set1_epi16(1));
    for (int i = 0; i + 1 < kTables; ++i) {
      beyond[i] = _mm512_cmpge_epu16_mask(last, _mm512_set1_epi16(static_cast<short>(64 * (i + 1))));
    }
    equal = _mm512_cmpeq_epi16_mask(at(last, beyond), wanted);
    return rank;
  }
};

/// The keys of 16 values as 32-bit integers; rank_key in every lane.
inline __m512i keys_of(__m512 x, __m512 low, __m512 scale) {
  __m512 place = _mm512_add_ps(_mm512_mul_ps(_mm512_sub_ps(x, low), scale), _mm512_set1_ps(1.0f));
  place = _mm512_min_ps(_mm512_max_ps(place, _mm512_setzero_ps()), _mm512_set1_ps(65534.0f));
  return _mm512_cvttps_epi32(place);
}

/// Ranks of 16 of the 32 pixels whose key is a threshold's: one less where the value lies below the threshold.
inline __m512i settled(const float* thresholds, __m512 x, __m512i rank, __mmask16 equal) {
  const __m512i last = _mm512_sub_epi32(rank, _mm512_set1_epi32(1));
  const __m512 threshold = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), equal, last, thresholds, 4);
  return _mm512_mask_mov_epi32(rank, _mm512_mask_cmp_ps_mask(equal, x, threshold, _CMP_LT_OQ), last);
}

template <int kTables>
void rank_row_by_keys(const CodeTable& table, std::size_t row, const float* x, std::uint8_t* codes) {
  const CodeRow& r = table.rows[row];
  const float* const thresholds = table.thresholds.data() + r.first;
  const KeySearch<kTables> search(table.keys.data() + r.keys);
  const __m512 low = _mm512_set1_ps(r.low), scale = _mm512_set1_ps(r.key_scale);
  alignas(64) static constexpr std::uint16_t kEven[32] = {0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20,
                                                          22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42,
                                                          44, 46, 48, 50, 52, 54, 56, 58, 60, 62};
  const __m512i even = _mm512_load_si512(kEven);
  for (std::size_t p = 0; p < kForestBlock; p += 32) {
    const __m512 x0 = _mm512_loadu_ps(x + p), x1 = _mm512_loadu_ps(x + p + 16);
    const __m512i wanted = _mm512_permutex2var_epi16(keys_of(x0, low, scale), even, keys_of(x1, low, scale));
    __mmask32 equal = 0;
    __m512i rank = search.ranks(wanted, equal);
    if (HWY_UNLIKELY(equal != 0)) {
      if (!r.keys_differ) {
        for (std::size_t i = p; i < p + 32; ++i) codes[i] = code_of(table, row, x[i]);
        continue;
      }
      const __m512i rank0 =
          settled(thresholds, x0, _mm512_cvtepu16_epi32(_mm512_castsi512_si256(rank)), static_cast<__mmask16>(equal));
      const __m512i rank1 = settled(thresholds, x1, _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(rank, 1)),
                                    static_cast<__mmask16>(equal >> 16));
      rank = _mm512_permutex2var_epi16(rank0, even, rank1);
    }
    __m256i bytes = _mm512_cvtepi16_epi8(rank);
    if (table.missing == Missing::possible) {
      const __mmask32 nan = static_cast<__mmask32>(_mm512_cmp_ps_mask(x0, x0, _CMP_UNORD_Q)) |
                            static_cast<__mmask32>(_mm512_cmp_ps_mask(x1, x1, _CMP_UNORD_Q)) << 16;
      bytes = _mm256_mask_mov_epi8(bytes, nan, _mm256_set1_epi8(static_cast<char>(r.missing)));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + p), bytes);
  }
}

inline void rank_row(const CodeTable& table, std::size_t row, const float* x, std::uint8_t* codes) {
  const CodeRow& r = table.rows[row];
  if (r.categorical) return rank_row_plainly(table, row, x, codes);
  switch ((r.count + 64) / 64) {
    case 1:
      return rank_row_by_keys<1>(table, row, x, codes);
    case 2:
      return rank_row_by_keys<2>(table, row, x, codes);
    case 3:
      return rank_row_by_keys<3>(table, row, x, codes);
    default:
      return rank_row_by_keys<4>(table, row, x, codes);
  }
}

#else

inline void rank_row(const CodeTable& table, std::size_t row, const float* x, std::uint8_t* codes) {
  rank_row_plainly(table, row, x, codes);
}

#endif

void rank_rows(const CodeTable& table, std::size_t first_row, std::size_t last_row, const float* features,
               std::size_t stride, std::uint8_t* codes) {
  for (std::size_t row = first_row; row < last_row; ++row) {
    rank_row(table, row, features + table.rows[row].feature * stride, codes + row * kForestBlock);
  }
}

}  // namespace elver::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace elver::engine {

HWY_EXPORT(rank_rows);

void rank_rows(const CodeTable& table, std::size_t first_row, std::size_t last_row, const float* features,
               std::size_t stride, std::uint8_t* codes) {
  HWY_DYNAMIC_DISPATCH(rank_rows)(table, first_row, last_row, features, stride, codes);
}

}  // namespace elver::engine
#endif
