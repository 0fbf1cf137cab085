#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cstring>

#include "bench/case.hpp"
#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/predict.hpp"
#include "engine/forest_runner.hpp"
#include "forest/forest.hpp"
#include "io/strided_image.hpp"
#include "train/forest_check.hpp"
#include "types/arena.hpp"
#include "types/stopwatch.hpp"
#include "types/text.hpp"

namespace elver::bench {
namespace {

constexpr std::size_t kPixels = 8192;    ///< their features are more than a second-level cache holds
constexpr std::size_t kCompared = 2048;  ///< pixels whose margins are compared first

/// Features of kPixels pixels that have them; where the image has fewer, again and again.
class ForestSet {
 public:
  explicit ForestSet(const Case& what)
      : what_(what), runner_(what.boosters, engine::Missing::never), width_(what.model.feature_count()) {
    const Plan plan(what.model, what.image.energy());
    const ChannelRange channels = plan.channels();
    std::vector<float> counts;
    TileFeatures tile;
    for (std::uint64_t first = 0; first < what.image.pixels() && rows_.size() < kPixels * width_; first += kCompared) {
      const PixelRange some{first, std::min<std::uint64_t>(what.image.pixels(), first + kCompared)};
      counts.resize(some.size() * channels.size());
      what.image.read_tile(some, channels, counts);
      plan.extract({counts.data(), static_cast<std::size_t>(some.size()), channels}, {}, tile);
      for (std::size_t p = 0; p < tile.pixels && rows_.size() < kPixels * width_; ++p) {
        if (failed(tile.status[p])) continue;
        rows_.insert(rows_.end(), tile.features.begin() + static_cast<std::ptrdiff_t>(p * width_),
                     tile.features.begin() + static_cast<std::ptrdiff_t>((p + 1) * width_));
      }
    }
    different_ = rows_.size() / width_;
    if (different_ == 0) {
      throw Error(ErrorKind::mismatch, "nothing to measure on", "no pixel of the image has features",
                  "Choose another image");
    }
    rows_.resize(kPixels * width_);
    for (std::size_t p = different_; p < kPixels; ++p) {
      std::copy_n(rows_.begin() + static_cast<std::ptrdiff_t>((p - different_) * width_), width_,
                  rows_.begin() + static_cast<std::ptrdiff_t>(p * width_));
    }
    constexpr std::size_t kBlocks = kPixels / engine::kForestBlock;
    blocks_ = hwy::AllocateAligned<float>(kPixels * width_);
    codes_ = hwy::AllocateAligned<std::uint8_t>(kPixels * std::max<std::size_t>(1, code_rows()));
    margins_.resize(kPixels * runner_.output_count());
    for (std::size_t b = 0; b < kBlocks; ++b) {
      for (std::size_t f = 0; f < width_; ++f) {
        for (std::size_t p = 0; p < engine::kForestBlock; ++p) {
          blocks_[(b * width_ + f) * engine::kForestBlock + p] = rows_[(b * engine::kForestBlock + p) * width_ + f];
        }
      }
      engine::rank_rows(runner_.packed().codes, 0, code_rows(), block(b), engine::kForestBlock, codes(b));
    }
  }

  std::size_t code_rows() const { return runner_.packed().codes.rows.size(); }
  std::size_t different() const { return different_; }
  std::size_t width() const { return width_; }
  bool all_packed() const { return runner_.packed().output_count() == runner_.output_count(); }
  std::span<const float> rows() const { return rows_; }
  const std::vector<float>& margins() const { return margins_; }  ///< [output][kPixels]
  std::size_t outputs() const { return runner_.output_count(); }

  enum class Part { trees, all };
  double run(Part part) {
    double seconds = 0;
    in_arena(what_.context, [&] {
      oneapi::tbb::enumerable_thread_specific<engine::ForestRunner::Workspace> works(
          [&] { return engine::ForestRunner::Workspace(runner_); });
      const Stopwatch watch;
      oneapi::tbb::parallel_for(std::size_t{0}, kPixels / engine::kForestBlock, [&](std::size_t b) {
        engine::ForestRunner::Workspace& work = works.local();
        if (part == Part::trees) {
          engine::sum_trees(runner_.packed(), codes(b), work.sums.get(), *work.scratch);
        } else {
          runner_.run_block(block(b), engine::kForestBlock, engine::kForestBlock, work,
                            margins_.data() + b * engine::kForestBlock, kPixels);
        }
      });
      seconds = watch.seconds();
    });
    return seconds;
  }

 private:
  float* block(std::size_t b) { return blocks_.get() + b * width_ * engine::kForestBlock; }
  std::uint8_t* codes(std::size_t b) { return codes_.get() + b * code_rows() * engine::kForestBlock; }

  const Case& what_;
  engine::ForestRunner runner_;
  std::size_t width_ = 0, different_ = 0;
  std::vector<float> rows_;  ///< [pixel][feature]
  hwy::AlignedFreeUniquePtr<float[]> blocks_;         ///< [block][feature][64]
  hwy::AlignedFreeUniquePtr<std::uint8_t[]> codes_;   ///< [block][code row][64]
  std::vector<float> margins_;
};

/// The engine's margins against the plain walk's, bit for bit; how many were compared.
std::uint64_t compare_with_plain(const Case& what, const ForestSet& set) {
  std::uint64_t compared = 0, different = 0;
  std::size_t output = 0;
  for (const engine::BoosterRounds& b : what.boosters) {
    const std::size_t outputs = b.booster->output_count();
    std::vector<float> plain(kCompared * outputs);
    b.booster->margins(set.rows().first(kCompared * set.width()), kCompared, plain, b.rounds);
    for (std::size_t p = 0; p < kCompared; ++p) {
      for (std::size_t k = 0; k < outputs; ++k, ++compared) {
        different += std::memcmp(&plain[p * outputs + k], &set.margins()[(output + k) * kPixels + p], 4) != 0 ? 1U : 0U;
      }
    }
    output += outputs;
  }
  if (different > 0) {
    throw Error(ErrorKind::mismatch, "nothing is timed",
                text("%llu of %llu margins differ from the plain walk's", static_cast<unsigned long long>(different),
                     static_cast<unsigned long long>(compared)),
                "Please report it with the model");
  }
  return compared;
}

/// XGBoost's in-place prediction of the same rows, booster by booster.
struct Peer {
  std::vector<xgboost::XgbBooster> boosters;
  std::vector<std::size_t> rounds;
  std::vector<std::vector<float>> margins;
};

void add_xgboost(const Case& what, const std::shared_ptr<ForestSet>& set, Steps& steps, BenchParity& parity,
                 std::vector<std::string>& skipped) {
  std::string why = xgboost::library().problem;
  for (const engine::BoosterRounds& b : what.boosters) {
    if (why.empty()) why = not_comparable(*b.booster);
    if (why.empty() && b.booster->forest().dart) why = "it rounds a DART booster's sums otherwise when it predicts in place";
  }
  if (!why.empty()) {
    skipped.push_back("XGBoost: " + why);
    return;
  }
  const auto peer = std::make_shared<Peer>();
  for (const engine::BoosterRounds& b : what.boosters) {
    peer->boosters.emplace_back(*b.booster);
    peer->boosters.back().set("nthread", std::to_string(what.context.thread_count()));
    peer->rounds.push_back(b.rounds);
  }
  const auto run = [peer, set] {
    peer->margins.clear();
    for (std::size_t b = 0; b < peer->boosters.size(); ++b) {
      peer->margins.push_back(peer->boosters[b].predict(set->rows(), kPixels, set->width(), true, peer->rounds[b]).values);
    }
  };
  run();
  std::size_t output = 0, different = 0;
  for (std::size_t b = 0; b < peer->boosters.size(); ++b) {
    const std::size_t outputs = what.boosters[b].booster->output_count();
    for (std::size_t i = 0; i < peer->margins[b].size(); ++i, ++parity.xgboost) {
      const float ours = set->margins()[(output + i % outputs) * kPixels + i / outputs];
      different += std::memcmp(&ours, &peer->margins[b][i], 4) != 0 ? 1U : 0U;
    }
    output += outputs;
  }
  if (different > 0) {
    skipped.push_back(text("XGBoost: %zu of its %llu margins differ from elver's", different,
                           static_cast<unsigned long long>(parity.xgboost)));
    parity.xgboost = 0;
    return;
  }
  const auto& version = xgboost::library().version;
  Meter& meter = steps.add({"forest", BenchScope::kernel, text("XGBoost %d.%d.%d in place", version[0], version[1], version[2]),
                            "CPU", kPixels, {}, 4.0 * static_cast<double>(set->width()), what.nodes_a_pixel, what.visits_a_pixel});
  steps.once.push_back([&meter, run] {
    const Stopwatch watch;
    run();
    meter.seconds.push_back(watch.seconds());
  });
}

}  // namespace

void add_forest_rows(const Case& what, Steps& steps, BenchParity& parity, std::vector<std::string>& skipped) {
  const auto set = std::make_shared<ForestSet>(what);
  set->run(ForestSet::Part::all);
  parity.pixels = std::min(set->different(), kCompared);
  parity.margins = compare_with_plain(what, *set);
  const auto meter = [&](const char* stage, double bytes) {
    BenchRow row{stage, BenchScope::kernel, "elver", "CPU", kPixels, {}, bytes, what.nodes_a_pixel, what.visits_a_pixel};
    row.limit_by = "compares";
    row.limit_mpx_s = what.compare_limit_mpx_s();
    return &steps.add(std::move(row));
  };
  const auto outputs = static_cast<double>(set->outputs()), features = static_cast<double>(set->width());
  if (set->all_packed()) {
    Meter* const trees = meter("K2", static_cast<double>(set->code_rows()) + 4 * outputs);
    steps.once.push_back([=] { trees->seconds.push_back(set->run(ForestSet::Part::trees)); });
  }
  Meter* const all = meter("forest", 4 * (features + outputs));
  steps.once.push_back([=] { all->seconds.push_back(set->run(ForestSet::Part::all)); });

  // The same through the library's predict(): row-major in, predictions out, booster by booster. The rows come again and
  // again, so many that packing the trees first, some ten milliseconds, is little beside them.
  constexpr std::size_t kTimes = 8;
  Meter* const predicted = meter("predict", 4 * (features + outputs));
  predicted->row.pixels = kTimes * kPixels;
  ImageInfo info;
  info.axes = {{"time", "", 1, 0, kTimes, AxisRole::navigation},
               {"row", "", 1, 0, kPixels, AxisRole::navigation},
               {"feature", "", 1, 0, set->width(), AxisRole::energy}};
  StridedLayout layout;
  layout.bytes.span = std::as_bytes(set->rows());
  layout.bytes.owner = set;
  layout.strides = {0, static_cast<std::ptrdiff_t>(4 * set->width()), 4};
  const auto rows = std::make_shared<const StridedImage>(std::move(info), std::move(layout));
  RunContext context = what.context;
  context.backend = Backend::cpu;
  steps.once.push_back([=, boosters = what.boosters] {
    const Stopwatch watch;
    for (const engine::BoosterRounds& b : boosters) predict(*b.booster, *rows, {.margin = true}, context);
    predicted->seconds.push_back(watch.seconds());
  });
  add_xgboost(what, set, steps, parity, skipped);
}

}  // namespace elver::bench
