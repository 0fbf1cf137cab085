#include "report/map_files.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "elver/maps.hpp"
#include "elver/report.hpp"
#include "io/writer.hpp"

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

namespace {

std::string file_name(const std::string& map, const char* extension) {
  std::string name = map;
  for (char& c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '+';
    if (!plain) c = '_';
  }
  return name + extension;
}

}  // namespace

std::string picture_name(const std::string& map) { return file_name(map, ".png"); }

MapFiles::MapFiles(OutputSet& out, const std::vector<std::string>& formats, std::string stem)
    : out_(out), stem_(std::move(stem)) {
  for (const std::string& name : formats) {
    if (name == "csv") {
      csv_ = true;
      continue;
    }
    const Writer& writer = *writer_named(name);
    if (writer.holds == Holds::signals) {
      together_.push_back(writer.open(out.stage(stem_ + std::string(writer.about.extensions))));
    } else {
      tiff_ = true;
    }
  }
}

void MapFiles::add(const SignalHeader& header, std::span<const std::byte> values, const RunContext& context) {
  context.check_interrupt();
  for (const auto& writer : together_) writer->add(header, values, context);
  if (!tiff_) return;
  const std::unique_ptr<SignalWriter> alone = tiff_writer.open(out_.stage(file_name(header.title, ".tif")));
  SignalHeader flat = header;  // rows above each other, where there are more axes
  if (flat.axes.size() > 2) {
    for (std::size_t i = 0; i + 2 < header.axes.size(); ++i) flat.axes[header.axes.size() - 2].size *= header.axes[i].size;
    flat.axes.erase(flat.axes.begin(), flat.axes.end() - 2);
  }
  alone->add(flat, values, context);
  alone->commit();
}

void MapFiles::add(const Image& image, const MapResult& result, const std::string& record_json, const RunContext& context) {
  SignalHeader header = map_header(image, record_json);
  for (const Map& map : result.maps) {
    header.title = map.name;
    header.quantity = !map.unit.empty() ? map.unit : map.scale == MapScale::probability ? "probability" : "";
    add(header, std::as_bytes(std::span(map.values)), context);
  }
  header.title = "status";
  header.type = NumberType::u8;
  header.quantity = "status code";
  add(header, std::as_bytes(std::span(result.status)), context);
  const auto [row, column] = map_axes(image);
  add_table(result, row, column);
}

void MapFiles::add_table(const MapResult& result, const Axis& row, const Axis& column) {
  if (csv_) out_.write_text(stem_ + ".csv", maps_csv(result, row, column));
}

void MapFiles::add(const SignalHeader& header, const Image& spectra, const RunContext& context) {
  for (const auto& writer : together_) writer->add(header, spectra, context);
}

void MapFiles::commit() {
  for (const auto& writer : together_) writer->commit();
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
    const bool ours = std::ranges::any_of(std::array{".hspy", ".nxs", ".tif", ".csv", ".png"},
                                          [&](const char* ending) { return name.ends_with(ending); });
    if (ours && name.find_first_of("/\\") == std::string::npos) out.supersede(name);
  }
}

}  // namespace elver::report

namespace elver {

std::vector<std::string> map_formats(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const char* known : {"hspy", "nexus", "tiff", "csv"}) {
    if (std::ranges::find(names, known) != names.end()) out.emplace_back(known);
  }
  for (const std::string& name : names) {
    if (std::ranges::find(out, name) != out.end()) continue;
    throw Error(ErrorKind::usage, "--format " + name, "maps are not written so", "Choose of hspy, nexus, tiff and csv");
  }
  return out;
}

void draw_beside(OutputSet& out, const std::string& stem, const Image& image, const std::vector<PixelMap>& maps) {
  const auto [row, column] = map_axes(image);
  const std::vector<PixelStatus> all_ok(image.pixels(), PixelStatus::ok);
  for (const PixelMap& map : maps)
    draw_map(report::shown(map), all_ok, row, column, out.stage(stem + "_" + report::picture_name(map.name)));
}

}  // namespace elver
