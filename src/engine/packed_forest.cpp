#include "engine/packed_forest.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <queue>
#include <ranges>

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
    for (std::size_t t = 0; t < trees;) {
      TreeGroup group;
      group.form = form_of(forest.trees[t]);
      const std::size_t most = group.form == TreeForm::perfect ? TreeGroup::kTrees : 1;
      for (; group.trees < most && t + group.trees < trees; ++group.trees) {
        const Tree& tree = forest.trees[t + group.trees];
        if (form_of(tree) != group.form) break;
        if (group.form == TreeForm::perfect) group.depth = std::max(group.depth, tree.depth);
      }
      for (std::uint32_t i = 0; i < group.trees; ++i) {
        const Tree& tree = forest.trees[t + i];
        group.output[i] = first_output + (tree.vector_leaf ? 0 : tree.group);
        group.values[i] = static_cast<std::uint32_t>(tree.vector_leaf ? forest.output_count : 1);
        const Source source{forest, tree, std::span(places).subspan(tree.first_node, tree.node_count)};
        if (group.form == TreeForm::perfect) add_perfect(source, i, group);
        if (group.form == TreeForm::folded) add_folded(source, group);
        if (group.form == TreeForm::walked) add_walked(source, group);
      }
      const std::size_t end = group.form == TreeForm::walked ? out_.walked.size() : out_.nodes.size();
      std::fill(group.nodes.begin() + group.trees, group.nodes.end(), static_cast<std::uint32_t>(end));
      t += group.trees;
      out_.groups.push_back(group);
    }
  }

 private:
  /// A tree, and where its nodes look.
  struct Source {
    const Booster::Forest& forest;
    const Tree& tree;
    std::span<const NodeCode> places;
    const Node& node(std::uint32_t i) const { return forest.nodes[tree.first_node + i]; }
    bool leaf(std::uint32_t i) const { return is_leaf(node(i), i); }
    std::uint32_t left(std::uint32_t i) const { return static_cast<std::uint32_t>(node(i).left); }
    std::uint32_t codes(std::uint32_t i) const { return places[i].row * static_cast<std::uint32_t>(kForestBlock); }
    float value(std::uint32_t leaf, std::size_t k) const {
      return tree.vector_leaf ? forest.leaf_vectors[node(leaf).extra + k] : node(leaf).value();
    }
  };

  static TreeForm form_of(const Tree& tree) {
    if (tree.depth <= PackedForest::kMostDepth) return TreeForm::perfect;
    return tree.node_count / 2 + 1 <= PackedForest::kMostFolded ? TreeForm::folded : TreeForm::walked;
  }

  void add_perfect(const Source& source, std::uint32_t place, TreeGroup& group) {
    const std::size_t width = std::size_t{1} << group.depth;
    group.nodes[place] = static_cast<std::uint32_t>(out_.nodes.size());
    const std::span<float> leaves = add_leaves(place, width, group);

    // Level by level, as the nodes lie: which slot and level each came to.
    at_.assign(source.tree.node_count, {});
    for (std::uint32_t i = 0; i < source.tree.node_count; ++i) {
      const auto [slot, level] = at_[i];
      if (source.leaf(i)) {
        const std::size_t below = group.depth - level;  // levels that the leaf is repeated over
        const std::size_t first = ((std::size_t{slot} + 1 - (std::size_t{1} << level)) << below);
        for (std::size_t k = 0; k < group.values[place]; ++k)
          std::fill_n(leaves.begin() + static_cast<std::ptrdiff_t>(k * width + first), std::size_t{1} << below,
                      source.value(i, k));
        continue;
      }
      out_.nodes.push_back(
          {source.codes(i), static_cast<std::uint16_t>(slot * TreeGroup::kTrees + place), source.places[i].code});
      at_[source.left(i)] = {2 * slot + 1, level + 1};
      at_[source.left(i) + 1] = {2 * slot + 2, level + 1};
    }
    add_planes(place, width, group);
  }

  /// Folds the nodes that are kept: the root, and what hangs together with it. Returns the nodes that this ends at, by
  /// their numbers. Parents stand before their children in a booster: backwards for what lies below a node, forwards
  /// for which ends.
  std::vector<std::uint32_t> fold(const Source& source, const std::vector<bool>& kept, TreeGroup& group) {
    struct Below {
      std::uint32_t ends = 1, height = 0, first = 0, slot = 0;
    };
    std::vector<Below> below(kept.size());
    std::vector<std::uint32_t> inner;
    for (auto i = static_cast<std::uint32_t>(kept.size()); i-- > 0;) {
      if (!kept[i]) continue;
      const Below &left = below[source.left(i)], &right = below[source.left(i) + 1];
      below[i].ends = left.ends + right.ends;
      below[i].height = 1 + std::max(left.height, right.height);
      inner.push_back(i);
    }
    std::vector<std::uint32_t> ends(below[0].ends);
    for (const std::uint32_t i : std::views::reverse(inner)) {
      for (const std::uint32_t child : {source.left(i), source.left(i) + 1}) {
        below[child].first = below[i].first + (child == source.left(i) ? 0 : below[source.left(i)].ends);
        if (!kept[child]) ends[below[child].first] = child;
      }
    }
    std::ranges::stable_sort(inner, {}, [&](std::uint32_t i) { return below[i].height; });
    group.first_fold = static_cast<std::uint32_t>(out_.folded.size());
    for (const std::uint32_t i : inner) {
      const Below &left = below[source.left(i)], &right = below[source.left(i) + 1];
      out_.folded.push_back({source.codes(i), source.places[i].code, static_cast<std::uint8_t>(left.ends),
                             static_cast<std::uint8_t>(left.slot), static_cast<std::uint8_t>(right.slot)});
      below[i].slot = static_cast<std::uint32_t>(out_.folded.size()) - group.first_fold;
      group.twigs += below[i].height == 1 ? 1 : 0;
    }
    group.last_fold = static_cast<std::uint32_t>(out_.folded.size());
    return ends;
  }

  void add_folded(const Source& source, TreeGroup& group) {
    std::vector<bool> kept(source.tree.node_count);
    for (std::uint32_t i = 0; i < kept.size(); ++i) kept[i] = !source.leaf(i);
    const std::vector<std::uint32_t> ends = fold(source, kept, group);
    group.depth = ends.size() <= 64 ? 6 : ends.size() <= 128 ? 7 : 8;
    const std::size_t width = std::size_t{1} << group.depth;
    const std::span<float> leaves = add_leaves(0, width, group);
    for (std::size_t k = 0; k < group.values[0]; ++k) {
      for (std::size_t number = 0; number < ends.size(); ++number)
        leaves[k * width + number] = source.value(ends[number], k);
    }
    add_planes(0, width, group);
  }

  /// The top of a large tree: again and again the end goes that has most leaves below it.
  std::vector<bool> top_of(const Source& source) {
    const std::uint32_t count = source.tree.node_count;
    std::vector<std::uint32_t> leaves(count, 1);
    for (std::uint32_t i = count; i-- > 0;) {
      if (!source.leaf(i)) leaves[i] = leaves[source.left(i)] + leaves[source.left(i) + 1];
    }
    std::vector<bool> kept(count);
    std::priority_queue<std::pair<std::uint32_t, std::uint32_t>> ends;  // leaves below, node
    for (ends.push({leaves[0], 0}); ends.size() < PackedForest::kTopEnds;) {
      const std::uint32_t i = ends.top().second;
      ends.pop();
      kept[i] = true;
      for (const std::uint32_t child : {source.left(i), source.left(i) + 1}) ends.push({leaves[child], child});
    }
    return kept;
  }

  /// What lies below an end lies together, so that a pixel's way through it is a line of the cache or two.
  void add_walked(const Source& source, TreeGroup& group) {
    const std::vector<std::uint32_t> ends = fold(source, top_of(source), group);
    group.ends = static_cast<std::uint32_t>(out_.ends.size());
    group.nodes[0] = static_cast<std::uint32_t>(out_.walked.size());
    std::vector<std::uint32_t> order;  // the booster's nodes as they lie here
    for (const std::uint32_t end : ends) {
      out_.ends.push_back(static_cast<std::uint32_t>(order.size()));
      order.push_back(end);
      for (std::size_t at = order.size() - 1; at < order.size(); ++at) {
        const std::uint32_t i = order[at];
        const auto left = static_cast<std::uint32_t>(order.size());
        out_.walked.push_back(source.leaf(i) ? WalkedNode{}
                                             : WalkedNode{source.codes(i), left << 8 | source.places[i].code});
        if (!source.leaf(i)) order.insert(order.end(), {source.left(i), source.left(i) + 1});
      }
    }
    const std::span<float> leaves = add_leaves(0, order.size(), group);
    for (std::size_t at = 0; at < order.size(); ++at) {
      for (std::size_t k = 0; source.leaf(order[at]) && k < group.values[0]; ++k)
        leaves[k * order.size() + at] = source.value(order[at], k);
    }
  }

  /// Room for the leaf values of a tree of the group, `width` for each value.
  std::span<float> add_leaves(std::uint32_t place, std::size_t width, TreeGroup& group) {
    group.leaves[place] = static_cast<std::uint32_t>(out_.leaves.size());
    out_.leaves.resize(out_.leaves.size() + group.values[place] * width);
    return std::span(out_.leaves).subspan(group.leaves[place]);
  }

  void add_planes(std::uint32_t place, std::size_t width, TreeGroup& group) {
    group.planes[place] = static_cast<std::uint32_t>(out_.planes.size());
    const std::size_t plane = std::max<std::size_t>(64, width);
    for (std::size_t k = 0; k < group.values[place]; ++k) {
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
  for (const Tree& tree : forest.trees) {
    if (tree.node_count >= 1U << 24) return text("a tree has %u nodes", tree.node_count);
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
  out.codes = make_codes(boosters, missing, places, CategoryRows::of_codes);
  Packer packer(out);
  for (std::size_t b = 0; b < boosters.size(); ++b) {
    packer.add(boosters[b].booster->forest(), boosters[b].tree_count(), places[b]);
  }
  out.first_output.push_back(out.base.size());
  return out;
}

}  // namespace elver::engine
