// Compiled once for every target: foreach_target.h includes this file again and again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/rank_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::engine::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

inline void rank_row(const CodeTable& table, std::size_t row, const float* x, std::uint8_t* codes) {
  for (std::size_t p = 0; p < kForestBlock; ++p) codes[p] = code_of(table, row, x[p]);
}
inline void find_in_set(const CodeSet& set, const std::uint8_t* from, std::uint8_t* codes) {
  for (std::size_t p = 0; p < kForestBlock; ++p) codes[p] = set.contains(from[p]) ? 1 : 0;
}

#else

using Values = hn::CappedTag<float, RankColumn::kGroups>;
using Ranks = hn::RebindToSigned<Values>;
using Value = hn::Vec<Values>;
using Rank = hn::Vec<Ranks>;

/// One more where the threshold is <= x.
inline Rank counted(Rank rank, Value threshold, Value x) {
  const Ranks d;
  const auto reached = hn::RebindMask(d, hn::Le(threshold, x));
#if HWY_TARGET <= HWY_AVX3
  return hn::IfThenElse(reached, hn::Add(rank, hn::Set(d, 1)), rank);
#else
  return hn::Sub(rank, hn::VecFromMask(d, reached));
#endif
}

/// Ranks of kVectors registers of pixels among the thresholds themselves, so no value needs a second look: down the
/// search tree that column 0 is, to the group of as many as a register has lanes, then past each threshold of the
/// group.
template <std::size_t kVectors>
HWY_INLINE void rank_values(const RankColumn* column, std::size_t steps, const Value* x, Rank* rank) {
  const Values d;
  const Ranks di;
  const std::size_t lanes = hn::Lanes(d);
  const float* const thresholds = column[1].threshold;
  const Value roots = hn::Load(d, thresholds);
  Rank group[kVectors];
  const Value middle = hn::Set(d, thresholds[1]);
  for (std::size_t i = 0; i < kVectors; ++i) {
    group[i] = hn::IfThenElseZero(hn::RebindMask(di, hn::Le(middle, x[i])), hn::Set(di, 1));
  }
  for (std::size_t bit = 2; bit < lanes; bit *= 2) {
    for (std::size_t i = 0; i < kVectors; ++i) {
      const Rank right = hn::Add(group[i], hn::Set(di, static_cast<std::int32_t>(bit)));
      const Value root = hn::TableLookupLanes(roots, hn::IndicesFromVec(d, right));
      group[i] = hn::IfThenElse(hn::RebindMask(di, hn::Le(root, x[i])), right, group[i]);
    }
  }
  const Rank before = hn::Load(di, column[0].before);
  using Indices = decltype(hn::IndicesFromVec(d, group[0]));
  Indices at[kVectors] = {hn::IndicesFromVec(d, group[0]), hn::IndicesFromVec(d, group[1]),
                          hn::IndicesFromVec(d, group[2]), hn::IndicesFromVec(d, group[3])};
  for (std::size_t i = 0; i < kVectors; ++i) {
    rank[i] = hn::TableLookupLanes(before, hn::IndicesFromVec(di, group[i]));
  }
  const float* const end = thresholds + steps * RankColumn::kGroups;
  for (const float* t = thresholds; t != end; t += lanes) {
    const Value some = hn::Load(d, t);
    for (std::size_t i = 0; i < kVectors; ++i) rank[i] = counted(rank[i], hn::TableLookupLanes(some, at[i]), x[i]);
  }
}

inline void rank_row(const CodeTable& table, std::size_t row, const float* values, std::uint8_t* codes) {
  constexpr std::size_t kVectors = 4;
  const Values d;
  const Ranks di;
  const hn::Rebind<std::uint8_t, Values> d8;
  const CodeRow& r = table.rows[row];
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t p = 0; p < kForestBlock; p += kVectors * lanes) {
    Value x[kVectors];
    Rank rank[kVectors];
    for (std::size_t i = 0; i < kVectors; ++i) x[i] = hn::LoadU(d, values + p + i * lanes);
    rank_values<kVectors>(table.columns.data() + r.columns, r.steps, x, rank);
    for (std::size_t i = 0; i < kVectors; ++i) {
      if (r.categorical) rank[i] = hn::And(rank[i], hn::Set(di, 1));
      if (table.missing == Missing::possible) {
        rank[i] = hn::IfThenElse(hn::RebindMask(di, hn::IsNaN(x[i])), hn::Set(di, r.missing), rank[i]);
      }
      hn::StoreU(hn::DemoteTo(d8, rank[i]), d8, codes + p + i * lanes);
    }
  }
}

/// 1 where the code is in the set.
inline void find_in_set(const CodeSet& set, const std::uint8_t* from, std::uint8_t* codes) {
  const hn::ScalableTag<std::uint8_t> d;
  const hn::Repartition<std::uint16_t, decltype(d)> d16;
  alignas(16) static constexpr std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const auto bits = hn::LoadDup128(d, kBits), low = hn::LoadDup128(d, set.data()),
             high = hn::LoadDup128(d, set.data() + 16);
  for (std::size_t p = 0; p < kForestBlock; p += hn::Lanes(d)) {
    const auto code = hn::LoadU(d, from + p);
    const auto place = hn::And(hn::BitCast(d, hn::ShiftRight<3>(hn::BitCast(d16, code))), hn::Set(d, std::uint8_t{31}));
    const auto within = hn::And(place, hn::Set(d, std::uint8_t{15}));
    const auto byte =
        hn::IfThenElse(hn::Eq(place, within), hn::TableLookupBytes(low, within), hn::TableLookupBytes(high, within));
    const auto bit = hn::TableLookupBytes(bits, hn::And(code, hn::Set(d, std::uint8_t{7})));
    hn::StoreU(hn::IfThenElseZero(hn::Eq(hn::And(byte, bit), bit), hn::Set(d, std::uint8_t{1})), d, codes + p);
  }
}

#endif

void rank_rows(const CodeTable& table, std::size_t first_row, std::size_t last_row, const float* features,
               std::size_t stride, std::uint8_t* codes) {
  for (std::size_t row = first_row; row < last_row; ++row) {
    const CodeRow& r = table.rows[row];
    if (r.of_codes) {
      find_in_set(table.sets[r.first], codes + r.source * kForestBlock, codes + row * kForestBlock);
    } else {
      rank_row(table, row, features + r.feature * stride, codes + row * kForestBlock);
    }
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
