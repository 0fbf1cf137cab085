#include "engine/codes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "forest/forest.hpp"

namespace elver::engine {
namespace {

using forest::Node;

using Categories = std::vector<std::int32_t>;

/// What a row, or a run of rows, is for.
struct RowKey {
  std::uint32_t feature = 0;
  bool missing_left = false;
  const Categories* categories = nullptr;  ///< null: thresholds
};

/// A node in 16 bytes, so that hundreds of thousands are sorted in milliseconds: what it asks, and where it stands.
struct Use {
  std::uint64_t key = 0;  ///< [feature: 30 bits][categorical][missing_left][threshold, or number of the set: 32 bits]
  std::uint32_t booster = 0, node = 0;
  std::uint32_t row() const { return static_cast<std::uint32_t>(key >> 32); }
  bool categorical() const { return (key >> 33 & 1) != 0; }
  float threshold() const {
    const auto bits = static_cast<std::uint32_t>(key);
    return std::bit_cast<float>((bits & kSign) != 0 ? bits ^ kSign : ~bits);
  }
  static constexpr std::uint32_t kSign = 0x80000000U;
  /// Ascends as the numbers do.
  static std::uint32_t ordered(float threshold) {
    const auto bits = std::bit_cast<std::uint32_t>(threshold);
    return (bits & kSign) != 0 ? ~bits : bits ^ kSign;
  }
};

struct Uses {
  std::vector<Use> nodes;        ///< ascending by key
  std::vector<Categories> sets;  ///< distinct, ascending: those that categorical nodes ask
};

bool is_leaf(const forest::Tree& tree, const Booster::Forest& forest, std::uint32_t i) {
  return forest.nodes[tree.first_node + i].left == static_cast<std::int32_t>(i) - 1;
}

/// Every inner node of the trees that are run.
Uses uses_of(std::span<const BoosterRounds> boosters, Missing missing) {
  Uses uses;
  std::map<Categories, std::vector<std::size_t>> categorical;  // the nodes that ask each set
  for (std::size_t b = 0; b < boosters.size(); ++b) {
    const Booster::Forest& forest = boosters[b].booster->forest();
    for (std::size_t t = 0; t < boosters[b].tree_count(); ++t) {
      const forest::Tree& tree = forest.trees[t];
      for (std::uint32_t i = 0; i < tree.node_count; ++i) {
        if (is_leaf(tree, forest, i)) continue;
        const Node& node = forest.nodes[tree.first_node + i];
        const bool missing_left = missing == Missing::possible && (node.feature & Node::kDefaultLeft) != 0;
        const bool in_set = (node.feature & Node::kCategorical) != 0;
        const std::uint32_t row = node.index() << 2 | (in_set ? 2U : 0U) | (missing_left ? 1U : 0U);
        if (in_set) {
          const forest::CategorySet set = forest.category_sets[node.extra];
          categorical[Categories(forest.categories.begin() + set.first, forest.categories.begin() + set.last)]
              .push_back(uses.nodes.size());
        }
        uses.nodes.push_back({std::uint64_t{row} << 32 | (in_set ? 0 : Use::ordered(node.threshold)),
                              static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(tree.first_node + i)});
      }
    }
  }
  for (const auto& [set, nodes] : categorical) {
    for (const std::size_t node : nodes) uses.nodes[node].key |= uses.sets.size();
    uses.sets.push_back(set);
  }
  std::ranges::sort(uses.nodes, {}, &Use::key);
  return uses;
}

CodeRow& add_row(CodeTable& table, const RowKey& key) {
  CodeRow row;
  row.feature = key.feature;
  row.missing = key.missing_left ? 0 : 255;
  row.categorical = key.categories != nullptr;
  table.starts.resize(table.starts.size() + core::kRankBuckets, 0);
  table.rows.push_back(row);
  return table.rows.back();
}

/// The columns of a row of ascending thresholds.
void add_columns(CodeTable& table, CodeRow& row, std::span<const float> ends) {
  constexpr std::size_t kGroups = RankColumn::kGroups;
  row.columns = static_cast<std::uint32_t>(table.columns.size());
  row.steps = static_cast<std::uint32_t>((ends.size() + kGroups - 1) / kGroups);
  table.columns.resize(row.columns + 1 + row.steps);
  RankColumn* const column = table.columns.data() + row.columns;
  for (std::size_t place = 0; place < kGroups; ++place) {
    const std::size_t group = (place & 1) << 3 | (place & 2) << 1 | (place & 4) >> 1 | (place & 8) >> 3;
    column[0].before[place] = static_cast<std::int32_t>(group * row.steps);
    for (std::size_t step = 0; step < row.steps; ++step) {
      const std::size_t i = group * row.steps + step;
      column[1 + step].threshold[place] = i < ends.size() ? ends[i] : std::numeric_limits<float>::quiet_NaN();
    }
  }
}

/// Where the intervals of a set of ascending categories begin and end: all below 2^24, so single precision is exact.
std::vector<float> ends_of(const Categories& categories) {
  std::vector<float> ends;
  for (const std::int32_t category : categories) {
    const auto begin = static_cast<float>(category);
    if (ends.empty() || ends.back() < begin) ends.insert(ends.end(), 2, begin);
    ends.back() = begin + 1.0f;
  }
  return ends;
}

/// A row for up to 254 ascending thresholds.
void add_thresholds(CodeTable& table, const RowKey& key, std::span<const float> thresholds) {
  CodeRow& row = add_row(table, key);
  row.first = static_cast<std::uint32_t>(table.thresholds.size());
  row.count = static_cast<std::uint32_t>(thresholds.size());
  table.thresholds.insert(table.thresholds.end(), thresholds.begin(), thresholds.end());
  table.thresholds.push_back(std::numeric_limits<float>::quiet_NaN());
  // Finite and above 0 whatever the thresholds, so that no infinite value becomes NaN on its way to a bucket.
  constexpr float kLargest = std::numeric_limits<float>::max(), kSpan = core::kRankBuckets - 1;
  row.low = std::clamp(thresholds.front(), -kLargest, kLargest);
  const float half_span = std::min(thresholds.back(), kLargest) / 2 - row.low / 2;
  row.scale = half_span > 0 ? std::min(kSpan / 2 / half_span, kLargest) : 1.0f;

  std::uint8_t* const starts = table.starts.data() + table.starts.size() - core::kRankBuckets;
  std::uint32_t before = 0;
  for (std::uint32_t b = 0; b < core::kRankBuckets; ++b) {
    while (before < row.count && core::rank_bucket(thresholds[before], row.low, row.scale) < b) ++before;
    starts[b] = static_cast<std::uint8_t>(before);
  }
  add_columns(table, row, thresholds);
}

/// One row for all categories of a feature, and one for each set that nodes ask for; false where the first would need
/// too many thresholds. NaN has the last code.
bool add_sets(CodeTable& table, const Uses& uses, std::span<const Use> nodes,
              std::vector<std::vector<NodeCode>>& places) {
  std::vector<float> ends;  // each category has a rank of its own between them
  std::uint32_t last = ~std::uint32_t{0};
  for (const Use& use : nodes) {
    const auto set = static_cast<std::uint32_t>(use.key);
    if (set == last) continue;
    last = set;
    for (const std::int32_t category : uses.sets[set]) {
      ends.push_back(static_cast<float>(category));
      ends.push_back(static_cast<float>(category) + 1.0f);
    }
    if (ends.size() < 4 * CodeTable::kMostThresholds) continue;
    std::ranges::sort(ends);
    ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
    if (ends.size() > CodeTable::kMostThresholds) return false;
  }
  std::ranges::sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  if (ends.empty() || ends.size() > CodeTable::kMostThresholds) return false;
  const RowKey key{nodes.front().row() >> 2};
  add_thresholds(table, key, ends);
  const auto source = static_cast<std::uint32_t>(table.rows.size() - 1);
  std::uint64_t made = ~std::uint64_t{0};
  for (const Use& use : nodes) {
    if (use.key != made) {
      made = use.key;
      CodeRow& row = add_row(table, key);
      row.of_codes = true;
      row.first = static_cast<std::uint32_t>(table.sets.size());
      row.source = source;
      CodeSet& set = table.sets.emplace_back();
      for (const std::int32_t category : uses.sets[static_cast<std::uint32_t>(use.key)]) {
        set.add(static_cast<std::size_t>(std::ranges::upper_bound(ends, static_cast<float>(category)) - ends.begin()));
      }
      if ((use.row() & 1) == 0) set.add(255);
    }
    places[use.booster][use.node] = {static_cast<std::uint32_t>(table.rows.size() - 1), 1};
  }
  return true;
}

}  // namespace

std::size_t BoosterRounds::tree_count() const {
  const Booster::Forest& forest = booster->forest();
  return rounds == 0 ? forest.trees.size() : forest.rounds[rounds];
}

CodeTable make_codes(std::span<const BoosterRounds> boosters, Missing missing,
                     std::vector<std::vector<NodeCode>>& places, CategoryRows categories) {
  CodeTable table;
  table.missing = missing;
  places.assign(boosters.size(), {});
  for (std::size_t b = 0; b < boosters.size(); ++b) {
    places[b].resize(boosters[b].booster->forest().nodes.size());
    table.feature_count = std::max(table.feature_count, boosters[b].booster->feature_count());
  }
  const Uses uses = uses_of(boosters, missing);
  for (auto first = uses.nodes.begin(); first != uses.nodes.end();) {
    const bool in_set = first->categorical();
    if (in_set && categories == CategoryRows::of_codes) {
      const auto end =
          std::find_if(first, uses.nodes.end(), [&](const Use& use) { return use.row() >> 1 != first->row() >> 1; });
      if (add_sets(table, uses, {first, end}, places)) {
        first = end;
        continue;
      }
    }
    const std::uint64_t same = in_set ? 0 : 32;  // bits that nodes of one row may differ in
    const auto last =
        std::find_if(first, uses.nodes.end(), [&](const Use& use) { return use.key >> same != first->key >> same; });
    RowKey key{first->row() >> 2, (first->row() & 1) != 0};
    if (in_set) {
      key.categories = &uses.sets[static_cast<std::uint32_t>(first->key)];
      CodeRow& row = add_row(table, key);
      row.first = static_cast<std::uint32_t>(table.categories.size());
      row.count = static_cast<std::uint32_t>(key.categories->size());
      add_columns(table, row, ends_of(*key.categories));
      table.categories.insert(table.categories.end(), key.categories->begin(), key.categories->end());
      for (auto use = first; use != last; ++use) {
        places[use->booster][use->node] = {static_cast<std::uint32_t>(table.rows.size() - 1), 1};
      }
      first = last;
      continue;
    }
    std::vector<float> thresholds;
    for (auto use = first; use != last; ++use) {
      const float threshold = use->threshold();
      if (thresholds.empty() || thresholds.back() != threshold) {
        if (thresholds.size() == CodeTable::kMostThresholds) {
          add_thresholds(table, key, thresholds);
          thresholds.clear();
        }
        thresholds.push_back(threshold);
      }
      // The row that these thresholds will be.
      places[use->booster][use->node] = {static_cast<std::uint32_t>(table.rows.size()),
                                         static_cast<std::uint8_t>(thresholds.size())};
    }
    add_thresholds(table, key, thresholds);
    first = last;
  }
  return table;
}

std::uint8_t code_of(const CodeTable& table, std::size_t row, float x) {
  const CodeRow& r = table.rows[row];
  if (r.of_codes) return table.sets[r.first].contains(code_of(table, r.source, x)) ? 1 : 0;
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
