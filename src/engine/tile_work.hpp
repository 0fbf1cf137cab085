#pragma once
#include <span>
#include <vector>

#include "engine/edge_pipeline.hpp"
#include "engine/forest_runner.hpp"

namespace elver::engine {

/// What became of a tile's pixels.
struct TileOutcome {
  std::vector<PixelStatus> status;   ///< [pixel]
  std::vector<EdgeFit> fits;         ///< [edge][pixel]
  std::vector<std::uint32_t> valid;  ///< which pixels have margins, in the order of their margins
  std::vector<float> margins;        ///< [output][pixels of the tile]: as many of each as there are valid pixels
};

/// From counts to margins, block by block: everything that a thread does with a tile. Keeps its memory between tiles;
/// one for each thread.
class TileWork {
 public:
  explicit TileWork(const ForestRunner& forest);

  /// Begins a tile: all of its pixels are masked until they are added.
  void begin(std::size_t pixels, std::size_t edge_count);
  /// Computes some pixels of the tile by a plan. Pixels that fail go no further than their fit.
  void add(const EdgePipeline& edges, const TileView& tile, std::span<const std::uint32_t> pixels);
  /// Ends the tile. Valid until the next begins.
  const TileOutcome& finish();

  double background_seconds() const { return block_.background_seconds; }
  double features_seconds() const { return block_.features_seconds; }
  double rank_seconds() const { return forest_work_.rank_seconds; }
  double trees_seconds() const { return forest_work_.trees_seconds; }

 private:
  void hand_on(std::size_t count, std::span<const std::uint32_t> pixels);
  void run_forest(const std::vector<float>& features, std::size_t count);

  const ForestRunner& forest_;
  ForestRunner::Workspace forest_work_;
  BlockFeatures block_;
  std::vector<float> gathered_;  ///< counts of the pixels added, where they are not the whole tile
  std::vector<float> waiting_;   ///< features of valid pixels that do not yet fill a block, [feature][ForestRunner::block]
  std::size_t waiting_count_ = 0, done_ = 0;
  TileOutcome outcome_;
};

}  // namespace elver::engine
