#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/codes.hpp"

namespace elver::engine {

/// Pixels whose codes lie together: a byte each is one register of the widest kind, and a bit each one 64-bit word.
inline constexpr std::size_t kForestBlock = 64;

/// An inner node. Its slot in a perfect tree: the children of slot s are slots 2s+1 (left) and 2s+2 (right).
struct PackedNode {
  std::uint32_t codes = 0;  ///< where its row of codes begins: kForestBlock times its number in CodeTable
  std::uint16_t place = 0;  ///< 8 times its slot, plus its tree's number in the group
  std::uint8_t code = 0;    ///< go right where the pixel's code is at least this
};
static_assert(sizeof(PackedNode) == 8);

/// Up to eight trees that follow one another, all brought to the depth of the deepest. Leaves that lie higher are
/// repeated below, so that a node which is not there may answer anything.
struct TreeGroup {
  static constexpr std::size_t kTrees = 8;
  std::uint32_t depth = 1;                        ///< 1 to PackedForest::kMostDepth
  std::uint32_t trees = 0;                        ///< 1 to 8
  std::array<std::uint32_t, kTrees + 1> nodes{};  ///< tree i's nodes are [nodes[i], nodes[i + 1]), by slot
  std::array<std::uint32_t, kTrees> leaves{};     ///< first of tree i's leaf values: [value][2^depth]
  std::array<std::uint32_t, kTrees> planes{};     ///< first of its PackedForest::planes, the same values
  std::array<std::uint32_t, kTrees> output{};     ///< the first output that it adds to
  std::array<std::uint32_t, kTrees> values{};     ///< outputs that it adds to: 1, or all of its booster's
};

/// Trees of one or more boosters, one after the other, as plain arrays. The outputs of the boosters follow one another
/// too. Which leaf of a perfect tree a pixel reaches: its turns from the root down, as a binary number, right is 1.
struct PackedForest {
  static constexpr std::size_t kMostDepth = 10;
  CodeTable codes;
  std::vector<TreeGroup> groups;
  std::vector<PackedNode> nodes;
  std::vector<float> leaves;
  /// The leaves of trees up to depth 8 by bytes: [value][byte of the float, lowest first][leaf], 64 leaves at least.
  std::vector<std::uint8_t> planes;
  std::vector<float> base;                ///< [output]: margin before any tree
  std::vector<std::size_t> first_output;  ///< [booster], and how many outputs there are at the end

  std::size_t output_count() const { return base.size(); }
};

/// Why a booster cannot be packed, or "" where it can: its trees are deeper than kMostDepth, or a threshold is NaN.
std::string why_not_packable(const Booster& booster);

/// Whether XGBoost is asked for a booster where it is to walk the trees: for all but elver's own, which have none. Throws
/// Error{resources} where there is no XGBoost, Error{mismatch} where it cannot run the booster.
bool run_by_xgboost(const Booster& booster);

/// Throws nothing but what allocation throws; boosters must be packable.
PackedForest pack_forest(std::span<const BoosterRounds> boosters, Missing missing);

}  // namespace elver::engine
