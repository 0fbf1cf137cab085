#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elver/energy_axis.hpp"

namespace elver {

/// How alike two spectra are, on one axis.
struct Similarity {
  double cosine = 0;   ///< a.b / (|a| |b|)
  double pearson = 0;  ///< the same of what is left after their means; NaN where one is constant
};
/// Of two vectors of one length, 2 or more.
Similarity similarity(std::span<const double> a, std::span<const double> b);

/// One spectrum: energies in eV, rising.
struct NamedSpectrum {
  std::string name;
  std::vector<double> energy_ev, value;
};
/// Reads "FILE": output of a code that the importer knows, a table, or the mean over the pixels of an image (DM3,
/// DM4, .hspy, .msa; what `dataset` picks); or "LIBRARY.h5:EDGE" or "LIBRARY.h5:EDGE:STRUCTURE" or "...:STRUCTURE:ATOM":
/// the mean over those sites, each weighing by its jump, moved by the library's shift to experiment.
/// Throws Error{input}, Error{usage}.
NamedSpectrum read_named_spectrum(const std::string& what);

enum class CompareShift : std::uint8_t { none, best };

struct CompareOptions {
  CompareShift alignment = CompareShift::best;   ///< the second is moved to where it correlates best with the first
  double reach_ev = 5.0;                   ///< how far the search goes to both sides of where the onsets coincide
  double broaden_first_ev = 0, broaden_second_ev = 0;  ///< FWHM of a Gaussian, 0: as it is
  std::optional<EnergyWindow> window;      ///< on the first's axis; else all that both cover
};

struct Comparison {
  std::string first, second;
  Similarity similarity;
  double shift_ev = 0;     ///< was added to the second's energies
  bool at_limit = false;   ///< the best shift lies at the end of the search
  std::vector<double> energy_ev, a, b;  ///< on the common axis, each over its mean absolute value there
};
/// Both on the finer of their median steps (not below 0.01 eV), linear between points. Throws Error{mismatch} where they share less than
/// eight points or 2 eV.
Comparison compare_spectra(const NamedSpectrum& first, const NamedSpectrum& second, const CompareOptions& options);

std::string comparison_json(const Comparison& comparison);
/// Both curves over the energy, their difference below. Throws Error{output}.
void draw_comparison(const Comparison& comparison, const std::filesystem::path& png);

}  // namespace elver
