#include "engine/device_forest.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>

#include "elver/error.hpp"
#include "forest/forest.hpp"
#include "types/text.hpp"

namespace elver::engine {
namespace {

using core::TreeNode;
using core::TreeRun;
using forest::Node;
using forest::Tree;

constexpr std::uint32_t kMostPadding = 4;  ///< words of a perfect tree for each real node
constexpr std::uint32_t kOtherCost = 8;    ///< of a step in a tree of any shape, in steps of a perfect one

bool is_leaf(const Node& node, std::uint32_t i) { return node.left == static_cast<std::int32_t>(i) - 1; }

bool fits_perfect(const Tree& tree) {
  return tree.depth <= core::kMostDepth &&
         (tree.depth <= 4 || core::tree_words(tree.depth) <= kMostPadding * tree.node_count);
}

class Packer {
 public:
  Packer(DeviceForest& out, const Booster::Forest& forest, const std::vector<NodeCode>& places)
      : out_(out), forest_(forest), places_(places) {}

  /// The runs of output k of the booster, which is `output` of all.
  std::vector<TreeRun> pack(std::size_t trees, std::uint32_t k, std::uint32_t output) {
    std::vector<TreeRun> runs;
    for (std::size_t t = 0; t < trees; ++t) {
      const Tree& tree = forest_.trees[t];
      if (!tree.vector_leaf && tree.group != k) continue;
      const std::uint32_t depth = fits_perfect(tree) ? std::max(tree.depth, core::kLeastDepth) : 0;
      if (runs.empty() || runs.back().depth != depth) {
        runs.push_back({static_cast<std::uint32_t>(depth > 0 ? out_.words.size() : out_.roots.size()), 0, output, depth});
      }
      ++runs.back().count;
      if (depth > 0) {
        add_perfect(tree, depth, k);
      } else {
        add_other(tree, k);
      }
    }
    // An output without trees is its base: a run of none makes sure that somebody writes it.
    if (runs.empty()) runs.push_back({0, 0, output, 0});
    return runs;
  }

 private:
  std::uint32_t leaf_bits(const Tree& tree, const Node& leaf, std::uint32_t k) const {
    return std::bit_cast<std::uint32_t>(tree.vector_leaf ? forest_.leaf_vectors[leaf.extra + k] : leaf.value());
  }
  std::uint32_t word_of(const Tree& tree, std::uint32_t i) const {
    const NodeCode& place = places_[tree.first_node + i];
    return core::node_word(place.row, place.code);
  }

  void add_perfect(const Tree& tree, std::uint32_t depth, std::uint32_t k) {
    std::uint32_t* const words = &*out_.words.insert(out_.words.end(), core::tree_words(depth), 0);
    std::vector<std::uint32_t> level{0}, next;  // the node at each place of a level; a leaf stands for all below it
    for (std::uint32_t d = 0; d < depth; ++d) {
      next.clear();
      for (std::uint32_t i = 0; i < level.size(); ++i) {
        const Node& node = forest_.nodes[tree.first_node + level[i]];
        if (is_leaf(node, level[i])) {
          next.insert(next.end(), 2, level[i]);
          continue;
        }
        words[(1U << d) - 1 + i] = word_of(tree, level[i]);
        const auto left = static_cast<std::uint32_t>(node.left);
        next.insert(next.end(), {left + 1, left});
      }
      level.swap(next);
    }
    for (std::uint32_t i = 0; i < level.size(); ++i) {
      words[(1U << depth) + i] = leaf_bits(tree, forest_.nodes[tree.first_node + level[i]], k);
    }
    out_.most_depth = std::max(out_.most_depth, depth);
    out_.visits += depth;
    ++out_.perfect_trees;
  }

  void add_other(const Tree& tree, std::uint32_t k) {
    const auto first = static_cast<std::uint32_t>(out_.nodes.size());
    out_.roots.push_back(first);
    ++out_.other_trees;
    for (std::uint32_t i = 0; i < tree.node_count; ++i) {
      const Node& node = forest_.nodes[tree.first_node + i];
      if (is_leaf(node, i)) {
        out_.nodes.push_back({core::kLeaf, leaf_bits(tree, node, k)});
      } else {
        out_.nodes.push_back({word_of(tree, i), first + static_cast<std::uint32_t>(node.left)});
      }
    }
  }

  DeviceForest& out_;
  const Booster::Forest& forest_;
  const std::vector<NodeCode>& places_;
};

std::uint64_t cost_of(const std::vector<TreeRun>& runs) {
  std::uint64_t cost = 1;
  for (const TreeRun& run : runs) cost += std::uint64_t{run.count} * (run.depth > 0 ? run.depth + 1 : kOtherCost * 10);
  return cost;
}

/// Outputs to lists: the heaviest first, each to the list that has least.
void deal_lists(DeviceForest& out, const std::vector<std::vector<TreeRun>>& runs) {
  std::vector<std::vector<std::size_t>> lists(std::min(kMostLists, runs.size()));
  std::vector<std::uint64_t> load(lists.size(), 0), cost;
  for (const auto& output : runs) cost.push_back(cost_of(output));
  std::vector<std::size_t> order(runs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t output) { return cost[output]; });
  for (const std::size_t output : order) {
    const auto least = static_cast<std::size_t>(std::ranges::min_element(load) - load.begin());
    lists[least].push_back(output);
    load[least] += cost[output];
  }
  for (const auto& list : lists) {
    out.lists.push_back(static_cast<std::uint32_t>(out.runs.size()));
    for (const std::size_t output : list) out.runs.insert(out.runs.end(), runs[output].begin(), runs[output].end());
  }
  out.lists.push_back(static_cast<std::uint32_t>(out.runs.size()));
}

}  // namespace

DeviceForest pack_device_forest(std::span<const BoosterRounds> boosters, Missing missing) {
  DeviceForest out;
  std::vector<std::vector<NodeCode>> places;
  out.codes = make_codes(boosters, missing, places);
  if (out.codes.rows.size() > core::kMostCodeRows) {
    throw Error(ErrorKind::mismatch, "the forests do not fit a GPU",
                text("%zu rows of codes, at most %u", out.codes.rows.size(), core::kMostCodeRows), "Use --backend cpu");
  }
  std::vector<std::vector<TreeRun>> runs;
  for (std::size_t b = 0; b < boosters.size(); ++b) {
    const Booster::Forest& forest = boosters[b].booster->forest();
    Packer packer(out, forest, places[b]);
    for (std::uint32_t k = 0; k < forest.output_count; ++k) {
      const auto output = static_cast<std::uint32_t>(out.base.size());
      runs.push_back(packer.pack(boosters[b].tree_count(), k, output));
      const bool linear = boosters[b].linear();
      out.base.push_back(linear ? boosters[b].base->intercept[k] : forest.base[k]);
      out.linear.push_back(linear ? 1 : 0);
      if (linear) out.linear_outputs.push_back(output);
    }
  }
  for (const BoosterRounds& b : boosters) {
    if (b.linear()) out.weights.insert(out.weights.end(), b.base->weights.begin(), b.base->weights.end());
  }
  deal_lists(out, runs);
  return out;
}

}  // namespace elver::engine
