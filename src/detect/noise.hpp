#pragma once
#include <cstdint>
#include <vector>

#include "detect/excess.hpp"
#include "elver/image.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// How the counts of an image scatter about the power law of each pixel, in its fit window.
struct FitScatter {
  double phi = 1;      ///< variance of a sum of counts over its mean
  double freedom = 0;  ///< degrees of freedom that phi is known with; 0: it was given
  double misfit = 1;   ///< chi-square of all pixels together, over blocks of channels, per degree of freedom and phi
};
/// Measured on at most some ten thousand pixels, those with fewer than `minimum_counts` counts in the window and those
/// that `mask` leaves out not among them. Without a pixel: {1, 1}. `given_phi` > 0 stands as it is.
FitScatter fit_scatter(const Image& image, const ExcessTest& test, ChannelRange fit,
                       const std::vector<std::uint8_t>& mask, double minimum_counts, double given_phi,
                       const RunContext& context);

}  // namespace elver
