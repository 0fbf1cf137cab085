#include <cmath>
#include <limits>
#include <numeric>

#include "dm_writer.hpp"
#include "io_support.hpp"

namespace elver {
namespace {

using test::bytes_of;
using test::DmAxis;
using test::DmImage;
using test::DmWriter;
using test::refusal_of;
using test::tile_of;
using test::values_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kRows = 2, kColumns = 3, kChannels = 5;

/// A value that tells row, column and channel, and fits every number type.
template <class Number>
Number value_at(std::size_t row, std::size_t column, std::size_t channel) {
  if constexpr (std::is_same_v<Number, bool>) return (row + column + channel) % 2 != 0;
  return static_cast<Number>(30 * row + 10 * column + channel + (std::is_signed_v<Number> ? -40 : 0));
}

File read(const std::string& content, const OpenOptions& options = {}) {
  File file = read_with(dm_reader, bytes_of(content), "test.dm", options);
  finish_file(file, options);
  return file;
}

DmAxis energy_axis(std::int64_t size = kChannels) { return {size, -880.0, 0.5, "eV"}; }
DmAxis place_axis(std::size_t size) { return {static_cast<std::int64_t>(size), 0.0, 0.25, "nm"}; }

/// A cube whose axes lie in the order of `order` in the file, fastest first: 'x', 'y', 'E'.
template <class Number>
DmImage cube(const DmWriter& writer, int type, const std::string& order) {
  DmImage image;
  image.type = type;
  std::array<std::size_t, 3> sizes{};
  for (std::size_t i = 0; i < 3; ++i) {
    sizes[i] = order[i] == 'x' ? kColumns : order[i] == 'y' ? kRows : kChannels;
    image.axes.push_back(order[i] == 'E' ? energy_axis() : place_axis(sizes[i]));
  }
  std::vector<Number> values;
  for (std::size_t i = 0; i < sizes[0] * sizes[1] * sizes[2]; ++i) {
    const std::array<std::size_t, 3> at{i % sizes[0], i / sizes[0] % sizes[1], i / sizes[0] / sizes[1]};
    std::size_t row = 0, column = 0, channel = 0;
    for (std::size_t k = 0; k < 3; ++k) (order[k] == 'x' ? column : order[k] == 'y' ? row : channel) = at[k];
    values.push_back(value_at<Number>(row, column, channel));
  }
  image.data_tag = writer.array("Data", values);
  return image;
}

template <class Number>
void expect_cube(const Image& image) {
  ASSERT_EQ(image.rows(), kRows);
  ASSERT_EQ(image.columns(), kColumns);
  ASSERT_EQ(image.channels(), kChannels);
  std::vector<Number> native;
  if constexpr (std::is_same_v<Number, bool>) {
    for (const std::uint8_t value : values_of<std::uint8_t>(image)) native.push_back(value != 0);
  } else {
    native = values_of<Number>(image);
  }
  const std::vector<float> tile = tile_of(image);
  for (std::size_t pixel = 0; pixel < kRows * kColumns; ++pixel) {
    for (std::size_t channel = 0; channel < kChannels; ++channel) {
      const Number wanted = value_at<Number>(pixel / kColumns, pixel % kColumns, channel);
      EXPECT_EQ(native[pixel * kChannels + channel], wanted);
      EXPECT_EQ(tile[channel * kRows * kColumns + pixel], static_cast<float>(wanted));
    }
  }
}

template <class Number>
void expect_type_reads(int type, NumberType name) {
  for (const int version : {3, 4}) {
    for (const bool little : {true, false}) {
      for (const char* order : {"xyE", "Exy", "xEy"}) {
        SCOPED_TRACE(std::string(name_of(name)) + " DM" + std::to_string(version) + (little ? " little " : " big ") +
                     order);
        const DmWriter writer(version, little);
        const File file = read(writer.file_of({cube<Number>(writer, type, order)}));
        ASSERT_EQ(file.images.size(), 1U);
        EXPECT_EQ(file.format, version == 3 ? "dm3" : "dm4");
        EXPECT_EQ(file.images[0]->info().type, name);
        EXPECT_EQ(file.images[0]->info().kind, ImageKind::spectrum_image);
        expect_cube<Number>(*file.images[0]);
      }
    }
  }
}

// Whatever the version, byte order, number type and place of the energy axis in memory: the same counts at the same
// row, column and channel.
TEST(Dm, EveryTypeVersionByteOrderAndMemoryOrderGivesTheSameCounts) {
  expect_type_reads<std::int8_t>(9, NumberType::i8);
  expect_type_reads<std::uint8_t>(6, NumberType::u8);
  expect_type_reads<std::int16_t>(1, NumberType::i16);
  expect_type_reads<std::uint16_t>(10, NumberType::u16);
  expect_type_reads<std::int32_t>(7, NumberType::i32);
  expect_type_reads<std::uint32_t>(11, NumberType::u32);
  expect_type_reads<std::int64_t>(39, NumberType::i64);
  expect_type_reads<std::uint64_t>(40, NumberType::u64);
  expect_type_reads<float>(2, NumberType::f32);
  expect_type_reads<double>(12, NumberType::f64);
  expect_type_reads<bool>(14, NumberType::boolean);
}

// value(i) = scale * (i - origin).
TEST(Dm, CalibrationBecomesOffsetAndScale) {
  const DmWriter writer(3, true);
  const File file = read(writer.file_of({cube<float>(writer, 2, "xyE")}));
  const ImageInfo& info = file.images[0]->info();
  EXPECT_EQ(info.axes[2].name, "Energy loss");
  EXPECT_EQ(info.axes[2].units, "eV");
  EXPECT_DOUBLE_EQ(info.axes[2].offset, 440.0);
  EXPECT_DOUBLE_EQ(info.axes[2].scale, 0.5);
  EXPECT_EQ(info.axes[1].name, "x");
  EXPECT_EQ(info.axes[0].name, "y");
  EXPECT_EQ(info.axes[0].units, "nm");
  EXPECT_DOUBLE_EQ(info.axes[0].scale, 0.25);
  EXPECT_FALSE(std::signbit(info.axes[0].offset));
  EXPECT_EQ(file.images[0]->energy().offset_ev, 440.0);
}

// Without an energy unit the order decides, but only where the file says that it holds spectra.
TEST(Dm, EnergyIsFoundByOrderInSpectrumImagesOnly) {
  const DmWriter writer(4, true);
  const auto without_unit = [&](const std::string& order, bool swapped, const std::string& format) {
    DmImage image = cube<float>(writer, 2, order);
    for (DmAxis& axis : image.axes) axis.units = axis.units == "eV" ? "" : axis.units;
    image.swapped = swapped;
    image.format = format;
    image.signal = "";
    return writer.file_of({image});
  };
  expect_cube<float>(*read(without_unit("xyE", false, "Spectrum image")).images[0]);
  expect_cube<float>(*read(without_unit("Exy", true, "Spectrum image")).images[0]);
  const File stack = read(without_unit("xyE", false, "Image"));
  EXPECT_EQ(stack.images[0]->info().kind, ImageKind::stack);
  EXPECT_EQ(stack.images[0]->pixels(), kRows * kColumns * kChannels);
  const std::string message = refusal_of(ErrorKind::mismatch, [&] { static_cast<void>(stack.images[0]->energy()); });
  EXPECT_THAT(message, HasSubstr("--energy-axis"));
  for (const char* axis : {"0", "z"}) {
    OpenOptions options;
    options.energy_axis = axis;
    expect_cube<float>(*read(without_unit("xyE", false, "Image"), options).images[0]);
  }
  OpenOptions wrong;
  wrong.energy_axis = "w";
  EXPECT_THAT(refusal_of(ErrorKind::usage, [&] { read(without_unit("xyE", false, "Image"), wrong); }),
              HasSubstr("0 z, 1 y, 2 x"));
}

TEST(Dm, UnitsThatHoldEvAreEv) {
  const DmWriter writer(3, false);
  for (const auto& [units, factor] : {std::pair{"keV", 1000.0}, {"eV loss", 1.0}, {"ev", 1.0}, {"meV", 0.001}}) {
    DmImage image = cube<float>(writer, 2, "xyE");
    image.axes[2].units = units;
    const File file = read(writer.file_of({image}));
    EXPECT_DOUBLE_EQ(file.images[0]->energy().dispersion_ev, 0.5 * factor) << units;
    EXPECT_DOUBLE_EQ(file.images[0]->energy().offset_ev, 440.0 * factor) << units;
  }
}

TEST(Dm, SpectraLineScansAndImagesHaveTheirKinds) {
  const DmWriter writer(3, true);
  DmImage spectrum, line, image;
  spectrum.axes = {energy_axis()};
  spectrum.format = "Spectrum";
  spectrum.data_tag = writer.array("Data", std::vector<float>(kChannels, 1.0F));
  line.axes = {energy_axis(), place_axis(kColumns)};
  line.data_tag = writer.array("Data", std::vector<float>(kChannels * kColumns, 1.0F));
  image.axes = {place_axis(kColumns), place_axis(kRows)};
  image.format = "Image";
  image.signal = "";
  image.data_tag = writer.array("Data", std::vector<float>(kRows * kColumns, 1.0F));
  const File file = read(writer.file_of({spectrum, line, image}));
  EXPECT_EQ(file.images[0]->info().kind, ImageKind::spectrum);
  EXPECT_EQ(file.images[0]->pixels(), 1U);
  EXPECT_EQ(file.images[1]->info().kind, ImageKind::spectrum_image);
  EXPECT_EQ(file.images[1]->rows(), 1U);
  EXPECT_EQ(file.images[1]->columns(), kColumns);
  EXPECT_EQ(file.images[2]->info().kind, ImageKind::image);
  EXPECT_EQ(file.images[2]->channels(), 1U);
  EXPECT_TRUE(file.images[1]->info().selected);
}

TEST(Dm, InstrumentInTheUnitsOfTheModel) {
  const DmWriter writer(4, true);
  const auto with = [&](const std::vector<std::string>& acquisition) {
    DmImage image = cube<float>(writer, 2, "xyE");
    image.tags = {writer.group("Microscope Info", {writer.number("Voltage", 200000.0)}),
                  writer.group("EELS", {writer.group("Acquisition", acquisition),
                                        writer.group("Experimental Conditions",
                                                     {writer.number("Collection semi-angle (mrad)", 33.0F),
                                                      writer.number("Convergence semi-angle (mrad)", 30.0F)})})};
    return read(writer.file_of({image}));
  };
  const File frames = with({writer.number("Exposure (s)", 0.5), writer.number("Number of frames", std::int32_t{4})});
  EXPECT_EQ(frames.images[0]->info().beam_energy_kev, 200.0);
  EXPECT_EQ(frames.images[0]->info().convergence_mrad, 30.0);
  EXPECT_EQ(frames.images[0]->info().collection_mrad, 33.0);
  EXPECT_EQ(frames.images[0]->info().dwell_s, 2.0);
  const File whole = with({writer.number("Exposure (s)", 0.5), writer.number("Integration time (s)", 20.0)});
  EXPECT_EQ(whole.images[0]->info().dwell_s, 20.0);
  DmImage swift = cube<float>(writer, 2, "xyE");  // Nion Swift's own tags
  swift.signal = "";
  swift.tags = {writer.group("hardware_source", {writer.number("exposure", 0.05), writer.text("signal_type", "eels")}),
                writer.group("instrument", {writer.number("high_tension", 60000.0), writer.number("convergence_angle", 0.03),
                                            writer.number("collection_angle", 0.045)})};
  const ImageInfo acquired = read(writer.file_of({swift})).images[0]->info();
  EXPECT_EQ(acquired.signal_type, "EELS");
  EXPECT_EQ(acquired.beam_energy_kev, 60.0);
  EXPECT_NEAR(acquired.convergence_mrad.value_or(0), 30, 1e-12);
  EXPECT_NEAR(acquired.collection_mrad.value_or(0), 45, 1e-12);
  EXPECT_EQ(acquired.dwell_s, 0.05);
  const File bare = read(writer.file_of({cube<float>(writer, 2, "xyE")}));
  EXPECT_EQ(bare.images[0]->info().dwell_s, std::nullopt);
  EXPECT_EQ(bare.images[0]->info().beam_energy_kev, std::nullopt);
}

TEST(Dm, ThumbnailsAreDroppedAndTheOneSpectrumImageIsPicked) {
  const DmWriter writer(3, true);
  DmImage thumbnail, survey, eels = cube<float>(writer, 2, "xyE");
  thumbnail.axes = survey.axes = {place_axis(2), place_axis(2)};
  thumbnail.format = survey.format = thumbnail.signal = survey.signal = "";
  thumbnail.type = 23;
  thumbnail.data_tag = writer.array("Data", std::vector<std::uint32_t>(4));
  survey.data_tag = writer.array("Data", std::vector<float>(4));
  survey.title = "ADF";
  const auto content =
      writer.file({writer.group("Thumbnails", {writer.group("", {writer.number("ImageIndex", std::int32_t{0})})}),
                   writer.group("ImageList", {writer.image(thumbnail), writer.image(survey), writer.image(eels)})});
  const File file = read(content);
  ASSERT_EQ(file.images.size(), 2U);
  EXPECT_EQ(file.images[0]->info().title, "ADF");
  EXPECT_FALSE(file.images[0]->info().selected);
  EXPECT_TRUE(file.images[1]->info().selected);
  for (const char* name : {"0", "ADF"}) {
    OpenOptions options;
    options.dataset = name;
    EXPECT_TRUE(read(content, options).images[0]->info().selected);
  }
}

TEST(Dm, EqualCandidatesAreLeftToTheUser) {
  const test::TempDir dir;
  const DmWriter writer(4, true);
  DmImage low = cube<float>(writer, 2, "xyE"), high = low;
  low.title = "low loss";
  high.title = "high loss";
  const auto path = test::write_text(dir / "dual.bin", writer.file_of({low, high}));
  const std::string message = refusal_of(ErrorKind::usage, [&] { open_image(path); });
  EXPECT_THAT(message, HasSubstr("0 \"low loss\", 1 \"high loss\""));
  EXPECT_THAT(message, HasSubstr("--dataset"));
  OpenOptions options;
  options.dataset = "high loss";
  EXPECT_EQ(open_image(path, options)->info().id, "1");
  options.dataset = "middle loss";
  EXPECT_THAT(refusal_of(ErrorKind::usage, [&] { open_image(path, options); }), HasSubstr("high loss"));
}

TEST(Dm, ComplexAndColoursAreListedAndRefused) {
  const test::TempDir dir;
  const DmWriter writer(3, true);
  DmImage complex, colours;
  complex.axes = colours.axes = {place_axis(2), place_axis(1)};
  complex.type = 3;
  complex.data_tag = writer.pairs("Data", {1, 2, 3, 4});
  colours.type = 23;
  colours.data_tag = writer.array("Data", std::vector<std::int32_t>(2));
  const auto path = test::write_text(dir / "a", writer.file_of({complex, colours}));
  const File file = open_file(path);
  EXPECT_EQ(name_of(file.images[0]->info().type), "complex64");
  EXPECT_EQ(name_of(file.images[1]->info().type), "rgb");
  for (const char* id : {"0", "1"}) {
    OpenOptions options;
    options.dataset = id;
    EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_image(path, options); }), HasSubstr("pixels are"));
  }
  std::vector<float> out(2);
  EXPECT_THROW(file.images[0]->read_tile({0, 2}, {0, 1}, out), Error);
}

// Of an image that is not read its bytes are not held against its sizes, but places are still counted in it.
TEST(Dm, AnImageThatIsNotReadHasNoAbsurdSize) {
  const DmWriter writer(4, true);
  DmImage complex;
  complex.type = 3;
  complex.data_tag = writer.pairs("Data", {1, 2, 3, 4});
  complex.axes = {place_axis(1 << 20), place_axis(1 << 20), place_axis(1 << 19)};  // 2^62 bytes
  EXPECT_EQ(name_of(read(writer.file_of({complex})).images[0]->info().type), "complex64");
  for (const std::size_t last : {1 << 20, 1 << 21}) {  // 2^63, which no place can lie beyond another, and 2^64
    complex.axes[2] = place_axis(last);
    EXPECT_THAT(refusal_of(ErrorKind::input, [&] { read(writer.file_of({complex})); }), HasSubstr("do not fit"));
  }
}

TEST(Dm, OptionsReplaceTheAxisOfTheFile) {
  const DmWriter writer(3, true);
  DmImage image = cube<float>(writer, 2, "xyE");
  OpenOptions options;
  options.offset_ev = 450.0;
  EXPECT_EQ(read(writer.file_of({image}), options).images[0]->energy().offset_ev, 450.0);
  image.axes[2].scale = 0.0;  // no axis at all: refused, unless the user knows better
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { read(writer.file_of({image})); }), HasSubstr("scale 0"));
  options.dispersion_ev = 0.3;
  const File file = read(writer.file_of({image}), options);
  EXPECT_EQ(file.images[0]->energy().dispersion_ev, 0.3);
  options.dispersion_ev = std::numeric_limits<double>::quiet_NaN();
  refusal_of(ErrorKind::usage, [&] { read(writer.file_of({image}), options); });
}

// Parts of an image are parts of the whole.
TEST(Dm, AnyPixelsAndChannelsAreCutFromTheWhole) {
  const DmWriter writer(3, false);
  for (const char* order : {"xyE", "Exy", "xEy", "yxE", "Eyx", "yEx"}) {
    const File file = read(writer.file_of({cube<std::uint16_t>(writer, 10, order)}));
    const Image& image = *file.images[0];
    const std::uint64_t columns = image.columns();
    const std::vector<float> whole = tile_of(image);
    for (std::uint64_t first = 0; first < image.pixels(); ++first) {
      for (std::uint64_t last = first + 1; last <= image.pixels(); ++last) {
        const std::size_t n = last - first;
        std::vector<float> tile(n * 3);
        std::vector<std::uint16_t> native(n * 3);
        image.read_tile({first, last}, {1, 4}, tile);
        image.read({first, last}, {1, 4}, std::as_writable_bytes(std::span(native)));
        for (std::size_t p = 0; p < n; ++p) {
          for (std::size_t c = 0; c < 3; ++c) {
            ASSERT_EQ(tile[c * n + p], whole[(c + 1) * image.pixels() + first + p]) << order << columns;
            ASSERT_EQ(static_cast<float>(native[p * 3 + c]), tile[c * n + p]);
          }
        }
      }
    }
  }
}

// A mapped file whose pages are given back, and whose channels are copied where they lie apart, holds the same numbers: the channels of
// the first lie far apart, those of the second together.
TEST(Dm, ReadingWithinLittleMemoryGivesTheSameNumbers) {
  const test::TempDir dir;
  constexpr std::size_t kSide = 260, kDeep = 70;  // a channel is more than 16 kB
  const DmWriter writer(4, true);
  std::vector<std::uint8_t> values(kSide * kSide * kDeep);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
  DmImage image;
  image.type = 6;
  image.data_tag = writer.array("Data", values);
  for (const bool apart : {true, false}) {
    image.axes = {place_axis(kSide), place_axis(kSide), energy_axis(kDeep)};
    if (!apart) std::ranges::rotate(image.axes, image.axes.begin() + 2);
    const auto opened = open_image(test::write_text(dir / "large.dm4", writer.file_of({image})));
    const std::vector<float> tile = tile_of(*opened);
    const std::vector<std::uint8_t> native = values_of<std::uint8_t>(*opened);
    opened->stay_within(1 << 20);
    EXPECT_EQ(tile_of(*opened), tile);
    EXPECT_EQ(values_of<std::uint8_t>(*opened), native);
    std::vector<float> part(3 * 65);
    opened->read_tile({kSide - 1, kSide + 2}, {4, 69}, part);
    for (std::size_t c = 0; c < 65; ++c) {
      for (std::size_t p = 0; p < 3; ++p) {
        ASSERT_EQ(part[c * 3 + p], tile[(c + 4) * kSide * kSide + kSide - 1 + p]);
      }
    }
  }
}

}  // namespace
}  // namespace elver
