#include "io/hspy_header.hpp"

#include "types/text.hpp"

namespace elver {

void write_axes(hid_t group, const SignalHeader& header) {
  const bool spectra = header.axes.back().role == AxisRole::energy;
  for (std::size_t i = 0; i < header.axes.size(); ++i) {
    const Axis& axis = header.axes[i];
    const bool signal_axis = spectra ? axis.role == AxisRole::energy : !header.map || i + 2 >= header.axes.size();
    const hdf5::Handle out = hdf5::create_group(group, text("axis-%zu", i));
    hdf5::set_attribute(out.get(), "_type", "UniformDataAxis");
    hdf5::set_attribute(out.get(), "name", axis.name);
    hdf5::set_attribute(out.get(), "units", axis.units.empty() ? "_None_" : axis.units.c_str());
    hdf5::set_attribute(out.get(), "navigate", !signal_axis);
    hdf5::set_attribute(out.get(), "is_binned", axis.role == AxisRole::energy && header.signal_type == "EELS");
    hdf5::set_attribute(out.get(), "size", static_cast<long long>(axis.size));
    hdf5::set_attribute(out.get(), "scale", axis.scale);
    hdf5::set_attribute(out.get(), "offset", axis.offset);
  }
}

void write_metadata(hid_t group, const SignalHeader& header) {
  const hdf5::Handle general = hdf5::create_group(group, "metadata/General");
  hdf5::set_attribute(general.get(), "title", header.title);
  const hdf5::Handle signal = hdf5::create_group(group, "metadata/Signal");
  hdf5::set_attribute(signal.get(), "signal_type", header.signal_type);
  if (!header.quantity.empty()) hdf5::set_attribute(signal.get(), "quantity", header.quantity);
  if (header.beam_energy_kev || header.convergence_mrad || header.collection_mrad || header.dwell_s) {
    const hdf5::Handle tem = hdf5::create_group(group, "metadata/Acquisition_instrument/TEM");
    if (header.beam_energy_kev) hdf5::set_attribute(tem.get(), "beam_energy", *header.beam_energy_kev);
    if (header.convergence_mrad) hdf5::set_attribute(tem.get(), "convergence_angle", *header.convergence_mrad);
    if (header.collection_mrad || header.dwell_s) {
      const hdf5::Handle eels = hdf5::create_group(tem.get(), "Detector/EELS");
      if (header.collection_mrad) hdf5::set_attribute(eels.get(), "collection_angle", *header.collection_mrad);
      if (header.dwell_s) hdf5::set_attribute(eels.get(), "dwell_time", *header.dwell_s);
    }
  }
  const hdf5::Handle original = hdf5::create_group(group, "original_metadata");
  hdf5::set_attribute(original.get(), "elver", header.record_json);
}

SignalHeader header_of(const Image& image) {
  const ImageInfo& info = image.info();
  SignalHeader header;
  header.title = info.title;
  header.axes = info.axes;
  header.type = info.type;
  const bool spectra = !info.axes.empty() && info.axes.back().role == AxisRole::energy;
  header.map = !spectra;
  header.signal_type =
      info.signal_type.empty() && spectra && info.axes.back().units == "eV" ? "EELS" : info.signal_type;
  header.quantity = info.quantity;
  header.beam_energy_kev = info.beam_energy_kev;
  header.convergence_mrad = info.convergence_mrad;
  header.collection_mrad = info.collection_mrad;
  header.dwell_s = info.dwell_s;
  return header;
}

SignalHeader map_header(const Image& image, const PixelMap& map) {
  SignalHeader header = header_of(image);
  header.title = map.name;
  header.quantity = map.unit;
  header.type = NumberType::f32;
  header.map = true;
  header.signal_type = "";
  std::erase_if(header.axes, [](const Axis& axis) { return axis.role == AxisRole::energy; });
  while (header.axes.size() < 2) {
    const std::string name = header.axes.empty() ? "x" : "y";
    header.axes.insert(header.axes.begin(), Axis{name, "", 1.0, 0.0, 1, AxisRole::navigation});
  }
  return header;
}

}  // namespace elver
