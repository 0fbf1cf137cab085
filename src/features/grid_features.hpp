#pragma once
#include <cstddef>

#include "background/edge_block.hpp"
#include "elver/features.hpp"

namespace elver {

/// The points of a grid among channels.
struct GridView {
  const std::size_t* channel = nullptr;  ///< left neighbour of each point
  const float* weight = nullptr;         ///< of the right neighbour
  std::size_t count = 0;
  std::size_t first_channel = 0;  ///< where the net counts begin
};

/// Features of kBlock pixels, [point][kBlock], from net counts, [channel][kBlock], by the rule, and what they were
/// divided by. Where that is 0 or no number, so are they. Compiled for every kind of vector register.
void grid_features(const GridView& grid, const FeatureRule& rule, const float* net, float* out, Lane& divisor);

}  // namespace elver
