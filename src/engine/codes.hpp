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
/// nodes that send it right have rows of their own. A set of categories has a row that is 1 where its node goes right:
/// found among the feature's values, or among the codes of a row that tells all the feature's categories apart.
struct CodeRow {
  std::uint32_t feature = 0;
  std::uint32_t first = 0;    ///< of its thresholds (or categories, or its set) in CodeTable
  std::uint32_t count = 0;    ///< of them, without the NaN behind; at most 254 thresholds
  std::uint32_t columns = 0;  ///< first of its RankColumns in CodeTable
  std::uint32_t steps = 0;    ///< how many columns of thresholds it has, one behind the first
  float low = 0, scale = 0;   ///< of core::rank_bucket
  std::uint8_t missing = 0;   ///< the code of NaN: 0 goes left at every node, 255 right
  bool categorical = false;
  bool of_codes = false;  ///< 1 where the code in row `source`, which stands before it, is in its set
  std::uint32_t source = 0;
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

/// A bit for each code: whether it is in the set.
struct alignas(32) CodeSet : std::array<std::uint8_t, 32> {
  void add(std::size_t code) { (*this)[code / 8] |= static_cast<std::uint8_t>(1U << code % 8); }
  bool contains(std::size_t code) const { return ((*this)[code / 8] >> code % 8 & 1) != 0; }
};

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
  std::vector<CodeSet> sets;             ///< of rows that look at codes
};

/// Where a node looks: a row, and the least code of that row that goes right.
struct NodeCode {
  std::uint32_t row = 0;
  std::uint8_t code = 0;
};

/// How the row of a set of categories is made: each from the feature's values, or all from one row of codes, which is
/// faster where the feature has not too many categories.
enum class CategoryRows : std::uint8_t { of_values, of_codes };

/// The table of some boosters' nodes, and each node's place in it, [booster][node of Forest::nodes] (leaves are left
/// out: row 0, code 0). Boosters must be packable.
CodeTable make_codes(std::span<const BoosterRounds> boosters, Missing missing,
                     std::vector<std::vector<NodeCode>>& places, CategoryRows categories = CategoryRows::of_values);

/// The code of one value, as every back end must have it. `row` counts from 0.
std::uint8_t code_of(const CodeTable& table, std::size_t row, float x);

}  // namespace elver::engine
