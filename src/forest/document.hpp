#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "forest/forest.hpp"
#include "forest/reader.hpp"
#include "forest/tree.hpp"

namespace elver::forest {

/// What stands beside the trees in a file, gathered while it goes by, in whatever order.
struct Fields {
  std::string booster_name, objective, base_score;
  bool has_learner = false, has_trees = false, nested = false;
  std::int64_t feature_count = 0, class_count = 0, target_count = 1, tree_count = -1;
  std::int64_t parallel_trees = 0;  ///< 0: the file does not say
  std::vector<std::int64_t> tree_ids;
  std::vector<std::int32_t> tree_groups, rounds;
  std::vector<float> weights;       ///< of DART's trees
  std::vector<float> coefficients;  ///< of gblinear
  std::size_t features_needed = 0;
  std::vector<std::int64_t> leaf_sizes;
  TreeFields tree;
};

/// Reads a whole document: its trees into the forest, one by one, the rest into the fields returned.
Fields read_document(Reader& reader, Booster::Forest& forest);

/// Checks that the fields and the trees make a booster, and completes the forest. Throws Error{input} where they do
/// not, Error{mismatch} for a booster that elver cannot run.
void settle(const Fields& fields, const Reader& reader, Booster::Forest& forest);

}  // namespace elver::forest
