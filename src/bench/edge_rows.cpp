#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <numeric>

#include "bench/case.hpp"
#include "engine/edge_pipelines.hpp"
#include "types/arena.hpp"
#include "types/stopwatch.hpp"

namespace elver::bench {
namespace {

constexpr std::size_t kTilePixels = 128;   ///< as many as the tile loop takes of some 1500 channels
constexpr std::size_t kMostPixels = 8192;  ///< their counts are more than a second-level cache holds

/// K1: from counts to codes, tile by tile, each thread its own.
class EdgeKernel {
 public:
  explicit EdgeKernel(const Case& what)
      : what_(what), pipeline_(what.model, what.image.energy()), forest_(what.boosters, engine::Missing::never) {
    const ChannelRange channels = pipeline_.channels();
    const std::uint64_t pixels = std::min<std::uint64_t>(what.image.pixels(), kMostPixels);
    for (std::uint64_t first = 0; first < pixels; first += kTilePixels) {
      const PixelRange some{first, std::min(pixels, first + kTilePixels)};
      Counts& tile = tiles_.emplace_back(Counts{std::vector<float>(some.size() * channels.size()), some.size()});
      what.image.read_tile(some, channels, tile.values);
    }
    pixels_ = pixels;
  }

  std::uint64_t pixels() const { return pixels_; }
  const engine::ForestRunner& forest() const { return forest_; }

  /// Seconds that the wall clock saw, shared out over the stages by what the threads spent on each.
  struct Seconds {
    double all = 0, background = 0, features = 0, rank = 0;
  };
  Seconds run() const {
    struct Work {
      engine::BlockFeatures block;
      engine::ForestRunner::Workspace forest;
      double rank = 0;
    };
    oneapi::tbb::enumerable_thread_specific<Work> works([&] { return Work{{}, engine::ForestRunner::Workspace(forest_), 0}; });
    Seconds out;
    in_arena(what_.context, [&] {
      const Stopwatch wall;
      oneapi::tbb::parallel_for(std::size_t{0}, tiles_.size(), [&](std::size_t t) {
        const Counts& tile = tiles_[t];
        const TileView view{tile.values.data(), tile.pixels, pipeline_.channels()};
        Work& work = works.local();
        for (std::size_t first = 0; first < tile.pixels; first += kBlock) {
          pipeline_.extract(view, first, std::min(kBlock, tile.pixels - first), work.block);
          const Stopwatch watch;
          engine::rank_rows(forest_.packed().codes, 0, forest_.packed().codes.rows.size(), work.block.features.data(),
                            kBlock, work.forest.codes.get());
          work.rank += watch.seconds();
        }
      });
      out.all = wall.seconds();
    });
    for (const Work& work : works) {
      out.background += work.block.background_seconds;
      out.features += work.block.features_seconds;
      out.rank += work.rank;
    }
    const double share = out.all / (out.background + out.features + out.rank);
    out.background *= share;
    out.features *= share;
    out.rank *= share;
    return out;
  }

 private:
  struct Counts {
    std::vector<float> values;
    std::size_t pixels = 0;
  };
  const Case& what_;
  engine::EdgePipeline pipeline_;
  engine::ForestRunner forest_;
  std::vector<Counts> tiles_;
  std::uint64_t pixels_ = 0;
};

}  // namespace

void add_edge_rows(const Case& what, Steps& steps) {
  const auto kernel = std::make_shared<const EdgeKernel>(what);
  // Counts come from memory; what the stages hand on stays in caches, which have no limit here.
  const auto meter = [&](const char* stage, double bytes, bool from_memory) {
    BenchRow row{stage, BenchScope::kernel, "elver", "CPU", kernel->pixels(), {}, bytes};
    if (from_memory) {
      row.limit_by = "memory";
      row.limit_mpx_s = what.memory_limit_mpx_s(bytes);
    }
    return &steps.add(std::move(row));
  };
  const auto features = static_cast<double>(what.model.feature_count());
  const auto codes = static_cast<double>(kernel->forest().packed().codes.rows.size());
  const double counts = 4.0 * static_cast<double>(what.plan_channels.size());
  Meter* const background = meter("background", counts, true);
  Meter* const made = meter("features", 4.0 * features, false);
  Meter* const rank = meter("rank", 4.0 * features + codes, false);
  Meter* const all = meter("K1", counts + codes, true);
  steps.once.push_back([=] {
    const EdgeKernel::Seconds seconds = kernel->run();
    background->seconds.push_back(seconds.background);
    made->seconds.push_back(seconds.features);
    rank->seconds.push_back(seconds.rank);
    all->seconds.push_back(seconds.all);
  });
}

}  // namespace elver::bench
