#include <gmock/gmock.h>
#include <hdf5.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>

#include "elver/prepare.hpp"
#include "engine/tiles.hpp"
#include "io/hdf5_image.hpp"
#include "io/strided_image.hpp"
#include "support.hpp"
#include "types/reads_for.hpp"

// What is asked of a drive is counted, and after so many requests the flag is set that Ctrl-C sets: no more than those that
// are under way may follow, whatever the file.

namespace {

std::atomic<int> requests{0}, stop_at{0};
std::atomic<bool> stopped{false};

void count_request() {
  if (++requests == stop_at) stopped = true;
}

}  // namespace

/// In place of the system's, for elver and for HDF5.
extern "C" ssize_t pread(int file, void* out, std::size_t bytes, off_t offset) {
  count_request();
  return ::syscall(SYS_pread64, file, out, bytes, offset);
}
extern "C" int madvise(void* start, std::size_t bytes, int advice) noexcept {
  if (advice == MADV_WILLNEED) count_request();
  return static_cast<int>(::syscall(SYS_madvise, start, bytes, advice));
}

namespace elver {
namespace {

using test::TempDir;

constexpr std::uint64_t kRows = 128, kColumns = 256, kChannels = 1000;

ImageInfo info_of_cube() {
  ImageInfo info;
  info.id = "cube";
  info.type = NumberType::u16;
  info.kind = ImageKind::spectrum_image;
  info.axes = {{"y", "nm", 1, 0, kRows, AxisRole::navigation},
               {"x", "nm", 1, 0, kColumns, AxisRole::navigation},
               {"Energy loss", "eV", 0.5, 400, kChannels, AxisRole::energy}};
  return info;
}

/// 65 MB that are a hole: no disk is needed.
std::unique_ptr<Image> mapped_cube(const TempDir& dir, bool energy_major) {
  { std::ofstream(dir / "raw") << 'x'; }
  std::filesystem::resize_file(dir / "raw", kRows * kColumns * kChannels * 2);
  constexpr auto kPlane = static_cast<std::ptrdiff_t>(kRows * kColumns * 2), kSpectrum = static_cast<std::ptrdiff_t>(kChannels * 2);
  StridedLayout layout{map_file(dir / "raw"), 0, {}, false};
  layout.strides = energy_major ? std::vector<std::ptrdiff_t>{static_cast<std::ptrdiff_t>(kColumns) * 2, 2, kPlane}
                                : std::vector<std::ptrdiff_t>{static_cast<std::ptrdiff_t>(kColumns) * kSpectrum, kSpectrum, 2};
  return std::make_unique<StridedImage>(info_of_cube(), std::move(layout));
}

/// The same in chunks of whole spectra of 8 x 256 pixels, 4 MB, that were never written but have their place in the file. With
/// checksums HDF5 itself unpacks them; those are of 256 pixels, and written.
class ChunkedCube {
 public:
  ChunkedCube(const TempDir& dir, bool checksums) {
    const std::string path = (dir / "cube.h5").string();
    hdf5::Handle file = hdf5::create_file(path);
    {
      const hsize_t dims[]{kRows, kColumns, kChannels}, chunk[]{checksums ? 1U : 8U, kColumns, kChannels};
      const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE)), space(H5Screate_simple(3, dims, nullptr));
      H5Pset_chunk(creation.get(), 3, chunk);
      H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY);
      H5Pset_fill_time(creation.get(), checksums ? H5D_FILL_TIME_ALLOC : H5D_FILL_TIME_NEVER);
      if (checksums) H5Pset_fletcher32(creation.get());
      const hdf5::Handle data(
          H5Dcreate2(file.get(), "data", H5T_STD_U16LE, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
      EXPECT_TRUE(data);
    }
    hdf5::close_file(std::move(file));
    file_ = hdf5::open_file(path);
    image_ = std::make_unique<Hdf5Image>(info_of_cube(), file_.get(), "data", std::vector<std::size_t>{0, 1, 2});
  }
  const Image& image() const { return *image_; }

 private:
  hdf5::Handle file_;
  std::unique_ptr<Image> image_;
};

/// Reads it through, then again with an interruption after a tenth of the requests.
void expect_soon_interrupted(const std::function<void(const RunContext&)>& work) {
  RunContext context;
  context.threads = 2;
  context.memory_bytes = 64 << 20;  // stretches of 8 MB
  context.interrupted = &stopped;
  stopped = false;
  stop_at = -1;
  requests = 0;
  work(context);
  const int all = requests;
  EXPECT_GT(all, 100) << "too few to tell";
  stop_at = all / 10;
  requests = 0;
  try {
    work(context);
    ADD_FAILURE() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
  // Two that work and one that reads ahead have a request under way each.
  EXPECT_LE(requests, stop_at + 3) << "of " << all;
  stopped = false;
}

/// As maps are made.
void deal(const Image& image, const RunContext& context) {
  const std::vector<ChannelRange> windows{{100, 400}, {500, 900}};
  engine::deal_tiles(image, windows, context, "test", [](const Tile&) {});
}

TEST(InterruptedReading, OfChannelsThatLieApart) {
  const TempDir dir;
  const auto image = mapped_cube(dir, true);
  expect_soon_interrupted([&](const RunContext& context) { deal(*image, context); });
}

TEST(InterruptedReading, OfChunks) {
  const TempDir dir;
  const ChunkedCube cube(dir, false);
  expect_soon_interrupted([&](const RunContext& context) { deal(cube.image(), context); });
}

TEST(InterruptedReading, OfChunksThatHdf5Unpacks) {
  const TempDir dir;
  const ChunkedCube cube(dir, true);
  expect_soon_interrupted([&](const RunContext& context) {
    cube.image().stay_within(0);
    const ReadsFor reading(context);
    std::vector<std::byte> values(kRows * kColumns * kChannels * 2);
    cube.image().read({0, kRows * kColumns}, {0, kChannels}, values);
  });
}

// Where a look is taken at the counts before anything else, and where a file is written anew.
TEST(InterruptedReading, OfASampleAndOfAllPixels) {
  const TempDir dir;
  const auto image = mapped_cube(dir, true);
  image->stay_within(1 << 20);
  expect_soon_interrupted([&](const RunContext& context) { look_at_counts(*image, context); });
  expect_soon_interrupted([&](const RunContext& context) {
    HspyWriter(dir / "a.hspy").add(header_of(*image), *image, context);
  });
}

#ifdef __linux__
long page_faults() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return used.ru_minflt + used.ru_majflt;
}

// What is mapped is waited for page by page: the last thing that is asked for in advance is where it stops.
TEST(InterruptedReading, OfMappedPages) {
  const TempDir dir;
  const auto image = mapped_cube(dir, false);
  RunContext context;
  context.interrupted = &stopped;
  const ReadsFor reading(context);
  const ChannelRange all{0, kChannels};
  image->stay_within(1 << 20);  // mapped anew for each stretch
  stopped = false;
  stop_at = -1;
  requests = 0;
  const long before = page_faults();
  image->stretch({0, kRows, 0, kColumns}, {&all, 1});
  const long whole = page_faults() - before;
  EXPECT_GE(requests, 30) << "2 MiB at a time are asked for";
  EXPECT_GE(whole, 30) << "no more than 2 MiB come with a page";

  stop_at = requests.load();
  requests = 0;
  const long again = page_faults();
  EXPECT_THROW(image->stretch({0, kRows, 0, kColumns}, {&all, 1}), Error);
  EXPECT_EQ(requests, stop_at);
  EXPECT_LT(page_faults() - again, whole / 3);  // what an exception itself takes
  stopped = false;

  stop_at = requests = 0;
  stopped = true;
  std::vector<float> values(kChannels * 1024);
  EXPECT_THROW(image->read_tile({0, 1024}, all, values), Error) << "without a stretch, too";
  stopped = false;
}
#endif

}  // namespace
}  // namespace elver
