// Compiled once for every target: foreach_target.h includes this file again and again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/trees_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "engine/kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::engine::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3_DL

/// Every inner node's answer for 64 pixels is one compare and 64 bits. Eight trees lie side by side in a register, and
/// which way a pixel turns on each level is chosen from the answers of that level's nodes by the turns before.
template <std::size_t kDepth>
void find_turns(const std::uint64_t* masks, std::uint64_t (*turns)[TreeGroup::kTrees]) {
  constexpr std::size_t kNarrow = 5, kWide = std::size_t{1} << (kDepth > kNarrow + 1 ? kDepth - 4 : kDepth - 1);
  __m512i turn[kDepth], x[kWide < 16 ? 16 : kWide];
  const auto answer = [masks](std::size_t slot) { return _mm512_load_si512(masks + slot * TreeGroup::kTrees); };
  const auto choose = [](__m512i right_where, __m512i right, __m512i left) {
    return _mm512_ternarylogic_epi64(right_where, right, left, 0xCA);
  };
  turn[0] = answer(0);
  for (std::size_t d = 1; d < kDepth; ++d) {
    const std::size_t first = (std::size_t{1} << d) - 1;
    // Of a wide level eight answers become one at a time: all at once would not stay in registers.
    const std::size_t below = d > kNarrow ? 3 : 1;
    for (std::size_t j = 0; j < std::size_t{1} << (d - below); ++j) {
      if (d > kNarrow) {
        __m512i y[4];
        const std::size_t slot = first + 8 * j;
        for (std::size_t i = 0; i < 4; ++i) y[i] = choose(turn[d - 1], answer(slot + 2 * i + 1), answer(slot + 2 * i));
        x[j] = choose(turn[d - 3], choose(turn[d - 2], y[3], y[2]), choose(turn[d - 2], y[1], y[0]));
      } else {
        x[j] = choose(turn[d - 1], answer(first + 2 * j + 1), answer(first + 2 * j));
      }
    }
    for (std::size_t l = d - below; l-- > 0;) {
      for (std::size_t j = 0; j < std::size_t{1} << l; ++j) x[j] = choose(turn[l], x[2 * j + 1], x[2 * j]);
    }
    turn[d] = x[0];
  }
  for (std::size_t d = 0; d < kDepth; ++d) _mm512_store_si512(turns[d], turn[d]);
}

/// Four bytes of 64 values, lowest first, to 64 values of 32 bits: pixel 16 l + 4 f + i is at out[f], lane 4 l + i.
inline void join_bytes(__m512i b0, __m512i b1, __m512i b2, __m512i b3, __m512i* out) {
  const __m512i low01 = _mm512_unpacklo_epi8(b0, b1), high01 = _mm512_unpackhi_epi8(b0, b1);
  const __m512i low23 = _mm512_unpacklo_epi8(b2, b3), high23 = _mm512_unpackhi_epi8(b2, b3);
  out[0] = _mm512_unpacklo_epi16(low01, low23);
  out[1] = _mm512_unpackhi_epi16(low01, low23);
  out[2] = _mm512_unpacklo_epi16(high01, high23);
  out[3] = _mm512_unpackhi_epi16(high01, high23);
}

/// 64 bytes of a plane at 8-bit places.
template <std::size_t kDepth>
__m512i look_up(const std::uint8_t* plane, __m512i place) {
  if constexpr (kDepth <= 6) return _mm512_permutexvar_epi8(place, _mm512_loadu_si512(plane));
  const __m512i low =
      _mm512_permutex2var_epi8(_mm512_loadu_si512(plane), place, _mm512_loadu_si512(plane + 64 % (1U << kDepth)));
  if constexpr (kDepth == 7) return low;
  const __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(plane + 128 % (1U << kDepth)), place,
                                                _mm512_loadu_si512(plane + 192 % (1U << kDepth)));
  return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(place), high);
}

/// The values of the leaves that 64 pixels reach in one tree, added to their sums (in join_bytes' order).
template <std::size_t kDepth>
void add_values(const PackedForest& forest, const TreeGroup& group, std::size_t tree, __m512i place, float* sums) {
  constexpr std::size_t kPlane = kDepth <= 6 ? 64 : std::size_t{1} << kDepth;
  for (std::size_t k = 0; k < group.values[tree]; ++k) {
    const std::uint8_t* const planes = forest.planes.data() + group.planes[tree] + k * 4 * kPlane;
    __m512i bits[4];
    join_bytes(look_up<kDepth>(planes, place), look_up<kDepth>(planes + kPlane, place),
               look_up<kDepth>(planes + 2 * kPlane, place), look_up<kDepth>(planes + 3 * kPlane, place), bits);
    float* const sum = sums + (group.output[tree] + k) * kForestBlock;
    for (std::size_t f = 0; f < 4; ++f)
      _mm512_store_ps(sum + 16 * f, _mm512_add_ps(_mm512_load_ps(sum + 16 * f), _mm512_castsi512_ps(bits[f])));
  }
}

/// Which of 64 pixels go right at a node.
template <class N>
__mmask64 right_at(const N& node, const std::uint8_t* codes) {
  return _mm512_cmple_epu8_mask(_mm512_set1_epi8(static_cast<char>(node.code)), _mm512_load_si512(codes + node.codes));
}

template <std::size_t kDepth>
void add_perfect(const PackedForest& forest, const TreeGroup& group, const std::uint8_t* codes, float* sums,
                 TreeScratch& scratch) {
  const PackedNode* node = forest.nodes.data() + group.nodes[0];
  const PackedNode* const last = forest.nodes.data() + group.nodes[TreeGroup::kTrees];
  std::uint64_t* const masks = scratch.masks;
  const auto ask = [codes, masks](const PackedNode& n) { masks[n.place] = _cvtmask64_u64(right_at(n, codes)); };
  for (; last - node >= 4; node += 4) {
    ask(node[0]);
    ask(node[1]);
    ask(node[2]);
    ask(node[3]);
  }
  for (; node != last; ++node) ask(*node);
  find_turns<kDepth>(scratch.masks, scratch.turns);
  for (std::size_t tree = 0; tree < group.trees; ++tree) {
    __m512i place = _mm512_setzero_si512();
    for (std::size_t level = 0; level < kDepth; ++level) {
      place = _mm512_mask_add_epi8(place, _cvtu64_mask64(scratch.turns[level][tree]), place,
                                   _mm512_set1_epi8(static_cast<char>(1U << (kDepth - 1 - level))));
    }
    add_values<kDepth>(forest, group, tree, place, sums);
  }
}

/// The numbers of the ends that 64 pixels reach below the folded nodes of a tree.
inline __m512i fold(const PackedForest& forest, const TreeGroup& group, const std::uint8_t* codes,
                    TreeScratch& scratch) {
  const FoldedNode* const node = forest.folded.data() + group.first_fold;
  const std::size_t count = group.last_fold - group.first_fold;
  std::uint8_t* slot = scratch.slots[0];
  _mm512_store_si512(slot, _mm512_setzero_si512());
  slot += kForestBlock;
  for (std::size_t i = 0; i < group.twigs; ++i, slot += kForestBlock)
    _mm512_store_si512(slot, _mm512_maskz_set1_epi8(right_at(node[i], codes), 1));
  __m512i reached = _mm512_setzero_si512();
  for (std::size_t i = group.twigs; i < count; ++i, slot += kForestBlock) {
    const __m512i left = _mm512_load_si512(scratch.slots[node[i].left]),
                  right = _mm512_load_si512(scratch.slots[node[i].right]);
    reached = _mm512_mask_add_epi8(left, right_at(node[i], codes), right,
                                   _mm512_set1_epi8(static_cast<char>(node[i].left_leaves)));
    _mm512_store_si512(slot, reached);
  }
  return reached;
}

inline void find_ends(const PackedForest& forest, const TreeGroup& group, const std::uint8_t* codes,
                      TreeScratch& scratch, std::uint8_t* ends) {
  _mm512_store_si512(ends, fold(forest, group, codes, scratch));
}

template <std::size_t kDepth>
void add_folded(const PackedForest& forest, const TreeGroup& group, const std::uint8_t* codes, float* sums,
                TreeScratch& scratch) {
  add_values<kDepth>(forest, group, 0, fold(forest, group, codes, scratch), sums);
}

/// Where pixel p's sum lies.
inline std::size_t place_of(std::size_t p) { return p / 4 % 4 * 16 + p / 16 * 4 + p % 4; }

#else

/// Bytes of 0 and 255 in place of bits, one tree after the other, as many pixels at a time as a register has bytes.
using Bytes = hn::ScalableTag<std::uint8_t>;
using Byte = hn::Vec<Bytes>;

inline Byte choose(Byte right_where, Byte right, Byte left) {
#if HWY_TARGET <= HWY_AVX3
  return hn::IfVecThenElse(right_where, right, left);
#else
  return hn::IfThenElse(hn::MaskFromVec(right_where), right, left);
#endif
}

/// 255 for pixels that go right at a node.
template <class N>
Byte right_at(const N& node, const std::uint8_t* codes) {
  const Bytes d;
  const Byte code = hn::Load(d, codes + node.codes);
  return hn::VecFromMask(d, hn::Eq(hn::Max(code, hn::Set(d, node.code)), code));
}

/// Leads as many pixels as a register has bytes to their leaves.
template <std::size_t kDepth>
void find_places(const PackedForest& forest, const TreeGroup& group, std::size_t tree, const std::uint8_t* codes,
                 std::uint8_t* answers, std::uint8_t* places) {
  const Bytes d;
  const std::size_t lanes = hn::Lanes(d);
  const PackedNode* const last = forest.nodes.data() + group.nodes[tree + 1];
  for (const PackedNode* node = forest.nodes.data() + group.nodes[tree]; node != last; ++node)
    hn::Store(right_at(*node, codes), d, answers + node->place / TreeGroup::kTrees * lanes);
  Byte turn[kDepth], x[std::size_t{1} << (kDepth - 1)];
  const auto answer = [&](std::size_t slot) { return hn::Load(d, answers + slot * lanes); };
  turn[0] = answer(0);
  for (std::size_t level = 1; level < kDepth; ++level) {
    const std::size_t start = (std::size_t{1} << level) - 1;
    for (std::size_t j = 0; j < std::size_t{1} << (level - 1); ++j) {
      x[j] = choose(turn[level - 1], answer(start + 2 * j + 1), answer(start + 2 * j));
    }
    for (std::size_t l = level - 1; l-- > 0;) {
      for (std::size_t j = 0; j < std::size_t{1} << l; ++j) x[j] = choose(turn[l], x[2 * j + 1], x[2 * j]);
    }
    turn[level] = x[0];
  }
  Byte place = hn::Zero(d);
  for (std::size_t level = 0; level < kDepth; ++level) {
    const auto bit = static_cast<std::uint8_t>(1U << (kDepth - 1 - level));
    place = hn::Or(place, hn::And(turn[level], hn::Set(d, bit)));
  }
  hn::Store(place, d, places);
}

/// The values of the leaves that a block of pixels reaches in one tree, added to their sums.
inline void add_values(const PackedForest& forest, const TreeGroup& group, std::size_t tree, const std::uint8_t* places,
                       float* sums) {
  const hn::ScalableTag<float> df;
  const hn::RebindToSigned<decltype(df)> di;
  const hn::Rebind<std::uint8_t, decltype(df)> d8;
  for (std::size_t k = 0; k < group.values[tree]; ++k) {
    const float* const leaves = forest.leaves.data() + group.leaves[tree] + (k << group.depth);
    float* const sum = sums + (group.output[tree] + k) * kForestBlock;
    for (std::size_t p = 0; p < kForestBlock; p += hn::Lanes(df)) {
      const auto place = hn::PromoteTo(di, hn::Load(d8, places + p));
      hn::Store(hn::Add(hn::Load(df, sum + p), hn::GatherIndex(df, leaves, place)), df, sum + p);
    }
  }
}

template <std::size_t kDepth>
void add_perfect(const PackedForest& forest, const TreeGroup& group, const std::uint8_t* codes, float* sums,
                 TreeScratch& scratch) {
  alignas(64) std::uint8_t places[kForestBlock];
  auto* const answers = reinterpret_cast<std::uint8_t*>(scratch.masks);
  for (std::size_t tree = 0; tree < group.trees; ++tree) {
    for (std::size_t p = 0; p < kForestBlock; p += hn::Lanes(Bytes()))
      find_places<kDepth>(forest, group, tree, codes + p, answers, places + p);
    add_values(forest, group, tree, places, sums);
  }
}

/// The numbers of the ends that a block of pixels reaches below the folded nodes of a tree.
inline void find_ends(const PackedForest& forest, const TreeGroup& group, const std::uint8_t* codes,
                      TreeScratch& scratch, std::uint8_t* ends) {
  const Bytes d;
  const FoldedNode* const node = forest.folded.data() + group.first_fold;
  const std::size_t count = group.last_fold - group.first_fold;
  for (std::size_t p = 0; p < kForestBlock; p += hn::Lanes(d)) {
    hn::Store(hn::Zero(d), d, scratch.slots[0] + p);
    Byte reached = hn::Zero(d);
    for (std::size_t i = 0; i < count; ++i) {
      const Byte left = hn::Load(d, scratch.slots[node[i].left] + p),
                 right = hn::Load(d, scratch.slots[node[i].right] + p);
      const Byte counted = hn::Add(right, hn::Set(d, node[i].left_leaves));
      reached = choose(right_at(node[i], codes + p), counted, left);
      hn::Store(reached, d, scratch.slots[i + 1] + p);
    }
    hn::Store(reached, d, ends + p);
  }
}

template <std::size_t kDepth>
void add_folded(const PackedForest& forest, const TreeGroup& group, const std::uint8_t* codes, float* sums,
                TreeScratch& scratch) {
  alignas(64) std::uint8_t places[kForestBlock];
  find_ends(forest, group, codes, scratch, places);
  add_values(forest, group, 0, places, sums);
}

inline std::size_t place_of(std::size_t p) { return p; }

#endif

/// A walked tree: below its top plain code, whose pixels wait for memory and not for registers.
inline void add_walked(const PackedForest& forest, const TreeGroup& group, const std::uint8_t* codes, float* sums,
                       TreeScratch& scratch) {
  alignas(64) std::uint8_t ends[kForestBlock];
  find_ends(forest, group, codes, scratch, ends);
  std::uint32_t at[kForestBlock];
  for (std::size_t p = 0; p < kForestBlock; ++p) at[p] = forest.ends[group.ends + ends[p]];
  walk_tree(forest.walked.data() + group.nodes[0], codes, at);
  const std::size_t width = group.nodes[1] - group.nodes[0];
  for (std::size_t k = 0; k < group.values[0]; ++k) {
    const float* const leaves = forest.leaves.data() + group.leaves[0] + k * width;
    float* const sum = sums + (group.output[0] + k) * kForestBlock;
    for (std::size_t p = 0; p < kForestBlock; ++p) sum[place_of(p)] += leaves[at[p]];
  }
}

void sum_trees(const PackedForest& forest, const std::uint8_t* codes, float* margins, TreeScratch& scratch) {
  float ordered[kForestBlock];
  for (std::size_t output = 0; output < forest.output_count(); ++output) {
    float* const sums = margins + output * kForestBlock;
    for (std::size_t p = 0; p < kForestBlock; ++p) ordered[place_of(p)] = sums[p];
    std::copy_n(ordered, kForestBlock, sums);
  }
  using AddGroup = void (*)(const PackedForest&, const TreeGroup&, const std::uint8_t*, float*, TreeScratch&);
  static constexpr AddGroup kPerfect[] = {add_perfect<1>, add_perfect<2>, add_perfect<3>, add_perfect<4>,
                                          add_perfect<5>, add_perfect<6>, add_perfect<7>, add_perfect<8>};
  static constexpr AddGroup kFolded[] = {add_folded<6>, add_folded<7>, add_folded<8>};
  for (const TreeGroup& group : forest.groups) {
    if (group.form == TreeForm::perfect) {
      kPerfect[group.depth - 1](forest, group, codes, margins, scratch);
    } else if (group.form == TreeForm::folded) {
      kFolded[group.depth - 6](forest, group, codes, margins, scratch);
    } else {
      add_walked(forest, group, codes, margins, scratch);
    }
  }
  for (std::size_t output = 0; output < forest.output_count(); ++output) {
    float* const sums = margins + output * kForestBlock;
    for (std::size_t p = 0; p < kForestBlock; ++p) ordered[p] = sums[place_of(p)];
    std::copy_n(ordered, kForestBlock, sums);
  }
}

}  // namespace elver::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace elver::engine {

HWY_EXPORT(sum_trees);

void sum_trees(const PackedForest& forest, const std::uint8_t* codes, float* margins, TreeScratch& scratch) {
  HWY_DYNAMIC_DISPATCH(sum_trees)(forest, codes, margins, scratch);
}

}  // namespace elver::engine
#endif
