// What kinds of trees cost: random forests with about as many inner nodes as 1800 trained trees of depth 6, run by the
// engine on one thread. A kind is within 2x of the common path (depth 6, thresholds, one value a leaf, no NaN) where a
// pixel's inner node takes at most twice the common one's time, ranking included: nodes, and not trees, are what a
// booster of a given size has a number of. Of large trees a pixel meets few nodes, so the ratio a met node, ranking
// left out, stands beside it. Prints nanoseconds a pixel, nodes a second, and the ratios.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "engine/forest_runner.hpp"
#include "forest/forest.hpp"
#include "random_booster.hpp"
#include "types/stopwatch.hpp"

namespace {

using namespace elver;
using engine::ForestRunner, engine::kForestBlock, engine::Missing;

constexpr std::size_t kPixels = 512;

struct Kind {
  const char* name;
  test::RandomBooster booster;
  Missing missing = Missing::never;
};

/// [block][feature][64]; every twentieth value is NaN where they may be.
std::vector<float> values(const Kind& kind) {
  std::mt19937 random(3);
  const std::size_t features = kind.booster.features;
  std::vector<float> x(features * kPixels);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool category = kind.booster.categorical && i / kForestBlock % features == 0;
    x[i] = category ? static_cast<float>(random() % 30) : static_cast<float>(random() >> 8) * 0x1p-24F;
    if (kind.missing == Missing::possible && random() % 20 == 0) x[i] = std::numeric_limits<float>::quiet_NaN();
  }
  return x;
}

/// Inner nodes that a pixel meets on its ways down the trees, the mean of some.
double nodes_met(const Booster::Forest& forest, const std::vector<float>& x) {
  std::size_t met = 0;
  for (std::size_t p = 0; p < kForestBlock; ++p) {
    for (const forest::Tree& tree : forest.trees) {
      const forest::Node* const nodes = forest.nodes.data() + tree.first_node;
      for (std::uint32_t i = 0; nodes[i].left != static_cast<std::int32_t>(i) - 1; ++met)
        i = static_cast<std::uint32_t>(nodes[i].left) +
            (x[nodes[i].index() * kForestBlock + p] < nodes[i].threshold ? 0 : 1);
    }
  }
  return static_cast<double>(met) / kForestBlock;
}

struct Measured {
  double seconds = 0, trees = 0, nodes = 0, met = 0;  ///< of the fastest run over all pixels; inner nodes of a pixel
};
Measured measure(const Kind& kind, int runs) {
  const Booster booster = test::random_booster(kind.booster);
  const engine::BoosterRounds rounds{&booster, 0};
  const ForestRunner runner({&rounds, 1}, kind.missing);
  const std::vector<float> x = values(kind);
  std::vector<float> margins(runner.output_count() * kForestBlock);
  ForestRunner::Workspace work(runner);
  Measured best{std::numeric_limits<double>::infinity()};
  for (int run = 0; run < runs; ++run) {
    const Stopwatch watch;
    work.trees_seconds = 0;
    for (std::size_t p = 0; p < kPixels; p += kForestBlock) {
      runner.run_block(x.data() + p * kind.booster.features, kForestBlock, kForestBlock, work, margins.data(),
                       kForestBlock);
    }
    if (const double seconds = watch.seconds(); seconds < best.seconds) best = {seconds, work.trees_seconds};
  }
  const Booster::Forest& forest = booster.forest();
  best.nodes = static_cast<double>(forest.nodes.size() - forest.trees.size()) / 2;
  best.met = nodes_met(forest, x);
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::max(1, std::atoi(argv[1])) : 10;
  const auto booster = [](std::size_t trees, std::size_t depth) {
    return test::RandomBooster{.features = 600, .trees = trees, .depth = depth, .thresholds = 90, .leaf_chance = 0.15};
  };
  const auto with = [](test::RandomBooster wanted, auto&& change) {
    change(wanted);
    return wanted;
  };
  const Kind kinds[] = {
      {"common: depth 6", booster(1800, 6)},
      {"depth 4", booster(5600, 4)},
      {"depth 7", booster(1000, 7)},
      {"depth 8", booster(800, 8)},
      {"depth 9", booster(700, 9)},
      {"depth 10", booster(650, 10)},
      {"depth 12, 100 leaves", with(booster(600, 12), [](auto& b) { b.leaves = 100; })},
      {"depth 12, 250 leaves", with(booster(220, 12), [](auto& b) { b.leaves = 250; })},
      {"depth 16, 600 leaves", with(booster(90, 16), [](auto& b) { b.leaves = 600; })},
      {"depth 16, 4000 leaves", with(booster(20, 16), [](auto& b) { b.leaves = 4000; })},
      {"lossguide, 255 leaves", with(booster(220, 99), [](auto& b) { b.leaves = 255; })},
      {"6000 trees (1000 rounds of 6)", booster(6000, 6)},
      {"NaN possible", booster(1800, 6), Missing::possible},
      {"leaves of 4 values", with(booster(1800, 6), [](auto& b) { b.outputs = 4, b.vector_leaves = true; })},
      {"leaves of 10 values", with(booster(1800, 6), [](auto& b) { b.outputs = 10, b.vector_leaves = true; })},
      {"categories, 1 feature in 10", with(booster(1800, 6), [](auto& b) { b.features = 10, b.categorical = true; })},
  };
  std::printf("%-30s %10s %10s %10s %12s %8s %8s\n", "trees", "nodes/px", "met/px", "ns/px", "Gnodes/s", "ratio",
              "a met");
  Measured common;
  for (const Kind& kind : kinds) {
    const Measured m = measure(kind, runs);
    if (common.seconds == 0) common = m;
    std::printf("%-30s %10.0f %10.0f %10.0f %12.2f %8.2f %8.2f\n", kind.name, m.nodes, m.met, m.seconds / kPixels * 1e9,
                kPixels * m.nodes / m.seconds * 1e-9, m.seconds / m.nodes / (common.seconds / common.nodes),
                m.trees / m.met / (common.trees / common.met));
  }
}
