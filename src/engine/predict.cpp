#include "elver/predict.hpp"

#include <oneapi/tbb/enumerable_thread_specific.h>

#include <algorithm>
#include <optional>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "engine/device_loop.hpp"
#include "engine/device_xgboost.hpp"
#include "engine/forest_runner.hpp"
#include "engine/tiles.hpp"
#include "engine/timed_image.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

std::size_t rounds_to_use(const Booster& booster, bool best) {
  if (!best) return booster.round_count();
  if (const auto round = booster.best_iteration()) return *round + 1;
  throw Error(ErrorKind::mismatch, "cannot stop at the best iteration", "the booster does not say which it is",
              "Leave out --best-iteration");
}

}  // namespace

Prediction predict(const Booster& booster, const Image& rows, const PredictOptions& options,
                   const RunContext& context) {
  const Stopwatch total;
  const std::uint64_t width = rows.info().axes.empty() ? 0 : rows.info().axes.back().size;
  if (width != booster.feature_count()) {
    throw Error(ErrorKind::mismatch, "input and booster do not fit each other",
                text("%llu features a row in the input, %zu in the booster", static_cast<unsigned long long>(width),
                     booster.feature_count()),
                "Give rows with the features that the booster was trained on");
  }
  if (context.forest == ForestEngine::own) booster.require_trees();
  const std::size_t outputs = booster.output_count();
  const bool classes = booster.objective() == "multi:softmax" && !options.margin;
  Prediction out;
  if (context.forest == ForestEngine::xgboost) out.forest = xgboost::name();
  out.rows = rows.pixels();
  out.outputs = classes ? 1 : outputs;
  out.rounds = rounds_to_use(booster, options.best_rounds);
  if (context.memory_bytes > 0 && out.rows * out.outputs > context.memory_bytes / sizeof(float)) {
    throw Error(ErrorKind::resources, "not enough memory",
                text("%llu predictions do not fit", static_cast<unsigned long long>(out.rows * out.outputs)),
                "Raise --memory");
  }
  out.values.resize(out.rows * out.outputs);
  // A booster without rounds has no round to stop at; 0 then means what it says.
  const std::size_t rounds = out.rounds == booster.round_count() ? 0 : out.rounds;
  const engine::BoosterRounds run{&booster, rounds};
  // Margins, [output][stride], of some rows to their place in the result.
  const auto put = [&](const float* by_output, std::size_t stride, std::uint64_t first, std::size_t count) {
    std::vector<float> margins(count * outputs);
    for (std::size_t k = 0; k < outputs; ++k) {
      for (std::size_t r = 0; r < count; ++r) margins[r * outputs + k] = by_output[k * stride + r];
    }
    float* const values = out.values.data() + first * out.outputs;
    if (classes) {
      for (std::size_t r = 0; r < count; ++r) {
        const auto row = margins.begin() + static_cast<std::ptrdiff_t>(r * outputs);
        values[r] = static_cast<float>(std::max_element(row, row + static_cast<std::ptrdiff_t>(outputs)) - row);
      }
      return;
    }
    if (!options.margin) booster.transform(margins, count);
    std::ranges::copy(margins, values);
  };

  const std::vector<int> devices = engine::devices_to_use(context, engine::why_not_on_device(booster, context.forest));
  if (!devices.empty()) {
    const std::span<const engine::BoosterRounds> boosters(&run, 1);
    std::optional<engine::DeviceXgboost> xgboost;
    if (context.forest == ForestEngine::xgboost) xgboost.emplace(boosters);
    const engine::DeviceForest forest =
        engine::pack_device_forest(xgboost ? xgboost->rest() : boosters, engine::Missing::possible);
    cuda::Job job;
    job.forest = &forest;
    job.rows = width;
    engine::for_each_device_tile(rows, job, devices, {}, context, "predict",
                                 [&](PixelRange pixels, const cuda::TileResult& tile) {
                                   const std::vector<float> theirs = xgboost ? xgboost->margins(tile) : std::vector<float>();
                                   put(xgboost ? theirs.data() : tile.margins, tile.stride, pixels.first, tile.rows);
                                 });
    out.seconds.total = total.seconds();
    return out;
  }
  const engine::ForestRunner runner({&run, 1}, engine::Missing::possible, context.forest);
  oneapi::tbb::enumerable_thread_specific<engine::ForestRunner::Workspace> works(
      [&] { return engine::ForestRunner::Workspace(runner); });
  const engine::TimedImage timed(rows);
  SharedSeconds after;
  const Stopwatch loop;
  const ChannelRange all{0, width};
  const double waited = engine::deal_tiles(timed, {&all, 1}, context, "predict", [&](const Tile& tile) {
    const std::size_t count = tile.counts.pixels;
    std::vector<float> by_output(count * outputs);
    runner.run(tile.counts.counts, count, count, works.local(), by_output.data(), count);
    const Stopwatch watch;
    put(by_output.data(), count, tile.pixels.first, count);
    after.add(watch.seconds());
  });
  StageSeconds spent;
  for (const engine::ForestRunner::Workspace& work : works) {
    spent.rank += work.rank_seconds;
    spent.trees += work.trees_seconds;
  }
  spent.trees += after.value();
  spent.read = timed.seconds() + waited * context.thread_count();
  out.seconds = engine::shared_out(spent, loop.seconds());
  out.seconds.total = total.seconds();
  return out;
}

}  // namespace elver
