#include "elver/train.hpp"

#include <algorithm>
#include <chrono>

#include "elver/dataset.hpp"
#include "elver/error.hpp"
#include "forest/xgboost_api.hpp"
#include "train/card.hpp"
#include "train/device.hpp"
#include "train/evaluate.hpp"
#include "train/task_training.hpp"
#include "train/trust.hpp"
#include "train/views.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace train;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Features of all groups are held at once, those of one group twice, and XGBoost keeps about as much again.
void check_memory(std::size_t features, const RunContext& context) {
  const double needed = 3.0 * static_cast<double>(features) * sizeof(float);
  if (context.memory_bytes > 0 && needed > static_cast<double>(context.memory_bytes)) {
    throw Error(ErrorKind::resources, "not enough memory",
                text("training on so many spectra needs about %.0f MB", needed / 1e6),
                "Raise --memory or lower --samples");
  }
}

/// What a journal must agree with for its trials to be taken.
std::string fingerprint(const Library& library, const TrainOptions& options, Backend device) {
  return text("elver search 4 %s %zu seed %llu folds %zu hold-out %zu samples %zu base %zu draws %zu rounds %zu%s",
              library.sha256.c_str(), library.structures.size(), static_cast<unsigned long long>(options.seed),
              options.folds, options.hold_out, options.search_samples, base_samples(options), options.draws,
              options.rounds, device == Backend::cuda ? " on CUDA" : "");
}

/// Simulates specimens and keeps what a background could be fitted to.
class Simulator {
 public:
  Simulator(const Model& skeleton, const Library& library, const Pool& pool, const RunContext& context)
      : skeleton_(skeleton), library_(library), pool_(pool), context_(context) {}
  Rows rows(const std::vector<Example>& examples, std::size_t tasks, const Exposure& exposure, std::uint64_t seed,
            const std::string& stage) const {
    std::vector<float> snr;
    const std::vector<float> features =
        simulate_features(skeleton_, library_, pool_, examples, exposure, seed, context_, stage, &snr);
    return keep_whole(features, snr, examples, tasks);
  }

 private:
  const Model& skeleton_;
  const Library& library_;
  const Pool& pool_;
  const RunContext& context_;
};

std::vector<Example> repeated(const std::vector<Example>& examples, std::size_t times) {
  std::vector<Example> out;
  for (std::size_t i = 0; i < times; ++i) out.insert(out.end(), examples.begin(), examples.end());
  return out;
}

std::vector<std::size_t> parts_of(const Model& model) {
  std::vector<std::size_t> out;
  for (const Edge& edge : model.edges) out.push_back(edge.grid.count);
  return out;
}

/// A fit that keeps no features.
BaseRows base_of(const Rows& rows, const std::vector<std::size_t>& parts) {
  return {std::make_shared<LinearFit>(rows.features, rows.snr, rows.weights, parts), rows.labels};
}

bool wanted(const TaskSpec& task, const TrainOptions& options) {
  return options.tasks.empty() || std::ranges::find(options.tasks, task.name) != options.tasks.end();
}

/// Everything of one group: its folds, each with training spectra of its own, and the held-out structures.
GroupData gather(const TaskGroup& group, std::size_t g, const std::vector<Side>& sides,
                 const std::vector<std::size_t>& fold_of, const Library& library, const Pool& pool,
                 const Simulator& simulator, const std::vector<std::size_t>& parts, const TrainOptions& options) {
  GroupData out;
  out.group = group;
  const std::size_t tasks = group.tasks.size();
  // The group as a split makes it: other structures or another seed, other spectra.
  const auto made = [&](const std::vector<Side>& split, std::size_t samples, std::uint64_t seed) {
    for (TaskGroup& one : make_tasks(library, pool, split, samples, seed)) {
      if (one.name == group.name) return std::move(one);
    }
    return TaskGroup{};
  };
  // Bases are fitted to more spectra than trees, and to others.
  const auto base = [&](const std::vector<Side>& split, std::uint64_t seed, const std::string& stage) {
    const std::uint64_t other = ~(seed + 100'000);  // no other spectra's
    return base_of(
        simulator.rows(made(split, base_samples(options), other).training, tasks, {}, other, stage + ", base"), parts);
  };
  const std::string stage = "simulating " + group.name;
  out.training = simulator.rows(group.training, tasks, {}, options.seed + g, stage);
  out.base = base(sides, options.seed + g, stage);
  const std::vector<View> views = standard_views();
  const std::size_t draws = std::max<std::size_t>(1, options.draws / 2);
  for (std::size_t f = 0; f < options.folds; ++f) {
    std::vector<Side> split;
    for (std::size_t s = 0; s < sides.size(); ++s) {
      split.push_back(sides[s] != Side::training ? Side::left_out : fold_of[s] == f ? Side::held_out : Side::training);
    }
    const TaskGroup part = made(split, options.search_samples, options.seed + 100 * (f + 1));
    if (part.training.empty()) continue;
    const std::uint64_t seed = options.seed + 1000 * (f + 1) + g;
    const std::string in_fold = text("%s, fold %zu", stage.c_str(), f + 1);
    const std::vector<Example> unseen = repeated(part.held_out, draws);
    Fold fold{simulator.rows(part.training, tasks, {}, seed, in_fold),
              simulator.rows(unseen, tasks, {}, ~seed, in_fold),
              {},
              {}};
    if (fold.training.count == 0 || fold.unseen.count == 0) continue;
    fold.base = base(split, seed, in_fold);
    out.seen.emplace_back();
    const std::vector<Example> looked_at = repeated(part.held_out, std::max<std::size_t>(1, options.draws / 4));
    for (const View& view : views) {
      out.seen.back().push_back(simulator.rows(looked_at, tasks, view.exposure, ~seed, in_fold));
      if (view.name != "foreign") append(fold.judged, out.seen.back().back());
    }
    out.folds.push_back(std::move(fold));
  }
  if (options.final_fit == FinalFit::everything && !group.held_out.empty()) {
    const std::vector<Side> all(sides.size(), Side::training);
    const std::string of_all = stage + ", all structures";
    out.everything =
        simulator.rows(made(all, options.samples, options.seed).training, tasks, {}, options.seed + g, of_all);
    out.base_of_everything = base(all, options.seed + g, of_all);
  }
  if (group.held_out.empty()) return out;
  const std::vector<Example> held_out = repeated(group.held_out, options.draws);
  for (const View& view : views)
    out.held_out.push_back(simulator.rows(held_out, tasks, view.exposure, ~options.seed - g, "testing " + group.name));
  return out;
}

/// The domain of all groups together.
Domain domain_of(const std::vector<GroupData>& groups, const std::vector<std::size_t>& parts, std::uint64_t seed,
                 FinalFit fit) {
  constexpr std::size_t kEnough = 4000;
  Rows training;
  std::vector<const Rows*> unseen;
  const std::size_t width = groups[0].training.features.size() / groups[0].training.count;
  for (const GroupData& data : groups) {
    for (const Fold& fold : data.folds) unseen.push_back(&fold.unseen);
    const Rows& rows = fit == FinalFit::everything && data.everything.count > 0 ? data.everything : data.training;
    const std::size_t count = std::min(rows.count, kEnough / groups.size());
    training.features.insert(training.features.end(), rows.features.begin(),
                             rows.features.begin() + static_cast<std::ptrdiff_t>(count * width));
    training.weights.insert(training.weights.end(), count, 1.0F);
  }
  return fit_domain(LinearFit(training.features, {}, training.weights, parts), unseen, seed);
}

}  // namespace

TrainedModel train_model(const Library& library, const TrainOptions& options, const RunContext& context) {
  static_cast<void>(xgboost::functions());  // says at once when there is nothing to train with
  if (options.folds < 2) throw Error(ErrorKind::usage, "folds", "there must be two at least");
  RunContext trainer = context;
  trainer.backend = options.device == Backend::cpu ? Backend::cpu : training_device(options.device, find_gpus());
  Clock::time_point start = Clock::now();
  TrainedModel out;
  TrainReport& report = out.report;
  for (const View& view : standard_views()) report.views.push_back(view.name);
  out.model = make_skeleton(library, options.name);
  const Pool pool = make_pool(library);
  const std::vector<Side> sides = hold_out(library.structures, options.seed, options.hold_out);
  const std::vector<std::size_t> fold_of = deal_folds(library.structures, options.folds, options.seed);
  std::vector<TaskGroup> groups = make_tasks(library, pool, sides, options.samples, options.seed);
  std::erase_if(groups, [&](const TaskGroup& group) {
    return std::ranges::none_of(group.tasks, [&](const TaskSpec& task) { return wanted(task, options); });
  });
  if (groups.empty()) {
    throw Error(ErrorKind::input, "library",
                text("its %zu structures do not suffice for any task", library.structures.size()));
  }
  const std::size_t fits = options.final_fit == FinalFit::everything ? 2 : 1;
  check_memory(groups.size() *
                   (fits * options.samples + 2 * options.folds * options.search_samples +
                    (fits + options.folds) * base_samples(options)) *
                   out.model.feature_count(),
               context);
  Journal journal(options.journal, fingerprint(library, options, trainer.backend));
  if (journal.found() > 0)
    report.notes.push_back(text("%zu trials of an earlier search are taken from its journal", journal.found()));

  const std::vector<std::size_t> parts = parts_of(out.model);
  const Simulator simulator(out.model, library, pool, context);
  std::vector<GroupData> data;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    data.push_back(gather(groups[g], g, sides, fold_of, library, pool, simulator, parts, options));
    GroupData& last = data.back();
    if (last.folds.size() >= 2) {
      if (const std::size_t lost = groups[g].training.size() - last.training.count; lost > 0) {
        report.notes.push_back(text("%s: %zu of %zu training spectra were left out, too noisy for a background fit",
                                    groups[g].name.c_str(), lost, groups[g].training.size()));
      }
      continue;
    }
    report.notes.push_back(text("%s is left out: its structures do not fill two folds", groups[g].name.c_str()));
    data.pop_back();
  }
  if (data.empty()) {
    throw Error(ErrorKind::input, "library",
                text("its %zu structures do not fill two folds of any task", library.structures.size()));
  }
  report.simulate_seconds = seconds_since(start);

  start = Clock::now();
  for (const GroupData& group : data) {
    for (std::size_t t = 0; t < group.group.tasks.size(); ++t) {
      if (!wanted(group.group.tasks[t], options)) continue;
      TaskResult result = train_task(group, t, options, journal, trainer);
      out.model.tasks.push_back(std::move(result.task));
      report.scores.push_back(std::move(result.score));
      report.searches.push_back(std::move(result.effort));
    }
  }
  report.train_seconds = seconds_since(start);

  start = Clock::now();
  out.model.domain = domain_of(data, parts, options.seed, FinalFit::training_side);
  if (!data.front().held_out.empty()) {
    for (std::size_t v = 0; v < report.views.size(); ++v) {
      Rows all;
      for (const GroupData& group : data) {
        Rows part = group.held_out[v];
        part.labels.clear();
        append(all, part);
      }
      report.inside.push_back(share_inside(*out.model.domain, all));
    }
  }
  if (options.final_fit == FinalFit::everything)
    out.model.domain = domain_of(data, parts, options.seed, FinalFit::everything);
  out.model.purpose =
      "Li content, local counts and defects of layered Li-Ni-Mn-Co oxides from their O K and L2,3 edges; trained on "
      "simulated spectra";
  out.model.references = make_references(library, pool, out.model);
  out.model.training_json = training_card(library, options, report, sides, trainer.backend);
  report.evaluate_seconds = seconds_since(start);
  return out;
}

}  // namespace elver
