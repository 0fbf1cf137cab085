#include "elver/error.hpp"
#include "io/hdf5_reader.hpp"
#include "types/text.hpp"

/// HDF5 of whatever program: every array of numbers is an image, named by its path. Axes have no calibration; the
/// options --energy-axis, --offset-ev and --dispersion-ev give one.
namespace elver {
namespace {

using Images = std::vector<std::unique_ptr<Image>>;

constexpr std::size_t kMostAxes = 8;

/// What an HDF5 file is that no reader takes.
void refuse_others(hid_t file) {
  const hdf5::Handle root = hdf5::open_group(file, "/");
  const char* what = nullptr;
  const char* todo = "Give a spectrum image";
  if (hdf5::string_attribute(root.get(), "format").starts_with("elver")) {
    what = "it is an elver model, not an image";
  } else if (hdf5::exists(file, "structures") && hdf5::exists(file, "spectra")) {
    what = "it is a spectral library, not an image";
  } else if (hdf5::exists(file, "ImageList")) {
    what = "it is a Gatan DM5 file, which elver does not read";
    todo = "Save it as DM4 in DigitalMicrograph";
  }
  if (what != nullptr) hdf5::fail_read(file, what, todo);
}

bool holds_numbers(hid_t dataset) {
  const hdf5::Handle type(H5Dget_type(dataset));
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return false;
  const hdf5::Handle space(H5Dget_space(dataset));
  const int axes = H5Sget_simple_extent_ndims(space.get());
  return axes >= 1 && axes <= static_cast<int>(kMostAxes) && H5Sget_simple_extent_npoints(space.get()) > 1;
}

Images read(hid_t file, const OpenOptions& options) {
  refuse_others(file);
  Images out;
  std::vector<std::string> found;
  for (const std::string& name : datasets_below(file)) {
    if (holds_numbers(hdf5::open_dataset(file, name).get())) found.push_back(name);
  }
  std::string wanted = options.dataset;
  if (wanted.starts_with('/')) wanted.erase(0, 1);
  for (const std::string& name : found) {
    ImageInfo info;
    info.id = name == wanted ? options.dataset : name;  // both ways to write a path
    info.title = name.substr(name.rfind('/') + 1);
    const std::vector<hsize_t> dims = hdf5::shape(hdf5::open_dataset(file, name).get());
    for (std::size_t i = 0; i < dims.size(); ++i) info.axes.push_back({text("axis %zu", i), "", 1.0, 0.0, dims[i]});
    // Who gives an energy and names no axis means the last.
    const bool spectra = (options.offset_ev || options.dispersion_ev) && (found.size() == 1 || name == wanted);
    out.push_back(hdf5_image(std::move(info), file, name, {},
                                    spectra ? std::optional(dims.size() - 1) : std::nullopt, options, found.size() == 1));
  }
  return out;
}

}  // namespace

const Hdf5Reader any_hdf5_reader{{"hdf5", "any other HDF5", ".h5 .hdf5", "every array of numbers, by --dataset PATH with --energy-axis, --offset-ev, --dispersion-ev"}, [](hid_t) { return true; }, read};

}  // namespace elver
