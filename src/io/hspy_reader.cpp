#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "elver/error.hpp"
#include "io/hdf5_reader.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using Images = std::vector<std::unique_ptr<Image>>;

/// Signals lie in "Experiments"; the root says who wrote them.
bool is_hspy(hid_t file) {
  return group_if(file, "Experiments") ||
         hdf5::string_attribute(hdf5::open_group(file, "/").get(), "file_format") == "HyperSpy";
}

/// HyperSpy's ways to say nothing.
std::string word(hid_t object, const std::string& name) {
  const std::string value = hdf5::string_attribute(object, name);
  return value == "_None_" || value == "<undefined>" || value == "None" || value == "__unnamed__" ? "" : value;
}

/// The first of these attributes that is a number of at least `least`. Paths end in the attribute's name.
std::optional<double> first_number(hid_t group, double least, std::initializer_list<const char*> paths) {
  for (const std::string path : paths) {
    const std::size_t slash = path.rfind('/');
    const hdf5::Handle holder = group_if(group, path.substr(0, slash));
    const double value = holder ? hdf5::number_attribute(holder.get(), path.substr(slash + 1), -1) : -1;
    if (std::isfinite(value) && value >= least) return value;
  }
  return std::nullopt;
}

std::string first_word(hid_t group, std::initializer_list<const char*> paths) {
  for (const std::string path : paths) {
    const std::size_t slash = path.rfind('/');
    const hdf5::Handle holder = group_if(group, path.substr(0, slash));
    if (!holder) continue;
    if (const std::string found = word(holder.get(), path.substr(slash + 1)); !found.empty()) return found;
  }
  return "";
}

/// What the metadata say, in the place of today and in the older ones.
void read_metadata(hid_t group, ImageInfo& info) {
  constexpr double kPositive = std::numeric_limits<double>::min();
  info.title = first_word(
      group, {"metadata/General/title", "metadata/title", "mapped_parameters/title", "mapped_parameters/name"});
  info.signal_type =
      first_word(group, {"metadata/Signal/signal_type", "metadata/signal_type", "mapped_parameters/signal_type"});
  info.quantity = first_word(group, {"metadata/Signal/quantity"});
  info.beam_energy_kev = first_number(
      group, kPositive,
      {"metadata/Acquisition_instrument/TEM/beam_energy", "metadata/Acquisition_instrument/SEM/beam_energy",
       "metadata/TEM/beam_energy", "mapped_parameters/TEM/beam_energy", "mapped_parameters/beam_energy"});
  if (info.beam_energy_kev && *info.beam_energy_kev > 1000) *info.beam_energy_kev /= 1000;  // volts
  info.convergence_mrad =
      first_number(group, 0.0,
                   {"metadata/Acquisition_instrument/TEM/convergence_angle", "metadata/TEM/convergence_angle",
                    "mapped_parameters/TEM/convergence_angle", "mapped_parameters/convergence_angle"});
  info.collection_mrad = first_number(
      group, 0.0,
      {"metadata/Acquisition_instrument/TEM/Detector/EELS/collection_angle",
       "metadata/Acquisition_instrument/TEM/Detector/collection_angle", "metadata/TEM/EELS/collection_angle",
       "mapped_parameters/TEM/EELS/collection_angle", "mapped_parameters/collection_angle"});
  info.dwell_s =
      first_number(group, kPositive,
                   {"metadata/Acquisition_instrument/TEM/Detector/EELS/dwell_time",
                    "metadata/Acquisition_instrument/TEM/Detector/dwell_time", "metadata/TEM/EELS/dwell_time",
                    "mapped_parameters/TEM/EELS/dwell_time", "mapped_parameters/TEM/dwell_time",
                    "metadata/Acquisition_instrument/TEM/Detector/EELS/exposure",
                    "metadata/Acquisition_instrument/TEM/Detector/exposure", "metadata/TEM/EELS/exposure",
                    "mapped_parameters/TEM/EELS/exposure", "mapped_parameters/TEM/exposure"});
}

/// What an elver that wrote the signal says it did, or "".
std::string read_record(hid_t group) {
  const hdf5::Handle original = group_if(group, "original_metadata");
  return original ? hdf5::string_attribute(original.get(), "elver") : "";
}

/// Fills the axes in the order of the data. Returns those that HyperSpy calls signal axes.
std::vector<std::size_t> read_axes(hid_t group, const std::vector<hsize_t>& dims, ImageInfo& info) {
  std::vector<std::size_t> signal;
  const std::string list = text("_list_%zu_axes", dims.size());
  bool said = false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    Axis axis;
    axis.size = dims[i];
    hdf5::Handle holder = group_if(group, text("axis-%zu", i));
    if (!holder) holder = group_if(group, list + text("/%zu", i));
    if (!holder)
      hdf5::fail_read(group, info.id + text(": axis-%zu is missing", i), "The file is damaged or incomplete");
    axis.name = word(holder.get(), "name");
    axis.units = word(holder.get(), "units");
    axis.scale = hdf5::number_attribute(holder.get(), "scale", 1.0);
    axis.offset = hdf5::number_attribute(holder.get(), "offset", 0.0);
    const std::string type = word(holder.get(), "_type");
    if (hdf5::exists(holder.get(), "axis")) {
      const std::string wrong = put_positions(read_positions(holder.get(), "axis", axis.size), axis);
      if (!wrong.empty()) info.refusal = "its axis \"" + axis.name + "\" " + wrong;
    } else if (!type.empty() && type != "UniformDataAxis") {
      info.refusal = "its axis \"" + axis.name + "\" is a " + type + "; convert it to even steps first";
    }
    for (const auto& [attribute, navigates] : {std::pair{"navigate", 1.0}, std::pair{"slice_bool", 0.0}}) {
      if (!hdf5::has_attribute(holder.get(), attribute)) continue;
      said = true;
      if (hdf5::number_attribute(holder.get(), attribute, navigates) != navigates) signal.push_back(i);
      break;
    }
    info.axes.push_back(std::move(axis));
  }
  if (!said && !dims.empty()) {
    const std::string record_by =
        first_word(group, {"metadata/Signal/record_by", "metadata/record_by", "mapped_parameters/record_by"});
    if (record_by == "image" && dims.size() >= 2) signal.push_back(dims.size() - 2);
    if (record_by == "image" || record_by == "spectrum") signal.push_back(dims.size() - 1);
  }
  return signal;
}

std::unique_ptr<Image> read_signal(hid_t file, const std::string& name, const OpenOptions& options, bool only_image) {
  const std::string path = "Experiments/" + name;
  const hdf5::Handle group = hdf5::open_group(file, path);
  ImageInfo info;
  info.id = name;
  read_metadata(group.get(), info);
  info.record_json = read_record(group.get());
  if (info.title.empty() && !name.starts_with("__unnamed__")) info.title = name;
  const std::vector<hsize_t> dims = hdf5::shape(hdf5::open_dataset(group.get(), "data").get());
  if (dims.empty()) hdf5::fail_read(file, name + " is a single value, not an image");
  const std::vector<std::size_t> signal = read_axes(group.get(), dims, info);
  // One signal axis means spectra.
  const std::optional<std::size_t> spectrum = signal.size() == 1 ? std::optional(signal.front()) : std::nullopt;
  return hdf5_image(std::move(info), file, path + "/data", {}, spectrum, options, only_image);
}

Images read(hid_t file, const OpenOptions& options) {
  Images out;
  const hdf5::Handle experiments = hdf5::open_group(file, "Experiments");
  std::vector<std::string> signals;
  for (const std::string& name : hdf5::children(experiments.get())) {
    if (hdf5::exists(experiments.get(), name + "/data")) signals.push_back(name);
  }
  for (const std::string& name : signals) out.push_back(read_signal(file, name, options, signals.size() == 1));
  return out;
}

}  // namespace

const Hdf5Reader hspy_reader{
    {"hspy", "HyperSpy", ".hspy", "every signal; axes, units; beam energy, angles, dwell time; what elver did"},
    is_hspy,
    read};

}  // namespace elver
