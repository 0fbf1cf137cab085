#pragma once
#include <filesystem>
#include <memory>

#include "elver/bench.hpp"

namespace elver::bench {

/// How many different spectra a made image has; its pixels show them again and again, in an order that does not repeat (else
/// maps would pack as no maps do).
inline constexpr std::size_t kSpectra = 4096;
std::size_t spectrum_of(std::uint64_t pixel);

/// A spectrum image of Poisson counts made of a model's reference spectra (a step where an edge has none), over the
/// energies that the model reads: power-law background, thickness and the heights of the edges change smoothly, each at
/// its own pace. Its channels are as many as asked for; the dispersion follows. Stored energy-major, as Gatan's files are.
/// Throws Error{usage} for number types other than u16, i32 and f32.
std::unique_ptr<Image> made_image(const Model& model, const BenchJob& job);

/// The same image with all of its values in memory, in the order of the original.
std::unique_ptr<Image> in_memory(const Image& image, const RunContext& context);

/// How the values of a file lie: as Gatan's programs leave them, channel after channel, or spectrum after spectrum.
enum class Order : std::uint8_t { energy_major, pixel_major };
/// Written as a Gatan DM4 file; how to open it again.
OpenOptions write_dm4(const Image& image, Order order, const std::filesystem::path& path, const RunContext& context);

}  // namespace elver::bench
