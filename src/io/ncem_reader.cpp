#include <algorithm>
#include <array>
#include <cmath>

#include "elver/error.hpp"
#include "io/hdf5_reader.hpp"
#include "types/text.hpp"

/// EMD as the NCEM at Berkeley lays it down (emdatasets.com): groups that say so hold an array and a table for each of
/// its axes. Also what builds on it: py4DSTEM, Prismatic, HyperSpy's .emd.
namespace elver {
namespace {

using Images = std::vector<std::unique_ptr<Image>>;

constexpr std::array kDataNames{"data", "datacube", "counted_datacube", "realslice", "diffractionslice"};

bool marks(hid_t object) {
  return hdf5::has_attribute(object, "version_major") || hdf5::has_attribute(object, "emd_group_type");
}

bool is_ncem(hid_t file) {
  if (marks(hdf5::open_group(file, "/").get())) return true;
  return std::ranges::any_of(hdf5::children(file), [&](const std::string& name) {
    const hdf5::Handle group = group_if(file, name);
    return group && marks(group.get());
  });
}

/// "[n_m]" says nm.
std::string unit_of(hid_t table) {
  std::string unit = hdf5::string_attribute(table, "units");
  if (!unit.starts_with('[') || !unit.ends_with(']')) return unit;
  std::erase_if(unit, [](char c) { return c == '[' || c == ']' || c == '_'; });
  return unit;
}

/// The table is every position, or the first two.
Axis read_axis(hid_t group, const std::string& name, std::uint64_t size, std::string& refusal) {
  Axis axis;
  axis.size = size;
  axis.name = name;
  const hdf5::Handle table = dataset_if(group, name);
  if (!table) return axis;
  if (const std::string word = hdf5::string_attribute(table.get(), "name"); !word.empty()) axis.name = word;
  axis.units = unit_of(table.get());
  const hdf5::Handle type(H5Dget_type(table.get()));
  if (H5Tget_class(type.get()) == H5T_STRING || hdf5::shape(table.get()).size() != 1) return axis;
  const std::vector<double> positions = read_positions(group, name, size);
  if (positions.size() == size && size > 2) {
    if (const std::string wrong = put_positions(positions, axis); !wrong.empty() && is_energy_unit(axis.units)) {
      refusal = "its axis \"" + axis.name + "\" " + wrong;
    }
  } else if (!positions.empty()) {
    axis.offset = positions.front();
    if (positions.size() > 1) axis.scale = positions[1] - positions[0];
  }
  return axis;
}

/// What the microscope group says, in the words that writers of EMD use.
void read_microscope(hid_t file, ImageInfo& info) {
  const hdf5::Handle group = group_if(file, "microscope");
  if (!group) return;
  const auto number = [&](std::initializer_list<const char*> names) -> std::optional<double> {
    for (const char* name : names) {
      const double value = hdf5::number_attribute(group.get(), name, -1);
      if (std::isfinite(value) && value > 0) return value;
    }
    return std::nullopt;
  };
  if (const auto voltage = number({"voltage", "beam_energy", "accelerating_voltage"})) {
    info.beam_energy_kev = kilovolts(*voltage);
  }
  info.convergence_mrad = number({"convergence_angle", "convergence_semi_angle"});
  info.collection_mrad = number({"collection_angle", "collection_semi_angle"});
}

struct Found {
  std::string group, data;
};

std::vector<Found> find_arrays(hid_t file) {
  std::vector<Found> out;
  for (const std::string& path : groups_below(file)) {
    const hdf5::Handle group = hdf5::open_group(file, path.empty() ? "/" : path);
    if (!hdf5::has_attribute(group.get(), "emd_group_type")) continue;
    for (const char* name : kDataNames) {
      if (dataset_if(group.get(), name)) out.push_back({path, name});
    }
  }
  return out;
}

/// With dim1 the first axis was the fastest for most who wrote it (HyperSpy, into "signals"), so that pixels lie in the other
/// order; not for ncempy, which is NCEM's own. The names tell: y before x, or those that ncempy gives of itself.
bool names_rows_first(const std::vector<Axis>& axes, const std::string& group) {
  std::size_t x = axes.size(), y = axes.size(), unnamed = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].name == "x") x = i;
    if (axes[i].name == "y") y = i;
    if (axes[i].name == text("dim%zu", i + 1)) ++unnamed;
  }
  return y < x ? x < axes.size() : unnamed == axes.size() && !group.starts_with("signals/");
}

std::unique_ptr<Image> read_array(hid_t file, const Found& found, const OpenOptions& options, bool only_image) {
  const hdf5::Handle group = hdf5::open_group(file, found.group.empty() ? "/" : found.group);
  ImageInfo info;
  info.id = found.group.empty() ? found.data : found.group;
  info.title = info.id.substr(info.id.rfind('/') + 1);
  info.signal_type = hdf5::string_attribute(group.get(), "signal_type");
  read_microscope(file, info);
  const std::vector<hsize_t> dims = hdf5::shape(hdf5::open_dataset(group.get(), found.data).get());
  if (dims.empty()) hdf5::fail_read(file, info.id + " is a single value, not an image");
  const bool older = found.data != "datacube" && !dataset_if(group.get(), "dim0");
  for (std::size_t i = 0; i < dims.size(); ++i) {
    info.axes.push_back(read_axis(group.get(), text("dim%zu", older ? i + 1 : i), dims[i], info.refusal));
  }
  const bool reversed = older && !names_rows_first(info.axes, found.group);
  std::vector<std::size_t> places(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) places[i] = reversed ? dims.size() - 1 - i : i;
  if (reversed) std::ranges::reverse(info.axes);
  return hdf5_image(std::move(info), file, (found.group.empty() ? "" : found.group + "/") + found.data, places,
                    std::nullopt, options, only_image);
}

Images read(hid_t file, const OpenOptions& options) {
  Images out;
  const std::vector<Found> arrays = find_arrays(file);
  for (const Found& found : arrays) out.push_back(read_array(file, found, options, arrays.size() == 1));
  return out;
}

}  // namespace

const Hdf5Reader ncem_reader{{"emd-ncem", "EMD of NCEM, py4DSTEM and HyperSpy", ".emd .h5", "every array; axes, units; beam energy, angles"}, is_ncem, read};

}  // namespace elver
