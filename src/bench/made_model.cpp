#include "bench/made_model.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>

#include "elver/dataset.hpp"
#include "elver/error.hpp"
#include "forest/xgboost_api.hpp"
#include "train/evaluate.hpp"
#include "types/arena.hpp"
#include "types/text.hpp"

namespace elver::bench {
namespace {

constexpr std::uint64_t kSeed = 1;

/// The model's edges with `features` points in all, as far apart in every edge.
void deal_out(std::size_t features, Model& model) {
  if (features < 2 * model.edges.size()) {
    throw Error(ErrorKind::usage, text("%zu features", features), text("the library has %zu edges", model.edges.size()),
                "Ask for more");
  }
  const auto width = [](const Edge& edge) { return edge.grid.stop_ev - edge.grid.start_ev; };
  double all = 0, before = 0;
  for (const Edge& edge : model.edges) all += width(edge);
  std::size_t dealt = 0;
  for (Edge& edge : model.edges) {
    before += width(edge);
    edge.grid.count = static_cast<std::size_t>(std::lround(static_cast<double>(features) * before / all)) - dealt;
    dealt += edge.grid.count;
  }
}

/// One task's booster after each of `rounds`, on one thread: XGBoost's own threads wait for each other more than
/// they work on so few spectra.
std::map<std::size_t, Booster> trained(const train::TaskSpec& task, const train::Rows& rows, std::size_t width, std::size_t t,
                                       std::uint64_t depth, const std::set<std::size_t>& rounds, const RunContext& context) {
  xgboost::DMatrix data(rows.features, rows.count, width);
  data.set_labels(rows.labels[t]);
  data.set_weights(rows.weights);
  const xgboost::DMatrix* const cached = &data;
  xgboost::XgbBooster booster(std::span(&cached, 1));
  const bool several = !task.classes.empty();
  booster.set("objective", several ? "multi:softprob" : task.binary ? "binary:logistic" : "reg:squarederror");
  if (several) booster.set("num_class", std::to_string(task.classes.size()));
  booster.set("tree_method", "hist");
  booster.set("max_depth", std::to_string(depth));
  booster.set("learning_rate", "0.03");
  booster.set("subsample", "0.8");
  booster.set("colsample_bytree", "0.2");
  booster.set("nthread", "1");
  booster.set("seed", std::to_string(kSeed));
  std::map<std::size_t, Booster> out;
  for (std::size_t r = 1; r <= *rounds.rbegin(); ++r) {
    context.check_interrupt();
    booster.update(static_cast<int>(r - 1), data);
    if (rounds.contains(r)) out.emplace(r, Booster::parse(booster.save("ubj"), task.name));
  }
  return out;
}

}  // namespace

std::vector<Model> trained_models(const Library& library, std::size_t features, std::span<const TrainedTrees> trees,
                                  const RunContext& context, std::size_t samples) {
  static_cast<void>(xgboost::functions());  // says at once when there is nothing to train with
  Model skeleton = train::make_skeleton(library, "bench");
  deal_out(features, skeleton);
  const train::Pool pool = train::make_pool(library);
  skeleton.references = train::make_references(library, pool, skeleton);
  const auto rounds_of = [](const TrainedTrees& asked) { return (asked.count + kTreesARound - 1) / kTreesARound; };
  std::map<std::uint64_t, std::set<std::size_t>> rounds;  // of each depth
  for (const TrainedTrees& asked : trees) rounds[asked.depth].insert(rounds_of(asked));
  const std::vector<train::TaskGroup> groups = train::make_tasks(
      library, pool, train::hold_out(library.structures, kSeed), samples, kSeed);
  struct Job {
    const train::TaskSpec* task;
    std::size_t group, index;
    std::uint64_t depth;
    std::map<std::size_t, Booster> boosters;  // by rounds
  };
  std::vector<Job> jobs;
  std::vector<train::Rows> rows(groups.size());
  std::vector<std::string> missing{"count_Ni", "li_content", "oxygen_vacancy"};
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const train::TaskGroup& group = groups[g];
    for (std::size_t t = 0; t < group.tasks.size(); ++t) {
      if (std::erase(missing, group.tasks[t].name) == 0) continue;
      for (const auto& [depth, unused] : rounds) jobs.push_back({&group.tasks[t], g, t, depth, {}});
      if (rows[g].count > 0) continue;
      rows[g] = train::keep_whole(train::simulate_features(skeleton, library, pool, group.training, {}, kSeed + g, context,
                                                           "simulating " + group.name),
                                  {}, group.training, group.tasks.size());
    }
  }
  if (!missing.empty()) {
    throw Error(ErrorKind::input, "library", "it does not suffice for " + missing.front() + ", which the bench trains");
  }
  if (context.progress != nullptr) context.progress->begin("training", jobs.size(), "boosters");
  std::mutex progress;
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(std::size_t{0}, jobs.size(), [&](std::size_t j) {
      Job& job = jobs[j];
      job.boosters = trained(*job.task, rows[job.group], skeleton.feature_count(), job.index, job.depth,
                             rounds.at(job.depth), context);
      const std::lock_guard lock(progress);
      if (context.progress != nullptr) context.progress->advance(1);
    });
  });
  context.check_interrupt();
  if (context.progress != nullptr) context.progress->end();
  std::vector<Model> out;
  for (const TrainedTrees& asked : trees) {
    Model& model = out.emplace_back(skeleton);
    model.name = text("bench-f%zu-d%llu", features, static_cast<unsigned long long>(asked.depth));
    for (const Job& job : jobs) {
      if (job.depth != asked.depth) continue;
      model.tasks.push_back({job.task->name, job.task->unit, job.task->classes, false, job.boosters.at(rounds_of(asked))});
    }
  }
  return out;
}

std::uint64_t trees_of(const Model& model) {
  std::uint64_t trees = 0;
  for (const Task& task : model.tasks) trees += task.booster.tree_count();
  return trees;
}

Model repeated_model(const Model& model, std::uint64_t trees) {
  Model out = model;
  const std::uint64_t once = trees_of(model);
  if (once == 0) throw Error(ErrorKind::mismatch, "model \"" + model.name + "\"", "it has no tree");
  for (std::uint64_t copy = 2; trees_of(out) < trees; ++copy) {
    for (const Task& task : model.tasks) {
      out.tasks.push_back(task);
      out.tasks.back().name += text("_copy_%llu", static_cast<unsigned long long>(copy));
    }
  }
  return out;
}

}  // namespace elver::bench
