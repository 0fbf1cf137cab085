#include "elver/predict.hpp"

#include <oneapi/tbb/enumerable_thread_specific.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
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

/// Predictions of some rows, [row][output], from row `first` on. Called side by side.
using Take = std::function<void(std::uint64_t first, std::span<const float> values)>;

/// Whether a row's prediction is its most probable class.
bool gives_classes(const Booster& booster, const PredictOptions& options) {
  return booster.objective() == "multi:softmax" && !options.margin;
}

/// What is known before anything is computed.
Prediction begun(const Booster& booster, const Image& rows, const PredictOptions& options, const RunContext& context) {
  const std::uint64_t width = rows.info().axes.empty() ? 0 : rows.info().axes.back().size;
  if (width != booster.feature_count()) {
    throw Error(ErrorKind::mismatch, "input and booster do not fit each other",
                text("%llu features a row in the input, %zu in the booster", static_cast<unsigned long long>(width),
                     booster.feature_count()),
                "Give rows with the features that the booster was trained on");
  }
  if (context.forest == ForestEngine::own) booster.require_trees();
  Prediction out;
  if (context.forest == ForestEngine::xgboost) out.forest = xgboost::name();
  out.rows = rows.pixels();
  out.outputs = gives_classes(booster, options) ? 1 : booster.output_count();
  out.rounds = rounds_to_use(booster, options.best_rounds);
  return out;
}

/// Hands all predictions to `take` and notes the seconds.
void run(const Booster& booster, const Image& rows, const PredictOptions& options, const RunContext& context,
         Prediction& out, const Take& take) {
  const Stopwatch total;
  const std::size_t outputs = booster.output_count();
  const bool classes = gives_classes(booster, options);
  // A booster without rounds has no round to stop at; 0 then means what it says.
  const std::size_t rounds = out.rounds == booster.round_count() ? 0 : out.rounds;
  const engine::BoosterRounds run{&booster, rounds};
  SharedSeconds writing;
  // Margins, [output][stride], of some rows on their way out.
  const auto put = [&](const float* by_output, std::size_t stride, std::uint64_t first, std::size_t count) {
    std::vector<float> margins(count * outputs);
    for (std::size_t k = 0; k < outputs; ++k) {
      for (std::size_t r = 0; r < count; ++r) margins[r * outputs + k] = by_output[k * stride + r];
    }
    if (classes) {  // in place: a row's class comes before the next row's margins
      for (std::size_t r = 0; r < count; ++r) {
        const auto row = margins.begin() + static_cast<std::ptrdiff_t>(r * outputs);
        margins[r] = static_cast<float>(std::max_element(row, row + static_cast<std::ptrdiff_t>(outputs)) - row);
      }
      margins.resize(count);
    } else if (!options.margin) {
      booster.transform(margins, count);
    }
    const Stopwatch watch;
    take(first, margins);
    writing.add(watch.seconds());
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
    job.rows = booster.feature_count();
    engine::for_each_device_tile(
        rows, job, devices, {}, context, "predict", [&](PixelRange pixels, const cuda::TileResult& tile) {
          const std::vector<float> theirs = xgboost ? xgboost->margins(tile) : std::vector<float>();
          put(xgboost ? theirs.data() : tile.margins, tile.stride, pixels.first, tile.rows);
        });
    out.seconds.write = writing.value();
    out.seconds.total = total.seconds();
    return;
  }
  const engine::ForestRunner runner({&run, 1}, engine::Missing::possible, context.forest);
  oneapi::tbb::enumerable_thread_specific<engine::ForestRunner::Workspace> works(
      [&] { return engine::ForestRunner::Workspace(runner); });
  const engine::TimedImage timed(rows);
  SharedSeconds after;
  const Stopwatch loop;
  const ChannelRange all{0, booster.feature_count()};
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
  spent.trees += after.value() - writing.value();
  spent.write = writing.value();
  spent.read = timed.seconds() + waited * context.thread_count();
  out.seconds = engine::shared_out(spent, loop.seconds());
  out.seconds.total = total.seconds();
}

}  // namespace

Prediction predict(const Booster& booster, const Image& rows, const PredictOptions& options,
                   const RunContext& context) {
  Prediction out = begun(booster, rows, options, context);
  if (context.memory_bytes > 0 && out.rows * out.outputs > context.memory_bytes / sizeof(float)) {
    throw Error(ErrorKind::resources, "not enough memory",
                text("%llu predictions do not fit", static_cast<unsigned long long>(out.rows * out.outputs)),
                "Raise --memory");
  }
  out.values.resize(out.rows * out.outputs);
  run(booster, rows, options, context, out, [&](std::uint64_t first, std::span<const float> values) {
    std::ranges::copy(values, out.values.begin() + static_cast<std::ptrdiff_t>(first * out.outputs));
  });
  return out;
}

Prediction write_predictions(const Booster& booster, const Image& rows, const PredictOptions& options,
                             const std::filesystem::path& npy, const RunContext& context) {
  Prediction out = begun(booster, rows, options, context);
  const auto rows_text = text(out.outputs == 1 ? "%llu," : "%llu, ", static_cast<unsigned long long>(out.rows));
  NpyWriter writer(npy, out.outputs == 1 ? rows_text : rows_text + std::to_string(out.outputs));
  run(booster, rows, options, context, out,
      [&](std::uint64_t first, std::span<const float> values) { writer.write(first * out.outputs, values); });
  const Stopwatch committing;
  writer.commit();
  out.seconds.write += committing.seconds();
  out.seconds.total += committing.seconds();
  return out;
}

}  // namespace elver
