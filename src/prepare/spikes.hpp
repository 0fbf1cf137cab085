#pragma once
#include <memory>
#include <vector>

#include "elver/prepare.hpp"

namespace elver {

/// A value that is not the electrons', and what goes in its place.
struct Spike {
  std::uint64_t pixel = 0;
  std::uint32_t channel = 0;
  float value = 0, instead = 0;
};

/// Finds the spikes of an image, in order of pixels and channels. Throws Error{mismatch} for a single spectrum.
std::vector<Spike> find_spikes(const Image& image, const RunContext& context);

/// The image with other values in these places.
std::unique_ptr<Image> without_spikes(std::unique_ptr<Image> image, std::vector<Spike> spikes);

}  // namespace elver
