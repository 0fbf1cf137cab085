#pragma once
#include <vector>

#include "elver/background.hpp"

namespace elver {

/// The sums of one pixel that a test needs, in electrons (counts / phi).
struct WindowSums {
  double counts = 0;  ///< over the fit window
  double moment = 0;  ///< of ln(E/E0) there: sum of counts times it
  double signal = 0;  ///< over the signal window
};

/// Counts of a power law over a set of channels, up to the pre-factor: sum of (E/E0)^-r, and mean and variance of
/// ln(E/E0) under it.
struct PowerMoments {
  double sum = 0, mean = 0, variance = 0;
};
PowerMoments power_moments(const std::vector<double>& ln_energy, double r);

/// Is the signal window's sum more than the fit window foretells? Immutable: read by all threads.
class ExcessTest {
 public:
  /// `fit` and `signal` must lie on the axis, above 0 eV; `fit` holds at least 3 channels.
  ExcessTest(const EnergyAxis& axis, ChannelRange fit, ChannelRange signal);
  /// ln(E/E0) of the fit window's channels, E0 their geometric mean; and of the signal window's.
  const std::vector<double>& fit_ln_energy() const { return fit_; }
  const std::vector<double>& signal_ln_energy() const { return signal_; }
  /// Exponent of greatest likelihood for a fit window whose counts have this mean of ln(E/E0).
  double exponent(double mean) const;
  /// One-sided p-value, in (0, 1]; 1 for an empty signal window. `sums.counts` > 0. The modified signed root r* of the
  /// likelihood ratio, right to third order in the number of counts (O. E. Barndorff-Nielsen, Biometrika 73 (1986) 307;
  /// in the canonical parameters as D. A. S. Fraser and N. Reid give it, Utilitas Math. 47 (1995) 33), for half an
  /// electron less. `freedom`: degrees of freedom that the gain was measured with; 0: it is known.
  double p_value(const WindowSums& sums, double freedom = 0) const;

 private:
  double null_exponent(const WindowSums& sums, double start) const;
  std::vector<double> fit_, signal_;
  double steepest_ = 0;  ///< |r| beyond which the fit window's counts all but lie in one channel
};

}  // namespace elver
