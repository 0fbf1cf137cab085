// Rates of the CUDA back end on the GPU at hand, as JSON: pixels a second of each step on the device (kernel), of both
// (device), and from counts in host memory to margins in it (host to host), beside a plain pinned copy of the same bytes.
// Parity first: the margins of the first tile are compared with the plain path's, and no figure is given where they differ.
//   cuda_rates [--runs N]   --devices: lists them, leaves with 6 if there is none   --name: of the first
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "elver/devices.hpp"
#include "elver/engine.hpp"
#include "engine/cuda.hpp"
#include "engine/device_loop.hpp"
#include "../tests/cuda/spectra.hpp"

namespace elver::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Spread {
  double median = 0, low = 0, high = 0;  // quartiles
};
Spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  const auto at = [&](double share) { return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))]; };
  return {at(0.5), at(0.25), at(0.75)};
}
void print(const char* name, const Spread& s, const char* end = ",") {
  std::printf("    \"%s\": {\"median\": %.6g, \"quartiles\": [%.6g, %.6g]}%s\n", name, s.median, s.low, s.high, end);
}

/// 300 rounds of one regression, one binary and a four-class task: 1800 trees, random ones.
Model bench_model(std::size_t depth) {
  const auto trees = [depth](std::size_t count, std::size_t outputs, std::uint32_t seed) {
    return RandomBooster{.trees = count, .depth = depth, .outputs = outputs, .thresholds = 60, .leaf_chance = 0.2, .seed = seed};
  };
  return model_of(3, 200, {trees(300, 1, 1), trees(300, 1, 2), trees(1200, 4, 3)});
}

template <class Number>
bool run(NumberType type, std::size_t depth, int runs, bool last) {
  constexpr std::size_t kTile = 32768, kInputs = 3;
  const Model model = bench_model(depth);
  std::vector<std::unique_ptr<Image>> images;
  for (std::size_t i = 0; i < kInputs; ++i) images.push_back(spectra<Number>(type, Order::energy_major, kTile + 32 * i, false, 60, 3));
  std::vector<engine::BoosterRounds> boosters;
  for (const Task& task : model.tasks) boosters.push_back({&task.booster, 0});
  const engine::DeviceForest forest = engine::pack_device_forest(boosters, engine::Missing::never);
  const engine::DeviceEdges edges = engine::pack_device_edges(model, images[0]->energy(), forest.codes);
  cuda::Job job;
  job.forest = &forest;
  job.edges = &edges;
  job.rows = edges.rows;
  job.tile_pixels = kTile;
  job.features = false;
  engine::choose_wire(*images[0], job);
  cuda::Pipeline pipeline(job, 0);
  const std::size_t tile = pipeline.tile_pixels(), bytes = tile * edges.rows * sizeof(Number);
  for (std::size_t slot = 0; slot < kInputs; ++slot) {
    std::size_t before = 0;
    for (const ChannelRange& window : edges.windows) {
      images[slot]->read_channels({0, tile}, window, pipeline.counts(slot).subspan(before * tile * sizeof(Number)));
      before += window.size();
    }
  }
  // Parity.
  pipeline.start(0, tile, tile);
  const cuda::TileResult first = pipeline.finish(0);
  constexpr std::size_t kCompared = 2048;
  const Plan plan(model, images[0]->energy());
  std::vector<float> counts(plan.channels().size() * kCompared);
  images[0]->read_tile({0, kCompared}, plan.channels(), counts);
  TileFeatures plain;
  plan.extract({counts.data(), kCompared, plan.channels()}, {}, plain);
  std::size_t compared = 0, different = 0;
  for (std::size_t i = 0; i < first.values; ++i) {
    const std::size_t row = first.valid[i];
    if (row >= kCompared) continue;
    std::size_t output = 0;
    const std::span<const float> features(plain.features.data() + row * edges.feature_count, edges.feature_count);
    for (const engine::BoosterRounds& b : boosters) {
      std::vector<float> margins(b.booster->output_count());
      b.booster->margins(features, 1, margins);
      for (const float margin : margins) {
        different += std::memcmp(&margin, first.margins + output * first.stride + i, sizeof margin) != 0 ? 1U : 0U;
        ++output;
        ++compared;
      }
    }
  }
  if (different > 0 || compared == 0) {
    std::fprintf(stderr, "parity failed: %zu of %zu margins differ\n", different, compared);
    return false;
  }

  std::vector<double> edge_rate, forest_rate, device_rate, host_rate;
  for (int i = 0; i < runs + 3; ++i) {
    const std::size_t slot = static_cast<std::size_t>(i) % kInputs;
    pipeline.start(slot, tile, tile);
    const cuda::TileResult r = pipeline.finish(slot);
    if (i < 3) continue;  // the first ones warm up
    const auto pixels = static_cast<double>(tile) * 1e-6;
    edge_rate.push_back(pixels / r.edges_seconds);
    forest_rate.push_back(pixels / r.forest_seconds);
    device_rate.push_back(pixels / (r.edges_seconds + r.forest_seconds));
  }
  constexpr int kTogether = 12;
  for (int i = 0; i < runs; ++i) {
    const Clock::time_point start = Clock::now();
    for (int k = 0; k < kTogether; ++k) {
      const std::size_t slot = static_cast<std::size_t>(k) % kInputs;
      if (k >= static_cast<int>(kInputs)) pipeline.finish(slot);
      pipeline.start(slot, tile, tile);
    }
    for (std::size_t slot = 0; slot < kInputs; ++slot) pipeline.finish(slot);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    host_rate.push_back(kTogether * static_cast<double>(tile) * 1e-6 / seconds);
  }
  std::printf("  {\"counts\": \"%s\", \"rows_of_counts\": %zu, \"bytes_a_pixel\": %zu, \"features\": %zu, \"code_rows\": %zu,\n"
              "    \"trees\": %llu, \"random_trees\": true, \"depth\": %zu, \"outputs\": %zu, \"tile_pixels\": %zu, \"runs\": %d,\n"
              "    \"margins_compared\": %zu, \"margins_different\": %zu, \"visits_a_pixel\": %llu, \"tile_bytes\": %zu,\n",
              std::string(name_of(type)).c_str(), edges.rows, edges.rows * sizeof(Number), edges.feature_count,
              forest.codes.rows.size(), static_cast<unsigned long long>(forest.perfect_trees + forest.other_trees), depth,
              forest.output_count(), tile, runs, compared, different, static_cast<unsigned long long>(forest.visits), bytes);
  print("edges_mpx_s", spread_of(edge_rate));
  print("forest_mpx_s", spread_of(forest_rate));
  print("device_mpx_s", spread_of(device_rate));
  print("host_to_host_mpx_s", spread_of(host_rate));
  const Spread copy = spread_of(cuda::copy_rates(0, bytes, runs));
  print("pinned_copy_bytes_s", copy);
  std::printf("    \"share_of_pinned_copy\": %.3f}%s\n",
              spread_of(host_rate).median * 1e6 * static_cast<double>(edges.rows * sizeof(Number)) / copy.median, last ? "" : ",");
  return true;
}

int main_of(int argc, char** argv) {
  const DeviceList found = list_devices();
  const std::string option = argc > 1 ? argv[1] : "";
  if (found.devices.empty()) {
    std::printf("%s\n", found.why_none.c_str());
    return 6;
  }
  const DeviceInfo& d = found.devices[0];
  if (option == "--devices" || option == "--name") {
    std::printf("%s\n", d.name.c_str());
    return 0;
  }
  const int runs = option == "--runs" && argc > 2 ? std::max(1, std::atoi(argv[2])) : 25;
  std::printf("{\"gpu\": \"%s\", \"compute_capability\": \"%s\", \"multiprocessors\": %d, \"versions\": \"%s\", \"rows\": [\n",
              d.name.c_str(), d.compute_capability.c_str(), d.multiprocessors, found.versions.c_str());
  bool good = true;
  for (const std::size_t depth : {4, 6, 8}) good = good && run<std::uint16_t>(NumberType::u16, depth, runs, false);
  good = good && run<float>(NumberType::f32, 6, runs, true);
  std::printf("]}\n");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace elver::test

int main(int argc, char** argv) {
  try {
    return elver::test::main_of(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
