#include <gmock/gmock.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/hdf5.hpp"
#include "io_support.hpp"
#include "support.hpp"
#include "types/text.hpp"

/// Files of other programs: what each format's own way to lay out pixels, energies and axes becomes.
namespace elver {
namespace {

using test::TempDir;
using test::refusal_of;
using test::values_of;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::size_t kRows = 3, kColumns = 5, kChannels = 7;

/// What a pixel's channel holds, so that a value out of place is seen.
std::uint16_t value(std::size_t row, std::size_t column, std::size_t channel) {
  return static_cast<std::uint16_t>(1000 * row + 100 * column + channel);
}

/// The cube in whatever order: `place` gives the element of row, column, channel.
template <class Place>
std::vector<std::uint16_t> cube(const Place& place) {
  std::vector<std::uint16_t> out(kRows * kColumns * kChannels);
  for (std::size_t y = 0; y < kRows; ++y) {
    for (std::size_t x = 0; x < kColumns; ++x) {
      for (std::size_t e = 0; e < kChannels; ++e) out[place(y, x, e)] = value(y, x, e);
    }
  }
  return out;
}
std::vector<std::uint16_t> in_c_order() {
  return cube([](std::size_t y, std::size_t x, std::size_t e) { return (y * kColumns + x) * kChannels + e; });
}

std::vector<double> positions(std::size_t n, double offset, double scale) {
  std::vector<double> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = offset + scale * static_cast<double>(i);
  return out;
}

/// Axes y, x, energy as every file here describes them, and all values where they belong, by both ways to read, whole
/// and from the middle of a row.
void expect_the_cube(const Image& image) {
  ASSERT_EQ(image.info().axes.size(), 3U);
  ASSERT_EQ(image.info().kind, ImageKind::spectrum_image);
  EXPECT_EQ(image.info().type, NumberType::u16);
  const Axis &y = image.info().axes[0], &x = image.info().axes[1], &energy = image.info().axes[2];
  EXPECT_EQ(std::vector({y.size, x.size, energy.size}), (std::vector<std::uint64_t>{kRows, kColumns, kChannels}));
  EXPECT_NEAR(y.scale, 0.5, 1e-12);
  EXPECT_NEAR(y.offset, -1.25, 1e-12);
  EXPECT_NEAR(x.scale, 0.25, 1e-12);
  EXPECT_NEAR(x.offset, 3.0, 1e-12);
  EXPECT_NEAR(energy.scale, 0.3, 1e-12);
  EXPECT_NEAR(energy.offset, 448.5, 1e-9);
  EXPECT_EQ(y.units, "nm");
  EXPECT_EQ(x.units, "nm");
  EXPECT_EQ(energy.units, "eV");
  EXPECT_EQ(values_of<std::uint16_t>(image), in_c_order());
  const PixelRange part{3, 13};
  const ChannelRange channels{2, 6};
  std::vector<float> tile(part.size() * channels.size());
  image.read_tile(part, channels, tile);
  std::vector<std::uint16_t> some(tile.size());
  image.read(part, channels, std::as_writable_bytes(std::span(some)));
  for (std::uint64_t p = part.first; p < part.last; ++p) {
    for (std::uint64_t c = channels.first; c < channels.last; ++c) {
      const std::uint16_t expected = value(p / kColumns, p % kColumns, c);
      ASSERT_EQ(tile[(c - channels.first) * part.size() + p - part.first], expected) << p << ' ' << c;
      ASSERT_EQ(some[(p - part.first) * channels.size() + c - channels.first], expected) << p << ' ' << c;
    }
  }
}

/// A new HDF5 file, filled by `fill`.
template <class Fill>
fs::path hdf5_file(const fs::path& path, const Fill& fill) {
  hdf5::Handle file = hdf5::create_file(path.string());
  fill(file.get());
  hdf5::close_file(std::move(file));
  return path;
}

void table(hid_t file, const std::string& path, const std::vector<double>& values, const std::string& name,
           const std::string& units) {
  hdf5::write<double>(file, path, values, {values.size()});
  const hdf5::Handle dataset = hdf5::open_dataset(file, path);
  if (!name.empty()) hdf5::set_attribute(dataset.get(), "name", name);
  hdf5::set_attribute(dataset.get(), "units", units);
}

void text_bytes(hid_t file, const std::string& path, const nlohmann::json& json) {
  std::string text = json.dump();
  text.resize(text.size() + 100, '\0');
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  hdf5::write<unsigned char>(file, path, bytes, {bytes.size(), 1});
}

void list_attribute(hid_t object, const std::string& name, const std::vector<const char*>& words) {
  const hsize_t count = words.size();
  const hdf5::Handle space(H5Screate_simple(1, &count, nullptr)), type = hdf5::text_type();
  const hdf5::Handle attribute(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
  ASSERT_GE(H5Awrite(attribute.get(), type.get(), words.data()), 0);
}

// ---- EMD of NCEM --------------------------------------------------------------------------------------------------

TEST(NcemEmd, OlderFilesHoldTheAxesBackwards) {
  const TempDir dir;
  const fs::path path = hdf5_file(dir / "a.emd", [](hid_t file) {
    const hdf5::Handle root = hdf5::open_group(file, "/");
    hdf5::set_attribute(root.get(), "version_major", 0LL);
    hdf5::set_attribute(root.get(), "version_minor", 2LL);
    const hdf5::Handle group = hdf5::create_group(file, "signals/cathode");
    hdf5::set_attribute(group.get(), "emd_group_type", 1LL);
    hdf5::set_attribute(group.get(), "signal_type", "EELS");
    hdf5::write<std::uint16_t>(
        file, "signals/cathode/data",
        cube([](std::size_t y, std::size_t x, std::size_t e) { return (e * kColumns + x) * kRows + y; }),
        {kChannels, kColumns, kRows});
    table(file, "signals/cathode/dim1", {448.5, 448.8}, "Energy loss", "[e_V]");  // two positions stand for all
    table(file, "signals/cathode/dim2", positions(kColumns, 3.0, 0.25), "x", "[n_m]");
    table(file, "signals/cathode/dim3", positions(kRows, -1.25, 0.5), "y", "[n_m]");
    const hdf5::Handle microscope = hdf5::create_group(file, "microscope");
    hdf5::set_attribute(microscope.get(), "voltage", 300'000LL);
  });
  const File found = open_file(path);
  EXPECT_EQ(found.format, "emd-ncem");
  ASSERT_EQ(found.images.size(), 1U);
  expect_the_cube(*found.images[0]);
  EXPECT_EQ(found.images[0]->info().signal_type, "EELS");
  EXPECT_EQ(found.images[0]->info().beam_energy_kev, 300.0);
}

/// ncempy writes NumPy's order with the same dim1, dim2, ...: its names of the axes tell, or that it names them by number.
TEST(NcemEmd, OlderFilesOfNcempyHoldTheAxesInOrder) {
  const TempDir dir;
  for (const bool named : {true, false}) {
    const fs::path path = hdf5_file(dir / "a.emd", [&](hid_t file) {
      const hdf5::Handle root = hdf5::open_group(file, "/");
      hdf5::set_attribute(root.get(), "version_major", 0LL);
      const hdf5::Handle group = hdf5::create_group(file, "data/cathode");
      hdf5::set_attribute(group.get(), "emd_group_type", 1LL);
      hdf5::write<std::uint16_t>(file, "data/cathode/data", in_c_order(), {kRows, kColumns, kChannels});
      table(file, "data/cathode/dim1", positions(kRows, -1.25, 0.5), named ? "y" : "dim1", "nm");
      table(file, "data/cathode/dim2", positions(kColumns, 3.0, 0.25), named ? "x" : "dim2", "nm");
      table(file, "data/cathode/dim3", positions(kChannels, 448.5, 0.3), named ? "Energy loss" : "dim3", "eV");
    });
    expect_the_cube(*open_file(path).images.at(0));
  }
}

TEST(NcemEmd, NewerFilesHoldThemInOrder) {
  const TempDir dir;
  const fs::path path = hdf5_file(dir / "a.emd", [](hid_t file) {
    const hdf5::Handle group = hdf5::create_group(file, "root/cathode");
    hdf5::set_attribute(group.get(), "emd_group_type", "array");
    hdf5::write<std::uint16_t>(file, "root/cathode/data", in_c_order(), {kRows, kColumns, kChannels});
    table(file, "root/cathode/dim0", positions(kRows, -1.25, 0.5), "y", "nm");
    table(file, "root/cathode/dim1", positions(kColumns, 3.0, 0.25), "x", "nm");
    table(file, "root/cathode/dim2", positions(kChannels, 448.5, 0.3), "E", "eV");
    hdf5::set_attribute(hdf5::open_group(file, "root").get(), "emd_group_type", "root");
  });
  const File found = open_file(path);
  EXPECT_EQ(found.format, "emd-ncem");
  expect_the_cube(*found.images.at(0));
}

// ---- Velox --------------------------------------------------------------------------------------------------------

fs::path velox_file(const fs::path& path) {
  return hdf5_file(path, [](hid_t file) {
    hdf5::write_strings(file, "Version", {R"({"format":"Velox","version":"1.10"})"});
    hdf5::create_group(file, "Data/EelsSpectrumImage/aa");
    hdf5::write<std::uint16_t>(
        file, "Data/EelsSpectrumImage/aa/Data",
        cube([](std::size_t y, std::size_t x, std::size_t e) { return (y * kChannels + e) * kColumns + x; }),
        {kRows, kChannels, kColumns});
    text_bytes(file, "Data/EelsSpectrumImage/aa/Metadata",
               {{"Optics", {{"AccelerationVoltage", "200000"}, {"BeamConvergence", "0.0214"}}},
                {"CustomProperties",
                 {{"EnergyFilter.CollectionAngleRange.Begin", {{"type", "double"}, {"value", "0"}}},
                  {"EnergyFilter.CollectionAngleRange.End", {{"type", "double"}, {"value", "0.045"}}}}}});
    text_bytes(file, "Data/EelsSpectrumImage/aa/AcquisitionMetadata", {{"Data", {{"offset", 448.5}, {"dispersion", 0.3}}}});
    const nlohmann::json scan{{"BinaryResult",
                               {{"PixelSize", {{"width", "2.5e-10"}, {"height", "5e-10"}}},
                                {"Offset", {{"x", "3e-9"}, {"y", "-1.25e-9"}}},
                                {"PixelUnitX", "m"},
                                {"PixelUnitY", "m"},
                                {"Detector", "HAADF"}}}};
    hdf5::create_group(file, "Data/SpectrumImage/bb");
    text_bytes(file, "Data/SpectrumImage/bb/Metadata", scan);
    hdf5::create_group(file, "Data/Image/cc");
    hdf5::write<float>(file, "Data/Image/cc/Data", std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3, 1});
    text_bytes(file, "Data/Image/cc/Metadata", scan);
  });
}

TEST(VeloxEmd, EnergyLiesInTheMiddle) {
  const TempDir dir;
  const File found = open_file(velox_file(dir / "v.emd"));
  EXPECT_EQ(found.format, "emd-velox");
  ASSERT_EQ(found.images.size(), 2U);
  expect_the_cube(*found.images[0]);
  const ImageInfo& info = found.images[0]->info();
  EXPECT_TRUE(info.selected);
  EXPECT_EQ(info.signal_type, "EELS");
  EXPECT_EQ(info.beam_energy_kev, 200.0);
  EXPECT_NEAR(info.convergence_mrad.value_or(0), 21.4, 1e-9);
  EXPECT_NEAR(info.collection_mrad.value_or(0), 45, 1e-9);
}

TEST(VeloxEmd, PicturesComeWithoutTheirOneFrame) {
  const TempDir dir;
  const File found = open_file(velox_file(dir / "v.emd"));
  const Image& picture = *found.images.at(1);
  EXPECT_EQ(picture.info().title, "HAADF");
  EXPECT_EQ(picture.info().kind, ImageKind::image);
  EXPECT_THAT(values_of<float>(picture), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_NEAR(picture.info().axes.at(1).scale, 0.25, 1e-12);
}

// ---- NeXus --------------------------------------------------------------------------------------------------------

void nexus_groups(hid_t file) {
  hdf5::set_attribute(hdf5::create_group(file, "entry").get(), "NX_class", "NXentry");
  const hdf5::Handle data = hdf5::create_group(file, "entry/eels");
  hdf5::set_attribute(data.get(), "NX_class", "NXdata");
  hdf5::set_attribute(data.get(), "signal", "intensity");
  table(file, "entry/eels/axis_y", positions(kRows, -1.25, 0.5), "", "nm");
  table(file, "entry/eels/axis_x", positions(kColumns, 3.0, 0.25), "", "nm");
  table(file, "entry/eels/axis_energy", positions(kChannels, 448.5, 0.3), "", "eV");
}

TEST(Nexus, AxesAreFoundByNameOrByIndex) {
  const TempDir dir;
  const fs::path listed = hdf5_file(dir / "a.nxs", [](hid_t file) {
    nexus_groups(file);
    hdf5::write<std::uint16_t>(file, "entry/eels/intensity", in_c_order(), {kRows, kColumns, kChannels});
    list_attribute(hdf5::open_group(file, "entry/eels").get(), "axes", {"axis_y", "axis_x", "axis_energy"});
    hdf5::create_group(file, "entry/instrument/source");
    hdf5::write<double>(file, "entry/instrument/source/voltage", std::vector<double>{300000}, {});
  });
  const File found = open_file(listed);
  EXPECT_EQ(found.format, "nexus");
  expect_the_cube(*found.images.at(0));
  EXPECT_EQ(found.images[0]->info().beam_energy_kev, 300.0);

  // The energy first in the file; the list in another order, put right by the indices.
  const fs::path indexed = hdf5_file(dir / "b.nxs", [](hid_t file) {
    nexus_groups(file);
    hdf5::write<std::uint16_t>(
        file, "entry/eels/intensity",
        cube([](std::size_t y, std::size_t x, std::size_t e) { return (e * kRows + y) * kColumns + x; }),
        {kChannels, kRows, kColumns});
    const hdf5::Handle group = hdf5::open_group(file, "entry/eels");
    list_attribute(group.get(), "axes", {"axis_y", "axis_x", "axis_energy"});
    hdf5::set_attribute(group.get(), "axis_y_indices", 1LL);
    hdf5::set_attribute(group.get(), "axis_x_indices", 2LL);
    hdf5::set_attribute(group.get(), "axis_energy_indices", 0LL);
  });
  expect_the_cube(*open_file(indexed).images.at(0));
}

TEST(Nexus, UnevenEnergiesAreRefusedAndUnevenPixelsCounted) {
  const TempDir dir;
  const fs::path path = hdf5_file(dir / "a.nxs", [](hid_t file) {
    nexus_groups(file);
    hdf5::write<std::uint16_t>(file, "entry/eels/intensity", in_c_order(), {kRows, kColumns, kChannels});
    std::vector<double> energies = positions(kChannels, 448.5, 0.3);
    energies[3] += 0.1;
    table(file, "entry/eels/uneven", energies, "", "eV");
    table(file, "entry/eels/walk", {0, 1, 5}, "", "nm");
    list_attribute(hdf5::open_group(file, "entry/eels").get(), "axes", {"walk", "axis_x", "uneven"});
  });
  const File found = open_file(path);
  EXPECT_THAT(found.images.at(0)->info().refusal, HasSubstr("not evenly spaced (element 3"));
  EXPECT_EQ(found.images[0]->info().axes[0].scale, 1.0);
  EXPECT_EQ(found.images[0]->info().axes[0].units, "");
}

/// A single axis is a name, whatever it holds; a list in one text is split.
TEST(Nexus, OneAxisMayHaveABlankInItsName) {
  const TempDir dir;
  for (const bool list : {false, true}) {
    const fs::path path = hdf5_file(dir / "a.nxs", [&](hid_t file) {
      nexus_groups(file);
      hdf5::write<float>(file, "entry/eels/intensity", std::vector<float>(kColumns * kChannels, 1.0F), list ? std::vector<hsize_t>{kColumns, kChannels} : std::vector<hsize_t>{kColumns * kChannels});
      table(file, "entry/eels/Energy loss", positions(kColumns * kChannels, 448.5, 0.3), "", "eV");
      hdf5::set_attribute(hdf5::open_group(file, "entry/eels").get(), "axes", list ? "axis_x, axis_energy" : "Energy loss");
    });
    EXPECT_NEAR(open_file(path).images.at(0)->info().axes.back().scale, 0.3, 1e-12);
  }
}

// ---- Nion Swift ---------------------------------------------------------------------------------------------------

nlohmann::json swift_properties() {
  const auto axis = [](double offset, double scale, const char* unit) {
    return nlohmann::json{{"offset", offset}, {"scale", scale}, {"units", unit}};
  };
  return {{"title", "Spectrum Image"},
          {"dimensional_calibrations", {axis(-1.25, 0.5, "nm"), axis(3.0, 0.25, "nm"), axis(448.5, 0.3, "eV")}},
          {"collection_dimension_count", 2},
          {"datum_dimension_count", 1},
          {"metadata", {{"hardware_source", {{"autostem", {{"high_tension_v", 100000}}}}}}}};
}

std::string npy_of(const std::vector<std::uint16_t>& values, const std::string& shape) {
  std::string header = "{'descr': '<u2', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize((header.size() + 10 + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 255);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  return out;
}

enum class ZipSizes { plain, zip64 };

std::string zip_member(const std::string& name, const std::string& content, int method = 0, ZipSizes sizes = ZipSizes::plain) {
  const auto put = [](std::string& out, std::uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i) & 255);
  };
  std::string out("PK\x03\x04", 4);
  put(out, 10, 2);
  put(out, 0, 2);
  put(out, static_cast<std::uint64_t>(method), 2);
  put(out, 0, 8);  // time, date, checksum
  const bool elsewhere = sizes == ZipSizes::zip64;
  for (int i = 0; i < 2; ++i) put(out, elsewhere ? 0xFFFFFFFF : content.size(), 4);
  put(out, name.size(), 2);
  put(out, elsewhere ? 4 + 5 + 20 : 0, 2);
  out += name;
  if (elsewhere) {  // behind a field that is somebody else's
    put(out, 0x5455, 2);
    put(out, 5, 2);
    put(out, 1, 5);
    put(out, 1, 2);
    put(out, 16, 2);
    for (int i = 0; i < 2; ++i) put(out, content.size(), 8);
  }
  return out + content;
}

TEST(NionSwift, AnArchiveIsReadWhereItsValuesLie) {
  const TempDir dir;
  const fs::path path = test::write_text(
      dir / "a.ndata1", zip_member("data.npy", npy_of(in_c_order(), "3, 5, 7")) +
                            zip_member("metadata.json", swift_properties().dump()) + std::string("PK\x01\x02 the end", 12));
  const File found = open_file(path);
  EXPECT_EQ(found.format, "ndata1");
  expect_the_cube(*found.images.at(0));
  EXPECT_EQ(found.images[0]->info().title, "Spectrum Image");
  EXPECT_EQ(found.images[0]->info().beam_energy_kev, 100.0);
}

TEST(NionSwift, CompressedAndCutArchivesAreRefused) {
  const TempDir dir;
  const std::string whole = zip_member("data.npy", npy_of(in_c_order(), "3, 5, 7"));
  const auto refusal = [&](const std::string& content) {
    const fs::path path = test::write_text(dir / "a.ndata1", content);
    return refusal_of(ErrorKind::input, [&] { open_file(path); });
  };
  EXPECT_THAT(refusal(zip_member("data.npy", "xx", 8)), HasSubstr("compressed"));
  EXPECT_THAT(refusal(whole.substr(0, whole.size() - 3)), HasSubstr("ends within"));
  EXPECT_THAT(refusal(zip_member("metadata.json", "{}")), HasSubstr("no data.npy"));
  EXPECT_THAT(refusal(whole + zip_member("metadata.json", "{{")), HasSubstr("no JSON"));
}

/// Python's zipfile writes members that may be larger than 2 GB so.
TEST(NionSwift, SizesOf64BitsAreRead) {
  const TempDir dir;
  const std::string values = npy_of(in_c_order(), "3, 5, 7");
  const fs::path path = test::write_text(dir / "a.ndata1", zip_member("metadata.json", swift_properties().dump(), 0, ZipSizes::zip64) +
                                                               zip_member("data.npy", values, 0, ZipSizes::zip64));
  expect_the_cube(*open_file(path).images.at(0));
  std::string cut = zip_member("data.npy", values, 0, ZipSizes::zip64);
  cut[30 + 8 + 9] = 7;  // the extra field is none of sizes any more
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(test::write_text(dir / "b.ndata1", cut)); }), HasSubstr("size of a member"));
}

/// An item as Swift's acquisition describes it and as its export does: instruments' numbers in SI units, and what they do
/// not know as Python's NaN, which no JSON has.
TEST(NionSwift, InstrumentsSayAnglesAndNotEverythingIsANumber) {
  const TempDir dir;
  const std::string axes = R"([{"offset": -1.25, "scale": 0.5, "units": "nm"}, {"offset": 3.0, "scale": 0.25, "units": "nm"},
    {"offset": 0.4485, "scale": 0.0003, "units": "keV"}])";
  const std::string metadata = R"("metadata": {"hardware_source": {"signal_type": "eels", "exposure": 0.05, "drift": NaN, "\"NaN": "a \\"},
    "instrument": {"high_tension": 60000.0, "convergence_angle": 0.03, "collection_angle": 0.045, "C10": [-Infinity, Infinity, -1e-9]}},
    "collection_dimension_count": 2, "datum_dimension_count": 1, "title": "Spectrum Image \u00b5")";
  const auto item = [&](const std::string& calibrations) {
    return open_file(test::write_text(dir / "a.ndata1", zip_member("metadata.json", "{" + calibrations + ", " + metadata + "}") +
                                                            zip_member("data.npy", npy_of(in_c_order(), "3, 5, 7"))));
  };
  for (const char* name : {"dimensional_calibrations", "spatial_calibrations"}) {
    const File found = item(text("\"%s\": %s", name, axes.c_str()));
    expect_the_cube(*found.images.at(0));
    const ImageInfo& info = found.images[0]->info();
    EXPECT_EQ(info.title, "Spectrum Image \u00b5");
    EXPECT_EQ(info.signal_type, "EELS");
    EXPECT_EQ(info.beam_energy_kev, 60.0);
    EXPECT_NEAR(info.convergence_mrad.value_or(0), 30, 1e-12);
    EXPECT_NEAR(info.collection_mrad.value_or(0), 45, 1e-12);
    EXPECT_EQ(info.dwell_s, 0.05);
  }
  std::string unknown = axes;
  unknown.replace(unknown.find("0.0003"), 6, "NaN");
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { item("\"dimensional_calibrations\": " + unknown); }), HasSubstr("has scale nan"));
  std::string counted = axes;
  counted.replace(counted.find("0.5,"), 3, "NaN");
  const File pixels = item("\"dimensional_calibrations\": " + counted);
  EXPECT_EQ(pixels.images.at(0)->info().axes.at(0).units, "");
  EXPECT_EQ(pixels.images.at(0)->info().axes.at(0).scale, 1.0);
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { item("\"a\": " + std::string(300, '[')); }), HasSubstr("nests too deeply"));
}

TEST(NionSwift, ColoursAreNoStack) {
  const TempDir dir;
  const std::string axes = R"({"dimensional_calibrations": [{"scale": 0.5, "units": "nm"}, {"scale": 0.5, "units": "nm"}]})";
  const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 3), }" + std::string(55, ' ') + "\n";
  const std::string values = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + std::string(12, 'x');
  const File found = open_file(test::write_text(dir / "a.ndata", zip_member("data.npy", values) + zip_member("metadata.json", axes)));
  EXPECT_THAT(found.images.at(0)->info().refusal, HasSubstr("colours"));
}

TEST(NionSwift, ItsHdf5SaysTheSame) {
  const TempDir dir;
  const auto write = [](hid_t file, const std::string& path) {
    hdf5::write<std::uint16_t>(file, path, in_c_order(), {kRows, kColumns, kChannels});
    hdf5::set_attribute(hdf5::open_dataset(file, path).get(), "properties", swift_properties().dump());
  };
  const File library = open_file(hdf5_file(dir / "a.h5", [&](hid_t file) { write(file, "data"); }));
  EXPECT_EQ(library.format, "nion");
  expect_the_cube(*library.images.at(0));
  const File exported = open_file(hdf5_file(dir / "a.nhdf", [&](hid_t file) {
    hdf5::create_group(file, "data");
    write(file, "data/0");
  }));
  expect_the_cube(*exported.images.at(0));
}

// ---- Ripple -------------------------------------------------------------------------------------------------------

std::string rpl(const std::string& record_by, const std::string& order, const std::string& more = "") {
  return ";comment\r\nkey\tvalue\r\nwidth\t5\r\nheight\t3\r\ndepth\t7\r\noffset\t2\r\ndata-Length\t2\r\ndata-type\tunsigned\r\n"
         "byte-order\t" + order + "\r\nrecord-by\t" + record_by +
         "\r\nheight-origin\t-1.25\r\nheight-scale\t0.5\r\nheight-units\tnm\r\nwidth-origin\t3.0\r\nwidth-scale\t0.25\r\n"
         "width-units\tnm\r\ndepth-origin\t448.5\r\ndepth-scale\t0.3\r\ndepth-units\teV\r\nsignal\tEELS\r\nbeam-energy\t300\r\n" + more;
}

std::string raw(std::vector<std::uint16_t> values, bool big_endian) {
  if (big_endian) std::ranges::transform(values, values.begin(), [](std::uint16_t v) { return __builtin_bswap16(v); });
  return std::string(2, 'x') + std::string(reinterpret_cast<const char*>(values.data()), 2 * values.size());
}

TEST(Ripple, BothOrdersOfBytesAndOfAxes) {
  const TempDir dir;
  const std::vector<std::uint16_t> by_image =
      cube([](std::size_t y, std::size_t x, std::size_t e) { return (e * kRows + y) * kColumns + x; });
  for (const bool big : {false, true}) {
    for (const bool vector : {false, true}) {
      test::write_text(dir / "a.raw", raw(vector ? in_c_order() : by_image, big));
      const fs::path path = test::write_text(
          dir / "a.rpl", rpl(vector ? "vector" : "image", big ? "big-endian" : "little-endian"));
      const File found = open_file(path);
      EXPECT_EQ(found.format, "ripple");
      expect_the_cube(*found.images.at(0));
      EXPECT_EQ(found.images[0]->info().signal_type, "EELS");
      EXPECT_EQ(found.images[0]->info().beam_energy_kev, 300.0);
    }
  }
}

TEST(Ripple, MissingAndShortValuesAreRefused) {
  const TempDir dir;
  const fs::path path = test::write_text(dir / "a.rpl", rpl("vector", "little-endian"));
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(path); }), HasSubstr("a.raw, are not beside it"));
  const std::string whole = raw(in_c_order(), false);
  test::write_text(dir / "a.raw", whole.substr(0, whole.size() - 1));
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(path); }), HasSubstr("the .raw file has 211 bytes"));
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(dir / "a.raw"); }), HasSubstr("Give the .rpl file"));
}

// ---- HDF5 of anybody ----------------------------------------------------------------------------------------------

TEST(AnyHdf5, AnArrayIsNamedByItsPathAndCalibratedByOptions) {
  const TempDir dir;
  const fs::path path = hdf5_file(dir / "a.h5", [](hid_t file) {
    hdf5::create_group(file, "scan/detector");
    hdf5::write<std::uint16_t>(
        file, "scan/detector/counts",
        cube([](std::size_t y, std::size_t x, std::size_t e) { return (y * kChannels + e) * kColumns + x; }),
        {kRows, kChannels, kColumns});
    hdf5::write<double>(file, "scan/positions", positions(kRows, 0, 1), {kRows});
  });
  EXPECT_THAT(refusal_of(ErrorKind::usage, [&] { open_image(path); }), HasSubstr("scan/detector/counts"));
  OpenOptions options;
  options.dataset = "/scan/detector/counts";
  options.energy_axis = "1";
  options.offset_ev = 448.5;
  options.dispersion_ev = 0.3;
  const std::unique_ptr<Image> image = open_image(path, options);
  EXPECT_EQ(values_of<std::uint16_t>(*image), in_c_order());
  EXPECT_EQ(image->energy().offset_ev, 448.5);
}

TEST(AnyHdf5, WhatIsNoImageSaysWhatItIs) {
  const TempDir dir;
  const fs::path library = hdf5_file(dir / "l.h5", [](hid_t file) {
    hdf5::create_group(file, "structures");
    hdf5::create_group(file, "spectra");
  });
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(library); }), HasSubstr("spectral library"));
  const fs::path dm5 = hdf5_file(dir / "a.dm5", [](hid_t file) { hdf5::create_group(file, "ImageList"); });
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(dm5); }), HasSubstr("Save it as DM4"));
  const fs::path empty = hdf5_file(dir / "e.h5", [](hid_t) {});
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(empty); }), HasSubstr("it holds no image"));
}

TEST(AnyHdf5, AZarrStoreSaysHowToSaveIt) {
  const TempDir dir;
  fs::create_directory(dir / "a.zspy");
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(dir / "a.zspy"); }), HasSubstr("it is a folder"));
  test::write_text(dir / "a.zspy/.zgroup", "{}");
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(dir / "a.zspy"); }), HasSubstr("Save it as .hspy"));
}

/// A chunk as LZF stores what it cannot pack: runs of up to 32 bytes behind their length. Cut, it is refused.
TEST(AnyHdf5, LzfIsUnpacked) {
  const TempDir dir;
  const std::vector<std::uint16_t> values = in_c_order();
  const std::string plain(reinterpret_cast<const char*>(values.data()), 2 * values.size());
  std::string packed;
  for (std::size_t i = 0; i < plain.size(); i += 32) {
    const std::string run = plain.substr(i, 32);
    packed += static_cast<char>(run.size() - 1) + run;
  }
  const auto write = [&](const std::string& chunk) {
    return hdf5_file(dir / "a.h5", [&](hid_t file) {
      const hsize_t dims[3] = {kRows, kColumns, kChannels}, start[3] = {0, 0, 0};
      const unsigned client[3] = {4, 0x105, static_cast<unsigned>(plain.size())};
      const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE)), space(H5Screate_simple(3, dims, nullptr));
      H5Pset_chunk(creation.get(), 3, dims);
      H5Pset_filter(creation.get(), 32000, H5Z_FLAG_OPTIONAL, 3, client);
      const hdf5::Handle dataset(
          H5Dcreate2(file, "a", H5T_NATIVE_UINT16, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
      ASSERT_GE(H5Dwrite_chunk(dataset.get(), H5P_DEFAULT, 0, start, chunk.size(), chunk.data()), 0);
    });
  };
  EXPECT_EQ(values_of<std::uint16_t>(*open_file(write(packed)).images.at(0)), values);
  const File cut = open_file(write(packed.substr(0, packed.size() / 2)));
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { values_of<std::uint16_t>(*cut.images.at(0)); }), HasSubstr("cannot read"));
}

/// A group that holds itself is walked once, so to speak.
TEST(AnyHdf5, GroupsThatHoldThemselvesEnd) {
  const TempDir dir;
  const fs::path path = hdf5_file(dir / "loop.h5", [](hid_t file) {
    hdf5::create_group(file, "a/b");
    ASSERT_GE(H5Lcreate_hard(file, "a", file, "a/b/again", H5P_DEFAULT, H5P_DEFAULT), 0);
    hdf5::write<float>(file, "a/values", std::vector<float>{1, 2, 3}, {3});
  });
  EXPECT_GE(open_file(path).images.size(), 1U);
}

TEST(Formats, EveryOneIsListedWithWhatItCarries) {
  std::vector<std::string> names;
  for (const FormatInfo& format : formats_read()) {
    names.emplace_back(format.name);
    EXPECT_FALSE(format.title.empty() || format.extensions.empty() || format.carries.empty()) << format.name;
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("hspy", "emd-velox", "emd-ncem", "nexus", "nion", "hdf5", "dm", "ndata1",
                                                   "npy", "ripple", "msa"));
}

}  // namespace
}  // namespace elver
