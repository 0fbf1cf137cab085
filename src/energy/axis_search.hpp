#pragma once
#include <vector>

#include "elver/energy_axis.hpp"
#include "energy/coarse.hpp"
#include "energy/edge_shape.hpp"

namespace elver::energy {

/// Two energy axes are two when they part by more than this at an edge.
inline constexpr double kDistinctEv = 3.0;
/// Standard deviation of an edge's place about that of a mean reference: specimens differ in their chemistry.
inline constexpr double kChemistryEv = 0.4;

/// The axis on which the edges explain the most of a spectrum, and the best that is truly another.
struct AxisSearch {
  EnergyAxis best, second;
  double score = 0.0, second_score = 0.0;  ///< sums of the edges' evidence; 0 where nothing speaks for an axis
};

/// Tries every axis that is wrong as files are: by up to 26 eV at its first channel, or as a whole, and up to 7 % in
/// gain. An edge may lie a little beside its place, at a price. `shapes`: at least two, in the order of their anchors;
/// `spectrum`: on the axis as it is, `axis`.
AxisSearch search_axis(const EnergyAxis& axis, const Coarse& spectrum, const std::vector<EdgeShape>& shapes);

}  // namespace elver::energy
