#include "report/map_files.hpp"

#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>

#include "elver/maps.hpp"
#include "elver/report.hpp"

namespace elver::report {

SignalHeader map_header(const Image& image, const std::string& record_json) {
  SignalHeader header;
  for (const Axis& axis : image.info().axes) {
    if (axis.role == AxisRole::navigation) header.axes.push_back(axis);
  }
  if (header.axes.size() < 2) {
    const auto [row, column] = map_axes(image);
    header.axes = {row, column};
  }
  header.map = true;
  header.record_json = record_json;
  const ImageInfo& info = image.info();
  header.beam_energy_kev = info.beam_energy_kev;
  header.convergence_mrad = info.convergence_mrad;
  header.collection_mrad = info.collection_mrad;
  header.dwell_s = info.dwell_s;
  return header;
}

std::string picture_name(const std::string& map) {
  std::string name = map;
  for (char& c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '+';
    if (!plain) c = '_';
  }
  return name + ".png";
}

Map shown(const PixelMap& map) { return {map.name, map.unit, map.values, {}, map.title}; }

void supersede_earlier(OutputSet& out, const std::string& record) {
  std::ifstream stream(out.directory() / record);
  const nlohmann::json earlier = nlohmann::json::parse(stream, nullptr, false);
  if (!earlier.is_object() || !earlier.contains("elver") || !earlier.contains("files") || !earlier["files"].is_array())
    return;
  for (const nlohmann::json& file : earlier["files"]) {
    if (!file.is_string()) continue;
    const std::string name = file;
    const bool ours = name.ends_with(".hspy") || name.ends_with(".csv") || name.ends_with(".png");
    if (ours && name.find_first_of("/\\") == std::string::npos) out.supersede(name);
  }
}

}  // namespace elver::report

namespace elver {

void draw_beside(OutputSet& out, const std::string& stem, const Image& image, const std::vector<PixelMap>& maps) {
  const auto [row, column] = map_axes(image);
  const std::vector<PixelStatus> all_ok(image.pixels(), PixelStatus::ok);
  for (const PixelMap& map : maps)
    draw_map(report::shown(map), all_ok, row, column, out.stage(stem + "_" + report::picture_name(map.name)));
}

}  // namespace elver
