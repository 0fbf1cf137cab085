#pragma once
#include <vector>

#include "background/edge_fitter.hpp"
#include "elver/engine.hpp"
#include "features/features.hpp"

namespace elver::engine {

/// Features and fits of up to kBlock pixels as the stages make them. Kept from block to block, one for each thread.
struct BlockFeatures {
  std::vector<float> features;                          ///< [feature][kBlock]; NaN where the pixel failed
  std::vector<EdgeFit> fits;                            ///< [edge][kBlock]
  std::vector<PixelStatus> status;                      ///< [kBlock]: as in TileFeatures
  std::vector<float> net;                               ///< net counts of one edge
  double background_seconds = 0, features_seconds = 0;  ///< spent so far
};

/// A model's edges resolved against one energy axis: from counts to features, a block of pixels at a time. Made once,
/// read by all threads.
class EdgePipeline {
 public:
  /// Throws Error{mismatch} as Plan does.
  EdgePipeline(const Model& model, const EnergyAxis& axis);

  ChannelRange channels() const { return channels_; }
  /// The channels that are read, ascending: fit windows, signal windows and grids, without what lies between.
  const std::vector<ChannelRange>& windows() const { return windows_; }
  std::size_t feature_count() const { return feature_count_; }
  std::size_t edge_count() const { return edges_.size(); }
  /// Pixels [first, first + count) of the tile, count <= kBlock.
  void extract(const TileView& tile, std::size_t first, std::size_t count, BlockFeatures& out) const;

 private:
  struct EdgePlan {
    EdgeFitter fitter;
    Featuriser featuriser;
    ChannelRange net;  ///< channels that the signal window and the grid read
  };
  std::vector<EdgePlan> edges_;
  ChannelRange channels_;
  std::vector<ChannelRange> windows_;
  std::size_t feature_count_ = 0;
};

}  // namespace elver::engine
