#pragma once
#include <array>
#include <string>
#include <vector>

#include "elver/energy.hpp"
#include "energy/coarse.hpp"

namespace elver::energy {

/// How well a spectrum fits an edge at one place.
struct Likeness {
  double evidence = 0.0;   ///< ln of the likelihood ratio of a smooth background with the edge to one without
  double energy_ev = 0.0;  ///< of the edge's anchor, on the axis of the spectrum
  double error_ev = 0.0;   ///< its standard error, noise and misfit together; of best() only
};

/// A model's reference edge as it is looked for in a spectrum: its shape above its own beginning, in several
/// resolutions. An edge has one place, its anchor: the energy of the reference's highest value.
class EdgeShape {
 public:
  /// `reference` as validated with its model: energies rise, values are finite. Throws Error{mismatch} where it has no
  /// rise that could be looked for.
  explicit EdgeShape(const ReferenceSpectrum& reference);

  const std::string& edge() const { return edge_; }
  double anchor_ev() const { return anchor_; }
  /// The edge and the background before it, on the reference's energies: what a spectrum must hold to be judged.
  EnergyWindow surroundings() const { return surroundings_; }

  /// With the anchor at `place_ev` of the spectrum's axis, which `gain` stretches about it to the reference's: n/2
  /// ln(RSS_without / RSS_with), n the number of intervals, the mean likelihood of the resolutions. 0 where the axis
  /// does not hold the surroundings, or where the edge does not explain half of what is more than noise.
  double evidence(const Coarse& spectrum, double gain, double place_ev) const;
  /// The most likely place in [from_ev, to_ev], to a hundredth of an interval. No evidence: none.
  Likeness best(const Coarse& spectrum, double gain, double from_ev, double to_ev) const;

 private:
  static constexpr std::size_t kWidths = 3;
  std::string edge_;
  double anchor_ = 0.0;
  EnergyWindow surroundings_;
  EnergyAxis axis_;  ///< of shapes_
  std::array<std::vector<double>, kWidths> shapes_;
};

}  // namespace elver::energy
