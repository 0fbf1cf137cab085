#pragma once
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "elver/engine.hpp"
#include "engine/cuda.hpp"

namespace elver::engine {

/// The GPUs that the context asks for: none where the CPU is to compute. `why_not`, if not "", is why this work does not
/// fit a GPU at all. Throws Error{resources} where a GPU is demanded and cannot be had, Error{mismatch} where it is
/// demanded and the work does not fit.
std::vector<int> devices_to_use(const RunContext& context, const std::string& why_not);

/// Number type and order in which an image's counts go to a GPU.
void choose_wire(const Image& image, cuda::Job& job);

/// Deals the image's pixels out in tiles to the devices: reads what job.edges needs (without edges: all channels, which
/// are features), leaves out masked pixels (`mask`: one a pixel, or empty), and hands each tile's result to `take`, which
/// must be safe to call side by side for different tiles. Progress and errors as for_each_tile.
void for_each_device_tile(const Image& image, cuda::Job job, std::span<const int> devices,
                          std::span<const std::uint8_t> mask, const RunContext& context, std::string_view stage,
                          const std::function<void(PixelRange, const cuda::TileResult&)>& take);

/// The names of devices, for people: "NVIDIA H100 (0), NVIDIA H100 (1)".
std::string names_of(std::span<const int> devices);

}  // namespace elver::engine
