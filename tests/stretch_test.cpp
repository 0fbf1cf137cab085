#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <set>

#include "counts_image.hpp"
#include "engine/tiles.hpp"
#include "io/hdf5_image.hpp"
#include "io/reader.hpp"
#include "io/strided_image.hpp"
#include "io/transpose.hpp"
#include "support.hpp"

namespace {

std::atomic<int> fetched{0};

}  // namespace

/// In place of HDF5's own, which it calls (the linker's --wrap): counts the chunks that are read as they are stored.
extern "C" {
herr_t __real_H5Dread_chunk(hid_t dataset, hid_t access, const hsize_t* offset, std::uint32_t* filters, void* out);
herr_t __wrap_H5Dread_chunk(hid_t dataset, hid_t access, const hsize_t* offset, std::uint32_t* filters, void* out) {
  ++fetched;
  return __real_H5Dread_chunk(dataset, access, offset, filters, out);
}
}

namespace elver {
namespace {

using test::TempDir;

ImageInfo info_of(NumberType type, std::vector<std::uint64_t> navigation, std::uint64_t channels) {
  ImageInfo info;
  info.id = "cube";
  info.type = type;
  info.kind = ImageKind::spectrum_image;
  for (const std::uint64_t n : navigation) info.axes.push_back({"a", "nm", 1, 0, n, AxisRole::navigation});
  info.axes.push_back({"Energy loss", "eV", 0.5, 400, channels, AxisRole::energy});
  return info;
}

/// Values that no two places share, as far as the type goes.
std::vector<float> numbers(std::size_t count) {
  std::mt19937 random(7);
  std::vector<float> out(count);
  for (float& v : out) v = static_cast<float>(random() % 60000);
  return out;
}

struct Stored {
  hid_t type = H5T_STD_U16LE;
  bool shuffle = true, deflate = true;
};

/// A data set of these axes (the energy at `place`) in chunks, and the image of it. What is not written is 7.
class ChunkedFile {
 public:
  ChunkedFile(NumberType type, Stored how, const std::vector<std::uint64_t>& navigation, std::uint64_t channels,
              std::size_t place, const std::vector<hsize_t>& chunk, bool whole = true) {
    std::vector<hsize_t> dims(navigation.begin(), navigation.end());
    dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(place), channels);
    std::size_t count = 1;
    for (const hsize_t n : dims) count *= n;
    hdf5::Handle file = hdf5::create_file((dir_ / "cube.h5").string());
    {
      const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE));
      H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
      if (how.shuffle) H5Pset_shuffle(creation.get());
      if (how.deflate) H5Pset_deflate(creation.get(), 3);
      const float seven = 7;
      H5Pset_fill_value(creation.get(), H5T_NATIVE_FLOAT, &seven);
      const hdf5::Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
      const hdf5::Handle data(
          H5Dcreate2(file.get(), "data", how.type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
      std::vector<float> values = numbers(count);
      if (H5Tget_size(how.type) == 1) {
        for (float& v : values) v = std::fmod(v, 100.0f);
      }
      std::vector<hsize_t> start(dims.size(), 0), size = dims;
      if (!whole) size[0] = 1;  // the first chunks only
      const hdf5::Handle memory(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr));
      const hdf5::Handle part(H5Dget_space(data.get()));
      H5Sselect_hyperslab(part.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr);
      EXPECT_GE(H5Dwrite(data.get(), H5T_NATIVE_FLOAT, memory.get(), part.get(), H5P_DEFAULT, values.data()), 0);
    }
    hdf5::close_file(std::move(file));
    file_ = hdf5::open_file((dir_ / "cube.h5").string());
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (i != place) order.push_back(i);
    }
    order.push_back(place);
    image_ = std::make_unique<Hdf5Image>(info_of(type, navigation, channels), file_.get(), "data", order);
  }
  const Image& image() const { return *image_; }

 private:
  TempDir dir_;
  hdf5::Handle file_;
  std::unique_ptr<Image> image_;
};

/// What a loop over the image hands out is what the image says, each pixel once, whatever the memory and the threads.
void expect_tiles_are_the_image(const Image& image, const std::vector<ChannelRange>& windows) {
  const std::size_t pixels = image.pixels();
  std::vector<float> all(pixels * image.channels());
  image.read_tile({0, pixels}, {0, image.channels()}, all);
  for (const std::uint64_t memory : {std::uint64_t{0}, std::uint64_t{60'000}, std::uint64_t{400'000}}) {
    for (const unsigned threads : {1U, 3U}) {
      RunContext context;
      context.memory_bytes = memory;
      context.threads = threads;
      std::vector<int> seen(pixels, 0);
      std::mutex mutex;
      std::size_t wrong = 0;
      engine::deal_tiles(image, windows, context, "test", [&](const Tile& tile) {
        const std::lock_guard lock(mutex);
        for (std::size_t p = 0; p < tile.counts.pixels; ++p) {
          ++seen[tile.pixels.first + p];
          for (const ChannelRange& window : windows) {
            for (std::size_t c = window.first; c < window.last; ++c) {
              wrong +=
                  std::memcmp(tile.counts.channel(c) + p, &all[c * pixels + tile.pixels.first + p], 4) == 0 ? 0 : 1;
            }
          }
        }
      });
      EXPECT_EQ(wrong, 0U) << memory << " bytes, " << threads << " threads";
      EXPECT_THAT(seen, testing::Each(1)) << memory << " bytes, " << threads << " threads";
    }
  }
}

const std::vector<ChannelRange> kApart{{3, 9}, {30, 47}};

TEST(Stretch, OfChunksGivesWhatTheImageGives) {
  struct Case {
    NumberType type;
    Stored stored;
    std::vector<std::uint64_t> navigation;
    std::size_t place;
    std::vector<hsize_t> chunk;
  };
  const std::vector<Case> cases{
      {NumberType::u16, {H5T_STD_U16LE, true, true}, {13, 21}, 2, {4, 5, 50}},
      {NumberType::u16, {H5T_STD_U16BE, true, true}, {13, 21}, 2, {4, 5, 16}},
      {NumberType::f32, {H5T_IEEE_F32LE, true, true}, {13, 21}, 0, {16, 5, 21}},  // energy-major
      {NumberType::f64, {H5T_IEEE_F64BE, false, true}, {13, 21}, 1, {3, 16, 8}},
      {NumberType::i32, {H5T_STD_I32LE, false, false}, {3, 5, 19}, 3, {2, 2, 6, 50}},
      {NumberType::u8, {H5T_STD_U8LE, true, true}, {70}, 1, {9, 50}},
      {NumberType::i64, {H5T_STD_I64LE, true, false}, {2, 3, 4, 5}, 4, {1, 3, 1, 5, 25}},
      {NumberType::u16, {H5T_STD_U16LE, true, true}, {}, 0, {16}},  // a single spectrum
      {NumberType::f32, {H5T_IEEE_F32LE, true, true}, {300, 1}, 2, {7, 1, 50}},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const Case& c = cases[i];
    const ChunkedFile file(c.type, c.stored, c.navigation, 50, c.place, c.chunk);
    fetched = 0;
    expect_tiles_are_the_image(file.image(), kApart);
    EXPECT_GT(fetched, 0) << "read past HDF5's own chunk cache";
    expect_tiles_are_the_image(file.image(), {{0, 50}});
  }
}

// What was never written has the fill value, as HDF5 itself says.
TEST(Stretch, OfChunksThatWereNeverWritten) {
  const ChunkedFile file(NumberType::f32, {H5T_IEEE_F32LE, true, true}, {12, 20}, 50, 2, {4, 5, 50}, false);
  expect_tiles_are_the_image(file.image(), kApart);
  float last = 0;
  file.image().read_tile({239, 240}, {0, 1}, {&last, 1});
  EXPECT_EQ(last, 7);
}

// 13 x 21 pixels of 50 channels in chunks of 4 x 5 x 10: 4 x 5 along the pixels; the windows 3 to 9 and 30 to 47 lie in
// three of the five along the channels. So it stays where memory holds no whole row of chunks.
TEST(Stretch, FetchesEachChunkOnce) {
  const ChunkedFile file(NumberType::u16, {}, {13, 21}, 50, 2, {4, 5, 10});
  for (const std::uint64_t memory : {std::uint64_t{0}, std::uint64_t{200'000}, std::uint64_t{40'000}}) {
    RunContext context;
    context.memory_bytes = memory;
    context.threads = 2;
    fetched = 0;
    std::set<std::uint64_t> tiles;
    std::mutex mutex;
    engine::deal_tiles(file.image(), kApart, context, "test", [&](const Tile& tile) {
      const std::lock_guard lock(mutex);
      tiles.insert(tile.pixels.first);
    });
    EXPECT_EQ(fetched, 4 * 5 * 3) << memory;
  }
}

// Bytes of a file in every order and number type, mapped, with pixels side by side or channels side by side.
TEST(Stretch, OfAMappedFileGivesWhatTheImageGives) {
  const TempDir dir;
  std::vector<std::byte> content(50 * 13 * 21 * 8 + 100);
  std::mt19937 random(3);
  for (std::byte& b : content) b = static_cast<std::byte>(random() % 120);  // finite whatever they are read as
  std::ofstream(dir / "raw", std::ios::binary)
      .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  for (const NumberType type :
       {NumberType::u8, NumberType::i8, NumberType::u16, NumberType::i16, NumberType::u32, NumberType::i32,
        NumberType::u64, NumberType::f32, NumberType::f64, NumberType::boolean}) {
    for (const bool energy_major : {false, true}) {
      for (const bool swapped : {false, true}) {
        SCOPED_TRACE(std::string(name_of(type)) + (energy_major ? ", energy-major" : "") +
                     (swapped ? ", swapped" : ""));
        const auto n = static_cast<std::ptrdiff_t>(bytes_of(type));
        StridedLayout layout{map_file(dir / "raw"), 33, {}, swapped};
        layout.strides = energy_major ? std::vector<std::ptrdiff_t>{21 * n, n, 13 * 21 * n}
                                      : std::vector<std::ptrdiff_t>{21 * 50 * n, 50 * n, n};
        const StridedImage image(info_of(type, {13, 21}, 50), layout);
        expect_tiles_are_the_image(image, kApart);
        image.stay_within(0);
        expect_tiles_are_the_image(image, {{0, 50}});
      }
    }
  }
}

#ifdef __linux__
/// Pages of files that are this program's memory.
std::uint64_t file_pages() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::stoull(line.substr(8)) << 10;
  }
  return 0;
}

// Two stretches of 64 MB, and half as much for whatever else is mapped meanwhile, of a file of 320 MB (a hole: no disk).
TEST(Stretch, OfALargeFileIsLetGoOf) {
  const TempDir dir;
  constexpr std::uint64_t kRows = 400, kColumns = 100, kChannels = 4000;
  { std::ofstream(dir / "raw") << 'x'; }
  std::filesystem::resize_file(dir / "raw", kRows * kColumns * kChannels * 2);
  constexpr std::ptrdiff_t kSpectrum = kChannels * 2;
  const StridedImage image(info_of(NumberType::u16, {kRows, kColumns}, kChannels),
                           {map_file(dir / "raw"), 0, {kColumns * kSpectrum, kSpectrum, 2}, false});
  RunContext context;
  context.threads = 2;
  const std::uint64_t before = file_pages();
  std::uint64_t most = 0, tiles = 0;
  std::mutex mutex;
  const ChannelRange all{0, kChannels};
  engine::deal_tiles(image, {&all, 1}, context, "test", [&](const Tile&) {
    const std::lock_guard lock(mutex);
    if (tiles++ % 16 == 0) most = std::max(most, file_pages());
  });
  EXPECT_GT(most, before);
  EXPECT_LT(most - before, std::uint64_t{160} << 20);
}
#endif

// A file that is cut off while it is read ends in a sentence, not in a signal.
TEST(Stretch, OfAFileThatBecameShorterIsRefused) {
  const TempDir dir;
  { std::ofstream(dir / "raw") << std::string(1 << 20, 'x'); }
  const StridedLayout layout{map_file(dir / "raw"), 0, {2, 2 * 512}, false};
  const StridedImage image(info_of(NumberType::u16, {512}, 1024), {layout.bytes, 0, {2, 2 * 512}, false});
  std::filesystem::resize_file(dir / "raw", 4096);
  const ChannelRange all{0, 1024};
  try {
    image.stretch({0, 1, 0, 512}, {&all, 1});
    GTEST_SKIP() << "this system cannot say before it is read (MADV_POPULATE_READ)";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("shorter"));
  }
}

// Two stretches, as fetched and as unpacked, take no more than half of the memory, as long as one grain does not.
TEST(Stretch, KeepsWithinTheMemory) {
  const ChannelRange windows[]{{0, 400}};
  for (const std::uint64_t memory : {std::uint64_t{1} << 20, std::uint64_t{1} << 24, std::uint64_t{1} << 27}) {
    for (const hsize_t rows : {1, 8}) {
      const ChunkedFile file(NumberType::u16, {}, {40, 60}, 400, 2, {rows, 6, 400});
      RunContext context;
      context.threads = 2;
      context.memory_bytes = memory;
      const engine::TileCut cut = engine::cut_tiles(file.image(), windows, context, 128);
      EXPECT_EQ(cut.rows % rows, 0U);
      EXPECT_TRUE(cut.columns == 60 || cut.columns % 6 == 0);
      EXPECT_LE(4 * cut.rows * cut.columns * 400 * 2, memory / 2);
      EXPECT_LE(2 * 2 * cut.tile_pixels * 400 * sizeof(float), memory / 2);
    }
  }
  RunContext tight;
  tight.threads = 2;
  tight.memory_bytes = 1000;
  const test::CountsImage image(test::pixel_row(5), {400, 0.5, 400});
  EXPECT_THROW(engine::cut_tiles(image, windows, tight, 128), Error);
}

// Every size around the squares of eight and sixteen, for every vector register: the numbers that a plain loop gives.
TEST(Transpose, IsAPlainLoops) {
  std::vector<std::byte> from(40 * 512);
  std::mt19937 random(5);
  for (std::byte& b : from) b = static_cast<std::byte>(random() % 100);
  for (const NumberType type : {NumberType::u16, NumberType::i16, NumberType::i32, NumberType::f32}) {
    for (std::size_t rows = 1; rows <= 34; ++rows) {
      for (const std::size_t n : {1U, 3U, 4U, 7U, 8U, 9U, 24U, 31U}) {
        std::vector<float> out(n * 36, -1), in_rows(rows * 40, -1);
        const std::byte* const start = from.data() + 2;
        transpose_to_floats(start, type, rows, 510, n, out.data(), 36);
        rows_to_floats(start, type, rows, 510, n, in_rows.data(), 40);
        for (std::size_t i = 0; i < n; ++i) {
          for (std::size_t r = 0; r < 36; ++r) {
            float expected = -1;
            const std::byte* const at = start + r * 510 + i * bytes_of(type);
            const auto as = [&]<class Number>(Number number) {
              std::memcpy(&number, at, sizeof(Number));
              return static_cast<float>(number);
            };
            if (r < rows) {
              expected = type == NumberType::u16   ? as(std::uint16_t{})
                         : type == NumberType::i16 ? as(std::int16_t{})
                         : type == NumberType::i32 ? as(std::int32_t{})
                                                   : as(float{});
            }
            ASSERT_EQ(std::memcmp(&out[i * 36 + r], &expected, 4), 0) << name_of(type) << ' ' << rows << ' ' << n;
            if (r >= rows) continue;
            ASSERT_EQ(std::memcmp(&in_rows[r * 40 + i], &expected, 4), 0) << name_of(type) << ' ' << rows << ' ' << n;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace elver
