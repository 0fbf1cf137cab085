#include "io/swift_properties.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

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

/// A number of a calibration: `usual` where it is absent; NaN where it is no number: it refuses an
/// energy, and pixels are counted.
double calibrated(const json& calibration, const char* name, double usual) {
  const bool absent = !calibration.contains(name);
  return number_at(calibration, text("/%s", name)).value_or(absent ? usual : std::numeric_limits<double>::quiet_NaN());
}

/// The first of these numbers that is positive; places of today come before older ones.
std::optional<double> first_positive(const json& source, const json& properties, std::initializer_list<const char*> places) {
  for (const char* place : places) {
    for (const json* holder : {&source, &properties}) {
      if (const auto number = number_at(*holder, place); number && *number > 0) return number;
    }
  }
  return std::nullopt;
}

std::optional<double> milliradians(std::optional<double> radians) {
  constexpr double kMradPerRad = 1000.0;
  return radians ? std::optional(*radians * kMradPerRad) : std::nullopt;
}

}  // namespace

json swift_json(std::string_view written, const std::string& what) {
  constexpr int kMostLevels = 200;  // a parser would hold each
  std::string plain;
  plain.reserve(written.size());
  int level = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const char c = written[i];
    if (!quoted && (c == '-' || c == 'N' || c == 'I')) {
      const std::size_t sign = c == '-' ? 1 : 0;
      if (const std::string_view rest = written.substr(i + sign); rest.starts_with("NaN") || rest.starts_with("Infinity")) {
        plain += "null";
        i += sign + (rest.front() == 'N' ? 3 : 8) - 1;
        continue;
      }
    }
    plain += c;
    if (quoted && c == '\\' && i + 1 < written.size()) plain += written[++i];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    level += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    if (level > kMostLevels) throw std::runtime_error(text("its %s nests too deeply", what.c_str()));
  }
  json found = json::parse(plain, nullptr, false);
  if (!found.is_object()) throw std::runtime_error(text("its %s is no JSON", what.c_str()));
  return found;
}

ImageInfo swift_info(const json& properties, std::span<const std::uint64_t> shape) {
  ImageInfo info;
  info.title = text_at(properties, "/title");
  if (info.title.empty()) info.title = text_at(properties, "/description/title");
  const json& source = source_of(properties);
  const json* const given = calibrations(source, shape.size());
  // A colour has no calibration of its own.
  const bool colours = given == nullptr && shape.size() == 3 && shape[2] <= 4 && calibrations(source, 2) != nullptr;
  if (colours) info.refusal = "its values are colours (RGB)";
  const auto pixel_axes = static_cast<std::size_t>(number_at(source, "/datum_dimension_count").value_or(0));
  for (std::size_t i = 0; i < shape.size(); ++i) {
    Axis axis;
    axis.size = shape[i];
    if (given != nullptr && (*given)[i].is_object()) {
      axis.scale = calibrated((*given)[i], "scale", 1.0);
      axis.offset = calibrated((*given)[i], "offset", 0.0);
      axis.units = text_at((*given)[i], "/units");
      if (!is_energy_unit(axis.units) && !std::isfinite(axis.scale + axis.offset)) axis = {"", "", 1.0, 0.0, shape[i]};
    }
    // Rows before columns; an energy is found by its unit.
    const std::size_t from_end = shape.size() - 1 - i;
    constexpr const char* kNames[] = {"x", "y"};
    const std::size_t place = is_energy_unit(axis.units) ? 2 : from_end - (pixel_axes == 1 && from_end > 0 ? 1 : 0);
    axis.name = is_energy_unit(axis.units) ? "Energy loss" : place < 2 ? kNames[place] : text("axis %zu", i);
    info.axes.push_back(std::move(axis));
  }
  const auto number = [&](std::initializer_list<const char*> places) { return first_positive(source, properties, places); };
  if (const auto volts = number({"/metadata/instrument/high_tension", "/metadata/hardware_source/autostem/high_tension_v",
                                 "/metadata/hardware_source/autostem/high_tension", "/metadata/hardware_source/high_tension_v",
                                 "/metadata/scan/high_tension", "/metadata/hardware_source/extra_high_tension",
                                 "/properties/autostem/high_tension_v"})) {
    info.beam_energy_kev = kilovolts(*volts);
  }
  info.convergence_mrad = milliradians(
      number({"/metadata/instrument/convergence_angle", "/metadata/hardware_source/convergence_angle_rad"}));
  info.collection_mrad = milliradians(
      number({"/metadata/instrument/collection_angle", "/metadata/hardware_source/collection_angle_rad"}));
  info.dwell_s = number({"/metadata/hardware_source/exposure", "/properties/exposure"});
  for (const char* place : {"/metadata/hardware_source/signal_type", "/properties/signal_type"}) {
    const std::string kind = text_at(source, place);
    if (kind == "EELS" || kind == "eels") info.signal_type = "EELS";
  }
  return info;
}

}  // namespace elver
