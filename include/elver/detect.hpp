#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "elver/background.hpp"
#include "elver/maps.hpp"

namespace elver {

/// Where an edge is looked for.
struct EdgeWindows {
  std::string edge;  ///< "Si_L", "O_K", ...
  EnergyWindow fit, signal;
};
/// Windows for an edge that elver knows (K edges from Li to Cl; L2,3 edges of Mg to Cl and of the 3d and 4d metals,
/// under "Mn_L" or "Mn_L3"; M4,5 edges of the lanthanides): for the common ones chosen clear of what usually lies
/// beside them, else by rule. They begin at the nominal onset: an axis that is off must be put right first. Throws
/// Error{usage} for another name; the message lists all.
EdgeWindows default_windows(std::string_view edge);

struct DetectJob {
  EdgeWindows windows;
  double false_discovery_rate = 0.05;  ///< of the pixels called present, the share that may be none, on average
  double phi = 0.0;                    ///< counts that one electron gives; 0: measured, see Detection::phi
  double minimum_counts = 10.0;        ///< electrons in the fit window, see BackgroundOptions
  std::vector<std::uint8_t> mask;      ///< one byte a pixel, or empty
};

/// What was found, and by what measure.
struct Detection {
  /// `signal_<edge>` (counts), `snr_<edge>`, `p_<edge>`, `present_<edge>` (1 or 0); NaN where a pixel failed. The
  /// statuses are those of the fit.
  MapResult maps;
  std::uint64_t tests = 0;  ///< pixels that have a value
  std::uint64_t found = 0;  ///< of these, present
  double p_threshold = 0;   ///< the largest p that was called present; 0 where none was
  /// Variance of a sum of counts over its mean: one number for the image, from what the fit windows of all pixels
  /// scatter over blocks of channels (a camera's point spread couples neighbours). Near 1 for electrons.
  double phi = 1;
  /// Degrees of freedom that phi is known with; 0 where it was given. The fewer, the larger the p-values.
  double phi_freedom = 0;
  /// Scatter of the fit window's blocks about the power law after all pixels were added up, over what noise gives: 1
  /// where a power law holds. Systematic, so no test of single pixels can know it.
  double misfit = 1;
};

/// Finds an edge pixel by pixel: is there more in the signal window than the background before it foretells?
///
/// The p-value is one-sided, from the likelihood ratio of "one power law makes both windows" to "the signal window has
/// a rate of its own" for Poisson counts (counts / phi), the sum over the signal window its one datum: p = 1 - Phi(r*),
/// r* the modified signed root (O. E. Barndorff-Nielsen, Biometrika 73 (1986) 307), then Student's t for that phi is
/// measured. So it holds at few counts and far out, where the best of a thousand pixels is judged, and knows how far
/// the background is extrapolated. Half an electron is left out of each sum: counts are whole. Over the pixels the rate
/// of false discoveries is controlled by Y. Benjamini and Y. Hochberg, J. R. Statist. Soc. B 57 (1995) 289: where no
/// pixel has the edge, the chance that any is called present is at most that rate.
///
/// Throws Error{usage} for a rate outside (0, 1), Error{mismatch} when the windows do not fit the image's axis.
Detection detect(const Image& image, const DetectJob& job, const RunContext& context);

/// The largest p-value to be called present at this rate (0: none); p-values that are NaN are no tests.
double benjamini_hochberg(const std::vector<float>& p_values, double false_discovery_rate);

}  // namespace elver
