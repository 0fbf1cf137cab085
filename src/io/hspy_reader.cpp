#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "elver/error.hpp"
#include "io/hdf5_image.hpp"
#include "io/reader.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// The HDF5 signature lies at 0, 512, 1024, 2048, ..., after a user block.
bool is_hdf5(const std::filesystem::path&, std::span<const std::byte> head) {
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
  const std::string_view bytes(reinterpret_cast<const char*>(head.data()), head.size());
  for (std::size_t at = 0; at + kSignature.size() <= bytes.size(); at = at == 0 ? 512 : 2 * at) {
    if (bytes.substr(at, kSignature.size()) == kSignature) return true;
  }
  return false;
}

/// A group if it is there, and is one.
hdf5::Handle group_if(hid_t location, const std::string& path) {
  try {
    if (hdf5::exists(location, path)) return hdf5::open_group(location, path);
  } catch (const Error&) {
  }
  return {};
}

bool has_child_attribute(hid_t file, const std::string& attribute) {
  for (const std::string& name : hdf5::children(file)) {
    const hdf5::Handle group = group_if(file, name);
    if (group && hdf5::has_attribute(group.get(), attribute)) return true;
  }
  return false;
}

/// What an HDF5 file is that HyperSpy did not write.
std::string what_it_is(hid_t file) {
  const hdf5::Handle root = hdf5::open_group(file, "/");
  const auto marked = [&](const char* name) { return hdf5::has_attribute(root.get(), name); };
  if (hdf5::string_attribute(root.get(), "format").starts_with("elver")) return "it is an elver model, not an image";
  if (hdf5::exists(file, "structures") && hdf5::exists(file, "spectra"))
    return "it is a spectral library, not an image";
  if (hdf5::exists(file, "ImageList")) return "it is a Gatan DM5 file, which elver does not read";
  if (hdf5::exists(file, "Data") && hdf5::exists(file, "Version"))
    return "it is a Velox EMD file, which elver does not read";
  if (marked("version_major") || has_child_attribute(file, "emd_group_type") || marked("emd_group_type")) {
    return "it is an EMD file, which elver does not read";
  }
  if (marked("NX_class") || marked("NeXus_version") || has_child_attribute(file, "NX_class")) {
    return "it is a NeXus file, which elver does not read";
  }
  return "it is an HDF5 file that HyperSpy did not write";
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

/// Puts a table of positions in the place of offset and scale; says so if its steps are not even.
void read_positions(hid_t group, Axis& axis, ImageInfo& info) {
  const std::vector<double> positions = hdf5::read<double>(group, "axis");
  const std::string name = "its axis \"" + axis.name + "\"";
  if (positions.size() != axis.size) {
    info.refusal = name + text(" has %zu positions for %llu elements", positions.size(),
                               static_cast<unsigned long long>(axis.size));
    return;
  }
  const double span = positions.back() - positions.front();
  axis.offset = positions.front();
  axis.scale = positions.size() > 1 ? span / static_cast<double>(positions.size() - 1) : 1.0;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const double off = std::fabs(positions[i] - axis.offset - static_cast<double>(i) * axis.scale);
    if (!(off <= 1e-6 * std::fabs(span))) {
      info.refusal =
          name + text(" is not evenly spaced (element %zu lies %g steps off); resample it on even steps first", i,
                      off / std::fabs(axis.scale));
      return;
    }
  }
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
      read_positions(holder.get(), axis, info);
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
  hdf5::Handle data = hdf5::open_dataset(group.get(), "data");
  ImageInfo info;
  info.id = name;
  read_metadata(group.get(), info);
  info.record_json = read_record(group.get());
  if (info.title.empty() && !name.starts_with("__unnamed__")) info.title = name;
  info.type = number_type(data.get(), info.refusal);
  const std::vector<hsize_t> dims = hdf5::shape(data.get());
  if (dims.empty()) hdf5::fail_read(file, name + " is a single value, not an image");
  if (info.refusal.empty()) hdf5::check_readable(data.get());
  const std::vector<std::size_t> signal = read_axes(group.get(), dims, info);
  // One signal axis means spectra.
  const std::optional<std::size_t> spectrum = signal.size() == 1 ? std::optional(signal.front()) : std::nullopt;
  const std::vector<std::size_t> order = arrange_axes(info, spectrum, options, only_image);
  data = {};  // while it is open, its small chunk cache is everybody's
  return std::make_unique<Hdf5Image>(std::move(info), file, path + "/data", order);
}

File read_file(hid_t file, const std::filesystem::path& path, const OpenOptions& options) {
  const auto held = hdf5::lock();
  const hdf5::Handle root = hdf5::open_group(file, "/");
  if (!hdf5::exists(file, "Experiments") && hdf5::string_attribute(root.get(), "file_format") != "HyperSpy") {
    throw Error(ErrorKind::input, "cannot read " + path.string(), what_it_is(file),
                "Open it in HyperSpy and save it as .hspy");
  }
  File out;
  out.path = path;
  out.format = "hspy";
  const hdf5::Handle experiments = hdf5::open_group(file, "Experiments");
  std::vector<std::string> signals;
  for (const std::string& name : hdf5::children(experiments.get())) {
    if (hdf5::exists(experiments.get(), name + "/data")) signals.push_back(name);
  }
  for (const std::string& name : signals) out.images.push_back(read_signal(file, name, options, signals.size() == 1));
  return out;
}

}  // namespace

File read_hspy(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  return read_file(hdf5::open_bytes(bytes.span, path.string()).get(), path, options);
}

const Reader hspy_reader{"hspy", is_hdf5, [](const std::filesystem::path& path, const OpenOptions& options) {
                           return read_file(hdf5::open_file(path.string()).get(), path, options);
                         }};

}  // namespace elver
