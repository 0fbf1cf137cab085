#include <gmock/gmock.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <tiffio.h>

#include <cstring>
#include <limits>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/prepare.hpp"
#include "elver/report.hpp"
#include "io/hdf5.hpp"
#include "map_samples.hpp"
#include "support.hpp"

/// What elver writes, read back by elver. (By RosettaSciIO: tests/rosettasciio/compare.py.)
namespace elver::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::vector<std::byte> all_values(const Image& image) {
  std::vector<std::byte> out(image.pixels() * image.channels() * bytes_of(image.info().type));
  image.read({0, image.pixels()}, {0, image.channels()}, out);
  return out;
}

/// A spectrum image, a line scan or a spectrum in .hspy, whose bytes are all different enough.
fs::path sample(const fs::path& path, const std::vector<std::uint64_t>& shape, NumberType type) {
  SignalHeader header;
  header.title = "a cathode; layered (NMC)";
  const std::vector<Axis> all{{"y", "nm", 0.2, -3, 1}, {"x", "\u00b5m", 0.1, 1e-3, 1}, {"Energy loss", "eV", 0.3, 448.5, 1, AxisRole::energy}};
  header.axes.assign(all.end() - static_cast<std::ptrdiff_t>(shape.size()), all.end());
  std::size_t count = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) count *= header.axes[i].size = shape[i];
  header.type = type;
  header.signal_type = "EELS";
  header.beam_energy_kev = 300;
  header.convergence_mrad = 21.4;
  header.collection_mrad = 37.25;
  header.dwell_s = 0.0125;
  std::vector<std::byte> values(count * bytes_of(type));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::byte>(i * i * 7 % 61);  // no NaN among them
  if (type == NumberType::boolean) std::ranges::transform(values, values.begin(), [](std::byte b) { return b & std::byte{1}; });
  HspyWriter writer(path);
  writer.add(header, values);
  writer.commit();
  return path;
}

void expect_axes(const Image& a, const Image& b) {
  ASSERT_EQ(a.info().axes.size(), b.info().axes.size());
  for (std::size_t i = 0; i < a.info().axes.size(); ++i) {
    const Axis &x = a.info().axes[i], &y = b.info().axes[i];
    EXPECT_EQ(std::tie(x.name, x.units, x.scale, x.offset, x.size, x.role),
              std::tie(y.name, y.units, y.scale, y.offset, y.size, y.role));
  }
  EXPECT_EQ(a.info().signal_type, b.info().signal_type);
  EXPECT_EQ(a.info().beam_energy_kev, b.info().beam_energy_kev);
  EXPECT_EQ(a.info().convergence_mrad, b.info().convergence_mrad);
  EXPECT_EQ(a.info().collection_mrad, b.info().collection_mrad);
}

// Numbers, axes, units and conditions come back the same to the last bit: all are written with the shortest digits that
// give the number back, or in binary.
TEST(Writers, WhatIsWrittenIsReadBack) {
  const TempDir dir;
  const std::vector<std::vector<std::uint64_t>> shapes{{3, 5, 40}, {5, 40}, {40}};
  for (const NumberType type : {NumberType::u8, NumberType::i8, NumberType::u16, NumberType::i16, NumberType::u32, NumberType::i32,
                                NumberType::u64, NumberType::i64, NumberType::f32, NumberType::f64, NumberType::boolean}) {
    for (const auto& shape : shapes) {
      const fs::path in = sample(dir / "in.hspy", shape, type);
      const auto original = open_image(in);
      for (const char* ending : {"nxs", "rpl", "npy", "hspy"}) {
        SCOPED_TRACE(std::string(name_of(type)) + " " + std::to_string(shape.size()) + " " + ending);
        const fs::path out = dir / (std::string("out.") + ending);
        write_image(out, *original, "{}", {}, {});
        OpenOptions options;
        const bool bare = out.extension() == ".npy";
        if (bare) options.energy_axis = std::to_string(shape.size() - 1);
        const auto back = open_image(out, options);
        EXPECT_EQ(all_values(*back), all_values(*original));
        const bool ripple = out.extension() == ".rpl", truth = type == NumberType::boolean && out.extension() != ".hspy";
        EXPECT_EQ(back->info().type, truth && !bare ? back->info().type : type);  // bytes, where there are no booleans
        if (bare) continue;
        expect_axes(*back, *original);
        EXPECT_EQ(back->info().title, ripple ? "a cathode, layered (NMC)" : original->info().title);  // ";" begins a comment
      }
    }
  }
}

TEST(Writers, RippleHoldsImagesAndStacksOfThem) {
  const TempDir dir;
  for (const std::vector<std::uint64_t>& shape : {std::vector<std::uint64_t>{4, 5}, {3, 4, 5}}) {
    SignalHeader header;
    const std::vector<Axis> all{{"time", "s", 2, 1, 1}, {"y", "nm", 0.2, -3, 1}, {"x", "nm", 0.1, 1e-3, 1}};
    header.axes.assign(all.end() - static_cast<std::ptrdiff_t>(shape.size()), all.end());
    std::size_t count = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) count *= header.axes[i].size = shape[i];
    header.map = true;
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
    HspyWriter writer(dir / "in.hspy");
    writer.add(header, std::as_bytes(std::span(values)));
    writer.commit();
    const File in = open_file(dir / "in.hspy");
    write_image(dir / "out.rpl", *in.images.front(), "{}", {}, {});
    const File back = open_file(dir / "out.rpl");
    expect_axes(*back.images.front(), *in.images.front());
    EXPECT_EQ(back.images.front()->info().kind, in.images.front()->info().kind);
    EXPECT_EQ(all_values(*back.images.front()), all_values(*in.images.front()));
  }
}

// NeXus: "image" is what has two axes at least. RosettaSciIO refuses a row that calls itself one.
TEST(Writers, ARowOfPixelsIsNoImageInNexus) {
  const TempDir dir;
  hdf5::Handle made = hdf5::create_file((dir / "in.h5").string());
  hdf5::write<float>(made.get(), "row", std::vector<float>{1, 2, 3, 4}, {4});
  hdf5::close_file(std::move(made));
  const File in = open_file(dir / "in.h5");
  write_image(dir / "out.nxs", *in.images.front(), "{}", {}, {});
  EXPECT_EQ(all_values(*open_file(dir / "out.nxs").images.front()), all_values(*in.images.front()));
  const hdf5::Handle file = hdf5::open_file((dir / "out.nxs").string(), hdf5::Links::refused);
  EXPECT_FALSE(hdf5::has_attribute(hdf5::open_dataset(file.get(), "entry/row/data").get(), "interpretation"));
}

TEST(Writers, AnMsaHoldsOneSpectrum) {
  const TempDir dir;
  for (const NumberType type : {NumberType::f64, NumberType::f32, NumberType::u16, NumberType::i32}) {
    const auto original = open_image(sample(dir / "in.hspy", {40}, type));
    write_image(dir / "out.msa", *original, "{}", {}, {});
    const auto back = open_image(dir / "out.msa");
    expect_axes(*back, *original);
    EXPECT_EQ(back->info().dwell_s, original->info().dwell_s);
    std::vector<float> a(40), b(40);
    original->read_tile({0, 1}, {0, 40}, a);
    back->read_tile({0, 1}, {0, 40}, b);
    EXPECT_EQ(a, b);
  }
  const fs::path cube = sample(dir / "cube.hspy", {2, 3, 40}, NumberType::u16);
  const Ran ran = run_elver({"convert", cube, dir / "cube.msa"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, HasSubstr("holds one spectrum"));
  EXPECT_FALSE(fs::exists(dir / "cube.msa"));
}

TEST(Writers, WhatHoldsNoAxesSaysHowToReadIt) {
  const TempDir dir;
  const fs::path in = sample(dir / "in.hspy", {2, 3, 40}, NumberType::u16);
  const Ran ran = run_elver({"convert", in, dir / "out.npy"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("--offset-ev 448.5 --dispersion-ev 0.3"));
  const Ran back = run_elver({"convert", dir / "out.npy", dir / "back.hspy", "--offset-ev", "448.5", "--dispersion-ev", "0.3"});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(all_values(*open_image(dir / "back.hspy")), all_values(*open_image(in)));
}

// Whole numbers above 2^24 are no float32: what is subtracted and summed is exact.
TEST(Writers, LargeWholeCountsStayWhole) {
  const TempDir dir;
  SignalHeader header;
  header.axes = {{"y", "nm", 1, 0, 2}, {"x", "nm", 1, 0, 2}, {"Energy loss", "eV", 0.5, 400, 4, AxisRole::energy}};
  header.type = NumberType::u32;
  std::vector<std::uint32_t> counts(16);
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = static_cast<std::uint32_t>((1U << 24) + 1 + 2 * i);
  HspyWriter writer(dir / "in.hspy");
  writer.add(header, std::as_bytes(std::span(counts)));
  writer.commit();
  ASSERT_EQ(run_elver({"convert", dir / "in.hspy", dir / "off.hspy", "--pedestal", "100"}).code, 0);
  const auto off = open_image(dir / "off.hspy");
  ASSERT_EQ(off->info().type, NumberType::f64);
  const std::vector<std::byte> bytes = all_values(*off);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    double value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    EXPECT_EQ(value, static_cast<double>(counts[i]) - 100);
  }
  ASSERT_EQ(run_elver({"convert", dir / "in.hspy", dir / "sum.hspy", "--bin", "2x2"}).code, 0);
  const std::vector<std::byte> sums = all_values(*open_image(dir / "sum.hspy"));
  for (std::size_t c = 0; c < 4; ++c) {
    std::uint32_t sum = 0;
    std::memcpy(&sum, sums.data() + c * sizeof sum, sizeof sum);
    EXPECT_EQ(sum, counts[c] + counts[4 + c] + counts[8 + c] + counts[12 + c]);
  }
}

std::vector<std::string> listing(const fs::path& path) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(path)) out.push_back(entry.path().filename().string());
  return out;
}

// A run that was killed leaves a hidden file; the next run takes it away, unless somebody works on it.
TEST(Writers, LeftoversOfKilledRunsAreTakenAway) {
  const TempDir dir;
  const fs::path in = sample(dir / "in.hspy", {2, 3, 40}, NumberType::u16);
  const int dead = [] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    int status = 0;
    ::waitpid(child, &status, 0);
    return static_cast<int>(child);
  }();
  const fs::path left = dir / (".elver-" + std::to_string(dead) + "-0.partial"), held = dir / (".elver-" + std::to_string(dead) + "-1.partial");
  for (const char* out : {"a.hspy", "a.npy", "a.rpl", "a.nxs"}) {
    std::ofstream(left) << "half";
    std::ofstream(held) << "half";
    const int lock = ::open(held.c_str(), O_RDONLY);
    ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);
    ASSERT_EQ(run_elver({"convert", in, dir / out, "--quiet"}).code, 0);
    EXPECT_FALSE(fs::exists(left)) << out;
    EXPECT_TRUE(fs::exists(held)) << out;
    ::close(lock);
  }
  ASSERT_EQ(run_elver({"convert", in, dir / "a.hspy", "--quiet"}).code, 0);
  EXPECT_THAT(listing(dir.path()), UnorderedElementsAre("in.hspy", "a.hspy", "a.npy", "a.rpl", "a.raw", "a.nxs"));
}

std::string text_tag(TIFF* tiff, ttag_t tag) {
  char* value = nullptr;
  return TIFFGetField(tiff, tag, &value) == 1 ? value : "";
}

/// What a .tif says: values, and the size of a pixel as ImageJ takes it.
struct Picture {
  std::vector<float> values;
  std::uint32_t width = 0, height = 0;
  float per_unit_x = 0, per_unit_y = 0;
  std::string description;
};

Picture read_tiff(const fs::path& path) {
  Picture out;
  TIFF* const tiff = TIFFOpen(path.c_str(), "r");
  EXPECT_NE(tiff, nullptr);
  if (tiff == nullptr) return out;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &out.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &out.height);
  TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &out.per_unit_x);
  TIFFGetField(tiff, TIFFTAG_YRESOLUTION, &out.per_unit_y);
  out.description = text_tag(tiff, TIFFTAG_IMAGEDESCRIPTION);
  out.values.resize(std::size_t{out.width} * out.height);
  for (std::uint32_t row = 0; row < out.height; ++row) TIFFReadScanline(tiff, out.values.data() + row * out.width, row);
  TIFFClose(tiff);
  return out;
}

// One command, every format: the same maps in all of them.
TEST(Writers, MapsInEveryFormat) {
  const TempDir dir;
  save_image(test::sample(3, 7), dir / "image.hspy");
  save_model(sample_model(), dir / "sample.elver");
  const auto map = [&](const std::string& formats) {
    return run_elver({"map", dir / "image.hspy", "--model", dir / "sample.elver", "--out", dir / "out", "--pictures", "none", "--format", formats});
  };
  const Ran ran = map("csv,tiff,nexus,hspy");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const File hspy = open_file(dir / "out/maps.hspy"), nexus = open_file(dir / "out/maps.nxs");
  ASSERT_GE(hspy.images.size(), 5U);
  ASSERT_EQ(hspy.images.size(), nexus.images.size());
  for (const auto& image : hspy.images) {
    const ImageInfo& info = image->info();
    SCOPED_TRACE(info.title);
    const auto same = std::ranges::find_if(nexus.images, [&](const auto& other) { return other->info().title == info.title; });
    ASSERT_NE(same, nexus.images.end());
    expect_axes(**same, *image);
    EXPECT_EQ((*same)->info().quantity, info.quantity);
    EXPECT_EQ((*same)->info().type, info.type);
    EXPECT_EQ(all_values(**same), all_values(*image));
    ASSERT_TRUE(fs::exists(dir / ("out/" + info.title + ".tif")));
    if (info.type != NumberType::f32) continue;
    const Picture picture = read_tiff(dir / ("out/" + info.title + ".tif"));
    const std::vector<std::byte> values = all_values(*image);
    ASSERT_EQ(picture.values.size() * sizeof(float), values.size());
    EXPECT_EQ(std::memcmp(picture.values.data(), values.data(), values.size()), 0);
    EXPECT_FLOAT_EQ(1 / picture.per_unit_x, static_cast<float>(info.axes[1].scale));  // a ratio of 32-bit numbers
    EXPECT_FLOAT_EQ(1 / picture.per_unit_y, static_cast<float>(info.axes[0].scale));
    EXPECT_THAT(picture.description, HasSubstr("unit=" + info.axes[1].units + "\n"));
  }
  const std::string first = read_text(dir / "out/maps.nxs"), tiff = read_text(dir / "out/li_content.tif");
  ASSERT_EQ(map("csv,tiff,nexus,hspy").code, 0);
  EXPECT_EQ(read_text(dir / "out/li_content.tif"), tiff);
  EXPECT_EQ(read_text(dir / "out/maps.nxs").size(), first.size());
  ASSERT_EQ(map("csv").code, 0);  // what the earlier run left goes
  EXPECT_THAT(listing(dir / "out"), UnorderedElementsAre("maps.csv", "run.json"));
  const Ran wrong = map("png");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("Choose of hspy, nexus, tiff and csv"));
}

// The ending says the format of a file of several maps, before anything is computed.
TEST(Writers, BackgroundsGoWhereTheEndingSays) {
  const TempDir dir;
  save_image(test::sample(3, 7), dir / "image.hspy");
  const auto background = [&](const std::string& out) {
    return run_elver({"background", dir / "image.hspy", "--fit", "490:520", "--signal", "520:580", "--cube", "--quiet", "--out", dir / out});
  };
  for (const char* out : {"b.hspy", "b.nxs"}) {
    const Ran ran = background(out);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  const File hspy = open_file(dir / "b.hspy"), nexus = open_file(dir / "b.nxs");
  ASSERT_EQ(hspy.images.size(), 9U);
  ASSERT_EQ(nexus.images.size(), 9U);
  for (const auto& image : hspy.images) {
    const auto same = std::ranges::find_if(nexus.images, [&](const auto& other) { return other->info().title == image->info().title; });
    ASSERT_NE(same, nexus.images.end()) << image->info().title;
    expect_axes(**same, *image);
    EXPECT_EQ(all_values(**same), all_values(*image)) << image->info().title;
  }
  const Ran wrong = background("b.tif");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("End the name in one of .hspy, .nxs"));
}

// A pixel of 0.25 nm in metres would be 4e9 pixels a unit: beyond ImageJ's rational numbers, so the unit is nm.
TEST(Writers, TiffSaysSmallPixelsInNanometres) {
  const TempDir dir;
  const std::vector<float> values{1, 2, std::numeric_limits<float>::quiet_NaN(), 4, 5, 6};
  const auto image = [&](const Axis& y, const Axis& x) {
    SignalHeader header;
    header.axes = {y, x, {"Energy loss", "eV", 1, 0, 4, AxisRole::energy}};
    header.type = NumberType::f32;
    HspyWriter writer(dir / "image.hspy");
    const std::vector<float> counts(24, 9.0F);
    writer.add(header, std::as_bytes(std::span(counts)));
    writer.commit();
    return open_image(dir / "image.hspy");
  };
  MapResult result;
  result.rows = 2, result.columns = 3;
  result.maps = {{"m", "", values}};
  result.status.resize(6);
  const auto drawn = [&](const Axis& y, const Axis& x) {
    const auto of = image(y, x);
    OutputSet out(dir / "out");
    DetectRecord record;
    record.formats = {"tiff"};
    Detection detection;
    detection.maps = result;
    DetectJob job;
    job.windows = {"Si_L", {0, 1}, {1, 2}};
    write_detection(out, *of, job, detection, record, {});
    out.commit();
    return read_tiff(dir / "out/m.tif");
  };
  const Picture metres = drawn({"y", "m", 5e-10, 0, 2}, {"x", "m", 2.5e-10, 0, 3});
  EXPECT_FLOAT_EQ(metres.per_unit_x, 4);
  EXPECT_FLOAT_EQ(metres.per_unit_y, 2);
  EXPECT_THAT(metres.description, HasSubstr("unit=nm\n"));
  EXPECT_THAT(metres.description, HasSubstr("min=1\nmax=6\n"));
  const Picture micro = drawn({"y", "nm", 500, 0, 2}, {"x", "\u00b5m", 0.25, 1, 3});
  EXPECT_FLOAT_EQ(micro.per_unit_x, 4);
  EXPECT_FLOAT_EQ(micro.per_unit_y, 2);
  EXPECT_THAT(micro.description, HasSubstr("unit=\\u00B5m\n"));
  EXPECT_THAT(micro.description, HasSubstr("xorigin=-4\n"));
  EXPECT_THAT(drawn({"y", "\u212b", 5, 0, 2}, {"x", "\u00c5", 5, 0, 3}).description, HasSubstr("unit=\\u00C5\n"));
  EXPECT_THAT(drawn({"y", "a\\b", 5, 0, 2}, {"x", "a\\b", 5, 0, 3}).description, HasSubstr("unit=a\\u005Cb\n"));
}

}  // namespace
}  // namespace elver::test
