#pragma once
#include <cstdint>
#include <vector>

#include "elver/core/edge_fit.hpp"
#include "elver/features.hpp"
#include "elver/model.hpp"
#include "engine/codes.hpp"

namespace elver::engine {

/// A point of a grid, made when channel `at` of the net counts is reached: between it and the one before, or (weight 0)
/// that channel itself.
struct DevicePoint {
  std::uint32_t at = 0;  ///< counted from the edge's first net channel
  float weight = 0;      ///< of channel `at` against the one before
  float absent = 0;      ///< the feature where the edge is absent
  std::uint32_t first_row = 0, last_row = 0;  ///< code rows that are made of the feature
};

/// An edge as every lane of a kernel reads it. Rows are those of a tile of counts, which holds only what the plan needs.
struct DeviceEdge {
  std::uint32_t fit_row = 0, fit_count = 0;     ///< the fit window
  std::uint32_t net_row = 0, net_count = 0;     ///< what the signal window and the grid read
  std::uint32_t signal_first = 0, signal_last = 0;  ///< the signal window, counted from net_row
  std::uint32_t fit_x = 0, net_x = 0;           ///< first of their x in DeviceEdges::x
  std::uint32_t series = 0, series_count = 0;   ///< first in DeviceEdges::series, and coefficients of each of the four
  std::uint32_t point = 0, point_count = 0;     ///< first in DeviceEdges::points
  std::uint32_t feature = 0;                    ///< number of the first point's feature
  float q_centre = 0, q_half_inverse = 0, log2_e0 = 0, phi = 0;
  core::FitLimits limits;
};

/// Edges resolved against an energy axis, in plain arrays that go to a device as they are.
struct DeviceEdges {
  std::vector<DeviceEdge> edges;
  std::vector<float> x, series;
  std::vector<DevicePoint> points;
  FeatureRule rule;
  std::vector<ChannelRange> windows;  ///< channels of the image that a tile holds, ascending; its rows are theirs
  std::size_t rows = 0;               ///< of a tile: channels of all windows
  std::size_t feature_count = 0;
  std::size_t most_points = 0, most_fit = 0;  ///< of an edge
};

/// Why a model's edges cannot be computed on a device, or "" where they can.
std::string why_not_on_device(const Model& model);

/// Throws Error{mismatch} as Plan does.
DeviceEdges pack_device_edges(const Model& model, const EnergyAxis& axis, const CodeTable& codes);

}  // namespace elver::engine
