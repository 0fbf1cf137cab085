#include "maps/device_maps.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <optional>

#include "engine/device_loop.hpp"
#include "engine/device_xgboost.hpp"
#include "types/stopwatch.hpp"

namespace elver {
namespace {

constexpr std::size_t kRowsTogether = 2048;  ///< dealt to a thread at once

/// Calls work(first, last) for parts of [0, count), side by side.
template <class Work>
void in_parts(std::size_t count, const Work& work) {
  oneapi::tbb::parallel_for(std::size_t{0}, (count + kRowsTogether - 1) / kRowsTogether, [&](std::size_t part) {
    work(part * kRowsTogether, std::min(count, (part + 1) * kRowsTogether));
  });
}

}  // namespace

std::string why_not_on_devices(const Model& model, const Image& image, ForestEngine engine) {
  if (!image.eighths().empty()) return "the pixels of an aligned image have energy axes of their own";
  std::string why = engine::why_not_on_device(model);
  for (const Task& task : model.tasks) {
    if (why.empty()) why = engine::why_not_on_device(task.booster, engine);
  }
  return why;
}

void map_on_devices(const Image& image, const Model& model, std::span<const engine::BoosterRounds> boosters,
                    const std::vector<TaskMaps>& tasks, const DomainMaps* domain, std::span<const int> devices,
                    std::span<const std::uint8_t> mask, const RunContext& context, std::size_t first_edge_map,
                    MapResult& result) {
  std::optional<engine::DeviceXgboost> xgboost;
  if (context.forest == ForestEngine::xgboost) xgboost.emplace(boosters);
  const engine::DeviceForest forest =
      engine::pack_device_forest(xgboost ? xgboost->rest() : boosters, engine::Missing::never);
  const engine::DeviceEdges edges = engine::pack_device_edges(model, image.energy(), forest.codes);
  cuda::Job job;
  job.forest = &forest;
  job.edges = &edges;
  job.rows = edges.rows;
  job.features_stay = xgboost.has_value();
  engine::choose_wire(image, job);
  SharedSeconds features_seconds, trees_seconds;

  engine::for_each_device_tile(
      image, job, devices, mask, context, "map", [&](PixelRange pixels, const cuda::TileResult& tile) {
        const Stopwatch watch;
        const std::vector<float> theirs = xgboost ? xgboost->margins(tile) : std::vector<float>();
        const float* const margins = xgboost ? theirs.data() : tile.margins;
        features_seconds.add(tile.edges_seconds);
        trees_seconds.add(tile.forest_seconds + (xgboost ? watch.seconds() : 0));
        const auto pixel_of = [&](std::size_t row) { return pixels.first + (tile.pixel != nullptr ? tile.pixel[row] : row); };
        in_parts(tile.rows, [&](std::size_t first, std::size_t last) {
          for (std::size_t row = first; row < last; ++row) {
            const std::uint64_t pixel = pixel_of(row);
            result.status[pixel] = tile.status[row];
            if (failed(tile.status[row])) continue;
            for (std::size_t e = 0; e < edges.edges.size(); ++e) {
              Map* const maps = result.maps.data() + first_edge_map + 3 * e;
              maps[0].values[pixel] = tile.A[e * tile.stride + row];
              maps[1].values[pixel] = tile.r[e * tile.stride + row];
              maps[2].values[pixel] = tile.snr[e * tile.stride + row];
            }
          }
        });
        in_parts(tile.values, [&](std::size_t first, std::size_t last) {
          std::vector<std::uint64_t> places;
          for (std::size_t i = first; i < last; ++i) places.push_back(pixel_of(tile.valid[i]));
          const std::vector<float> snr =
              snr_of(std::span(result.maps).subspan(first_edge_map), edges.edges.size(), places);
          std::size_t output = 0;
          for (const TaskMaps& task : tasks) {
            task.fill(margins + output * tile.stride + first, tile.stride, places, snr, result.maps);
            output += task.output_count();
          }
          if (domain != nullptr) domain->fill(margins + output * tile.stride + first, tile.stride, places, snr, result.maps);
        });
      });
  result.seconds.features = features_seconds.value();
  result.seconds.trees = trees_seconds.value();
}

}  // namespace elver
