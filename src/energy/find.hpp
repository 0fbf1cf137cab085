#pragma once
#include <span>
#include <vector>

#include "elver/energy_axis.hpp"
#include "energy/edges.hpp"

namespace elver::energy {

/// A place in the spectrum that looks like the feature.
struct Candidate {
  double channel = 0.0;   ///< of the feature, to a fraction of a channel
  double evidence = 0.0;  ///< ln of the likelihood ratio of a smooth background with the edge to one without
};

/// Places within `reach_ev` of `expected_ev` on `axis` that look like the feature with at least this evidence, the best
/// first; may be empty.
/// An edge is a Gaussian for each white line and a step, or a step with a hump, on a smooth background; each place is
/// judged by how much of the spectrum around it (weighted as Poisson counts) the edge explains that the background
/// does not: n/2 ln(RSS_without / RSS_with), with n the number of 1 eV intervals, so that neither a high dose nor a
/// fine dispersion makes a poor likeness look certain. `spectrum` must be finite.
std::vector<Candidate> find_candidates(const EnergyAxis& axis, std::span<const double> spectrum, const Feature& feature,
                                       double expected_ev, double reach_ev, double least_evidence);

}  // namespace elver::energy
