#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "elver/forest.hpp"
#include "forest/objective.hpp"

namespace elver {

namespace forest {

/// A node, 16 bytes. Siblings lie side by side, so one index leads to both: the right child is `left` + 1. A leaf
/// leads back to itself (its threshold is NaN, so every comparison fails, and `left` + 1 is its own index): a walk of
/// a tree's depth ends at the right leaf without asking at each step whether it has arrived.
struct Node {
  float threshold = 0;        ///< go left if x < threshold
  std::uint32_t feature = 0;  ///< with the flags below in its upper bits
  std::int32_t left = 0;      ///< index within the tree
  std::uint32_t extra = 0;    ///< leaf: bits of its value, or place of its vector; categorical split: place of its set

  static constexpr std::uint32_t kDefaultLeft = 1U << 31;  ///< a missing value goes left
  static constexpr std::uint32_t kCategorical = 1U << 30;
  static constexpr std::uint32_t kFeature = kCategorical - 1;

  std::uint32_t index() const { return feature & kFeature; }
  float value() const { return std::bit_cast<float>(extra); }
};

struct Tree {
  std::uint32_t first_node = 0;
  std::uint32_t node_count = 0;
  std::uint32_t depth = 0;   ///< edges from the root to the deepest leaf
  std::uint32_t group = 0;   ///< the output it adds to
  bool vector_leaf = false;  ///< adds a value to every output instead
  bool categorical = false;  ///< has a categorical split
};

/// Categories that go right, in Forest::categories: sorted, [first, last).
struct CategorySet {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

}  // namespace forest

/// What a booster's bytes say, checked: every index is in range and every tree is a tree.
struct Booster::Forest {
  std::vector<std::byte> bytes;
  std::string name;
  std::array<int, 3> version{};
  std::size_t feature_count = 0;
  std::size_t output_count = 1;
  std::vector<float> base;  ///< margin of each output before any tree
  const forest::Objective* objective = nullptr;
  std::string objective_name;
  std::map<std::string, std::string> attributes;
  std::vector<std::string> feature_names, feature_types;

  std::vector<forest::Tree> trees;
  std::vector<std::uint32_t> rounds{0};  ///< round i is trees [rounds[i], rounds[i + 1])
  std::vector<forest::Node> nodes;
  std::vector<float> leaf_vectors;
  std::vector<std::int32_t> categories;
  std::vector<forest::CategorySet> category_sets;
  bool linear = false;  ///< gblinear: XGBoost's own predictor alone runs it
  bool dart = false;  ///< leaves carry the weights of dropped trees
  // What elver reads and XGBoost, or some versions of it, would not, or not alike.
  bool weights_in_gbtree = false;  ///< DART as 3.3 and later write it, which earlier ones read as unweighted
  bool old_vectors = false;        ///< vector leaves among the nodes' weights, as 3.1 and earlier write them
  bool new_vectors = false;        ///< vector leaves in an array of their own, as 3.2 and later write them
  bool apart = false;              ///< siblings that are not neighbours in the file, which XGBoost takes for granted
  std::size_t max_depth = 0;
};

}  // namespace elver
