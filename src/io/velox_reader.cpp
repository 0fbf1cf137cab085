#include <algorithm>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "io/hdf5_reader.hpp"
#include "types/text.hpp"

/// EMD as Thermo Fisher's Velox writes it: kinds of data under /Data, each in a group of its own with the values and
/// its metadata as JSON, one byte an element.
namespace elver {
namespace {

using Images = std::vector<std::unique_ptr<Image>>;

using nlohmann::json;

constexpr double kMradPerRad = 1000.0;

bool is_velox(hid_t file) {
  if (!group_if(file, "Data") || !hdf5::exists(file, "Version")) return false;
  const std::vector<std::string> version = hdf5::read_strings(file, "Version");
  return !version.empty() && (version.front().find("Velox") != std::string::npos ||
                              version.front().find("DevelopersKit") != std::string::npos);
}

/// The JSON beside the values; an empty object where there is none, or none that can be read.
json metadata(hid_t group, const std::string& name) {
  const hdf5::Handle bytes = dataset_if(group, name);
  if (!bytes) return json::object();
  json found = json::parse(text_of_bytes(bytes.get()), nullptr, false);
  return found.is_object() ? found : json::object();
}

/// Pixels in nm where Velox gives metres.
Axis pixel_axis(const json& facts, const std::string& name, std::uint64_t size) {
  const bool x = name == "x";
  Axis axis{name, text_at(facts, x ? "/BinaryResult/PixelUnitX" : "/BinaryResult/PixelUnitY"), 1.0, 0.0, size};
  axis.scale = number_at(facts, std::string("/BinaryResult/PixelSize/") + (x ? "width" : "height")).value_or(1.0);
  axis.offset = number_at(facts, "/BinaryResult/Offset/" + name).value_or(0.0);
  if (axis.units != "m") return axis;
  axis.units = "nm";
  axis.scale *= 1e9;
  axis.offset *= 1e9;
  return axis;
}

void read_conditions(const json& facts, ImageInfo& info) {
  if (const auto volts = number_at(facts, "/Optics/AccelerationVoltage")) info.beam_energy_kev = kilovolts(*volts);
  if (const auto angle = number_at(facts, "/Optics/BeamConvergence"); angle && *angle > 0)
    info.convergence_mrad = *angle * kMradPerRad;
  for (const char* place : {"/CustomProperties/EnergyFilter.CollectionAngleRange.End/value", "/CustomProperties/EnergyFilter.CollectionAngleRange.End"}) {
    if (const auto angle = number_at(facts, place); angle && *angle > 0) info.collection_mrad = *angle * kMradPerRad;
  }
  if (const auto dwell = number_at(facts, "/Scan/DwellTime"); dwell && *dwell > 0) info.dwell_s = dwell;
}

/// Where the pixels of spectrum images are described: the group of the scan.
json scan_of(hid_t file) {
  const hdf5::Handle scans = group_if(file, "Data/SpectrumImage");
  if (!scans) return json::object();
  for (const std::string& id : hdf5::children(scans.get())) {
    if (const hdf5::Handle scan = group_if(scans.get(), id)) return metadata(scan.get(), "Metadata");
  }
  return json::object();
}

/// Rows, energies, columns; of a line, pixels and energies; or one spectrum.
std::unique_ptr<Image> read_spectra(hid_t file, const std::string& id, const json& scan, const OpenOptions& options,
                                    bool only_image) {
  const std::string path = "Data/EelsSpectrumImage/" + id;
  const hdf5::Handle group = hdf5::open_group(file, path);
  const json facts = metadata(group.get(), "Metadata"), acquisition = metadata(group.get(), "AcquisitionMetadata");
  ImageInfo info;
  info.id = id;
  info.title = "EELS";
  info.signal_type = "EELS";
  read_conditions(scan, info);
  read_conditions(facts, info);
  const std::vector<hsize_t> dims = hdf5::shape(hdf5::open_dataset(group.get(), "Data").get());
  if (dims.empty() || dims.size() > 3) hdf5::fail_read(file, path + text(" has %zu axes", dims.size()));
  const std::size_t energy = dims.size() == 1 ? 0 : 1;
  if (dims.size() == 3) info.axes.push_back(pixel_axis(scan, "y", dims[0]));
  if (dims.size() == 2) info.axes.push_back(pixel_axis(scan, "x", dims[0]));
  info.axes.push_back({"Energy loss", "eV", number_at(acquisition, "/Data/dispersion").value_or(1.0),
                       number_at(acquisition, "/Data/offset").value_or(0.0), dims[energy]});
  if (dims.size() == 3) info.axes.push_back(pixel_axis(scan, "x", dims[2]));
  return hdf5_image(std::move(info), file, path + "/Data", {}, energy, options, only_image);
}

/// Rows, columns, frames.
std::unique_ptr<Image> read_picture(hid_t file, const std::string& id, const OpenOptions& options) {
  const std::string path = "Data/Image/" + id;
  const hdf5::Handle group = hdf5::open_group(file, path);
  const json facts = metadata(group.get(), "Metadata");
  ImageInfo info;
  info.id = id;
  info.title = text_at(facts, "/BinaryResult/Detector");
  read_conditions(facts, info);
  const std::vector<hsize_t> dims = hdf5::shape(hdf5::open_dataset(group.get(), "Data").get());
  if (dims.size() != 3) hdf5::fail_read(file, path + text(" has %zu axes", dims.size()));
  info.axes = {pixel_axis(facts, "y", dims[0]), pixel_axis(facts, "x", dims[1])};
  std::vector<std::size_t> places{0, 1};
  if (dims[2] != 1) {
    info.axes.insert(info.axes.begin(), {"frame", "", 1.0, 0.0, dims[2]});
    places = {2, 0, 1};
  }
  return hdf5_image(std::move(info), file, path + "/Data", places, std::nullopt, options, false);
}

Images read(hid_t file, const OpenOptions& options) {
  Images out;
  const auto ids = [&](const char* kind) {
    const hdf5::Handle group = group_if(file, std::string("Data/") + kind);
    std::vector<std::string> found = group ? hdf5::children(group.get()) : std::vector<std::string>{};
    std::erase_if(found, [&](const std::string& id) { return !dataset_if(group.get(), id + "/Data"); });
    return found;
  };
  const std::vector<std::string> spectra = ids("EelsSpectrumImage"), pictures = ids("Image");
  const json scan = scan_of(file);
  for (const std::string& id : spectra) {
    out.push_back(read_spectra(file, id, scan, options, spectra.size() + pictures.size() == 1));
  }
  for (const std::string& id : pictures) out.push_back(read_picture(file, id, options));
  if (out.empty()) {
    hdf5::fail_read(file, "it is a Velox file without EELS spectrum images (elver does not read its X-ray data)", "Export the EELS data with it");
  }
  return out;
}

}  // namespace

const Hdf5Reader velox_reader{{"emd-velox", "Thermo Fisher Velox EMD", ".emd", "EELS spectrum images, pictures; axes, beam energy, angles, dwell time"}, is_velox, read};

}  // namespace elver
