#pragma once
#include <Eigen/Dense>
#include <span>
#include <vector>

#include "elver/library.hpp"

/// Lifetime and resolution as matrices, so that all spectra of an edge are broadened at once.
namespace elver {

/// A subshell's grid with room on both sides for the tails of what is broadened.
struct WideGrid {
  double start_ev = 0, step_ev = 0;
  Eigen::Index points = 0;
  double energy(Eigen::Index i) const { return start_ev + static_cast<double>(i) * step_ev; }
};
WideGrid wide_grid(const Subshell& subshell, double step_ev);
/// Spectra on it, a column each: inside the table linear between its points, below it the tail of a lifetime, above it
/// the fine structure dies away to the jump. `columns`: [column][point of the subshell].
Eigen::MatrixXd on_wide_grid(const Subshell& subshell, const WideGrid& grid, std::span<const std::span<const float>> columns,
                             std::span<const double> jumps);

/// What a lifetime is widened by: a full width at half maximum that grows from the onset on.
struct Lifetime {
  double width_ev = 0;    ///< at the onset and below
  double growth = 0;      ///< eV more an eV above the onset, over the first kLifetimeReach
};
inline constexpr double kLifetimeReach = 30.0;  ///< eV
/// [to][from]: a Lorentzian whose width is that of the energy it comes from, integrated over its channel.
Eigen::MatrixXd lorentz_matrix(const WideGrid& grid, double onset_ev, const Lifetime& lifetime);
/// [energy][from]: a Gaussian; FWHM 0 is linear interpolation.
Eigen::MatrixXd gauss_matrix(const WideGrid& grid, std::span<const double> energy_ev, double fwhm_ev);

/// How a continuum sets in that a calibration adds to an edge: 1 - exp(-(E - onset) / kContinuumRise), 0 below.
inline constexpr double kContinuumRise = 10.0;  ///< eV
Eigen::VectorXd rising_continuum(const WideGrid& grid, double onset_ev);

}  // namespace elver
