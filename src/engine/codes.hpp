#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elver/core/rank.hpp"
#include "elver/forest.hpp"
#include "elver/model.hpp"

namespace elver::engine {

/// The rounds of a booster that are run (0: all), and what its outputs begin with.
struct BoosterRounds {
  const Booster* booster = nullptr;
  std::size_t rounds = 0;
  const LinearBase* base = nullptr;  ///< null or empty: the booster's base score
  bool linear() const { return base != nullptr && !base->empty(); }
  std::size_t tree_count() const;
};

/// Whether a feature may be NaN. Where it never is, a feature needs one row whatever its nodes do with NaN.
enum class Missing : std::uint8_t { never, possible };

/// How one row of codes, a byte a pixel, is made of one feature. A node that uses the row goes right where the code is
/// at least the node's own number, 1 to 254.
///
/// A feature with more than 254 thresholds has several rows, each for a run of them. Nodes that send NaN left and
/// nodes that send it right have rows of their own. A set of categories has a row that is 1 where its node goes right.
struct CodeRow {
  std::uint32_t feature = 0;
  std::uint32_t first = 0;    ///< of its thresholds (or categories) in CodeTable
  std::uint32_t count = 0;    ///< of them, without the NaN behind; at most 254 thresholds
  std::uint32_t columns = 0;  ///< first of its RankColumns in CodeTable
  std::uint32_t steps = 0;    ///< how many columns of thresholds it has, one behind the first
  float low = 0, scale = 0;   ///< of core::rank_bucket
  std::uint8_t missing = 0;   ///< the code of NaN: 0 goes left at every node, 255 right
  bool categorical = false;
};

/// A row's thresholds as vector registers look them up. Ascending they are cut into 16 groups of `steps`, with NaN
/// behind the last, so that every comparison fails there; column j holds the j-th of each group. A group's place in a
/// column is its number with its four bits reversed. So column 0 is a search tree of 16 groups, its first 8 places are
/// one of 8 double groups, its first 4 one of 4: registers of 16, 8 and 4 lanes read the same memory. Before column 0
/// stands how many thresholds lie before each group.
///
/// A set of categories is a set of intervals [a, b): with their ends for thresholds, a value is in the set where its
/// rank is odd.
struct alignas(64) RankColumn {
  static constexpr std::size_t kGroups = 16;
  union {
    float threshold[kGroups];
    std::int32_t before[kGroups];
  };
};

/// A bit for each code: whether it goes right.
struct alignas(32) CodeSet : std::array<std::uint8_t, 32> {};

/// What all rows need, as plain arrays that go to a device as they are.
struct CodeTable {
  static constexpr std::uint32_t kMostThresholds = 254;
  std::size_t feature_count = 0;
  Missing missing = Missing::possible;
  std::vector<CodeRow> rows;             ///< ascending by feature
  std::vector<float> thresholds;         ///< of each row ascending, with a NaN behind them
  std::vector<std::uint8_t> starts;      ///< [row][core::kRankBuckets]
  std::vector<RankColumn> columns;       ///< of each row
  std::vector<std::int32_t> categories;  ///< of each categorical row ascending: those that go right
  std::vector<CodeSet> sets;             ///< of nodes that hold sets
};

/// Where a node looks: a row, and the least code of that row that goes right; or which set of codes goes right.
struct NodeCode {
  static constexpr std::uint32_t kNoSet = 0xFFFFFFFF;
  std::uint32_t row = 0;
  std::uint8_t code = 0;
  std::uint32_t set = kNoSet;  ///< in CodeTable::sets
};

/// How nodes that split by categories find their answer: each set has a row of its own, or a feature's categories have
/// one row together, whose codes tell them apart, and a node holds the set. The second is for features of not too many
/// categories; others have rows.
enum class CategoryNodes : std::uint8_t { rows, sets };

/// The table of some boosters' nodes, and each node's place in it, [booster][node of Forest::nodes] (leaves are left
/// out: row 0, code 0). Boosters must be packable.
CodeTable make_codes(std::span<const BoosterRounds> boosters, Missing missing,
                     std::vector<std::vector<NodeCode>>& places, CategoryNodes categories = CategoryNodes::rows);

/// The code of one value, as every back end must have it. `row` counts from 0.
std::uint8_t code_of(const CodeTable& table, std::size_t row, float x);

}  // namespace elver::engine
