#include <cuda_runtime.h>
#include <gmock/gmock.h>

#include <cstdio>

#include "counts_image.hpp"
#include "elver/error.hpp"
#include "elver/maps.hpp"
#include "elver/predict.hpp"
#include "engine/device_loop.hpp"
#include "engine/packed_forest.hpp"
#include "spectra.hpp"
#include "train/forest_check.hpp"

// What can be counted where the kernels run on the processor: the hardware's work for each visit and each byte, and what
// happens when threads run in another order, memory is short or a call fails.
namespace elver::test {
namespace {

using ::testing::HasSubstr;
using cuda_on_host::Space;

class CudaLaws : public ::testing::Test {
 protected:
  void TearDown() override {
    cuda_on_host::options = {};
    EXPECT_EQ(cuda_on_host::live_device_bytes(), 0U);
    EXPECT_EQ(cuda_on_host::live_objects(), 0U);
  }
};

const Model& small_model() {
  static const Model model = model_of(2, 24, {{.trees = 40, .depth = 6}, {.trees = 30, .depth = 4, .outputs = 3, .seed = 2}});
  return model;
}
MapResult map_on(Backend backend, const Image& image, const Model& model = small_model(), std::uint64_t memory = 0) {
  return map_image(image, model, {}, {.threads = 1, .memory_bytes = memory, .backend = backend});
}
bool same(const MapResult& a, const MapResult& b) {
  if (a.status != b.status) return false;
  for (std::size_t m = 0; m < a.maps.size(); ++m) {
    if (!same_bits(a.maps[m].values, b.maps[m].values)) return false;
  }
  return true;
}
std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::resources);
    return error.what();
  }
  return "not refused";
}

TEST_F(CudaLaws, ThreadsInAnyOrderGiveTheSameBits) {
  const auto image = spectra<std::uint16_t>(NumberType::u16, Order::pixel_major, 300, true, 60, 2);
  const MapResult plain = map_on(Backend::cpu, *image);
  for (const auto order : {cuda_on_host::Order::forward, cuda_on_host::Order::reverse, cuda_on_host::Order::random}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      cuda_on_host::options.order = order;
      cuda_on_host::options.seed = seed;
      EXPECT_TRUE(same(plain, map_on(Backend::cuda, *image))) << static_cast<int>(order) << " " << seed;
    }
  }
}

/// Cost and instructions of all counted accesses in a file of cuda/ to one kind of memory.
struct Counted {
  double cost = 0, instructions = 0;
};
Counted counted(const cuda_on_host::Counts& counts, const std::string& file, Space space) {
  Counted out;
  for (const auto& [site, cost] : counts.sites) {
    if (std::get<0>(site).find(file) == std::string::npos || std::get<3>(site) != space) continue;
    out.cost += static_cast<double>(cost.cost);
    out.instructions += static_cast<double>(cost.instructions);
  }
  return out;
}

// K2. Trained trees have a hundred leaves in depth 6; here every one is full, so that no bank is spared. A visit is a
// node and a code; the leaf and the trees' way through the stage are counted apart.
TEST_F(CudaLaws, VisitCostsTwoWavefronts) {
  const Booster booster = random_booster({.features = 60, .trees = 64, .depth = 6, .leaf_chance = 0, .missing_left = false});
  const engine::BoosterRounds run{&booster, 0};
  const engine::DeviceForest forest = engine::pack_device_forest({&run, 1}, engine::Missing::never);
  ASSERT_EQ(forest.perfect_trees, 64U);
  CountsImage rows(pixel_row(128), {0, 1, 60});
  std::mt19937 random(3);
  for (float& x : rows.values) x = static_cast<float>(random() >> 8) * 0x1p-24F;
  cuda_on_host::Counts counts;
  cuda_on_host::options.counts = &counts;
  predict(booster, rows, {.margin = true}, {.threads = 1, .backend = Backend::cuda});
  const double visits = static_cast<double>(forest.visits) * 4;  // of a warp: four rows a lane
  const Counted all = counted(counts, "forest.cu", Space::shared);
  // Leaves are the one place where lanes of a warp meet in a bank: 64 words of a tree lie in 32 banks.
  double leaves = 0;
  for (const auto& [site, cost] : counts.sites) {
    if (std::get<0>(site).find("forest.cu") == std::string::npos || std::get<3>(site) != Space::shared) continue;
    const double each = static_cast<double>(cost.cost) / static_cast<double>(cost.instructions);
    std::printf("[ counted  ] line %u:%u: %.0f instructions of %.3f wavefronts\n", std::get<1>(site), std::get<2>(site),
                static_cast<double>(cost.instructions), each);
    if (each > 1.2 && each < 3.0) leaves += static_cast<double>(cost.cost);
  }
  std::printf("[ counted  ] %.0f visits of a warp: %.3f wavefronts each with staging, %.3f with leaves too\n", visits,
              (all.cost - leaves) / visits, all.cost / visits);
  EXPECT_LE((all.cost - leaves) / visits, 2.1);
  EXPECT_GT(leaves, 0);
  EXPECT_EQ(counts.barriers, 1U) << "one a tile: the forest's codes are there; ranking needs none";
}

// K1. Every byte of the channels that the plan needs is read once, whatever the number type.
template <class Number>
void expect_sectors(NumberType type) {
  const std::uint64_t pixels = 256;
  const auto image = spectra<Number>(type, Order::energy_major, pixels, false, 60, 2);
  cuda_on_host::Counts counts;
  cuda_on_host::options.counts = &counts;
  map_on(Backend::cuda, *image);
  const engine::BoosterRounds run{&small_model().tasks[0].booster, 0};
  const engine::DeviceForest forest = engine::pack_device_forest({&run, 1}, engine::Missing::never);
  const engine::DeviceEdges edges = engine::pack_device_edges(small_model(), image->energy(), forest.codes);
  double needed = 0;
  for (const engine::DeviceEdge& edge : edges.edges) needed += edge.fit_count + edge.net_count;
  const Counted read = counted(counts, "edges.cu", Space::global);
  const double bytes = needed * static_cast<double>(pixels) * sizeof(Number);
  std::printf("[ counted  ] %s: %.3f of the bytes that the plan needs, in sectors of 32\n", std::string(name_of(type)).c_str(),
              32 * read.cost / bytes);
  EXPECT_LE(32 * read.cost / bytes, 1.1);
  EXPECT_GE(32 * read.cost / bytes, 1.0);
  const Counted kept = counted(counts, "edges.cu", Space::shared);
  EXPECT_EQ(kept.cost, kept.instructions) << "what a pixel keeps lies in its own bank";
}
TEST_F(CudaLaws, CountsAreReadOnce) {
  expect_sectors<std::uint8_t>(NumberType::u8);
  expect_sectors<std::uint16_t>(NumberType::u16);
  expect_sectors<float>(NumberType::f32);
  expect_sectors<double>(NumberType::f64);
}

TEST_F(CudaLaws, ShortDeviceMemoryMakesSmallerTilesAndThenARefusal) {
  const auto image = spectra<float>(NumberType::f32, Order::pixel_major, 6000, true, 60, 2);
  const MapResult plain = map_on(Backend::cpu, *image);
  cuda_on_host::options.device_bytes = 6 << 20;
  EXPECT_TRUE(same(plain, map_on(Backend::cuda, *image)));
  cuda_on_host::options.device_bytes = 600 << 10;
  EXPECT_THAT(refusal([&] { map_on(Backend::cuda, *image); }), HasSubstr("not enough memory for a GPU"));
}

TEST_F(CudaLaws, HostMemoryIsBounded) {
  const auto image = spectra<float>(NumberType::f32, Order::energy_major, 3000, true, 60, 2);
  const MapResult plain = map_on(Backend::cpu, *image);
  EXPECT_TRUE(same(plain, map_on(Backend::cuda, *image, small_model(), 2'000'000)));
  EXPECT_THAT(refusal([&] { map_on(Backend::cuda, *image, small_model(), 300'000); }), HasSubstr("--memory"));
}

TEST_F(CudaLaws, SeveralDevicesShareTheTiles) {
  const auto image = spectra<std::uint8_t>(NumberType::u8, Order::energy_major, 5000, true, 60, 2);
  const MapResult plain = map_on(Backend::cpu, *image);
  cuda_on_host::options.devices = 3;
  const MapResult found = map_on(Backend::cuda, *image);
  EXPECT_TRUE(same(plain, found));
  EXPECT_THAT(found.computed_on, HasSubstr("(2)"));
  const MapResult one = map_image(*image, small_model(), {}, {.threads = 1, .backend = Backend::cuda, .device = 1});
  EXPECT_TRUE(same(plain, one));
  EXPECT_EQ(one.computed_on.find("(2)"), std::string::npos);
  EXPECT_THAT(refusal([&] { map_image(*image, small_model(), {}, {.backend = Backend::cuda, .device = 7}); }),
              HasSubstr("there is no GPU 7"));
}

// An error names the call and what to do; nothing is left behind.
TEST_F(CudaLaws, EveryCallIsChecked) {
  const auto image = spectra<std::uint8_t>(NumberType::u8, Order::energy_major, 200, true, 60, 2);
  for (const char* call : {"cudaSetDevice", "cudaMallocAsync", "cudaHostAlloc", "cudaMemcpyAsync", "cudaMemsetAsync",
                           "cudaStreamCreateWithFlags", "cudaStreamSynchronize", "cudaEventCreateWithFlags", "cudaEventRecord",
                           "cudaEventElapsedTime", "cudaFuncSetAttribute"}) {
    cuda_on_host::options.fail_call = call;
    const std::string message = refusal([&] { map_on(Backend::cuda, *image); });
    EXPECT_EQ(cuda_on_host::options.fail_call, "") << call << " is not called";
    EXPECT_THAT(message, HasSubstr(std::string("CUDA call ") + call + " failed (unknown error). "));
    EXPECT_THAT(message, HasSubstr("--backend cpu"));
  }
  cuda_on_host::options.fail_call = "cudaLaunchKernelEx";
  EXPECT_THAT(refusal([&] { map_on(Backend::cuda, *image); }), HasSubstr("_kernel failed"));
  cuda_on_host::options.fail_call = "cudaGetDeviceProperties";
  EXPECT_THAT(refusal([&] { map_on(Backend::cuda, *image); }),
              HasSubstr("cannot compute on a GPU (CUDA call cudaGetDeviceProperties failed for GPU 0 (unknown error))"));
  cuda_on_host::options.device_bytes = 1000;  // not even the trees
  EXPECT_THAT(refusal([&] { map_on(Backend::cuda, *image); }),
              HasSubstr("CUDA call cudaMallocAsync failed (out of memory). Free memory on the device"));
}

TEST_F(CudaLaws, WithoutADeviceTheCpuComputesUnlessAGpuIsDemanded) {
  const auto image = spectra<std::uint8_t>(NumberType::u8, Order::energy_major, 20, true, 60, 2);
  cuda_on_host::options.devices = 0;
  EXPECT_EQ(map_on(Backend::automatic, *image).computed_on, "CPU");
  EXPECT_THAT(refusal([&] { map_on(Backend::cuda, *image); }), HasSubstr("cannot compute on a GPU (no"));
}

// Methods whose logarithms are the C library's have no twin on a device.
TEST_F(CudaLaws, OtherBackgroundsAreComputedOnTheCpu) {
  const auto image = spectra<std::uint8_t>(NumberType::u8, Order::energy_major, 20, true, 60, 2);
  Model model = small_model();
  model.background.method = BackgroundMethod::two_area;
  EXPECT_EQ(map_on(Backend::automatic, *image, model).computed_on, "CPU");
  EXPECT_THROW(map_on(Backend::cuda, *image, model), Error);
}

}  // namespace
}  // namespace elver::test
