#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/reader.hpp"

/// Any bytes as a file of this format: images whose values can all be read and described, or an Error. The bytes are
/// copied, so that a read beyond them is one beyond an allocation.
inline void fuzz_images(const elver::Reader& reader, const std::uint8_t* data, std::size_t size,
                        const std::filesystem::path& path = "input") {
  const auto copy = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  for (const char* energy_axis : {"", "0"}) {
    elver::OpenOptions options;
    options.energy_axis = energy_axis;
    try {
      elver::File file = read_with(reader, {std::as_bytes(std::span(*copy)), copy}, path, options);
      elver::finish_file(file, options);
      static_cast<void>(elver::info_json(file));
      for (const auto& image : file.images) {
        if (!image->info().refusal.empty()) continue;
        std::vector<float> tile(image->pixels() * image->channels());
        image->read_tile({0, image->pixels()}, {0, image->channels()}, tile);
        std::vector<std::byte> values(tile.size() * elver::bytes_of(image->info().type));
        image->read({0, image->pixels()}, {0, image->channels()}, values);
      }
    } catch (const elver::Error&) {
    }
  }
}
