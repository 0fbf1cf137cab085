#include <algorithm>
#include <cmath>

#include "elver/error.hpp"
#include "forest/forest.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using forest::Node;
using forest::Tree;

/// Rows walked together: their nodes' addresses do not depend on each other, so the processor overlaps them, and the
/// tree stays in the first-level cache for all of them.
constexpr std::size_t kBlock = 64;

/// True for a category outside the set, or none at all: it goes left, as in a one-hot encoding.
bool category_goes_left(const Booster::Forest& forest, const Node& node, float x) {
  if (x < 0.0F || x >= 16777216.0F) return true;
  const forest::CategorySet set = forest.category_sets[node.extra];
  const auto begin = forest.categories.begin();
  return !std::binary_search(begin + set.first, begin + set.last, static_cast<std::int32_t>(x));
}

template <bool categorical>
std::uint32_t step(const Booster::Forest& forest, const Node& node, float x) {
  bool left = x < node.threshold;
  if constexpr (categorical) {
    if ((node.feature & Node::kCategorical) != 0 && !std::isnan(x)) left = category_goes_left(forest, node, x);
  }
  left = std::isnan(x) ? (node.feature & Node::kDefaultLeft) != 0 : left;
  return static_cast<std::uint32_t>(node.left + (left ? 0 : 1));
}

/// Leads each of `count` rows to its leaf. Leaves lead to themselves, so all rows take the depth's number of steps;
/// in a lopsided tree the walk ends when no row has moved.
template <bool categorical>
void walk(const Booster::Forest& forest, const Tree& tree, const float* rows, std::size_t count, std::uint32_t* at) {
  const Node* const nodes = forest.nodes.data() + tree.first_node;
  const std::size_t width = forest.feature_count;
  std::fill_n(at, count, 0U);
  for (std::uint32_t level = 0; level < tree.depth; ++level) {
    std::uint32_t moved = 0;
    for (std::size_t r = 0; r < count; ++r) {
      const Node& node = nodes[at[r]];
      const std::uint32_t next = step<categorical>(forest, node, rows[r * width + node.index()]);
      moved |= next ^ at[r];
      at[r] = next;
    }
    if (moved == 0) return;
  }
}

}  // namespace

void Booster::margins(std::span<const float> features, std::size_t rows, std::span<float> out,
                      std::size_t rounds) const {
  const std::size_t outputs = forest_->output_count;
  for (std::size_t r = 0; r < std::min(rows, out.size() / outputs); ++r)
    std::ranges::copy(forest_->base, out.begin() + static_cast<std::ptrdiff_t>(r * outputs));
  add_trees(features, rows, out, rounds);
}

void Booster::add_trees(std::span<const float> features, std::size_t rows, std::span<float> out,
                        std::size_t rounds) const {
  require_trees();
  const Forest& forest = *forest_;
  const std::size_t outputs = forest.output_count, width = forest.feature_count;
  if (features.size() != rows * width || out.size() != rows * outputs) {
    throw Error(ErrorKind::mismatch, "cannot predict with booster " + forest.name,
                text("%zu rows of %zu features and %zu outputs do not fit %zu values in and %zu out", rows, width,
                     outputs, features.size(), out.size()));
  }
  if (rounds > round_count()) {
    throw Error(ErrorKind::mismatch, "cannot predict with booster " + forest.name,
                text("%zu rounds are asked for and it has %zu", rounds, round_count()));
  }
  const std::size_t trees = rounds == 0 ? forest.trees.size() : forest.rounds[rounds];
  std::uint32_t at[kBlock];
  for (std::size_t first = 0; first < rows; first += kBlock) {
    const std::size_t count = std::min(kBlock, rows - first);
    const float* const x = features.data() + first * width;
    float* const sums = out.data() + first * outputs;
    for (std::size_t t = 0; t < trees; ++t) {
      const Tree& tree = forest.trees[t];
      if (tree.categorical) {
        walk<true>(forest, tree, x, count, at);
      } else {
        walk<false>(forest, tree, x, count, at);
      }
      const Node* const nodes = forest.nodes.data() + tree.first_node;
      for (std::size_t r = 0; r < count; ++r) {
        const Node& leaf = nodes[at[r]];
        if (tree.vector_leaf) {
          const float* const values = forest.leaf_vectors.data() + leaf.extra;
          for (std::size_t k = 0; k < outputs; ++k) sums[r * outputs + k] += values[k];
        } else {
          sums[r * outputs + tree.group] += leaf.value();
        }
      }
    }
  }
}

void Booster::transform(std::span<float> margins, std::size_t rows) const {
  if (margins.size() != rows * forest_->output_count) {
    throw Error(ErrorKind::mismatch, "cannot predict with booster " + forest_->name,
                text("%zu margins are not %zu rows of %zu", margins.size(), rows, forest_->output_count));
  }
  forest::apply(forest_->objective->transform, margins, forest_->output_count);
}

}  // namespace elver
