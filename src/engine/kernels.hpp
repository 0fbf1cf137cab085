#pragma once
#include <cstddef>
#include <cstdint>

#include "engine/packed_forest.hpp"

/// The inner loops over trees, compiled for every kind of vector register that the machine may have and chosen when
/// the program runs. All give the same bits.
namespace elver::engine {

/// Codes of a block of pixels: rows [first_row, last_row) of the table to `codes`, [row][kForestBlock], from
/// `features`, [feature][stride], of which kForestBlock values can be read; those beyond the last pixel may be
/// anything.
void rank_rows(const CodeTable& table, std::size_t first_row, std::size_t last_row, const float* features,
               std::size_t stride, std::uint8_t* codes);

/// What sum_trees works in; one for each thread.
struct alignas(64) TreeScratch {
  alignas(64) std::uint64_t masks[(std::size_t{1} << PackedForest::kMostDepth) * TreeGroup::kTrees];
  alignas(64) std::uint64_t turns[PackedForest::kMostDepth][TreeGroup::kTrees];
  alignas(64) std::uint8_t slots[PackedForest::kMostFolded][kForestBlock];
};

/// Leads a block of pixels through a walked tree: from the nodes `at`, by index, to the leaves that they reach.
void walk_tree(const WalkedNode* nodes, const std::uint8_t* codes, std::uint32_t* at);

/// Margins of a block of pixels, [output][kForestBlock], from their codes, [row][kForestBlock], 64-byte aligned. Leaves
/// are added to what `margins` holds, each output's base, in the order of the trees, as XGBoost's CPU predictor does.
void sum_trees(const PackedForest& forest, const std::uint8_t* codes, float* margins, TreeScratch& scratch);

}  // namespace elver::engine
