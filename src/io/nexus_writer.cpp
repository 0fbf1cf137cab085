#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "elver/error.hpp"
#include "elver/version.hpp"
#include "io/hdf5_output.hpp"
#include "io/writer.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// A name as NeXus allows it: letters, digits and '_', and not one of those taken.
std::string valid_name(const std::string& wanted, std::set<std::string>& taken) {
  std::string name = wanted.empty() ? "axis" : wanted;
  std::ranges::replace_if(name, [](unsigned char c) { return c >= 0x80 || (std::isalnum(c) == 0 && c != '_'); }, '_');
  if (std::isdigit(static_cast<unsigned char>(name.front())) != 0) name = '_' + name;
  const std::string first = name;
  for (int i = 2; !taken.insert(name).second; ++i) name = first + text("_%d", i);
  return name;
}

hdf5::Handle create_class(hid_t location, const std::string& path, const char* nexus_class) {
  hdf5::Handle group = hdf5::create_group(location, path);
  hdf5::set_attribute(group.get(), "NX_class", nexus_class);
  return group;
}

void set_texts(hid_t object, const char* name, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  const hsize_t size = pointers.size();
  const hdf5::Handle space(H5Screate_simple(1, &size, nullptr)), type = hdf5::text_type();
  const hdf5::Handle attribute(H5Acreate2(object, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute || H5Awrite(attribute.get(), type.get(), pointers.data()) < 0) hdf5::fail_write(object);
}

void write_number(hid_t group, const char* name, const std::optional<double>& value, const char* unit) {
  if (!value) return;
  hdf5::write<double>(group, name, std::span(&*value, 1), {});
  hdf5::set_attribute(hdf5::open_dataset(group, name).get(), "units", unit);
}

void write_text(hid_t group, const char* name, const std::string& value) { hdf5::write_strings(group, name, {value}); }

class Nexus : public SignalWriter {
 public:
  explicit Nexus(const std::filesystem::path& path) : file_(path) {
    file_.run([](hid_t root) {
      hdf5::set_attribute(root, "NX_class", "NXroot");
      hdf5::set_attribute(root, "default", "entry");
      create_class(root, "entry", "NXentry");
    });
  }
  void commit() override { file_.commit(); }

 private:
  void put(const SignalHeader& header, const Block& block, const RunContext& context) override {
    const bool first = std::exchange(first_, false);
    const std::string name = valid_name(header.title.empty() ? "data" : header.title, names_);
    const std::string path = "entry/" + name;
    file_.run([&](hid_t root) {
      if (first) write_entry(root, header, name);
      const hdf5::Handle group = create_class(root, path, "NXdata");
      hdf5::set_attribute(group.get(), "signal", "data");
      hdf5::set_attribute(group.get(), "title", header.title);
      if (!header.signal_type.empty()) hdf5::set_attribute(group.get(), "signal_type", header.signal_type);
      interpret(group.get(), header);
      write_axes(group.get(), header);
    });
    file_.write_array(path, "data", header, block, context);
    file_.run([&](hid_t root) {
      const hdf5::Handle data = hdf5::open_dataset(root, path + "/data");
      hdf5::set_attribute(data.get(), "long_name", header.title);
      interpret(data.get(), header);
      if (!header.quantity.empty()) hdf5::set_attribute(data.get(), "units", header.quantity);
    });
  }

  /// An image has two axes; one row of pixels is nothing that NeXus has a word for.
  static void interpret(hid_t object, const SignalHeader& header) {
    const bool spectrum = header.axes.back().role == AxisRole::energy;
    if (spectrum || header.axes.size() > 1) hdf5::set_attribute(object, "interpretation", spectrum ? "spectrum" : "image");
  }

  static void write_axes(hid_t group, const SignalHeader& header) {
    std::set<std::string> taken{"data"};
    std::vector<std::string> names;
    for (std::size_t i = 0; i < header.axes.size(); ++i) {
      const Axis& axis = header.axes[i];
      names.push_back(valid_name(axis.name, taken));
      std::vector<double> positions(axis.size);
      for (std::size_t k = 0; k < positions.size(); ++k) positions[k] = axis.offset + static_cast<double>(k) * axis.scale;
      hdf5::write<double>(group, names.back(), positions, {positions.size()}, false);
      const hdf5::Handle table = hdf5::open_dataset(group, names.back());
      if (!axis.units.empty()) hdf5::set_attribute(table.get(), "units", axis.units);
      hdf5::set_attribute(table.get(), "long_name", axis.name);
      // A single position says nothing of the pixel's size.
      hdf5::set_attribute(table.get(), "scale", axis.scale);
      hdf5::set_attribute(table.get(), "offset", axis.offset);
      hdf5::set_attribute(group, names.back() + "_indices", static_cast<long long>(i));
    }
    set_texts(group, "axes", names);
  }

  /// What is the same for all signals of the file.
  static void write_entry(hid_t root, const SignalHeader& header, const std::string& first) {
    const hdf5::Handle entry = hdf5::open_group(root, "entry");
    hdf5::set_attribute(entry.get(), "default", first);
    write_text(entry.get(), "title", header.title);
    const hdf5::Handle instrument = create_class(entry.get(), "instrument", "NXinstrument");
    write_number(instrument.get(), "beam_energy", header.beam_energy_kev, "keV");
    write_number(instrument.get(), "convergence_angle", header.convergence_mrad, "mrad");
    write_number(instrument.get(), "collection_angle", header.collection_mrad, "mrad");
    write_number(instrument.get(), "dwell_time", header.dwell_s, "s");
    const hdf5::Handle process = create_class(entry.get(), "elver", "NXprocess");
    write_text(process.get(), "program", "elver");
    write_text(process.get(), "version", version());
    write_text(process.get(), "record", header.record_json);
  }

  Hdf5Output file_;
  bool first_ = true;
  std::set<std::string> names_{"elver", "instrument", "title"};
};

}  // namespace

const Writer nexus_writer{{"nexus", "NeXus (NXdata)", ".nxs", "any number of signals; axes, units; beam energy, angles, dwell time; what elver did"},
                          Holds::signals,
                          [](const std::filesystem::path& path) -> std::unique_ptr<SignalWriter> { return std::make_unique<Nexus>(path); }};

}  // namespace elver
