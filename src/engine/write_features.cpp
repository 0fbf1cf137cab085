#include <mutex>

#include "elver/engine.hpp"
#include "elver/io.hpp"

namespace elver {

std::array<std::uint64_t, status_count> write_features(const Image& image, const Model& model,
                                                       std::span<const std::uint8_t> mask,
                                                       const std::filesystem::path& npy, const RunContext& context) {
  const Plans plan(model, image);
  NpyWriter writer(npy, image.pixels(), plan.feature_count());
  std::array<std::uint64_t, status_count> counts{};
  std::mutex counting;
  for_each_tile(image, plan.channels(), context, "features", [&](const Tile& tile) {
    thread_local TileFeatures features;
    const auto masked = mask.empty() ? mask : mask.subspan(tile.pixels.first, tile.pixels.size());
    plan.extract(tile, masked, features);
    writer.write(tile.pixels.first * plan.feature_count(), features.features);
    const std::lock_guard lock(counting);
    for (const PixelStatus status : features.status) ++counts[static_cast<std::size_t>(status)];
  });
  writer.commit();
  return counts;
}

}  // namespace elver
