#pragma once
#include <cstddef>
#include <cstdint>

#include "elver/core/host_device.hpp"
#include "elver/core/rank.hpp"
#include "elver/core/tree_walk.hpp"
#include "engine/codes.hpp"
#include "engine/device_edges.hpp"

/// What kernels are given: addresses in device memory, by value.
namespace elver::cuda {

/// An engine::CodeTable in device memory.
struct CodeTableView {
  const engine::CodeRow* rows;
  const float* thresholds;
  const std::uint8_t* starts;
  const std::int32_t* categories;
  std::uint32_t row_count;
};

/// The code of one value: engine::code_of on the device.
ELVER_HD inline std::uint8_t code_of(const CodeTableView& table, std::uint32_t row, float x) {
  const engine::CodeRow& r = table.rows[row];
  if (x != x) return r.missing;
  if (!r.categorical) {
    return static_cast<std::uint8_t>(core::rank(x, table.thresholds + r.first, r.low, r.scale,
                                                table.starts + std::size_t{row} * core::kRankBuckets));
  }
  if (x < 0.0f || x >= 16777216.0f) return 0;
  const std::int32_t category = static_cast<std::int32_t>(x);
  for (std::uint32_t i = r.first; i < r.first + r.count; ++i) {
    if (table.categories[i] == category) return 1;
  }
  return 0;
}

/// An engine::DeviceForest in device memory.
struct ForestView {
  const float* base;
  const std::uint8_t* linear;  ///< [output]: 1 where margins hold what its trees add to
  const std::uint32_t* words;
  const core::TreeNode* nodes;
  const std::uint32_t* roots;
  const core::TreeRun* runs;
  const std::uint32_t* lists;
  std::uint32_t list_count, most_depth, code_rows;
};

/// The linear bases of some outputs: their number among all, intercepts (by output) and weights, [linear output][feature].
struct LinearView {
  const std::uint32_t* outputs;
  const float *intercept, *weights;
  std::uint32_t count, feature_count;
};

/// An engine::DeviceEdges in device memory.
struct EdgesView {
  const engine::DeviceEdge* edges;
  const float *x, *series;
  const engine::DevicePoint* points;
  FeatureRule rule;
  std::uint32_t edge_count;
  std::uint32_t kept;  ///< numbers that a pixel keeps in shared memory
};

/// Counts of a tile as they came, [row][stride], and the pixels of it that are computed: those of `pixel_of_row`, or,
/// where that is null, the first `rows`.
struct CountsView {
  const void* values;
  NumberType type;
  std::size_t stride;
  const std::uint32_t* pixel_of_row;
  std::size_t rows;
};
/// u8, u16, i16, u32, i32, f32 and f64 go to a device as they are; others as f32.
constexpr bool native_on_device(NumberType type) {
  return type != NumberType::i8 && type != NumberType::u64 && type != NumberType::i64 && type != NumberType::boolean;
}

/// What run_edges writes, [edge][stride].
struct EdgeResults {
  PixelStatus* status;
  float *A, *r, *snr;
  EdgeFit* fits;       ///< null: not asked for
  float* features;     ///< [feature][stride]; null: not asked for
  std::uint8_t* codes; ///< in tiles
  float* linear;       ///< an edge's part of linear bases, [linear output][edge][stride]
  std::size_t stride;
};

/// Which rows of the codes the forest is run on: those of `valid`, as many as `count` says, which lie on the device; where
/// that is null, the first `most`.
struct RowsView {
  const std::uint32_t* valid;
  const std::uint32_t* count;
  std::size_t most;
};

/// Tiles of core::kTileRows rows of codes, [tile][code row][row].
constexpr std::size_t tiles_of(std::size_t rows) { return (rows + core::kTileRows - 1) / core::kTileRows; }

}  // namespace elver::cuda
