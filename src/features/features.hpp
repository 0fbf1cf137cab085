#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "background/edge_fitter.hpp"
#include "elver/features.hpp"
#include "elver/model.hpp"

namespace elver {

/// The constant line that stands for an edge that is not there.
inline constexpr double kAbsentLine = 0.1;

/// An edge's grid resolved against an energy axis, and its feature rule: from counts to features.
class Featuriser {
 public:
  /// Throws Error{mismatch} with the numbers when the axis does not cover the grid, or is much coarser or finer.
  Featuriser(const Edge& edge, const EnergyAxis& axis, const FeatureRule& rule);

  std::size_t count() const { return channel_.size(); }
  /// The channels that the grid's points lie between.
  ChannelRange channels() const { return channels_; }

  /// Features of up to kBlock pixels from their net counts, [channel][kBlock], channels counted from `first_channel`.
  /// Point i of pixel p goes to out[p * stride + i]. False in `usable[p]` where the divisor is not positive and
  /// finite: there the features are those of an absent edge.
  void features(const float* net, std::size_t first_channel, std::size_t count, float* out, std::size_t stride,
                bool* usable) const;
  /// The same by feature: point i of pixel p goes to out[i * kBlock + p]. `absent` says where the edge is absent
  /// anyway, and then (not 0) where its features are those of an absent edge.
  void features_by_point(const float* net, std::size_t first_channel, float* out, std::int32_t (&absent)[kBlock]) const;
  /// What stands for an edge that is not there: the features of the constant line 0.1.
  const std::vector<float>& absent() const { return absent_; }
  /// Each point's left neighbour, and the weight of the right one.
  const std::vector<std::size_t>& left() const { return channel_; }
  const std::vector<float>& weight() const { return weight_; }

 private:
  FeatureRule rule_;
  ChannelRange channels_;
  std::vector<std::size_t> channel_;  ///< left neighbour of each point
  std::vector<float> weight_;         ///< of the right neighbour
  std::vector<float> absent_;
};

}  // namespace elver
