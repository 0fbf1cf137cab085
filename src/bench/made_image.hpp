#pragma once
#include <filesystem>
#include <memory>

#include "elver/bench.hpp"

namespace elver::bench {

/// How many different spectra a made image has; its pixels repeat them.
inline constexpr std::size_t kSpectra = 4096;

/// A spectrum image of Poisson counts made of a model's reference spectra (a step where an edge has none), over the
/// energies that the model reads: power-law background, thickness and the heights of the edges change smoothly, each at
/// its own pace. Its channels are as many as asked for; the dispersion follows. Stored energy-major, as Gatan's files are.
/// Throws Error{usage} for number types other than u16, i32 and f32.
std::unique_ptr<Image> made_image(const Model& model, const BenchJob& job);

/// The same image with all of its values in memory, in the order of the original.
std::unique_ptr<Image> in_memory(const Image& image, const RunContext& context);

/// Written as a .npy, [channel][row][column]; how to open it again.
OpenOptions write_image(const Image& image, const std::filesystem::path& npy, const RunContext& context);

}  // namespace elver::bench
