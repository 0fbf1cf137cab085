#pragma once
#include <memory>
#include <string>
#include <vector>

#include "elver/image.hpp"
#include "elver/io.hpp"
#include "elver/maps.hpp"

/// What every folder of maps has in common.
namespace elver::report {

/// Header of a map of this image: its navigation axes (at least two) and what the file says of the microscope.
SignalHeader map_header(const Image& image, const std::string& record_json);

/// The maps of a folder in each format asked for (map_formats): STEM.hspy, STEM.nxs, STEM.csv, and a .tif for each map.
class MapFiles {
 public:
  MapFiles(OutputSet& out, const std::vector<std::string>& formats, std::string stem = "maps");
  /// All maps of a result, and its status.
  void add(const Image& image, const MapResult& result, const std::string& record_json, const RunContext& context);
  /// One map; add_table then brings all of them into the file of text.
  void add(const SignalHeader& header, std::span<const std::byte> values, const RunContext& context);
  void add_table(const MapResult& result, const Axis& row, const Axis& column);
  /// Spectra, into the formats that hold them beside maps.
  void add(const SignalHeader& header, const Image& spectra, const RunContext& context);
  void commit();

 private:
  OutputSet& out_;
  std::string stem_;
  std::vector<std::unique_ptr<SignalWriter>> together_;  ///< formats that hold all maps in a file
  bool tiff_ = false, csv_ = false;
};

/// The picture of a map: its name, with '_' for what file names had better not hold, and ".png".
std::string picture_name(const std::string& map);
/// What is known of each pixel from the preparation, as a map like others.
Map shown(const PixelMap& map);
/// An earlier result in the same folder goes, down to what this one does not have: `record`, the earlier result's own
/// list, says which files.
void supersede_earlier(OutputSet& out, const std::string& record);

}  // namespace elver::report
