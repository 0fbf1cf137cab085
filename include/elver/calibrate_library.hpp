#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "elver/compare.hpp"
#include "elver/import.hpp"
#include "elver/library.hpp"
#include "elver/run_context.hpp"

/// A library made to look as a microscope sees it: what sets its spectra apart from a measured one is fitted, and put in.
namespace elver {

/// What the spectra of one element's edges are changed by, and how far they are from the measured edge then.
struct EdgeCalibration {
  std::string edge;              ///< of the model that trains: "O_K", "Ni_L"
  std::string element;
  double shift_ev = 0;           ///< added to the energies of all its subshells
  double gauss_fwhm_ev = 0;      ///< resolution and all: Gaussian of the fit; what of it is the instrument's stays out
  double lorentz_ev = 0;         ///< FWHM that the lifetime is widened by at the onset,
  double lorentz_growth = 0;     ///< and more an eV above it, over 30 eV
  double continuum = 0;          ///< jump that is added, over the jump: rises as 1 - exp(-E / 10 eV) from the onset on
  double splitting_ev = 0;       ///< added to L2's energies beside the shift
  double l2_ratio = 1;           ///< L2 is multiplied by it
  double l2_lorentz_ev = 0;      ///< FWHM of L2 beside lorentz_ev
  double amount = 1;             ///< atoms in the reference over those in the mixture, oxygen being 1
  Similarity before, after;      ///< of the net edge over the model's grid: the library as it is, and calibrated
  std::vector<double> energy_ev, measured, as_it_is, calibrated;  ///< net counts, each over the mean of `measured`
};

struct LibraryCalibration {
  std::string reference;
  std::vector<EdgeCalibration> edges;
  double thickness = 0;          ///< t/lambda of the reference: not put into the library, training draws its own
  double continuum_power = 3;    ///< s: beyond its onset an edge of the reference falls as E^-s; not put in either
  double resolution_ev = 0;      ///< FWHM of the reference's instrument, which stays out of the library
  std::vector<std::pair<std::string, double>> mixture;  ///< families of structures that describe the reference; sum 1
  std::vector<std::string> notes;
};

struct LibraryCalibrationOptions {
  double resolution_ev = 0;      ///< of the instrument, FWHM, as a zero loss shows it; 0: all of the Gaussian is put in
};

/// Fits all at once, by least squares (Levenberg and Marquardt; the mixture by non-negative least squares within): net
/// counts of each edge over the model's grid, each edge weighing the same. The reference is on the library's energy
/// axis, as `elver calibrate --auto-axis` leaves it. Throws Error{mismatch} where the reference shows none of the edges.
LibraryCalibration calibrate_library(const Library& library, const NamedSpectrum& reference,
                                     const LibraryCalibrationOptions& options, const RunContext& context);

/// The tables with the calibration put in, on 0.2 eV grids. `library` is what load_library says of the same file.
LibraryTables calibrated_tables(LibraryTables tables, const Library& library, const LibraryCalibration& calibration);

std::string calibration_json(const LibraryCalibration& calibration);
/// One edge: measured, the library as it is, and calibrated, and what is left. Throws Error{output}.
void draw_calibration(const LibraryCalibration& calibration, const EdgeCalibration& edge, const std::filesystem::path& png);

}  // namespace elver
