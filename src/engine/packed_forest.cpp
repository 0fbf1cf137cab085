#include "engine/packed_forest.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "elver/error.hpp"
#include "forest/forest.hpp"
#include "forest/xgboost_predictor.hpp"
#include "types/text.hpp"

namespace elver::engine {
namespace {

using forest::Node;
using forest::Tree;

bool is_leaf(const Node& node, std::uint32_t i) { return node.left == static_cast<std::int32_t>(i) - 1; }

class Packer {
 public:
  explicit Packer(PackedForest& out) : out_(out) {}

  void add(const Booster::Forest& forest, std::size_t trees, const std::vector<NodeCode>& places) {
    const auto first_output = static_cast<std::uint32_t>(out_.base.size());
    out_.first_output.push_back(first_output);
    out_.base.insert(out_.base.end(), forest.base.begin(), forest.base.end());
    for (std::size_t t = 0; t < trees; t += TreeGroup::kTrees) {
      TreeGroup group;
      group.trees = static_cast<std::uint32_t>(std::min(TreeGroup::kTrees, trees - t));
      for (std::size_t i = 0; i < group.trees; ++i) group.depth = std::max(group.depth, forest.trees[t + i].depth);
      for (std::uint32_t i = 0; i < group.trees; ++i)
        add_tree(forest, forest.trees[t + i], i, first_output, places, group);
      std::fill(group.nodes.begin() + group.trees, group.nodes.end(), static_cast<std::uint32_t>(out_.nodes.size()));
      out_.groups.push_back(group);
    }
  }

 private:
  void add_tree(const Booster::Forest& forest, const Tree& tree, std::uint32_t place, std::uint32_t first_output,
                const std::vector<NodeCode>& places, TreeGroup& group) {
    const std::size_t width = std::size_t{1} << group.depth;
    const std::size_t values = tree.vector_leaf ? forest.output_count : 1;
    group.nodes[place] = static_cast<std::uint32_t>(out_.nodes.size());
    group.leaves[place] = static_cast<std::uint32_t>(out_.leaves.size());
    group.output[place] = first_output + (tree.vector_leaf ? 0 : tree.group);
    group.values[place] = static_cast<std::uint32_t>(values);
    out_.leaves.resize(out_.leaves.size() + values * width);

    // Level by level, as the nodes lie: which slot and level each came to.
    at_.assign(tree.node_count, {});
    for (std::uint32_t i = 0; i < tree.node_count; ++i) {
      const Node& node = forest.nodes[tree.first_node + i];
      const auto [slot, level] = at_[i];
      if (is_leaf(node, i)) {
        const std::size_t below = group.depth - level;  // levels that the leaf is repeated over
        const std::size_t first = ((std::size_t{slot} + 1 - (std::size_t{1} << level)) << below);
        for (std::size_t k = 0; k < values; ++k) {
          const float value = tree.vector_leaf ? forest.leaf_vectors[node.extra + k] : node.value();
          std::fill_n(out_.leaves.begin() + static_cast<std::ptrdiff_t>(group.leaves[place] + k * width + first),
                      std::size_t{1} << below, value);
        }
        continue;
      }
      const NodeCode& code = places[tree.first_node + i];
      out_.nodes.push_back({code.row * static_cast<std::uint32_t>(kForestBlock),
                            static_cast<std::uint16_t>(slot * TreeGroup::kTrees + place), code.code});
      at_[static_cast<std::size_t>(node.left)] = {2 * slot + 1, level + 1};
      at_[static_cast<std::size_t>(node.left) + 1] = {2 * slot + 2, level + 1};
    }
    if (group.depth > 8) return;
    group.planes[place] = static_cast<std::uint32_t>(out_.planes.size());
    const std::size_t plane = std::max<std::size_t>(64, width);
    for (std::size_t k = 0; k < values; ++k) {
      for (std::size_t byte = 0; byte < 4; ++byte) {
        for (std::size_t i = 0; i < plane; ++i) {
          const std::uint32_t bits =
              std::bit_cast<std::uint32_t>(out_.leaves[group.leaves[place] + k * width + i % width]);
          out_.planes.push_back(static_cast<std::uint8_t>(bits >> (8 * byte)));
        }
      }
    }
  }

  struct Place {
    std::uint32_t slot = 0, level = 0;
  };
  PackedForest& out_;
  std::vector<Place> at_;
};

}  // namespace

std::string why_not_packable(const Booster& booster) {
  const Booster::Forest& forest = booster.forest();
  if (forest.linear) return "it is a linear booster (gblinear), which elver leaves to XGBoost";
  if (forest.max_depth > PackedForest::kMostDepth) {
    return text("its trees are %zu levels deep, more than %zu", forest.max_depth, PackedForest::kMostDepth);
  }
  for (const Tree& tree : forest.trees) {
    for (std::uint32_t i = 0; i < tree.node_count; ++i) {
      const Node& node = forest.nodes[tree.first_node + i];
      if (!is_leaf(node, i) && (node.feature & Node::kCategorical) == 0 && std::isnan(node.threshold)) {
        return "a threshold is not a number";
      }
    }
  }
  return "";
}

bool run_by_xgboost(const Booster& booster) {
  if (booster.bytes().empty()) return false;
  static_cast<void>(xgboost::functions());  // the reason, if it is not at hand
  const std::string why = xgboost::why_not(booster);
  if (why.empty()) return true;
  throw Error(ErrorKind::mismatch, "XGBoost cannot run booster " + booster.forest().name, why, "Use --forest own");
}

PackedForest pack_forest(std::span<const BoosterRounds> boosters, Missing missing) {
  PackedForest out;
  std::vector<std::vector<NodeCode>> places;
  out.codes = make_codes(boosters, missing, places);
  Packer packer(out);
  for (std::size_t b = 0; b < boosters.size(); ++b) {
    packer.add(boosters[b].booster->forest(), boosters[b].tree_count(), places[b]);
  }
  out.first_output.push_back(out.base.size());
  return out;
}

}  // namespace elver::engine
