#include "io/swift_properties.hpp"

#include <nlohmann/json.hpp>

#include "io/hdf5_reader.hpp"
#include "io/reader.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using nlohmann::json;

/// Where the facts of the array lie: in the item itself, in older versions in its only data source.
const json& source_of(const json& properties) {
  static const json::json_pointer kOlder("/data_sources/0");
  return properties.contains(kOlder) && properties.at(kOlder).is_object() ? properties.at(kOlder) : properties;
}

const json* calibrations(const json& source, std::size_t rank) {
  for (const char* name : {"dimensional_calibrations", "spatial_calibrations"}) {
    const auto found = source.find(name);
    if (found != source.end() && found->is_array() && found->size() == rank) return &*found;
  }
  return nullptr;
}

}  // namespace

ImageInfo swift_info(const json& properties, std::span<const std::uint64_t> shape) {
  ImageInfo info;
  info.title = text_at(properties, "/title");
  if (info.title.empty()) info.title = text_at(properties, "/description/title");
  const json& source = source_of(properties);
  const json* const given = calibrations(source, shape.size());
  const auto pixel_axes = static_cast<std::size_t>(number_at(source, "/datum_dimension_count").value_or(0));
  for (std::size_t i = 0; i < shape.size(); ++i) {
    Axis axis;
    axis.size = shape[i];
    if (given != nullptr && (*given)[i].is_object()) {
      axis.scale = number_at((*given)[i], "/scale").value_or(1.0);
      axis.offset = number_at((*given)[i], "/offset").value_or(0.0);
      axis.units = text_at((*given)[i], "/units");
    }
    // Rows before columns; an energy is found by its unit.
    const std::size_t from_end = shape.size() - 1 - i;
    constexpr const char* kNames[] = {"x", "y"};
    const std::size_t place = is_energy_unit(axis.units) ? 2 : from_end - (pixel_axes == 1 && from_end > 0 ? 1 : 0);
    axis.name = is_energy_unit(axis.units) ? "Energy loss" : place < 2 ? kNames[place] : text("axis %zu", i);
    info.axes.push_back(std::move(axis));
  }
  for (const char* place : {"/metadata/instrument/high_tension", "/metadata/hardware_source/autostem/high_tension_v",
                            "/metadata/hardware_source/high_tension_v", "/metadata/scan/high_tension",
                            "/metadata/hardware_source/extra_high_tension"}) {
    for (const json* holder : {&source, &properties}) {
      if (const auto volts = number_at(*holder, place); volts && !info.beam_energy_kev) info.beam_energy_kev = kilovolts(*volts);
    }
  }
  const std::string kind = text_at(source, "/metadata/hardware_source/signal_type");
  if (kind == "EELS" || kind == "eels") info.signal_type = "EELS";
  if (const auto exposure = number_at(source, "/metadata/hardware_source/exposure"); exposure && *exposure > 0)
    info.dwell_s = exposure;
  return info;
}

}  // namespace elver
