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

/// Sums over the points of kBlock pixels by the rule, [point][kBlock], from net counts, [channel][kBlock], and what
/// they are to be divided by.
void sum_grid(const GridView& grid, const FeatureRule& rule, const float* net, float* out, Lane& divisor);
/// Divides the sums; of pixels where `absent` is not 0 they become `line`.
void divide_grid(std::size_t points, const Lane& divisor, const std::int32_t (&absent)[kBlock], const float* line,
                 float* out);
/// `value` at all points of the pixels where `where` is not 0.
void overwrite(std::size_t points, const std::int32_t (&where)[kBlock], float value, float* out);
// All are compiled for every kind of vector register.

}  // namespace elver
