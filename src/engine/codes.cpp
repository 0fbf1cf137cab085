#include "engine/codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "forest/forest.hpp"

namespace elver::engine {
namespace {

using forest::Node;

/// What a row, or a run of rows, is for: ascending by feature.
struct RowKey {
  std::uint32_t feature = 0;
  bool missing_left = false;
  std::vector<std::int32_t> categories = {};  ///< empty: thresholds
  bool categorical = false;
  bool operator<(const RowKey& o) const {
    return std::tie(feature, categorical, missing_left, categories) <
           std::tie(o.feature, o.categorical, o.missing_left, o.categories);
  }
};

struct Use {
  RowKey key;
  float threshold = 0;
  std::size_t booster = 0, node = 0;
};

bool is_leaf(const forest::Tree& tree, const Booster::Forest& forest, std::uint32_t i) {
  return forest.nodes[tree.first_node + i].left == static_cast<std::int32_t>(i) - 1;
}

/// Every inner node of the trees that are run.
std::vector<Use> uses_of(std::span<const BoosterRounds> boosters, Missing missing) {
  std::vector<Use> uses;
  for (std::size_t b = 0; b < boosters.size(); ++b) {
    const Booster::Forest& forest = boosters[b].booster->forest();
    for (std::size_t t = 0; t < boosters[b].tree_count(); ++t) {
      const forest::Tree& tree = forest.trees[t];
      for (std::uint32_t i = 0; i < tree.node_count; ++i) {
        if (is_leaf(tree, forest, i)) continue;
        const Node& node = forest.nodes[tree.first_node + i];
        Use use{{node.index(), missing == Missing::possible && (node.feature & Node::kDefaultLeft) != 0},
                node.threshold,
                b,
                tree.first_node + i};
        if ((node.feature & Node::kCategorical) != 0) {
          const forest::CategorySet set = forest.category_sets[node.extra];
          use.key.categorical = true;
          use.key.categories.assign(forest.categories.begin() + set.first, forest.categories.begin() + set.last);
        }
        uses.push_back(std::move(use));
      }
    }
  }
  return uses;
}

CodeRow& add_row(CodeTable& table, const RowKey& key) {
  CodeRow row;
  row.feature = key.feature;
  row.missing = key.missing_left ? 0 : 255;
  row.categorical = key.categorical;
  row.keys = static_cast<std::uint32_t>(table.keys.size());
  table.starts.resize(table.starts.size() + core::kRankBuckets, 0);
  table.rows.push_back(row);
  return table.rows.back();
}

/// A row for up to 254 ascending thresholds.
void add_thresholds(CodeTable& table, const RowKey& key, std::span<const float> thresholds) {
  CodeRow& row = add_row(table, key);
  row.first = static_cast<std::uint32_t>(table.thresholds.size());
  row.count = static_cast<std::uint32_t>(thresholds.size());
  table.thresholds.insert(table.thresholds.end(), thresholds.begin(), thresholds.end());
  table.thresholds.push_back(std::numeric_limits<float>::quiet_NaN());
  // Finite and above 0 whatever the thresholds, so that no infinite value becomes NaN on its way to a bucket.
  static constexpr float kLargest = std::numeric_limits<float>::max();
  row.low = std::clamp(thresholds.front(), -kLargest, kLargest);
  const float half_span = std::min(thresholds.back(), kLargest) / 2 - row.low / 2;
  const auto scale_to = [half_span](float buckets) {
    return half_span > 0 ? std::min(buckets / 2 / half_span, kLargest) : 1.0f;
  };
  row.scale = scale_to(static_cast<float>(core::kRankBuckets - 1));
  row.key_scale = scale_to(65530.0f);

  std::uint8_t* const starts = table.starts.data() + table.starts.size() - core::kRankBuckets;
  std::uint32_t before = 0;
  for (std::uint32_t b = 0; b < core::kRankBuckets; ++b) {
    while (before < row.count && core::rank_bucket(thresholds[before], row.low, row.scale) < b) ++before;
    starts[b] = static_cast<std::uint8_t>(before);
  }
  row.keys_differ = true;
  for (const float t : thresholds) {
    const std::uint16_t k = rank_key(t, row.low, row.key_scale);
    if (table.keys.size() > row.keys && table.keys.back() == k) row.keys_differ = false;
    table.keys.push_back(k);
  }
  table.keys.resize(row.keys + (thresholds.size() + 64) / 64 * 64, CodeTable::kNoKey);
}

}  // namespace

std::size_t BoosterRounds::tree_count() const {
  const Booster::Forest& forest = booster->forest();
  return rounds == 0 ? forest.trees.size() : forest.rounds[rounds];
}

CodeTable make_codes(std::span<const BoosterRounds> boosters, Missing missing,
                     std::vector<std::vector<NodeCode>>& places) {
  CodeTable table;
  table.missing = missing;
  places.assign(boosters.size(), {});
  for (std::size_t b = 0; b < boosters.size(); ++b) {
    places[b].resize(boosters[b].booster->forest().nodes.size());
    table.feature_count = std::max(table.feature_count, boosters[b].booster->feature_count());
  }
  std::vector<Use> uses = uses_of(boosters, missing);
  std::ranges::sort(uses, [](const Use& a, const Use& b) {
    if (a.key < b.key || b.key < a.key) return a.key < b.key;
    return a.threshold < b.threshold;
  });
  for (auto first = uses.begin(); first != uses.end();) {
    const auto last = std::find_if(first, uses.end(), [&](const Use& u) { return first->key < u.key; });
    if (first->key.categorical) {
      CodeRow& row = add_row(table, first->key);
      row.first = static_cast<std::uint32_t>(table.categories.size());
      row.count = static_cast<std::uint32_t>(first->key.categories.size());
      table.categories.insert(table.categories.end(), first->key.categories.begin(), first->key.categories.end());
      for (auto use = first; use != last; ++use) {
        places[use->booster][use->node] = {static_cast<std::uint32_t>(table.rows.size() - 1), 1};
      }
      first = last;
      continue;
    }
    std::vector<float> thresholds;
    for (auto use = first; use != last; ++use) {
      if (thresholds.empty() || thresholds.back() != use->threshold) {
        if (thresholds.size() == CodeTable::kMostThresholds) {
          add_thresholds(table, first->key, thresholds);
          thresholds.clear();
        }
        thresholds.push_back(use->threshold);
      }
      // The row that these thresholds will be.
      places[use->booster][use->node] = {static_cast<std::uint32_t>(table.rows.size()),
                                         static_cast<std::uint8_t>(thresholds.size())};
    }
    add_thresholds(table, first->key, thresholds);
    first = last;
  }
  return table;
}

std::uint8_t code_of(const CodeTable& table, std::size_t row, float x) {
  const CodeRow& r = table.rows[row];
  if (std::isnan(x)) return r.missing;
  if (!r.categorical) {
    return static_cast<std::uint8_t>(core::rank(x, table.thresholds.data() + r.first, r.low, r.scale,
                                                table.starts.data() + row * core::kRankBuckets));
  }
  if (x < 0.0f || x >= 16777216.0f) return 0;  // no category at all goes left, as in a one-hot encoding
  const auto begin = table.categories.begin() + r.first;
  return std::binary_search(begin, begin + r.count, static_cast<std::int32_t>(x)) ? 1 : 0;
}

}  // namespace elver::engine
