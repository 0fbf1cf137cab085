#include "forest/tree.hpp"

#include <algorithm>
#include <limits>

#include "types/text.hpp"

namespace elver::forest {
namespace {

constexpr std::int32_t kNone = -1;
constexpr std::int32_t kCategoryEnd = 1 << 24;  ///< beyond it float32 does not tell categories apart

void check_sizes(const TreeFields& f, const Reader& reader) {
  const std::size_t n = f.left.size();
  if (n == 0) reader.fail("a tree has no nodes");
  const auto same = [&](std::size_t size, const char* what, bool optional = false) {
    if (size != n && !(optional && size == 0)) {
      reader.fail(text("a tree of %zu nodes has %zu %s", n, size, what));
    }
  };
  if (f.node_count >= 0 && static_cast<std::uint64_t>(f.node_count) != n) {
    reader.fail(text("a tree of %lld nodes has %zu left_children", static_cast<long long>(f.node_count), n));
  }
  same(f.right.size(), "right_children");
  same(f.features.size(), "split_indices");
  same(f.conditions.size(), "split_conditions");
  same(f.default_left.size(), "default_left");
  same(f.parents.size(), "parents", true);
  same(f.split_types.size(), "split_type", true);
  for (std::size_t i = 1; i < f.parents.size(); ++i) {
    if (f.parents[i] < 0 || static_cast<std::size_t>(f.parents[i]) >= n)
      reader.fail("a node has no parent in its tree");
  }
}

void check_categories(const TreeFields& f, const Reader& reader) {
  const std::size_t n = f.category_nodes.size();
  if (f.category_firsts.size() != n || f.category_sizes.size() != n) {
    reader.fail(text("%zu categorical nodes have %zu segments and %zu sizes", n, f.category_firsts.size(),
                     f.category_sizes.size()));
  }
  if (!std::ranges::is_sorted(f.category_nodes, std::ranges::less_equal{}) && n > 1) {
    reader.fail("categorical nodes are not in order");
  }
  std::int64_t used = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t first = f.category_firsts[i], size = f.category_sizes[i];
    const auto held = static_cast<std::int64_t>(f.categories.size());
    used += size;
    if (first < 0 || size <= 0 || first + size > held || used > held) {
      reader.fail("a node's categories lie outside their array");
    }
  }
  for (const std::int32_t category : f.categories) {
    if (category < 0 || category >= kCategoryEnd) reader.fail(text("%d is no category", category));
  }
}

/// The set of categories by which a node splits; empty where the file has none for it, as XGBoost takes it.
std::uint32_t add_categories(const TreeFields& f, std::uint32_t node, Booster::Forest& forest) {
  const auto first = static_cast<std::uint32_t>(forest.categories.size());
  const auto found = std::ranges::lower_bound(f.category_nodes, static_cast<std::int32_t>(node));
  if (found != f.category_nodes.end() && *found == static_cast<std::int32_t>(node)) {
    const auto index = static_cast<std::size_t>(found - f.category_nodes.begin());
    const auto begin = f.categories.begin() + f.category_firsts[index];
    forest.categories.insert(forest.categories.end(), begin, begin + f.category_sizes[index]);
    std::sort(forest.categories.begin() + first, forest.categories.end());
  }
  forest.category_sets.push_back({first, static_cast<std::uint32_t>(forest.categories.size())});
  return static_cast<std::uint32_t>(forest.category_sets.size() - 1);
}

/// Where in the forest a leaf's vector lies. Since 3.2 the leaves' vectors have an array of their own, and a leaf's
/// right child is its place there; before, they lay among the nodes' weights.
std::uint32_t vector_place(const TreeFields& f, std::uint32_t node, std::size_t first, const Reader& reader) {
  const auto size = static_cast<std::size_t>(f.leaf_size);
  const bool own = !f.leaf_weights.empty();
  const std::int64_t place = own ? f.right[node] : static_cast<std::int64_t>(node);
  if (place < 0 || static_cast<std::size_t>(place) >= (own ? f.leaf_weights : f.base_weights).size() / size) {
    reader.fail(text("a leaf's vector of %zu values lies outside its array", size));
  }
  return static_cast<std::uint32_t>(first + static_cast<std::size_t>(place) * size);
}

}  // namespace

void TreeFields::read(Reader& reader) {
  id = node_count = -1;
  leaf_size = 0;
  for (auto* ints : {&left, &right, &parents, &features, &default_left, &split_types, &categories, &category_nodes,
                     &category_firsts, &category_sizes}) {
    ints->clear();
  }
  for (auto* floats : {&conditions, &base_weights, &leaf_weights}) floats->clear();
  std::size_t changes = 0, hessians = 0;
  reader.object([&](std::string_view key) {
    if (key == "left_children") return reader.integers(left);
    if (key == "right_children") return reader.integers(right);
    if (key == "parents") return reader.integers(parents);
    if (key == "split_indices") return reader.integers(features);
    if (key == "split_conditions") return reader.numbers(conditions);
    if (key == "default_left") return reader.integers(default_left);
    if (key == "split_type") return reader.integers(split_types);
    if (key == "categories") return reader.integers(categories);
    if (key == "categories_nodes") return reader.integers(category_nodes);
    if (key == "categories_segments") return reader.integers(category_firsts);
    if (key == "categories_sizes") return reader.integers(category_sizes);
    if (key == "base_weights") return reader.numbers(base_weights);
    if (key == "leaf_weights") return reader.numbers(leaf_weights);
    if (key == "loss_changes") return static_cast<void>(changes = reader.length());
    if (key == "sum_hessian") return static_cast<void>(hessians = reader.length());
    if (key == "id") return static_cast<void>(id = reader.loose_integer());
    if (key != "tree_param") return reader.skip();
    reader.object([&](std::string_view parameter) {
      if (parameter == "num_nodes") {
        node_count = std::max<std::int64_t>(reader.loose_integer(), 0);
      } else if (parameter == "size_leaf_vector") {
        leaf_size = reader.loose_integer();
      } else {
        reader.skip();
      }
    });
  });
  has_statistics = changes != 0 && hessians != 0 && !parents.empty() && !base_weights.empty();
  for (const std::size_t size : {changes, hessians}) {
    if (size != 0 && size != left.size())
      reader.fail(text("a tree of %zu nodes has %zu statistics", left.size(), size));
  }
}

void append_tree(TreeFields& f, const Reader& reader, Booster::Forest& forest, std::size_t& features_needed) {
  check_sizes(f, reader);
  check_categories(f, reader);
  const std::size_t n = f.left.size();
  if (f.leaf_size < 0 ||
      f.leaf_size > static_cast<std::int64_t>(std::max(f.base_weights.size(), f.leaf_weights.size())) + 1) {
    reader.fail(text("leaves of %lld values do not fit in their array", static_cast<long long>(f.leaf_size)));
  }
  const std::size_t first_vector = forest.leaf_vectors.size();
  if (f.leaf_size > 1) {
    const std::vector<float>& from = f.leaf_weights.empty() ? f.base_weights : f.leaf_weights;
    forest.leaf_vectors.insert(forest.leaf_vectors.end(), from.begin(), from.end());
    (f.leaf_weights.empty() || !f.has_statistics ? forest.old_vectors : forest.new_vectors) = true;
  }
  if (std::max(forest.nodes.size() + n, forest.leaf_vectors.size()) > std::numeric_limits<std::int32_t>::max()) {
    reader.fail("it has too many nodes");
  }

  Tree tree;
  tree.first_node = static_cast<std::uint32_t>(forest.nodes.size());
  tree.vector_leaf = f.leaf_size > 1;
  // Level by level from the root: order[i] is the file's number of node i. Nodes that were pruned away are in the
  // arrays but not in the tree, so they are never reached. Each node may be reached once: no circles, no sharing.
  std::vector<std::uint32_t>& order = f.scratch;
  order.assign(1, 0);
  std::vector<bool> reached(n, false);
  reached[0] = true;
  std::size_t level_end = 1;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == level_end) {
      ++tree.depth;
      level_end = order.size();
    }
    const std::uint32_t old = order[i];
    Node node;
    if (f.left[old] == kNone) {
      node.threshold = std::numeric_limits<float>::quiet_NaN();
      node.left = static_cast<std::int32_t>(i) - 1;
      node.extra = tree.vector_leaf ? vector_place(f, old, first_vector, reader)
                                    : std::bit_cast<std::uint32_t>(f.conditions[old]);
    } else {
      for (const std::int32_t child : {f.left[old], f.right[old]}) {
        if (child <= 0 || static_cast<std::size_t>(child) >= n) {
          reader.fail(text("node %u of a tree of %zu has child %d", old, n, child));
        }
        if (reached[static_cast<std::size_t>(child)]) reader.fail(text("node %d of a tree is reached twice", child));
        reached[static_cast<std::size_t>(child)] = true;
      }
      forest.apart = forest.apart || f.right[old] != f.left[old] + 1;
      const std::int32_t feature = f.features[old];
      if (feature < 0 || static_cast<std::uint32_t>(feature) > Node::kFeature) {
        reader.fail(text("a node splits by feature %d", feature));
      }
      features_needed = std::max(features_needed, static_cast<std::size_t>(feature) + 1);
      node.threshold = f.conditions[old];
      node.left = static_cast<std::int32_t>(order.size());
      node.feature = static_cast<std::uint32_t>(feature) | (f.default_left[old] == 1 ? Node::kDefaultLeft : 0);
      if (!f.split_types.empty() && f.split_types[old] == 1) {
        tree.categorical = true;
        node.feature |= Node::kCategorical;
        node.extra = add_categories(f, old, forest);
      }
      order.push_back(static_cast<std::uint32_t>(f.left[old]));
      order.push_back(static_cast<std::uint32_t>(f.right[old]));
    }
    forest.nodes.push_back(node);
  }
  tree.node_count = static_cast<std::uint32_t>(order.size());
  forest.max_depth = std::max<std::size_t>(forest.max_depth, tree.depth);
  forest.trees.push_back(tree);
}

}  // namespace elver::forest
