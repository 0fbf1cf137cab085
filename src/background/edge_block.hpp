#pragma once
#include <cstddef>
#include <cstdint>

#include "background/poisson_window.hpp"
#include "elver/background.hpp"
#include "elver/core/edge_fit.hpp"
#include "elver/engine.hpp"

namespace elver {

/// Pixels fitted together: short enough that everything of a block stays in the first-level cache, long enough for any
/// vector register.
inline constexpr std::size_t kBlock = 64;

/// A quantity of a block of pixels.
using Lane = float[kBlock];

/// What is known of a block of pixels; an array a quantity, so that loops over pixels become vector instructions.
struct EdgeBlock {
  alignas(64) Lane counts, moment;  // sums over the fit window
  alignas(64) Lane spoiled;         // NaN where a value that is read beyond the fit window is not finite, else 0
  alignas(64) Lane q, r, log2_mean, variance, skew;  // Poisson
  alignas(64) Lane scale, c0, c1, c2, level, slope, centre;
  alignas(64) Lane amplitude;  // A: counts per channel at 1 eV
  alignas(64) Lane chi, phi;
  alignas(64) Lane background, lever, signal;  // sums over the signal window: b, b x, counts - b
  alignas(64) Lane background_error, snr;
  alignas(64) std::int32_t status[kBlock];  // PixelStatus

  void set_curve(std::size_t p, const core::BackgroundCurve<float>& c) {
    scale[p] = c.scale;
    c0[p] = c.c0;
    c1[p] = c.c1;
    c2[p] = c.c2;
    level[p] = c.level_variance;
    slope[p] = c.slope_variance;
    centre[p] = c.centre;
  }
  core::BackgroundCurve<float> curve(std::size_t p) const {
    return {scale[p], c0[p], c1[p], c2[p], level[p], slope[p], centre[p]};
  }
  core::PoissonState<float> state(std::size_t p) const { return {r[p], log2_mean[p], variance[p], skew[p]}; }
};

/// What the loops over a block need to know of an edge.
struct EdgeView {
  ChannelRange fit, signal;
  const float* x = nullptr;  ///< log2(E/E0) of every channel; +infinity at E <= 0
  double log2_e0 = 0;
  const PoissonWindow* poisson = nullptr;  ///< null for another method
  const BackgroundOptions* options = nullptr;
  core::FitLimits limits;
};

/// Some pixels of a tile, [first, first + count), count <= kBlock.
struct TileBlock {
  TileView tile;
  std::size_t first = 0, count = 0;
};

/// Counts that will be read next: brought near meanwhile, for what comes from memory comes late.
struct Ahead {
  TileBlock pixels;
  ChannelRange channels;
};

// The parts of a fit, compiled for every kind of vector register and chosen when the program runs; all give the same
// bits. After the first stand the methods that are not poisson_ml.

/// Sums over the fit window, and the Poisson fit where that is the method.
void begin_fit(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block);
/// What counts scatter by, and the curve with its bias taken out. `next`: channels that will be read next.
void finish_curve(const EdgeView& edge, const TileBlock& pixels, ChannelRange next, EdgeBlock& block);
/// From a curve to net counts, [channel][kBlock], and the results of each pixel. See EdgeFitter::fit.
void end_fit(const EdgeView& edge, const TileBlock& pixels, ChannelRange checked, ChannelRange net_channels, float* net,
             EdgeBlock& block, EdgeFit* fits, const Ahead& ahead);

}  // namespace elver
