#pragma once
#include <random>
#include <span>
#include <vector>

#include "elver/energy_axis.hpp"
#include "elver/library.hpp"

/// From a cross section to the counts that a spectrometer would give: what training spectra and phantoms share.
namespace elver {

/// Beyond a table, the fine structure dies away to the edge jump over this many eV.
inline constexpr double kFineStructureDecay = 10.0;
/// Where `counts_per_channel` is meant: just before O K, eV.
inline constexpr double kDoseEnergy = 520.0;
/// About which a wrong dispersion stretches the spectrum, eV.
inline constexpr double kGainCentre = 700.0;

/// How one spectrum is taken.
struct Instrument {
  double fwhm_ev = 0.8;             ///< Gaussian resolution, full width at half maximum
  double shift_ev = 0.0;            ///< added to every energy
  double gain = 0.0;                ///< relative error of the dispersion, about kGainCentre
  std::vector<double> jitter_ev;    ///< more shift, one a subshell of the library; empty: none
  double continuum_power = 3.0;     ///< s: beyond its onset an edge falls as E^-s
  double background_power = 3.0;    ///< r of the background before the first edge
  double counts_per_channel = 1e4;  ///< expected background at kDoseEnergy, per channel
  double jump_ratio = 1.0;          ///< jump of O K over the background there, for two oxygen atoms a formula unit
  double thickness = 0.0;           ///< t/lambda: plural scattering by the plasmon moves counts up in energy
};

Instrument draw_instrument(const Library& library, const InstrumentRange& range, std::mt19937_64& random);

/// Expected counts of every channel of the axis: background plus edges, without noise. A channel is read at its
/// coordinate. Energy loss from absorption: dsigma/dE goes as the absorption cross section over E (Egerton, Electron
/// Energy-Loss Spectroscopy, chapter 3), and beyond the onset each edge falls as (E/onset)^-s.
std::vector<double> expected_counts(const Library& library, const Specimen& specimen, const Instrument& instrument,
                                    const EnergyAxis& axis);

/// Adds what plural scattering moves up in energy: thickness * (S * P) + thickness^2/2 * (S * P * P), where * convolves
/// with the plasmon's loss P, a Drude function.
void add_plural_scattering(std::vector<double>& counts, const EnergyAxis& axis, double thickness);

/// Each value replaced by a Poisson number of that mean.
void add_poisson_noise(std::span<double> counts, std::mt19937_64& random);

/// One subshell broadened by a Gaussian: values at `energy_ev`, without background, noise or fall.
std::vector<double> broadened(const Subshell& subshell, std::span<const float> cross_section, double jump,
                              double fwhm_ev, std::span<const double> energy_ev);

}  // namespace elver
