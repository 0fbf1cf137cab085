#include <cmath>

#include "io_support.hpp"

// EMSA/MAS files as people have them, and NumPy arrays.
namespace elver {
namespace {

using test::bytes_of;
using test::refusal_of;
using test::values_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

File read(const std::string& content, const OpenOptions& options = {}) {
  File file = read_with(msa_reader, bytes_of(content), "folder/spectrum.msa", options);
  finish_file(file, options);
  return file;
}

std::string header(const std::string& datatype, const std::string& more = "") {
  return "#FORMAT      : EMSA/MAS Spectral Data File\r\n#VERSION     : 1.0\r\n#TITLE       : Mn edge\r\n#NPOINTS     : "
         "4\r\n"
         "#NCOLUMNS    : 1\r\n#XUNITS      : eV\r\n#DATATYPE    : " +
         datatype + "\r\n#XPERCHAN    : 3.0e-001\r\n#OFFSET      : 6.4e+002\r\n#SIGNALTYPE  : ELS\r\n" + more +
         "#SPECTRUM    : Spectral Data Starts Here\r\n";
}

const auto kFour = ElementsAre(10.0, 20.0, -3.5, 4e5);

TEST(Msa, EveryWayToSeparateAndToPairGivesTheSameSpectrum) {
  for (const char* data : {"10\n20\n-3.5\n4e5\n", "10, 20, -3.5, 4.0E+005,\r\n", "10\t20\n-3.5\t+400000\n",
                           " 10  20  -3.5 \r 4.0D5", "10;20;-3.5;4e5\n#ENDOFDATA : \n junk"}) {
    EXPECT_THAT(values_of<double>(*read(header("Y") + data).images[0]), kFour) << data;
    EXPECT_THAT(values_of<double>(*read(header("") + data).images[0]), kFour) << data;
  }
  for (const char* data :
       {"640 10\n640.3 20\n640.6 -3.5\n640.9 4e5\n#ENDOFDATA   : End Of Data and File",
        "640, 10\r\n640.3, 20\r\n\r\n640.6,-3.5\r\n640.9,4e5\r\n", "640\t10\t640.3\t20\n640.6\t-3.5\t640.9\t4e5\n"}) {
    EXPECT_THAT(values_of<double>(*read(header("XY") + data).images[0]), kFour) << data;
  }
  // Declared as pairs and yet values only; declared as values and yet pairs.
  EXPECT_THAT(values_of<double>(*read(header("XY") + "10\n20\n-3.5\n4e5\n").images[0]), kFour);
  EXPECT_THAT(values_of<double>(*read(header("Y") + "640 10\n640.3 20\n640.6 -3.5\n640.9 4e5\n").images[0]), kFour);
}

TEST(Msa, AxisAndInstrumentAreRead) {
  const File file =
      read(header("Y", "#BEAMKV   -kV: 300000.0\n#CONVANGLE-mR: 12.5\n#COLLANGLE-mR: 30 \n#INTEGTIME-ms: 250\n") +
           "10 20 -3.5 4e5");
  const ImageInfo& info = file.images[0]->info();
  EXPECT_EQ(info.title, "Mn edge");
  EXPECT_EQ(info.kind, ImageKind::spectrum);
  EXPECT_EQ(info.signal_type, "EELS");
  EXPECT_EQ(info.axes[0].units, "eV");
  EXPECT_DOUBLE_EQ(info.axes[0].offset, 640.0);
  EXPECT_DOUBLE_EQ(info.axes[0].scale, 0.3);
  EXPECT_EQ(info.beam_energy_kev, 300.0);
  EXPECT_EQ(info.convergence_mrad, 12.5);
  EXPECT_EQ(info.collection_mrad, 30.0);
  EXPECT_EQ(info.dwell_s, 0.25);
  EXPECT_TRUE(info.selected);
  EXPECT_EQ(read(header("Y", "#BEAMKV : 200\n") + "10 20 -3.5 4e5").images[0]->info().beam_energy_kev, 200.0);
  EXPECT_EQ(read(header("Y") + "10 20 -3.5 4e5").images[0]->info().dwell_s, std::nullopt);
}

TEST(Msa, FewerPointsThanDeclaredNamesBothCounts) {
  for (const std::string& content : {header("Y") + "10\n20\n-3.5\n", header("XY") + "640 10\n640.3 20\n640.6 -3.5\n"}) {
    const std::string message = refusal_of(ErrorKind::input, [&] { read(content); });
    EXPECT_THAT(message, HasSubstr("declares 4 points and holds 3"));
  }
  // Half of the pairs are as many numbers as there should be points: still too few.
  EXPECT_THAT(refusal_of(ErrorKind::input, [] { read(header("XY") + "640 10\n640.3 20\n"); }),
              HasSubstr("declares 4 points and holds 2"));
  EXPECT_THAT(refusal_of(ErrorKind::input, [] { read(header("Y") + "10\n20\nthirty\n40\n"); }),
              HasSubstr("\"thirty\""));
  EXPECT_THAT(refusal_of(ErrorKind::input, [] { read(header("Y")); }), HasSubstr("no data"));
}

TEST(Msa, ValuesWithoutAnyKeywordAreReadToo) {
  const test::TempDir dir;
  const auto values = test::write_text(dir / "values", "10\n20\n-3.5\n4e5\n");
  const auto image = open_image(values);
  EXPECT_THAT(values_of<double>(*image), kFour);
  EXPECT_THAT(refusal_of(ErrorKind::mismatch, [&] { static_cast<void>(image->energy()); }), HasSubstr("--offset-ev"));
  const auto pairs = open_image(test::write_text(dir / "pairs", "640, 10\n640.3, 20\n640.6, -3.5\n640.9, 4e5\n"));
  EXPECT_THAT(values_of<double>(*pairs), kFour);
  EXPECT_DOUBLE_EQ(pairs->energy().offset_ev, 640.0);
  EXPECT_NEAR(pairs->energy().dispersion_ev, 0.3, 1e-12);
}

// What cannot be told apart is refused in words, rather than read as something else.
TEST(Msa, WhatMayMeanSomethingElseIsRefused) {
  EXPECT_THAT(refusal_of(ErrorKind::input, [] { read(header("Y") + "1,5\n2,5\n3,5\n4,5\n"); }),
              HasSubstr("decimal commas"));
  EXPECT_THAT(refusal_of(ErrorKind::input, [] { read("640 1\n640.3 2\n655 3\n656 4\n"); }), HasSubstr("no even steps"));
  EXPECT_THAT(refusal_of(ErrorKind::input, [] { read(header("Y") + "1 2 3 4\n" + header("Y") + "5 6 7 8\n"); }),
              HasSubstr("several spectra"));
}

// A unit alone is no calibration: nobody is told that a channel is 1 eV wide.
TEST(Msa, AnAxisWithoutAStepHasNoCalibration) {
  for (const char* line : {"", "#XPERCHAN : unknown\n"}) {
    const File file = read(std::string("#FORMAT : EMSA/MAS\n#XUNITS : eV\n#OFFSET : 640\n") + line +
                           "#SPECTRUM :\n10\n20\n-3.5\n4e5\n");
    EXPECT_THAT(values_of<double>(*file.images[0]), kFour);
    EXPECT_THAT(refusal_of(ErrorKind::mismatch, [&] { static_cast<void>(file.images[0]->energy()); }),
                HasSubstr("--dispersion-ev"));
  }
}

template <class Number>
std::string npy(const std::string& descr, bool fortran, const std::string& shape, const std::vector<Number>& values,
                int version = 1) {
  std::string text =
      "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }";
  text.append(63 - (text.size() + 12) % 64, ' ');
  text += '\n';
  std::string out = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
  out += static_cast<char>(text.size() & 0xFF);
  out += static_cast<char>(text.size() >> 8);
  if (version > 1) out += std::string(2, '\0');
  out += text;
  for (const Number value : values) {
    std::string raw(reinterpret_cast<const char*>(&value), sizeof(Number));
    if (descr[0] == '>') std::ranges::reverse(raw);
    out += raw;
  }
  return out;
}

File read_array(const std::string& content, const OpenOptions& options = {}) {
  File file = read_with(npy_reader, bytes_of(content), "folder/cube.npy", options);
  finish_file(file, options);
  return file;
}

template <class Number>
void expect_type(const std::string& code, NumberType type) {
  const std::vector<Number> values{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const std::vector<Number> turned{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11};  // the same (3, 4) array, column by column
  for (const int version : {1, 2, 3}) {
    for (const char* order : {"<", ">"}) {
      const File file = read_array(npy<Number>(order + code, false, "(3, 4)", values, version));
      EXPECT_EQ(file.images[0]->info().type, type);
      EXPECT_EQ(values_of<Number>(*file.images[0]), values) << order << code;
      const File fortran = read_array(npy<Number>(order + code, true, "(3, 4)", turned, version));
      EXPECT_EQ(values_of<Number>(*fortran.images[0]), values) << order << code;
      EXPECT_THAT(test::tile_of(*fortran.images[0]), ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
    }
  }
}

TEST(Npy, EveryRealTypeOrderAndVersion) {
  expect_type<std::int8_t>("i1", NumberType::i8);
  expect_type<std::uint8_t>("u1", NumberType::u8);
  expect_type<std::int16_t>("i2", NumberType::i16);
  expect_type<std::uint16_t>("u2", NumberType::u16);
  expect_type<std::int32_t>("i4", NumberType::i32);
  expect_type<std::uint32_t>("u4", NumberType::u32);
  expect_type<std::int64_t>("i8", NumberType::i64);
  expect_type<std::uint64_t>("u8", NumberType::u64);
  expect_type<float>("f4", NumberType::f32);
  expect_type<double>("f8", NumberType::f64);
}

// IEEE halves: 1, -2, the largest, the smallest, infinity; and NaN.
TEST(Npy, HalvesAreHandedOutAsFloats) {
  const File file =
      read_array(npy<std::uint16_t>(">f2", false, "(6,)", {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x7C00, 0x7E00}));
  const auto values = values_of<float>(*file.images[0]);
  EXPECT_EQ(values[0], 1.0F);
  EXPECT_EQ(values[1], -2.0F);
  EXPECT_EQ(values[2], 65504.0F);
  EXPECT_EQ(values[3], 0x1p-24F);
  EXPECT_TRUE(std::isinf(values[4]));
  EXPECT_TRUE(std::isnan(values[5]));
}

TEST(Npy, TheLastAxisIsTheEnergyAndNeedsItsNumbers) {
  const std::vector<float> values(24);
  const File cube = read_array(npy<float>("<f4", false, "(2, 3, 4)", values));
  EXPECT_EQ(cube.images[0]->rows(), 2U);
  EXPECT_EQ(cube.images[0]->columns(), 3U);
  EXPECT_EQ(cube.images[0]->channels(), 4U);
  EXPECT_TRUE(cube.images[0]->info().selected);
  EXPECT_THAT(refusal_of(ErrorKind::mismatch, [&] { static_cast<void>(cube.images[0]->energy()); }),
              HasSubstr("--offset-ev and --dispersion-ev"));
  OpenOptions options;
  options.offset_ev = 440.0;
  EXPECT_THAT(refusal_of(ErrorKind::usage, [&] { read_array(npy<float>("<f4", false, "(24,)", values), options); }),
              HasSubstr("Give both"));
  options.dispersion_ev = 0.3;
  EXPECT_EQ(read_array(npy<float>("<f4", false, "(6, 4)", values), options).images[0]->energy().energy(2), 440.6);
  EXPECT_EQ(read_array(npy<float>("<f4", false, "(24,)", values), options).images[0]->info().kind, ImageKind::spectrum);
  options.energy_axis = "0";
  EXPECT_EQ(read_array(npy<float>("<f4", false, "(2, 3, 4)", values), options).images[0]->channels(), 2U);
}

TEST(Npy, WhatIsNoRealArrayIsRefusedInWords) {
  const auto refused = [](const std::string& content) {
    return refusal_of(ErrorKind::input, [&] { read_array(content); });
  };
  EXPECT_THAT(refused(npy<float>("<f4", false, "(2, 3, 4)", std::vector<float>(23))), HasSubstr("2 x 3 x 4"));
  EXPECT_THAT(refused(npy<float>("<f4", false, "(4294967296, 4294967296, 4294967296)", std::vector<float>(4))),
              HasSubstr("declares"));
  EXPECT_THAT(refused(npy<float>("<f4", false, "(99999999999999999999999,)", std::vector<float>(4))),
              HasSubstr("malformed"));
  EXPECT_THAT(refused(npy<float>("<f4", false, "(-4,)", std::vector<float>(4))), HasSubstr("malformed"));
  EXPECT_THAT(refused(npy<float>("<f4", false, "(0, 4)", std::vector<float>(4))), HasSubstr("0 x 4"));
  EXPECT_THAT(refused(npy<float>("<f4", false, "(1, 1, 1, 4)", std::vector<float>(4))), HasSubstr("three axes"));
  EXPECT_THAT(refused(npy<float>("<f4", false, "()", std::vector<float>(1))), HasSubstr("one number"));
  EXPECT_THAT(refused(npy<float>("<U4", false, "(4,)", std::vector<float>(4))), HasSubstr("<U4"));
  const File complex = read_array(npy<float>("<c8", false, "(2,)", std::vector<float>(4)));
  EXPECT_EQ(name_of(complex.images[0]->info().type), "complex64");
  EXPECT_THAT(complex.images[0]->info().refusal, HasSubstr("complex"));
}

}  // namespace
}  // namespace elver
