#include "elver/train.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "library/instrument.hpp"
#include "train/dataset.hpp"
#include "train/evaluate.hpp"
#include "train/xgboost_api.hpp"
#include "types/arena.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace train;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr std::array<double, 4> kDoses{0, 10'000, 1'000, 100};  ///< counts/channel before O K; 0: no noise

std::size_t rounds_of(const TaskSpec& task, const TrainOptions& options) {
  return task.classes.empty() ? options.rounds : std::max<std::size_t>(1, options.rounds / 2);
}

/// One booster, on one thread: the same bits however many tasks are trained beside it.
Booster fit(const TaskSpec& task, const Rows& rows, std::size_t width, std::size_t t, const TrainOptions& options,
            const std::function<void()>& after_round) {
  xgboost::DMatrix data(rows.features, rows.count, width);
  data.set_labels(rows.labels[t]);
  data.set_weights(rows.weights);
  const xgboost::DMatrix* const cached = &data;
  xgboost::XgbBooster booster(std::span(&cached, 1));
  const bool several = !task.classes.empty();
  booster.set("objective", several ? "multi:softprob" : task.binary ? "binary:logistic" : "reg:squarederror");
  if (several) booster.set("num_class", std::to_string(task.classes.size()));
  booster.set("tree_method", "hist");
  booster.set("max_bin", "128");
  booster.set("max_depth",
              std::to_string(several ? std::max<std::size_t>(2, options.max_depth) - 1 : options.max_depth));
  booster.set("learning_rate", text("%.9g", options.learning_rate));
  booster.set("min_child_weight", "5");
  booster.set("subsample", "0.8");
  booster.set("colsample_bytree", "0.2");
  booster.set("reg_lambda", "1");
  booster.set("nthread", "1");
  booster.set("seed", std::to_string(options.seed % 0x7fffffffU));
  const std::size_t rounds = rounds_of(task, options);
  for (std::size_t r = 0; r < rounds; ++r) {
    booster.update(static_cast<int>(r), data);
    after_round();
  }
  return Booster::parse(booster.save("ubj"), task.name);
}

/// Features of all groups are held at once, those of one group twice, and XGBoost keeps about as much again.
void check_memory(std::size_t features, const RunContext& context) {
  const double needed = 3.0 * static_cast<double>(features) * sizeof(float);
  if (context.memory_bytes > 0 && needed > static_cast<double>(context.memory_bytes)) {
    throw Error(ErrorKind::resources, "not enough memory",
                text("training on so many spectra needs about %.0f MB", needed / 1e6),
                "Raise --memory or lower --samples");
  }
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

std::string facts(const Library& library, const TrainOptions& options, const TrainReport& report,
                  const std::vector<std::uint8_t>& held_out) {
  const InstrumentRange range;
  nlohmann::ordered_json scores = nlohmann::ordered_json::array();
  for (const TaskScore& s : report.scores) {
    nlohmann::ordered_json values = nlohmann::ordered_json::array();
    nlohmann::ordered_json intervals = nlohmann::ordered_json::array(), spectra = intervals;
    for (const Figure& f : s.figures) {
      values.push_back(rounded(f.value));
      intervals.push_back({rounded(f.interval.low), rounded(f.interval.high)});
      spectra.push_back(f.spectra);
    }
    scores.push_back({{"task", s.task},
                      {"measure", s.measure},
                      {"held_out", values},
                      {"interval_95", intervals},
                      {"held_out_spectra", spectra},
                      {"guess", rounded(s.guess)},
                      {"training_structures", s.training_structures},
                      {"training_spectra", s.training_spectra},
                      {"held_out_structures", s.held_out_structures},
                      {"held_out_specimens", s.held_out_specimens}});
  }
  const nlohmann::ordered_json out{
      {"library", {{"title", library.title}, {"sha256", library.sha256}, {"structures", library.structures.size()}}},
      {"split",
       {{"by", "structure, symmetry copies together"},
        {"held_out_structures", std::count(held_out.begin(), held_out.end(), 1)},
        {"model_trained_on", "the other structures only, so that the figures are those of this model"}}},
      {"spectra",
       {{"fwhm_ev", {range.fwhm_low_ev, range.fwhm_high_ev}},
        {"shift_sigma_ev", range.shift_sigma_ev},
        {"gain_sigma", range.gain_sigma},
        {"jitter_sigma_ev", {{"O", range.jitter_oxygen_sigma_ev}, {"metals", range.jitter_metal_sigma_ev}}},
        {"continuum_power", {range.continuum_low, range.continuum_high}},
        {"background_power", {range.background_low, range.background_high}},
        {"jump_ratio", {range.jump_low, range.jump_high}},
        {"thickness", {range.thickness_low, range.thickness_high}},
        {"counts_per_channel", {range.dose_low, range.dose_high}},
        {"noise", "Poisson"}}},
      {"boosters",
       {{"rounds", options.rounds},
        {"max_depth", options.max_depth},
        {"learning_rate", options.learning_rate},
        {"samples", options.samples},
        {"seed", options.seed},
        {"xgboost", text("%d.%d.%d", xgboost::library().version[0], xgboost::library().version[1],
                         xgboost::library().version[2])}}},
      {"tasks",
       {{"li_content",
         "averages of structures with the weights of their formal states; 70 % mixtures of one composition; with and "
         "without vacancies"},
        {"count_Li, count_Ni, count_Mn, count_Co",
         "oxygen sites with three transition metals and at most three Li within 0.3 nm"},
        {"oxygen_vacancy",
         "averages of structures with a vacancy against pristine ones; those with more Li weigh a quarter in training "
         "and are not in the figure"},
        {"antisite",
         "neighbourhoods of 0.3 nm that hold an antisite, against neighbourhoods and averages of pristine structures; "
         "those "
         "below 0.8 Li weigh a quarter and are not in the figure"}}},
      {"doses", {{"unit", "counts per channel just before O K; 0 is without noise"}, {"values", report.doses}}},
      {"intervals",
       "95 %; a held-out structure is one trial: Wilson's for accuracies, Newcombe's of both sides for balanced ones, "
       "studentised bootstrap of 1000 draws of structures for RMSE"},
      {"held_out", scores}};
  return out.dump();
}

}  // namespace

TrainedModel train_model(const Library& library, const TrainOptions& options, const RunContext& context) {
  static_cast<void>(xgboost::functions());  // says at once when there is nothing to train with
  Clock::time_point start = Clock::now();
  TrainedModel out;
  TrainReport& report = out.report;
  report.doses.assign(kDoses.begin(), kDoses.end());
  out.model = make_skeleton(library, options.name);
  const Pool pool = make_pool(library);
  const std::vector<std::uint8_t> held_out = hold_out(library.structures, options.seed);
  const std::vector<TaskGroup> groups = make_tasks(library, pool, held_out, options.samples, options.seed);
  if (groups.empty()) {
    throw Error(ErrorKind::input, "library",
                text("its %zu structures do not suffice for any task", library.structures.size()));
  }
  const std::size_t width = out.model.feature_count();
  check_memory(groups.size() * options.samples * width, context);

  std::vector<Rows> training;
  struct Job {
    std::size_t group, task;
    Booster booster;
  };
  std::vector<Job> jobs;
  std::size_t total_rounds = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const TaskGroup& group = groups[g];
    const std::vector<float> features = simulate_features(out.model, library, pool, group.training, {},
                                                          options.seed + g, context, "simulating " + group.name);
    training.push_back(keep_whole(features, group.training, width, group.tasks.size()));
    if (training.back().count < group.training.size()) {
      report.notes.push_back(text("%s: %zu of %zu training spectra were left out, too noisy for a background fit",
                                  group.name.c_str(), group.training.size() - training.back().count,
                                  group.training.size()));
    }
    for (std::size_t t = 0; t < group.tasks.size(); ++t) {
      jobs.push_back({g, t, {}});
      total_rounds += rounds_of(group.tasks[t], options);
    }
  }
  report.simulate_seconds = seconds_since(start);

  start = Clock::now();
  if (context.progress != nullptr) context.progress->begin("training", total_rounds, "rounds");
  std::mutex progress;
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<std::size_t>(0, jobs.size(), 1),
        [&](const auto& range) {
          for (std::size_t j = range.begin(); j != range.end(); ++j) {
            Job& job = jobs[j];
            job.booster = fit(groups[job.group].tasks[job.task], training[job.group], width, job.task, options, [&] {
              context.check_interrupt();
              const std::lock_guard lock(progress);
              if (context.progress != nullptr) context.progress->advance(1);
            });
          }
        },
        oneapi::tbb::simple_partitioner());
  });
  context.check_interrupt();
  if (context.progress != nullptr) context.progress->end();
  report.train_seconds = seconds_since(start);

  start = Clock::now();
  const double clean = InstrumentRange{}.dose_high;    // noise-free counts, but as many as the training has seen
  std::vector<std::vector<Rows>> seen(groups.size());  // [group][dose]
  for (std::size_t g = 0; g < groups.size(); ++g) {
    std::vector<Example> examples;
    for (std::size_t d = 0; d < options.draws; ++d)
      examples.insert(examples.end(), groups[g].held_out.begin(), groups[g].held_out.end());
    for (const double dose : kDoses) {
      const Exposure exposure{dose > 0 ? dose : clean, dose > 0};
      const std::vector<float> features = simulate_features(out.model, library, pool, examples, exposure,
                                                            ~options.seed - g, context, "testing " + groups[g].name);
      seen[g].push_back(keep_whole(features, examples, width, groups[g].tasks.size()));
      if (const std::size_t out_of = examples.size() - seen[g].back().count; out_of > 0) {
        report.notes.push_back(
            text("%s: %zu of %zu held-out spectra at %g counts were left out, too noisy for a "
                 "background fit",
                 groups[g].name.c_str(), out_of, examples.size(), dose));
      }
    }
  }
  for (const Job& job : jobs) {
    const TaskGroup& group = groups[job.group];
    const TaskSpec& task = group.tasks[job.task];
    TaskScore s;
    s.task = task.name;
    s.measure = measure_of(task);
    s.training_structures = group.training_structures;
    s.training_spectra = training[job.group].count;
    s.held_out_structures = group.held_out_structures;
    s.held_out_specimens = group.held_out.size();
    s.guess = guess(task, group.held_out, job.task);
    for (const Rows& rows : seen[job.group])
      s.figures.push_back(figure(task, job.booster, rows, job.task, options.seed));
    report.scores.push_back(s);
    out.model.tasks.push_back({task.name, task.unit, task.classes, false, job.booster});
  }
  out.model.purpose =
      "Li content, local counts and defects of layered Li-Ni-Mn-Co oxides from their O K and L2,3 edges; trained on "
      "simulated spectra";
  out.model.references = make_references(library, pool, out.model);
  out.model.training_json = facts(library, options, report, held_out);
  report.evaluate_seconds = seconds_since(start);
  return out;
}

}  // namespace elver
