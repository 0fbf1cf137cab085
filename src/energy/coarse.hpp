#pragma once
#include <span>
#include <vector>

#include "elver/energy_axis.hpp"

namespace elver::energy {

/// The spectrum in intervals of about 1 eV, or of one channel where these are wider.
struct Coarse {
  EnergyAxis axis;
  std::vector<double> counts, weight;  ///< weight: 1/sqrt(counts), smoothed
  double noise = 0.0;                  ///< variance of counts * weight, from the channels' third differences
};
/// `spectrum`: finite, at least 16 channels.
Coarse coarsen(const EnergyAxis& axis, std::span<const double> spectrum);

/// Throws Error{mismatch} for an axis that cannot be calibrated, and for a spectrum of another length, without counts
/// or with values that are not finite.
void require_spectrum(const EnergyAxis& axis, std::span<const double> spectrum);

inline constexpr double kUnmovedEv = 0.005;  ///< an axis that would move less is right already
inline constexpr double kSettledEv = 0.001;  ///< less than any feature means
/// How far two axes are apart, at most.
double farthest_ev(const EnergyAxis& a, const EnergyAxis& b);

/// Channels of the axis in a window, as far as the axis goes.
ChannelRange clipped(const EnergyAxis& axis, EnergyWindow window);

/// The spectrum convolved with a Gaussian of this standard deviation (channels), its ends repeated.
std::vector<double> smooth(std::span<const double> spectrum, double sigma);

}  // namespace elver::energy
