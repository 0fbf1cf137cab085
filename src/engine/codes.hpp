#pragma once
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
  std::uint32_t first = 0;   ///< of its thresholds (or categories) in CodeTable
  std::uint32_t count = 0;   ///< of them, without the NaN behind; at most 254 thresholds
  std::uint32_t keys = 0;    ///< first of its keys in CodeTable, 64 for each begun 64 thresholds
  float low = 0, scale = 0;  ///< of core::rank_bucket
  float key_scale = 0;       ///< of rank_key
  std::uint8_t missing = 0;  ///< the code of NaN: 0 goes left at every node, 255 right
  bool categorical = false;
  bool keys_differ = false;  ///< no two thresholds share a key
};

/// What all rows need, as plain arrays that go to a device as they are.
struct CodeTable {
  static constexpr std::uint32_t kMostThresholds = 254;
  static constexpr std::uint16_t kNoKey = 0xFFFF;  ///< behind the last key
  std::size_t feature_count = 0;
  Missing missing = Missing::possible;
  std::vector<CodeRow> rows;             ///< ascending by feature
  std::vector<float> thresholds;         ///< of each row ascending, with a NaN behind them
  std::vector<std::uint8_t> starts;      ///< [row][core::kRankBuckets]
  std::vector<std::uint16_t> keys;       ///< of each row: its thresholds' keys, filled up with kNoKey
  std::vector<std::int32_t> categories;  ///< of each categorical row ascending: those that go right
};

/// A threshold or value in 16 bits: 1 at `low`, less below it; never falls when x grows. At most 65534.
inline std::uint16_t rank_key(float x, float low, float scale) {
  float place = (x - low) * scale + 1.0f;
  place = place > 0.0f ? place : 0.0f;
  place = place < 65534.0f ? place : 65534.0f;
  return static_cast<std::uint16_t>(place);
}

/// Where a node looks: a row, and the least code of that row that goes right.
struct NodeCode {
  std::uint32_t row = 0;
  std::uint8_t code = 0;
};

/// The table of some boosters' nodes, and each node's place in it, [booster][node of Forest::nodes] (leaves are left
/// out: row 0, code 0). Boosters must be packable.
CodeTable make_codes(std::span<const BoosterRounds> boosters, Missing missing,
                     std::vector<std::vector<NodeCode>>& places);

/// The code of one value, as every back end must have it. `row` counts from 0.
std::uint8_t code_of(const CodeTable& table, std::size_t row, float x);

}  // namespace elver::engine
