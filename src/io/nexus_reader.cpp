#include <algorithm>
#include <cmath>
#include <map>

#include "elver/error.hpp"
#include "io/hdf5_reader.hpp"
#include "types/text.hpp"

/// NeXus: groups of class NXdata hold an array ("signal") and its axes; NXem's spectra are such groups too.
namespace elver {
namespace {

using Images = std::vector<std::unique_ptr<Image>>;

std::string class_of(hid_t group) { return hdf5::string_attribute(group, "NX_class"); }

bool is_nexus(hid_t file) {
  const hdf5::Handle root = hdf5::open_group(file, "/");
  if (!class_of(root.get()).empty() || hdf5::has_attribute(root.get(), "NeXus_version")) return true;
  return std::ranges::any_of(hdf5::children(file), [&](const std::string& name) {
    const hdf5::Handle group = group_if(file, name);
    return group && !class_of(group.get()).empty();
  });
}

/// The name of the array: what the group's "signal" says; in older files the member that has "signal" = 1.
std::string signal_of(hid_t group) {
  const std::string name = hdf5::string_attribute(group, "signal");
  if (!name.empty() && dataset_if(group, name)) return name;
  for (const std::string& member : hdf5::children(group)) {
    const hdf5::Handle dataset = dataset_if(group, member);
    if (dataset && hdf5::number_attribute(dataset.get(), "signal", 0) == 1) return member;
  }
  return dataset_if(group, "data") ? "data" : "";
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> out(1);
  for (const char c : list) {
    if (c == ',' || c == ':') {
      out.emplace_back();
    } else if (c != ' ' && c != '[' && c != ']') {
      out.back() += c;
    }
  }
  return out;
}

/// The names of the axes in the order of the array; "." where there is none.
std::vector<std::string> axes_of(hid_t group, hid_t data, std::size_t rank) {
  std::vector<std::string> listed = hdf5::string_list_attribute(group, "axes");
  if (listed.empty()) listed = hdf5::string_list_attribute(data, "axes");
  if (listed.size() == 1 && !dataset_if(group, listed.front())) listed = split(listed.front());
  std::vector<std::string> out(rank, ".");
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const double said = hdf5::number_attribute(group, listed[i] + "_indices", static_cast<double>(i));
    if (listed[i] != "." && said >= 0 && said < static_cast<double>(rank)) out[static_cast<std::size_t>(said)] = listed[i];
  }
  return out;
}

/// What an axis calls itself: "Energy loss" of "Energy loss (eV)"; the name of its table where it says nothing.
std::string label_of(hid_t table, const std::string& name, const std::string& units) {
  std::string label = hdf5::string_attribute(table, "long_name");
  const std::string end = " (" + units + ")";
  if (label.ends_with(end)) label.resize(label.size() - end.size());
  return label.empty() ? name : label;
}

Axis read_axis(hid_t group, const std::string& name, std::uint64_t size, std::size_t place, std::string& refusal) {
  Axis axis;
  axis.size = size;
  axis.name = name == "." ? text("axis %zu", place) : name;
  const hdf5::Handle table = name == "." ? hdf5::Handle() : dataset_if(group, name);
  if (!table) return axis;
  const hdf5::Handle type(H5Dget_type(table.get()));
  if (H5Tget_class(type.get()) == H5T_STRING || hdf5::shape(table.get()).size() > 1) return axis;
  axis.units = hdf5::string_attribute(table.get(), "units");
  axis.name = label_of(table.get(), name, axis.units);
  Axis measured = axis;
  const std::vector<double> positions = read_positions(group, name, size);
  // Edges of the channels, one more than there are channels, are allowed too.
  const std::span<const double> all(positions);
  const bool edges = positions.size() == size + 1;
  const std::string wrong = put_positions(edges ? all.first(size) : all, measured);
  if (edges && wrong.empty()) measured.offset += measured.scale / 2;
  if (wrong.empty()) {
    // One position has no step; and what elver wrote gives the very numbers back.
    const double scale = hdf5::number_attribute(table.get(), "scale", measured.scale);
    const double offset = hdf5::number_attribute(table.get(), "offset", measured.offset);
    const double step = std::fabs(measured.scale);
    if (size == 1 || (std::fabs(scale - measured.scale) <= 1e-6 * step && std::fabs(offset - measured.offset) <= 1e-6 * step)) {
      measured.scale = scale, measured.offset = offset;
    }
    return measured;
  }
  if (is_energy_unit(axis.units)) refusal = "its axis \"" + axis.name + "\" " + wrong;
  axis.units.clear();  // pixels at uneven places are counted
  return axis;
}

/// Values of the instrument, where NXem, NXmx and HyperSpy's writer keep them: the first field of this name in the
/// entry, in the unit it says it has.
std::optional<double> field(hid_t entry, const std::vector<std::string>& datasets, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    for (const std::string& path : datasets) {
      if (path != name && !path.ends_with(std::string("/") + name)) continue;
      const hdf5::Handle dataset = hdf5::open_dataset(entry, path);
      const hdf5::Handle type(H5Dget_type(dataset.get()));
      const H5T_class_t kind = H5Tget_class(type.get());
      if (kind != H5T_INTEGER && kind != H5T_FLOAT) continue;
      std::uint64_t count = 1;
      for (const hsize_t n : hdf5::shape(dataset.get())) count *= n;
      if (count != 1) continue;
      double value = hdf5::read<double>(entry, path).front();
      if (hdf5::string_attribute(dataset.get(), "units") == "rad") value *= 1000;
      if (std::isfinite(value) && value > 0) return value;
    }
  }
  return std::nullopt;
}

/// What an entry says of all its data.
ImageInfo conditions_of(hid_t file, const std::string& entry_name) {
  ImageInfo info;
  const hdf5::Handle entry = group_if(file, entry_name);
  if (!entry) return info;
  const std::vector<std::string> datasets = datasets_below(entry.get());
  if (const auto volts = field(entry.get(), datasets, {"beam_energy", "voltage", "accelerating_voltage"}))
    info.beam_energy_kev = kilovolts(*volts);
  info.convergence_mrad = field(entry.get(), datasets, {"convergence_angle", "semi_convergence_angle"});
  info.collection_mrad = field(entry.get(), datasets, {"collection_angle", "semi_collection_angle"});
  info.dwell_s = field(entry.get(), datasets, {"dwell_time", "exposure"});
  if (dataset_if(entry.get(), "elver/record")) {
    const std::vector<std::string> record = hdf5::read_strings(entry.get(), "elver/record");
    if (!record.empty()) info.record_json = record.front();
  }
  if (const hdf5::Handle kind = dataset_if(entry.get(), "auxiliary/hyperspy_metadata/Signal/signal_type")) {
    const std::vector<std::string> word = hdf5::read_strings(entry.get(), "auxiliary/hyperspy_metadata/Signal/signal_type");
    if (!word.empty()) info.signal_type = word.front();
  }
  return info;
}

std::unique_ptr<Image> read_nxdata(hid_t file, const std::string& path, const std::string& signal,
                                   const ImageInfo& conditions, const OpenOptions& options, bool only_image) {
  const hdf5::Handle group = hdf5::open_group(file, path);
  const hdf5::Handle data = hdf5::open_dataset(group.get(), signal);
  ImageInfo info = conditions;
  info.id = path;
  info.title = hdf5::string_attribute(group.get(), "title", path.substr(path.rfind('/') + 1));
  info.quantity = hdf5::string_attribute(data.get(), "units");
  if (info.signal_type.empty()) info.signal_type = hdf5::string_attribute(group.get(), "signal_type");
  const std::vector<hsize_t> dims = hdf5::shape(data.get());
  const std::vector<std::string> names = axes_of(group.get(), data.get(), dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i)
    info.axes.push_back(read_axis(group.get(), names[i], dims[i], i, info.refusal));
  if (info.signal_type.empty() && class_of(group_if(file, path.substr(0, path.rfind('/'))).get()).starts_with("NXspectrum")) info.signal_type = "EELS";
  const bool spectra = hdf5::string_attribute(group.get(), "interpretation") == "spectrum" ||
                       hdf5::string_attribute(data.get(), "interpretation") == "spectrum";
  return hdf5_image(std::move(info), file, path + "/" + signal, {},
                    spectra ? std::optional(dims.size() - 1) : std::nullopt, options, only_image);
}

Images read(hid_t file, const OpenOptions& options) {
  Images out;
  std::vector<std::pair<std::string, std::string>> found;
  for (const std::string& name : groups_below(file)) {
    const hdf5::Handle group = name.empty() ? hdf5::Handle() : hdf5::open_group(file, name);
    if (!group || class_of(group.get()) != "NXdata") continue;
    const std::string signal = signal_of(group.get());
    if (!signal.empty() && !hdf5::shape(hdf5::open_dataset(group.get(), signal).get()).empty()) found.emplace_back(name, signal);
  }
  std::map<std::string, ImageInfo> conditions;  // of each entry, looked for once
  for (const auto& [name, signal] : found) {
    const std::string entry = name.substr(0, name.find('/'));
    if (!conditions.contains(entry)) conditions[entry] = conditions_of(file, entry);
    out.push_back(read_nxdata(file, name, signal, conditions[entry], options, found.size() == 1));
  }
  return out;
}

}  // namespace

const Hdf5Reader nexus_reader{{"nexus", "NeXus (NXdata, NXem)", ".nxs .h5", "every NXdata; axes, units; beam energy, angles, dwell time"}, is_nexus, read};

}  // namespace elver
