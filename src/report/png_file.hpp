#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

namespace elver::report {

struct PictureSize {
  std::size_t width = 0, height = 0;  ///< pixels
  std::size_t stride = 0;             ///< bytes from one row to the next
};

/// Writes pixels, 32 bits each in this machine's order, 0x..RRGGBB, as an RGB PNG; returns why it could not, or "".
///
/// Made for maps whose pixels are magnified: a row like the one above it is coded as no difference, another one by its
/// steps from pixel to pixel, so nearly all that is left to compress is runs of zeros.
std::string write_png(const std::filesystem::path& path, const unsigned char* pixels, PictureSize size);

}  // namespace elver::report
