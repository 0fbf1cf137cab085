#pragma once
#include <string>

#include "elver/image.hpp"
#include "elver/io.hpp"
#include "elver/maps.hpp"

/// What every folder of maps has in common.
namespace elver::report {

/// Header of a map of this image: its navigation axes (at least two) and what the file says of the microscope.
SignalHeader map_header(const Image& image, const std::string& record_json);
/// The picture of a map: its name, with '_' for what file names had better not hold, and ".png".
std::string picture_name(const std::string& map);
/// What is known of each pixel from the preparation, as a map like others.
Map shown(const PixelMap& map);
/// An earlier result in the same folder goes, down to what this one does not have: `record`, the earlier result's own
/// list, says which files.
void supersede_earlier(OutputSet& out, const std::string& record);

}  // namespace elver::report
