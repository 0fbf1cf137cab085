#pragma once
#include <cstdint>
#include <vector>

#include "forest/forest.hpp"
#include "forest/reader.hpp"

namespace elver::forest {

/// One tree's arrays as the file has them, a value a node; kept between trees for their memory.
struct TreeFields {
  std::int64_t id = -1, node_count = -1, leaf_size = 0;
  std::vector<std::int32_t> left, right, parents, features, default_left, split_types;
  std::vector<std::int32_t> categories, category_nodes, category_firsts, category_sizes;
  std::vector<float> conditions, base_weights, leaf_weights;
  bool has_statistics = false;  ///< all that training leaves behind and prediction does not need
  std::vector<std::uint32_t> scratch;

  /// Reads one tree's object.
  void read(Reader& reader);
};

/// Checks that the arrays make a tree, and appends it to the forest, nodes renumbered level by level. The highest
/// feature that it asks for goes into `features_needed`.
void append_tree(TreeFields& fields, const Reader& reader, Booster::Forest& forest, std::size_t& features_needed);

}  // namespace elver::forest
