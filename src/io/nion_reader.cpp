#include <nlohmann/json.hpp>
#include <stdexcept>

#include "elver/error.hpp"
#include "io/hdf5_reader.hpp"
#include "io/swift_properties.hpp"

/// Nion Swift's HDF5: in a library an .h5 with one array "data", in an export (.nhdf) arrays in a group "data"; each has
/// its description as JSON in the attribute "properties".
namespace elver {
namespace {

using Images = std::vector<std::unique_ptr<Image>>;

bool described(hid_t dataset) { return hdf5::has_attribute(dataset, "properties"); }

std::vector<std::string> arrays(hid_t file) {
  if (const hdf5::Handle one = dataset_if(file, "data")) return described(one.get()) ? std::vector<std::string>{"data"} : std::vector<std::string>{};
  std::vector<std::string> out;
  const hdf5::Handle group = group_if(file, "data");
  if (!group) return out;
  for (const std::string& name : hdf5::children(group.get())) {
    const hdf5::Handle dataset = dataset_if(group.get(), name);
    if (dataset && described(dataset.get())) out.push_back("data/" + name);
  }
  return out;
}

nlohmann::json properties_of(hid_t file, hid_t dataset, const std::string& path) {
  const std::string properties = hdf5::string_attribute(dataset, "properties");
  try {
    return swift_json(properties, path + "@properties");
  } catch (const std::runtime_error& error) {
    hdf5::fail_read(file, error.what());
  }
}

Images read(hid_t file, const OpenOptions& options) {
  Images out;
  const std::vector<std::string> found = arrays(file);
  for (const std::string& path : found) {
    const hdf5::Handle dataset = hdf5::open_dataset(file, path);
    const nlohmann::json properties = properties_of(file, dataset.get(), path);
    const std::vector<hsize_t> dims = hdf5::shape(dataset.get());
    ImageInfo info = swift_info(properties, std::vector<std::uint64_t>(dims.begin(), dims.end()));
    info.id = path;
    out.push_back(hdf5_image(std::move(info), file, path, {}, std::nullopt, options, found.size() == 1));
  }
  return out;
}

}  // namespace

const Hdf5Reader nion_reader{{"nion", "Nion Swift HDF5", ".h5 .nhdf", "every data item; axes, units; beam energy, angles, exposure"},
                             [](hid_t file) { return !arrays(file).empty(); },
                             read};

}  // namespace elver
