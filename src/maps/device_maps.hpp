#pragma once
#include <span>
#include <string>
#include <vector>

#include "elver/maps.hpp"
#include "engine/codes.hpp"
#include "maps/task_maps.hpp"

namespace elver {

/// Why a model's maps of an image cannot be computed on a GPU, or "" where they can.
std::string why_not_on_devices(const Model& model, const Image& image, ForestEngine engine);

/// Signal to noise of some pixels, [row][edge], from the maps of the edges.
std::vector<float> snr_of(std::span<const Map> edge_maps, std::size_t edges, std::span<const std::uint64_t> pixels);

/// What map_image does, on GPUs: fills the status and the maps of `result`, those of the edges from `first_edge_map` on,
/// and the seconds of the two steps, each summed over the devices: they overlap.
void map_on_devices(const Image& image, const Model& model, std::span<const engine::BoosterRounds> boosters,
                    const std::vector<TaskMaps>& tasks, const DomainMaps* domain, std::span<const int> devices,
                    std::span<const std::uint8_t> mask, const RunContext& context, std::size_t first_edge_map,
                    MapResult& result);

}  // namespace elver
