#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "background/edge_block.hpp"
#include "background/poisson_window.hpp"
#include "elver/background.hpp"
#include "elver/core/edge_fit.hpp"
#include "elver/engine.hpp"

namespace elver {

/// What a pixel without a value looks like: NaN in every float.
EdgeFit failed_fit(PixelStatus status);

/// Background and signal of one edge on one energy axis, for blocks of pixels. Immutable: read by all threads.
class EdgeFitter {
 public:
  /// Throws Error{mismatch} when a window leaves the axis, holds fewer than 3 channels (fit) or reaches 0 eV.
  EdgeFitter(const EnergyAxis& axis, EnergyWindow fit, EnergyWindow signal, const BackgroundOptions& options);

  ChannelRange fit_channels() const { return fit_; }
  ChannelRange signal_channels() const { return signal_; }

  // What a back end needs to do the same elsewhere.
  core::FitLimits limits() const {
    return {options_.minimum_counts, options_.r_minimum, options_.r_maximum, options_.r_standard_errors};
  }
  double log2_e0() const { return log2_e0_; }
  const std::vector<float>& x() const { return x_; }                        ///< [channel]
  const std::optional<PoissonWindow>& poisson() const { return poisson_; }  ///< only for poisson_ml

  /// Fits pixels [first, first+count) of the tile, count <= kBlock, and writes counts minus background of the channels
  /// `net_channels` (which hold the signal window) to `net`, [channel][kBlock]. A pixel whose values are not finite in
  /// the fit window, the signal window or `checked` is not_finite. Where a fit fails, `net` is NaN. `ahead`: what will
  /// be read next, if that is known.
  void fit(const TileView& tile, std::size_t first, std::size_t count, ChannelRange checked, ChannelRange net_channels,
           float* net, EdgeFit* fits, const Ahead& ahead = {}) const;

 private:
  EdgeView view() const;
  void fit_two_area(const TileView& tile, std::size_t first, std::size_t count, EdgeBlock& block) const;
  void fit_log_lsq(const TileView& tile, std::size_t first, std::size_t count, EdgeBlock& block) const;

  EnergyAxis axis_;
  BackgroundOptions options_;
  ChannelRange fit_, signal_;
  std::size_t half_ = 0, two_area_last_ = 0;  ///< two-area: where the second interval begins and ends
  double log2_e0_ = 0;
  std::vector<float> x_;  ///< log2(E/E0) of every channel; +infinity at E <= 0, where there is no background
  std::optional<PoissonWindow> poisson_;
};

}  // namespace elver
