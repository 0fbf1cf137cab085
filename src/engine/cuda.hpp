#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "elver/background.hpp"
#include "elver/devices.hpp"
#include "engine/device_edges.hpp"
#include "engine/device_forest.hpp"

/// What the engine asks of CUDA, without a CUDA header. Without a CUDA compiler the same functions stand in no_cuda.cpp.
namespace elver::cuda {

/// The GPUs of this machine, or why there are none. Never throws.
DeviceList devices();

/// Bytes a second of plain copies of `bytes` bytes from pinned memory to a device: what a pipeline's rate is held against.
std::vector<double> copy_rates(int device, std::size_t bytes, int runs);

/// Waits until `out` is filled from device memory.
void copy_to_host(int device, const float* from, std::span<float> out);

/// What a pipeline does with each tile. What it points to must outlive the pipeline.
struct Job {
  const engine::DeviceForest* forest = nullptr;
  const engine::DeviceEdges* edges = nullptr;  ///< null: a tile's rows are features, not counts
  NumberType type = NumberType::f32;           ///< of the counts; features are f32
  bool pixel_major = false;     ///< counts come as [pixel][channel], one window after another; else [row][pixel]
  std::size_t rows = 0;         ///< of a tile: channels of all windows, or features
  std::size_t tile_pixels = 0;  ///< the most pixels of a tile; less where memory is short
  std::uint64_t memory_bytes = 0;  ///< host memory that the pipeline may take; 0: as much as it likes
  bool all_fits = false, features = false;  ///< hand out what maps do not need, too
  bool features_stay = false;  ///< keep the features in device memory while the tile's result is valid
};

/// What became of a tile. Valid until the slot is started again.
struct TileResult {
  std::size_t rows = 0;                   ///< pixels that were computed
  const std::uint32_t* pixel = nullptr;   ///< [row]: which of the tile's; null: the first `rows`
  const PixelStatus* status = nullptr;    ///< [row]; null without edges
  const PixelStatus* edge_status = nullptr;  ///< [edge][stride]
  const float *A = nullptr, *r = nullptr, *snr = nullptr;  ///< [edge][stride]
  const EdgeFit* fits = nullptr;          ///< [edge][stride], if asked for
  const float* features = nullptr;        ///< [feature][stride], if asked for; NaN nowhere, also where a pixel failed
  std::size_t values = 0;                 ///< rows that have margins
  const std::uint32_t* valid = nullptr;   ///< [value]: which row; null: the first `values`
  const float* margins = nullptr;         ///< [output][stride], by value
  std::size_t stride = 0;
  int device = 0;
  const float* device_features = nullptr;  ///< [feature][device_stride] by row, in device memory, if they stay there
  std::size_t device_stride = 0;
  double edges_seconds = 0, forest_seconds = 0;  ///< that the device worked on the two steps
};

/// One device at work on a row of tiles: while it computes one, the next are on their way to it and the last ones back.
/// For one thread at a time. Every call throws Error{resources} that names the CUDA call that failed.
class Pipeline {
 public:
  static constexpr std::size_t kSlots = 3;
  /// Takes memory for tiles as large as asked for, or else half as large, and so on. Throws Error{resources} when not
  /// even core::kTileRows pixels fit.
  Pipeline(const Job& job, int device);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  std::size_t tile_pixels() const;
  /// Where a slot's counts and, if not all of its pixels are to be computed, those pixels' numbers are written. Not
  /// between start and finish.
  std::span<std::byte> counts(std::size_t slot);
  std::span<std::uint32_t> pixels(std::size_t slot);
  /// Sends the tile off: `rows` of its pixels are in pixels(slot), or all, where rows is pixel_count.
  void start(std::size_t slot, std::size_t pixel_count, std::size_t rows);
  /// Waits for it.
  TileResult finish(std::size_t slot);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elver::cuda
