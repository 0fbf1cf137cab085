#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "elver/error.hpp"
#include "io/reader.hpp"

/// Any bytes as a HyperSpy file, from memory: refused with an Error, or listed and a few values of each image read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elver;
  const Bytes bytes{std::as_bytes(std::span(data, size)), nullptr};
  try {
    File file = read_hdf5(bytes, "fuzz.h5", {});
    finish_file(file, {});
    static_cast<void>(info_json(file));
    for (const auto& image : file.images) {
      if (!image->info().refusal.empty()) continue;
      const PixelRange pixels{0, std::min<std::uint64_t>(image->pixels(), 5)};
      const ChannelRange channels{0, std::min<std::uint64_t>(image->channels(), 100)};
      std::vector<float> tile(pixels.size() * channels.size());
      try {
        image->read_tile(pixels, channels, tile);
      } catch (const Error&) {
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
