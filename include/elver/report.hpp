#pragma once
#include <filesystem>
#include <string>

#include "elver/image.hpp"
#include "elver/maps.hpp"

namespace elver {

/// One map as PNG: perceptual colours, colour bar with unit, scale bar in the axes' own unit, title; masked and failed
/// pixels drawn as such. A line scan, and an image of two rows, are drawn with pixels large enough to see.
void draw_map(const Map& map, const std::vector<PixelStatus>& status, const Axis& row_axis, const Axis& column_axis,
              const std::filesystem::path& png);
/// The status map, with a legend of the codes that occur.
void draw_status(const std::vector<PixelStatus>& status, const Axis& row_axis, const Axis& column_axis,
                 const std::filesystem::path& png);

}  // namespace elver
