#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/hdf5.hpp"
#include "support.hpp"

namespace elver {
namespace {

using test::TempDir;
using testing::HasSubstr;
namespace fs = std::filesystem;

Axis pixels(const std::string& name, std::uint64_t size, double scale = 0.5, double offset = -1.0) {
  return {name, "nm", scale, offset, size, AxisRole::navigation};
}
Axis energies(std::uint64_t size) { return {"Energy loss", "eV", 0.25, 440.0, size, AxisRole::energy}; }

/// An image that is held in memory, [pixel][channel], of whatever bytes.
class MemoryImage : public Image {
 public:
  explicit MemoryImage(ImageInfo description)
      : Image(std::move(description)), bytes_(pixels() * channels() * bytes_of(info().type)) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::byte>(i * i % 64 + i % 3);
    if (info().type == NumberType::boolean) {
      for (std::byte& b : bytes_) b &= std::byte{1};
    }
  }
  void read(PixelRange range, ChannelRange part, std::span<std::byte> out) const override {
    const std::size_t one = bytes_of(info().type);
    for (std::uint64_t p = range.first; p < range.last; ++p) {
      std::memcpy(out.data() + (p - range.first) * part.size() * one,
                  bytes_.data() + (p * channels() + part.first) * one, part.size() * one);
    }
  }
  void read_tile(PixelRange, ChannelRange, std::span<float>) const override { FAIL() << "not for tests"; }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

ImageInfo an_image(const std::string& title, NumberType type, std::vector<Axis> axes) {
  ImageInfo info;
  info.title = title;
  info.type = type;
  info.axes = std::move(axes);
  return info;
}

std::vector<std::byte> all_values(const Image& image) {
  std::vector<std::byte> out(image.pixels() * image.channels() * bytes_of(image.info().type));
  image.read({0, image.pixels()}, {0, image.channels()}, out);
  return out;
}

template <class Call>
std::string error_of(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

// ---- written, then read ------------------------------------------------------------------------------------------

TEST(HspyWriter, ExistsOnlyWhenCommitted) {
  const TempDir dir;
  const MemoryImage image(an_image("line", NumberType::f32, {pixels("x", 3), energies(16)}));
  {
    HspyWriter writer(dir / "a.hspy");
    writer.add(header_of(image), image);
  }
  EXPECT_TRUE(fs::is_empty(dir.path())) << "an abandoned file was left behind";
  HspyWriter writer(dir / "a.hspy");
  writer.add(header_of(image), image);
  EXPECT_FALSE(fs::exists(dir / "a.hspy"));
  writer.commit();
  EXPECT_TRUE(fs::exists(dir / "a.hspy"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

// Maps whose low bytes are noise are stored as they are, even ones packed; both come back as they were, whatever the
// threads, in the same bytes. 701 x 500 floats are two chunks, the second not full.
TEST(HspyWriter, PacksWhatBecomesSmaller) {
  const TempDir dir;
  std::vector<float> noise(701 * 500), even(noise.size(), 0.25f);
  std::uint32_t state = 1;
  for (float& v : noise) v = static_cast<float>(state = state * 1664525U + 1013904223U) * 0x1p-32F;
  SignalHeader header;
  header.map = true;
  header.axes = {pixels("y", 701), pixels("x", 500)};
  const auto write = [&](const std::string& name, const std::vector<float>& values, unsigned threads) {
    RunContext context;
    context.threads = threads;
    HspyWriter writer(dir / name);
    writer.add(header, std::as_bytes(std::span(values)), context);
    writer.commit();
    const File file = open_file(dir / name);
    std::vector<float> back(values.size());
    file.images.front()->read({0, values.size()}, {0, 1}, std::as_writable_bytes(std::span(back)));
    EXPECT_EQ(back, values) << name;
    return fs::file_size(dir / name);
  };
  const std::size_t bytes = noise.size() * sizeof(float);
  const std::uintmax_t noisy = write("noise", noise, 2), packed = write("even", even, 2);
  EXPECT_GT(noisy, bytes);
  EXPECT_LT(packed, bytes / 20);
  EXPECT_EQ(write("noise again", noise, 1), noisy);
  EXPECT_EQ(write("even again", even, 1), packed);
}

TEST(HspyWriter, SaysWhereItCannotWrite) {
  const TempDir dir;
  const std::string absent = error_of(ErrorKind::output, [&] { HspyWriter(dir / "no" / "a.hspy"); });
  EXPECT_THAT(absent,
              testing::AllOf(HasSubstr("a.hspy (No such file or directory)"), testing::Not(HasSubstr("partial"))));
  error_of(ErrorKind::output, [&] { HspyWriter{dir.path()}; });
}

TEST(HspyWriter, ComplexAndColourAreRefused) {
  const TempDir dir;
  HspyWriter writer(dir / "a.hspy");
  for (const NumberType type : {NumberType::c64, NumberType::c128, NumberType::rgb}) {
    const MemoryImage image(an_image("wave", type, {pixels("y", 3), pixels("x", 3)}));
    error_of(ErrorKind::mismatch, [&] { writer.add(header_of(image), image); });
  }
}

TEST(HspyWriter, AnInterruptionLeavesNothing) {
  const TempDir dir;
  const MemoryImage image(an_image("cube", NumberType::f32, {pixels("y", 3), pixels("x", 3), energies(16)}));
  const std::atomic<bool> stop{true};
  RunContext context;
  context.interrupted = &stop;
  error_of(ErrorKind::interrupted, [&] {
    HspyWriter writer(dir / "a.hspy");
    writer.add(header_of(image), image, context);
  });
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

struct Shape {
  std::vector<Axis> axes;
  ImageKind kind;
};

TEST(Hspy, EveryTypeAndShapeComesBackAsItWas) {
  const std::vector<Shape> shapes{
      {{energies(64)}, ImageKind::spectrum},
      {{pixels("x", 5), energies(64)}, ImageKind::spectrum_image},
      {{pixels("y", 7), pixels("x", 5), energies(64)}, ImageKind::spectrum_image},
      {{pixels("t", 3), pixels("y", 2), pixels("x", 5), energies(8)}, ImageKind::spectrum_image},
      {{pixels("y", 7), pixels("x", 5)}, ImageKind::image},
      {{pixels("t", 3), pixels("y", 7), pixels("x", 5)}, ImageKind::stack}};
  const TempDir dir;
  HspyWriter writer(dir / "a.hspy");
  std::vector<std::unique_ptr<MemoryImage>> written;
  for (std::size_t s = 0; s < shapes.size(); ++s) {
    for (int t = 0; t <= static_cast<int>(NumberType::boolean); ++t) {
      const auto type = static_cast<NumberType>(t);
      const std::string title = "shape " + std::to_string(s) + "/" + std::string(name_of(type));
      written.push_back(std::make_unique<MemoryImage>(an_image(title, type, shapes[s].axes)));
      SignalHeader header = header_of(*written.back());
      header.beam_energy_kev = 200;
      header.convergence_mrad = 10.5;
      header.collection_mrad = 21;
      header.dwell_s = 0.05;
      if (t % 2 == 0) {
        writer.add(header, *written.back());
      } else {
        writer.add(header, written.back()->bytes());
      }
    }
  }
  writer.commit();

  const File file = open_file(dir / "a.hspy");
  EXPECT_EQ(file.format, "hspy");
  ASSERT_EQ(file.images.size(), written.size());
  for (const auto& source : written) {
    const auto same = [&](const auto& image) { return image->info().title == source->info().title; };
    const auto found = std::find_if(file.images.begin(), file.images.end(), same);
    ASSERT_NE(found, file.images.end()) << source->info().title;
    const ImageInfo& info = (*found)->info();
    EXPECT_EQ(info.refusal, "");
    EXPECT_EQ(info.type, source->info().type);
    EXPECT_EQ(info.beam_energy_kev, 200);
    EXPECT_EQ(info.convergence_mrad, 10.5);
    EXPECT_EQ(info.collection_mrad, 21);
    EXPECT_EQ(info.dwell_s, 0.05);
    EXPECT_EQ(info.signal_type, source->channels() > 1 ? "EELS" : "");
    EXPECT_EQ(info.kind, shapes[static_cast<std::size_t>(info.title[6] - '0')].kind) << info.title;
    ASSERT_EQ(info.axes.size(), source->info().axes.size());
    for (std::size_t i = 0; i < info.axes.size(); ++i) {
      const Axis &got = info.axes[i], &wanted = source->info().axes[i];
      EXPECT_EQ(std::tie(got.name, got.units, got.scale, got.offset, got.size, got.role),
                std::tie(wanted.name, wanted.units, wanted.scale, wanted.offset, wanted.size, wanted.role));
    }
    EXPECT_EQ(all_values(**found), source->bytes()) << info.title;
  }
}

TEST(Hspy, EqualTitlesAndStrangeOnesAreAllKept) {
  const TempDir dir;
  HspyWriter writer(dir / "a.hspy");
  for (const std::string title : {"map", "map", "a/b", ".", "", "Mn L₃"}) {
    const MemoryImage image(an_image(title, NumberType::f32, {pixels("y", 2), pixels("x", 2)}));
    writer.add(header_of(image), image);
  }
  writer.commit();
  std::vector<std::string> ids, titles;
  for (const auto& image : open_file(dir / "a.hspy").images) {
    ids.push_back(image->info().id);
    titles.push_back(image->info().title);
  }
  EXPECT_THAT(ids, testing::UnorderedElementsAre("map", "map (2)", "a-b", "__unnamed__", "__unnamed__ (2)", "Mn L₃"));
  EXPECT_THAT(titles, testing::UnorderedElementsAre("map", "map", "a/b", ".", "", "Mn L₃"));
}

/// Value i of the data set of `write_cube`, in the order in which it lies there.
double cube_value(std::uint64_t i) { return static_cast<double>(i % 1000) - 20.0; }

/// A signal as HyperSpy writes it, with the energy axis at `energy` and chunks of this shape (none: contiguous).
void write_cube(const fs::path& path, const std::vector<hsize_t>& dims, std::size_t energy,
                const std::vector<hsize_t>& chunk, hid_t type) {
  const auto held = hdf5::lock();
  hdf5::Handle file = hdf5::create_file(path.string());
  hdf5::set_attribute(hdf5::open_group(file.get(), "/").get(), "file_format", "HyperSpy");
  const hdf5::Handle group = hdf5::create_group(file.get(), "Experiments/cube");
  hdf5::create_group(group.get(), "metadata");
  std::uint64_t count = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    count *= dims[i];
    const hdf5::Handle axis = hdf5::create_group(group.get(), "axis-" + std::to_string(i));
    hdf5::set_attribute(axis.get(), "navigate", i != energy);
    hdf5::set_attribute(axis.get(), "units", i == energy ? "eV" : "nm");
    hdf5::set_attribute(axis.get(), "scale", i == energy ? 0.5 : 2.0);
    hdf5::set_attribute(axis.get(), "offset", 100.0 * static_cast<double>(i));
  }
  std::vector<double> values(count);
  for (std::uint64_t i = 0; i < count; ++i) values[i] = cube_value(i);
  const hdf5::Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
  const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE));
  if (!chunk.empty()) {
    H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
    H5Pset_shuffle(creation.get());
    H5Pset_deflate(creation.get(), 1);
  }
  const hdf5::Handle data(H5Dcreate2(group.get(), "data", type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
  H5Dwrite(data.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  hdf5::close_file(std::move(file));
}

// Any range of pixels and channels, from any chunks, with the energy axis anywhere, by several threads: the same
// numbers.
TEST(HspyReader, TilesAreTheSameHoweverTheValuesLie) {
  const TempDir dir;
  const std::vector<hsize_t> dims{6, 9, 14};
  const std::vector<std::vector<hsize_t>> chunks{{}, {1, 1, 14}, {6, 1, 3}, {2, 9, 5}, {6, 9, 14}};
  for (std::size_t energy = 0; energy < 3; ++energy) {
    for (const auto& chunk : chunks) {
      for (const hid_t type : {H5T_STD_I16BE, H5T_IEEE_F64LE, H5T_IEEE_F32BE}) {
        write_cube(dir / "a.hspy", dims, energy, chunk, type);
        const std::unique_ptr<Image> image = open_image(dir / "a.hspy");
        ASSERT_EQ(image->channels(), dims[energy]);
        EXPECT_EQ(image->energy().offset_ev, 100.0 * static_cast<double>(energy));
        std::vector<hsize_t> steps{126, 14, 1};
        const hsize_t channel_step = steps[energy];
        steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(energy));
        const std::uint64_t columns = image->columns();
        const auto wanted = [&](std::uint64_t p, std::size_t c) {
          return cube_value(p / columns * steps[0] + p % columns * steps[1] + c * channel_step);
        };
        const auto check = [&](PixelRange range, ChannelRange part) {
          std::vector<float> tile(range.size() * part.size());
          image->read_tile(range, part, tile);
          std::vector<std::byte> bytes(tile.size() * bytes_of(image->info().type));
          image->read(range, part, bytes);
          for (std::uint64_t p = range.first; p < range.last; ++p) {
            for (std::size_t c = part.first; c < part.last; ++c) {
              const float got = tile[(c - part.first) * range.size() + (p - range.first)];
              ASSERT_EQ(got, static_cast<float>(wanted(p, c))) << "pixel " << p << " channel " << c;
              if (image->info().type == NumberType::i16) {
                std::int16_t value = 0;
                std::memcpy(&value, bytes.data() + 2 * ((p - range.first) * part.size() + c - part.first), 2);
                ASSERT_EQ(value, wanted(p, c));
              }
            }
          }
        };
        const std::uint64_t n = image->pixels();
        const std::size_t e = image->channels();
        std::vector<std::thread> threads;
        threads.emplace_back([&] { check({0, n}, {0, e}); });
        threads.emplace_back([&] { check({3, n - 2}, {1, e}); });
        threads.emplace_back([&] { check({columns - 1, columns + 1}, {2, 3}); });
        threads.emplace_back([&] { check({5, 5}, {0, e}); });
        threads.emplace_back([&] {
          for (std::uint64_t p = 0; p < n; p += 7) check({p, std::min(n, p + 7)}, {0, e - 1});
        });
        for (std::thread& thread : threads) thread.join();
        image->stay_within(1);  // with one chunk unpacked at a time, too
        check({0, n}, {0, e});
      }
    }
  }
}

// ---- files of other times and hands ------------------------------------------------------------------------------

/// A file with one signal, `data` of shape (4, 3, 5) and its axes; `change` makes it what the test is about.
template <class Change>
void write_signal(const fs::path& path, const Change& change) {
  const auto held = hdf5::lock();
  hdf5::Handle file = hdf5::create_file(path.string());
  const hdf5::Handle group = hdf5::create_group(file.get(), "Experiments/one");
  for (int i = 0; i < 3; ++i) {
    const hdf5::Handle axis = hdf5::create_group(group.get(), "axis-" + std::to_string(i));
    hdf5::set_attribute(axis.get(), "name", i == 2 ? "Energy loss" : "<undefined>");
    hdf5::set_attribute(axis.get(), "units", i == 2 ? "eV" : "_None_");
    hdf5::set_attribute(axis.get(), "scale", 0.1);
    hdf5::set_attribute(axis.get(), "offset", 1LL);
    hdf5::set_attribute(axis.get(), "size", 999LL);  // the data decide
  }
  std::vector<float> values(60);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  hdf5::write<float>(group.get(), "data", values, {4, 3, 5});
  change(file.get(), group.get());
  hdf5::close_file(std::move(file));
}

TEST(HspyReader, OldFilesWithoutTypesRolesAndUnits) {
  const TempDir dir;
  write_signal(dir / "a.hspy", [](hid_t, hid_t group) {
    const hdf5::Handle tem = hdf5::create_group(group, "mapped_parameters/TEM/EELS");
    hdf5::set_attribute(hdf5::open_group(group, "mapped_parameters").get(), "title", "old");
    hdf5::set_attribute(hdf5::open_group(group, "mapped_parameters").get(), "signal_type", "EELS");
    hdf5::set_attribute(hdf5::open_group(group, "mapped_parameters/TEM").get(), "beam_energy", 200'000.0);
    hdf5::set_attribute(tem.get(), "collection_angle", "21.5");
  });
  const std::unique_ptr<Image> image = open_image(dir / "a.hspy");
  const ImageInfo& info = image->info();
  EXPECT_EQ(info.kind, ImageKind::spectrum_image);
  EXPECT_EQ(info.title, "old");
  EXPECT_EQ(info.signal_type, "EELS");
  EXPECT_EQ(info.beam_energy_kev, 200) << "more than 1000 is volts";
  EXPECT_EQ(info.collection_mrad, 21.5);
  EXPECT_EQ(info.convergence_mrad, std::nullopt);
  EXPECT_EQ(info.axes[0].name, "");
  EXPECT_EQ(info.axes[0].units, "");
  EXPECT_EQ(info.axes[2].size, 5U);
  EXPECT_EQ(image->energy().offset_ev, 1);
}

TEST(HspyReader, AxesAsAListAndTheSignalAxisWithoutUnits) {
  const TempDir dir;
  write_signal(dir / "a.hspy", [](hid_t, hid_t group) {
    for (int i = 0; i < 3; ++i) H5Ldelete(group, ("axis-" + std::to_string(i)).c_str(), H5P_DEFAULT);
    for (int i = 0; i < 3; ++i) {
      const hdf5::Handle axis = hdf5::create_group(group, "_list_3_axes/" + std::to_string(i));
      hdf5::set_attribute(axis.get(), "navigate", i != 0);
      hdf5::set_attribute(axis.get(), "scale", i == 0 ? 0.5 : 1.0);
    }
    const hdf5::Handle signal = hdf5::create_group(group, "metadata/Signal");
    hdf5::set_attribute(signal.get(), "signal_type", "EELS");
  });
  const std::unique_ptr<Image> image = open_image(dir / "a.hspy");
  EXPECT_EQ(image->channels(), 4U) << "the first axis is the signal axis";
  EXPECT_EQ(image->energy().dispersion_ev, 0.5);
  std::vector<float> tile(4);
  image->read_tile({7, 8}, {0, 4}, tile);
  EXPECT_THAT(tile, testing::ElementsAre(7, 22, 37, 52));
}

void set_positions(hid_t group, const std::vector<double>& positions) {
  const hdf5::Handle axis = hdf5::open_group(group, "axis-2");
  H5Adelete(axis.get(), "scale");
  H5Adelete(axis.get(), "offset");
  hdf5::set_attribute(axis.get(), "_type", "DataAxis");
  hdf5::write<double>(axis.get(), "axis", positions, {positions.size()});
}

TEST(HspyReader, AnAxisOfPositionsIsReadIfTheyAreEven) {
  const TempDir dir;
  write_signal(dir / "even.hspy", [](hid_t, hid_t group) { set_positions(group, {440, 440.25, 440.5, 440.75, 441}); });
  EXPECT_EQ(open_image(dir / "even.hspy")->energy().dispersion_ev, 0.25);
  EXPECT_EQ(open_image(dir / "even.hspy")->energy().offset_ev, 440);
  write_signal(dir / "odd.hspy", [](hid_t, hid_t group) { set_positions(group, {440, 440.25, 440.6, 440.75, 441}); });
  EXPECT_THAT(error_of(ErrorKind::input, [&] { open_image(dir / "odd.hspy"); }), HasSubstr("not evenly spaced"));
  write_signal(dir / "short.hspy", [](hid_t, hid_t group) { set_positions(group, {440, 440.25}); });
  EXPECT_THAT(error_of(ErrorKind::input, [&] { open_image(dir / "short.hspy"); }), HasSubstr("2 positions for 5"));
}

template <class Make>
std::string refusal_of_data(const TempDir& dir, const Make& make) {
  write_signal(dir / "a.hspy", [&](hid_t, hid_t group) {
    H5Ldelete(group, "data", H5P_DEFAULT);
    const hsize_t dims[3] = {4, 3, 5};
    const hdf5::Handle space(H5Screate_simple(3, dims, nullptr));
    const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE));
    const hdf5::Handle type = make(creation.get());
    EXPECT_TRUE(
        hdf5::Handle(H5Dcreate2(group, "data", type.get(), space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT)));
  });
  const File file = open_file(dir / "a.hspy");  // can be listed
  EXPECT_EQ(file.images.front()->info().axes.size(), 3U);
  return error_of(ErrorKind::input, [&] { open_image(dir / "a.hspy"); });
}

TEST(HspyReader, ValuesThatAreNoRealNumbersAreListedAndRefused) {
  const TempDir dir;
  const auto complex = [](hid_t) {
    hdf5::Handle type(H5Tcreate(H5T_COMPOUND, 8));
    H5Tinsert(type.get(), "r", 0, H5T_NATIVE_FLOAT);
    H5Tinsert(type.get(), "i", 4, H5T_NATIVE_FLOAT);
    return type;
  };
  const auto rgb = [](hid_t) {
    hdf5::Handle type(H5Tcreate(H5T_COMPOUND, 3));
    for (std::size_t i = 0; i < 3; ++i) H5Tinsert(type.get(), i == 0 ? "R" : i == 1 ? "G" : "B", i, H5T_NATIVE_UINT8);
    return type;
  };
  EXPECT_THAT(refusal_of_data(dir, complex), HasSubstr("complex"));
  EXPECT_THAT(refusal_of_data(dir, rgb), HasSubstr("RGB"));
  EXPECT_THAT(refusal_of_data(dir, [](hid_t) { return hdf5::Handle(H5Tvlen_create(H5T_NATIVE_FLOAT)); }),
              HasSubstr("ragged"));
}

TEST(HspyReader, AFilterThatIsNotAtHandIsNamed) {
  const TempDir dir;
  const auto blosc2 = [](hid_t creation) {
    const hsize_t chunk[3] = {4, 3, 5};
    H5Pset_chunk(creation, 3, chunk);
    H5Pset_filter(creation, 32026, H5Z_FLAG_OPTIONAL, 0, nullptr);
    return hdf5::Handle(H5Tcopy(H5T_NATIVE_FLOAT));
  };
  EXPECT_THAT(refusal_of_data(dir, blosc2), HasSubstr("Blosc2"));
}

TEST(HspyReader, SeveralSignalsAreListedAndTheSpectrumImageIsPicked) {
  const TempDir dir;
  HspyWriter writer(dir / "a.hspy");
  const MemoryImage survey(an_image("survey", NumberType::u8, {pixels("y", 4), pixels("x", 4)}));
  const MemoryImage cube(an_image("cube", NumberType::u16, {pixels("y", 4), pixels("x", 4), energies(32)}));
  writer.add(header_of(survey), survey);
  writer.add(header_of(cube), cube);
  writer.commit();
  EXPECT_EQ(open_image(dir / "a.hspy")->info().title, "cube");
  OpenOptions options;
  options.dataset = "survey";
  EXPECT_EQ(open_image(dir / "a.hspy", options)->info().kind, ImageKind::image);
}

TEST(HspyReader, AFileAfterAUserBlockIsRecognised) {
  const TempDir dir;
  write_signal(dir / "plain.hspy", [](hid_t, hid_t) {});
  const auto held = hdf5::lock();
  const hdf5::Handle creation(H5Pcreate(H5P_FILE_CREATE));
  H5Pset_userblock(creation.get(), 1024);
  {
    const hdf5::Handle out(H5Fcreate((dir / "a").c_str(), H5F_ACC_TRUNC, creation.get(), H5P_DEFAULT));
    const hdf5::Handle in = hdf5::open_file((dir / "plain.hspy").string());
    ASSERT_GE(H5Ocopy(in.get(), "Experiments", out.get(), "Experiments", H5P_DEFAULT, H5P_DEFAULT), 0);
  }
  EXPECT_EQ(open_image(dir / "a")->channels(), 5U);
}

TEST(HspyReader, OtherHdf5FilesAreCalledByTheirNames) {
  const TempDir dir;
  const std::string path = (dir / "a.h5").string();
  const auto message = [&](const auto& fill) {
    hdf5::Handle file = hdf5::create_file(path);
    fill(file.get());
    hdf5::close_file(std::move(file));
    return error_of(ErrorKind::input, [&] { open_file(path); });
  };
  const auto root = [](hid_t file) { return hdf5::open_group(file, "/"); };
  EXPECT_THAT(message([](hid_t) {}), HasSubstr("no image (hdf5)"));
  EXPECT_THAT(message([&](hid_t file) { hdf5::set_attribute(root(file).get(), "format", "elver model"); }),
              HasSubstr("elver model"));
  EXPECT_THAT(message([&](hid_t file) { hdf5::set_attribute(root(file).get(), "version_major", 0LL); }),
              HasSubstr("no image (emd-ncem)"));
  EXPECT_THAT(message([&](hid_t file) { hdf5::create_group(file, "ImageList"); }), HasSubstr("DM5"));
  EXPECT_THAT(
      message([&](hid_t file) { hdf5::set_attribute(hdf5::create_group(file, "entry").get(), "NX_class", "NXentry"); }),
      HasSubstr("no image (nexus)"));
  EXPECT_THAT(message([&](hid_t file) {
                hdf5::set_attribute(root(file).get(), "file_format", "HyperSpy");
                hdf5::create_group(file, "Experiments");
              }),
              HasSubstr("no image"));
}

// Cut anywhere, a file gives one error or (cut in what nobody reads) its images; never a crash.
TEST(HspyReader, TruncatedFilesAreRefused) {
  const TempDir dir;
  write_cube(dir / "whole", {6, 9, 14}, 2, {1, 9, 14}, H5T_IEEE_F32LE);
  const std::string whole = test::read_text(dir / "whole");
  std::size_t refused = 0, cuts = 0;
  for (std::size_t size = 1; size < whole.size(); size += 97) {
    std::ofstream(dir / "cut", std::ios::binary) << whole.substr(0, size);
    ++cuts;
    try {
      const std::unique_ptr<Image> image = open_image(dir / "cut");
      all_values(*image);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input) << error.what();
      ++refused;
    }
  }
  EXPECT_EQ(refused, cuts);
}

}  // namespace
}  // namespace elver
