#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "elver/core/tree_walk.hpp"
#include "engine/codes.hpp"

namespace elver::engine {

/// Trees of one or more boosters as a GPU walks them, in plain arrays. The outputs of the boosters follow one another.
/// Trees up to depth 8 become perfect ones; deeper ones, and those that would grow more than fourfold, keep their shape.
struct DeviceForest {
  CodeTable codes;
  std::vector<float> base;               ///< [output]: margin before any tree, or the intercept of a linear base
  std::vector<std::uint8_t> linear;      ///< [output]: 1 where it has a linear base
  std::vector<std::uint32_t> linear_outputs;  ///< those that have, ascending
  std::vector<float> weights;            ///< of theirs, [linear output][feature]
  std::vector<std::uint32_t> words;      ///< of perfect trees
  std::vector<core::TreeNode> nodes;     ///< of the others
  std::vector<std::uint32_t> roots;      ///< of the others, in `nodes`
  std::vector<core::TreeRun> runs;
  /// Work in lists, each for one warp: list l is runs [lists[l], lists[l + 1]). An output's runs follow one another in
  /// one list, in the order of its trees, so that its sum is XGBoost's whatever the number of warps.
  std::vector<std::uint32_t> lists;
  std::uint32_t most_depth = core::kLeastDepth;  ///< of the perfect trees
  std::uint64_t perfect_trees = 0, other_trees = 0;
  std::uint64_t visits = 0;              ///< nodes that a row looks at in perfect trees

  std::size_t output_count() const { return base.size(); }
};

/// Warps of a block, and so the most lists.
inline constexpr std::size_t kMostLists = 16;

/// Boosters must be packable (why_not_packable). Throws Error{mismatch} for more than core::kMostCodeRows code rows.
DeviceForest pack_device_forest(std::span<const BoosterRounds> boosters, Missing missing);

}  // namespace elver::engine
