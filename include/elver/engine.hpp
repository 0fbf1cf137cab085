#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "elver/background.hpp"
#include "elver/features.hpp"
#include "elver/image.hpp"
#include "elver/model.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// Wall seconds. The tile loop's are shared out by what its threads spent on each stage: reading counts, fitting and
/// subtracting backgrounds, making features, ranking them among the thresholds of the trees, the trees, and writing.
struct StageSeconds {
  double read = 0, background = 0, features = 0, rank = 0, trees = 0, write = 0, total = 0;
};

/// Counts of some pixels, [channel][pixel], channels counted from `channels.first`. A view: trivially copyable.
struct TileView {
  const float* counts = nullptr;
  std::size_t pixels = 0;
  ChannelRange channels;
  const float* channel(std::size_t c) const { return counts + (c - channels.first) * pixels; }
};

/// Features and fits of one tile.
struct TileFeatures {
  std::size_t pixels = 0;
  std::vector<float> features;      ///< [pixel][feature], row-major; NaN rows where the pixel failed
  std::vector<EdgeFit> fits;        ///< [edge][pixel]
  std::vector<PixelStatus> status;  ///< [pixel]: the lowest failed code of its edges, else edge_absent, else ok
};

/// A model resolved against one energy axis; made once, read by all threads.
class Plan {
 public:
  /// Throws Error{mismatch} with the numbers when the axis does not cover the model's windows, or its dispersion is
  /// above 2.1 times the grids' spacing (a channel has averaged away what the points hold) or below a tenth of it.
  Plan(const Model& model, const EnergyAxis& axis);
  ~Plan();
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  /// The channels that the plan reads: from the first fit window to the last grid point.
  ChannelRange channels() const;
  std::size_t feature_count() const;
  std::size_t edge_count() const;
  /// Fit, subtract, resample, sum: the first half of the work on a tile. `masked` (one a pixel, may be empty) says
  /// which pixels to leave out. `out` is resized. Runs on the calling thread.
  void extract(const TileView& tile, std::span<const std::uint8_t> masked, TileFeatures& out) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

/// A tile of an image, as the tile loop hands it out.
struct Tile {
  PixelRange pixels;
  TileView counts;
};

/// The plans of one image: one for all its pixels; where it is aligned, one for each eighth of a channel by which their
/// axes lie apart, so that no count is interpolated.
class Plans {
 public:
  /// `image` must outlive them. Throws as Plan.
  Plans(const Model& model, const Image& image);
  /// The channels that any of them reads.
  ChannelRange channels() const;
  std::size_t feature_count() const { return first().feature_count(); }
  std::size_t edge_count() const { return first().edge_count(); }
  /// As Plan::extract, each pixel by the plan of its own axis.
  void extract(const Tile& tile, std::span<const std::uint8_t> masked, TileFeatures& out) const;

 private:
  const Plan& first() const;
  const Image& image_;
  std::array<std::unique_ptr<const Plan>, 8> plans_;  ///< by eighths + 3; those that no pixel needs are null
};

/// Deals the image's pixels out in tiles over `context.threads` threads: reads channels `channels` of each and calls
/// `work`, which must be safe to call side by side for different tiles. Reports progress in pixels under `stage`;
/// throws Error{interrupted} when asked to stop, Error{resources} when `memory_bytes` cannot hold one tile.
void for_each_tile(const Image& image, ChannelRange channels, const RunContext& context, std::string_view stage,
                   const std::function<void(const Tile&)>& work);

/// Features of every pixel as a NumPy file, (pixels, features) float32, row-major, pixels in C order; NaN rows where a
/// pixel failed or is masked (`mask`: one byte a pixel, or empty). Streamed: memory does not grow with the image.
/// Returns how many pixels have which status.
std::array<std::uint64_t, status_count> write_features(const Image& image, const Model& model,
                                                       std::span<const std::uint8_t> mask,
                                                       const std::filesystem::path& npy, const RunContext& context);

/// Mean over pixels of each channel, summed in double: what calibration looks at. Shape (channels). Pixels with a value
/// that is not finite are left out; NaN where no pixel is left.
std::vector<double> mean_spectrum(const Image& image, const RunContext& context);

}  // namespace elver
