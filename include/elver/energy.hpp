#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elver/energy_axis.hpp"
#include "elver/image.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// "Mn_L3=642.0": the energy (eV) at which a feature of the mean spectrum is wanted.
struct Mark {
  std::string feature;
  double energy_ev = 0.0;
};
/// Throws Error{usage} for anything but NAME=ENERGY.
Mark parse_mark(const std::string& text);

struct MarkResidual {
  std::string feature;
  double wanted_ev = 0.0;
  double found_ev = 0.0;     ///< on the axis as it was
  double residual_ev = 0.0;  ///< corrected minus wanted
};

struct Calibration {
  EnergyAxis before, after;
  std::vector<MarkResidual> marks;
};

/// Finds the marked features in the mean spectrum and puts offset and gain right by least squares (one mark: the
/// offset alone). Throws Error{mismatch} when a feature is not found or the result is absurd, with the numbers.
Calibration calibrate(const EnergyAxis& axis, std::span<const double> mean_spectrum, std::span<const Mark> marks);

struct MaskOptions {
  bool automatic = false;        ///< leave out vacuum, by the gap in the pixels' total counts
  double minimum_counts = -1.0;  ///< leave out pixels with fewer counts in all channels; < 0: off
};
/// One byte a pixel, 1 where it is to be left out.
std::vector<std::uint8_t> make_mask(const Image& image, const MaskOptions& options, const RunContext& context);

}  // namespace elver
