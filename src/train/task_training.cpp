#include "train/task_training.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "train/random.hpp"
#include "train/trust.hpp"
#include "types/stopwatch.hpp"
#include "types/text.hpp"

namespace elver::train {
namespace {

constexpr std::uint32_t kSearchStream = 31;
constexpr std::size_t kBeforePruning = 12;  ///< trials until there is something to compare with
constexpr double kGoOn = 0.3;               ///< share of the trials so far that the first folds must be among

/// What the first folds of the next trial must not exceed.
double bar_of(std::vector<double> firsts) {
  if (firsts.size() < kBeforePruning) return std::numeric_limits<double>::infinity();
  const auto at = firsts.begin() + static_cast<std::ptrdiff_t>(kGoOn * static_cast<double>(firsts.size()));
  std::nth_element(firsts.begin(), at, firsts.end());
  return *at;
}

/// The hyper-parameters that are used without a search.
Settings fixed_settings(const TaskSpec& task, const TrainOptions& options, bool base) {
  const bool several = !task.classes.empty();
  const std::size_t depth = several ? std::max<std::size_t>(2, options.max_depth) - 1 : options.max_depth;
  return {
      {"learning_rate", options.learning_rate},
      {"min_child_weight", 5},
      {"subsample", 0.8},
      {"colsample_bytree", 0.2},
      {"gamma", 0},
      {"max_depth", static_cast<double>(depth)},
      {"reg_lambda", 1},
      {"reg_alpha", 0},
      {"n_estimators", static_cast<double>(several ? std::max<std::size_t>(1, options.rounds / 2) : options.rounds)},
      {"base", base ? 1.0 : 0.0}};
}

std::string spoken(const Settings& settings, std::size_t rounds) {
  std::string out = text("%zu rounds", rounds);
  for (const auto& [name, value] : settings) {
    if (name != "n_estimators" && name != "base") out += text(", %s %.3g", name.c_str(), value);
  }
  return out;
}

struct Candidate {
  std::string name;
  Settings settings;
  Outcome outcome;
};

/// The best trees, the base alone, and the best trees on the base.
std::vector<Candidate> find_candidates(const TaskSpec& task, const TaskSearch& search, const TrainOptions& options,
                                       std::size_t stream, Journal& journal, const RunContext& context,
                                       SearchEffort& effort) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  std::vector<Candidate> best{{"trees", fixed_settings(task, options, false), {kNone, 0}},
                              {"linear + trees", fixed_settings(task, options, true), {kNone, 0}}};
  double least = kNone;
  const std::size_t trials = std::max<std::size_t>(options.evaluations, 2);
  const Stopwatch watch;
  std::vector<double> firsts, ratios;  // losses over the first folds; of all folds over those
  const auto take = [&](const Settings& settings, const Outcome& outcome, std::size_t number) {
    if (context.progress != nullptr) context.progress->advance(1);
    effort.pruned += outcome.pruned ? 1 : 0;
    if (outcome.pruned) return;
    Candidate& of_its_kind = best[settings.at("base") > 0.5 ? 1 : 0];
    if (outcome.loss < of_its_kind.outcome.loss) {
      of_its_kind.settings = settings;
      of_its_kind.outcome = outcome;
    }
    if (outcome.loss < least && options.on_better) {
      options.on_better(
          {task.name, number + 1, trials, outcome.loss, of_its_kind.name + ": " + spoken(settings, outcome.rounds)});
    }
    least = std::min(least, outcome.loss);
  };
  if (context.progress != nullptr) context.progress->begin("searching " + task.name, trials, "trials");
  const std::vector<Parameter> space = search_space(options.rounds);
  Tpe tpe(space, random_stream(options.seed, kSearchStream, stream)());
  for (std::size_t i = 0; i < trials; ++i) {
    context.check_interrupt();
    std::vector<double> point;
    Settings settings;
    if (i < 2) {  // the fixed ones first, with and without a base: a search must not end below them
      settings = fixed_settings(task, options, i == 1);
      for (const Parameter& p : space) point.push_back(settings.at(p.name));
    } else {
      point = tpe.ask();
      for (std::size_t k = 0; k < space.size(); ++k) settings[space[k].name] = point[k];
    }
    std::optional<Outcome> outcome = journal.find(task.name, point);
    if (!outcome) {
      outcome = search.evaluate(settings, bar_of(firsts));
      journal.add(task.name, point, *outcome);
    }
    firsts.push_back(outcome->first);
    if (!outcome->pruned) ratios.push_back(outcome->loss / outcome->first);
    // What all folds of a pruned trial would have said, from those that were not: enough to know that it is no good
    // one.
    const double usual = std::accumulate(ratios.begin(), ratios.end(), 0.0) / static_cast<double>(ratios.size());
    if (i >= 2) tpe.tell(point, outcome->pruned ? outcome->first * usual : outcome->loss);
    take(settings, *outcome, i);
  }
  if (context.progress != nullptr) context.progress->end();
  effort.task = task.name;
  effort.trials = trials;
  effort.seconds = watch.seconds();
  best.push_back({"linear", fixed_settings(task, options, true), {search.linear_loss(), 0}});
  return best;
}

/// All folds' unseen rows of one view together, and the margins that models which never saw them gave.
struct Unseen {
  Rows rows;
  std::vector<float> margins;
};

/// [0]: the rows that trials are searched by; [1]: that the choice goes by; [2 + view]
std::vector<Unseen> unseen_of(const GroupData& data, const TaskSearch& search, const Candidate& candidate) {
  std::vector<std::vector<const Rows*>> wanted;
  for (std::size_t f = 0; f < data.folds.size(); ++f) {
    wanted.push_back({&data.folds[f].unseen, &data.folds[f].judged});
    for (const Rows& rows : data.seen[f]) wanted.back().push_back(&rows);
  }
  const auto margins = search.unseen_margins(candidate.settings, candidate.outcome.rounds, wanted);
  std::vector<Unseen> out(wanted[0].size());
  for (std::size_t f = 0; f < wanted.size(); ++f) {
    for (std::size_t v = 0; v < out.size(); ++v) {
      append(out[v].rows, *wanted[f][v]);
      out[v].margins.insert(out[v].margins.end(), margins[f][v].begin(), margins[f][v].end());
    }
  }
  return out;
}

/// Margins as maps show them: those of a yes or no moved to where its probability is calibrated.
std::vector<float> as_shown(const TaskSpec& task, const Trust& trust, std::vector<float> margins) {
  if (!task.binary) return margins;
  for (float& margin : margins) margin = static_cast<float>(trust.slope * static_cast<double>(margin) + trust.offset);
  return margins;
}

/// Whether errors lie below others of the same rows by more than the standard error of their mean difference; a
/// structure is one draw.
bool clearly_less(const std::vector<double>& errors, const std::vector<double>& others, const Rows& rows) {
  struct Sum {
    double difference = 0, weight = 0;
  };
  std::map<std::size_t, Sum> sums;
  Sum all;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const auto weight = static_cast<double>(rows.weights[i]);
    for (Sum* sum : {&sums[rows.structures[i]], &all}) {
      sum->difference += weight * (errors[i] - others[i]);
      sum->weight += weight;
    }
  }
  const double mean = all.difference / all.weight;
  double squares = 0;
  for (const auto& [structure, sum] : sums) {
    const double off = sum.difference - mean * sum.weight;
    squares += off * off;
  }
  const auto n = static_cast<double>(sums.size());
  return mean < -std::sqrt(squares * n / (n - 1)) / all.weight;
}

/// The task as `how` has it, without trust.
Task trained_on(const Rows& rows, const BaseRows& base_rows, const TaskSpec& spec, std::size_t t, const Candidate& how,
                const LinearRecipe& recipe, const TrainOptions& options, const RunContext& context) {
  Task out;
  out.name = spec.name;
  out.unit = spec.unit;
  out.classes = spec.classes;
  std::vector<float> base;
  if (how.settings.at("base") > 0.5) {
    LinearPart part = fit_base(spec, t, base_rows, recipe);
    base = part.values(rows.features, rows.snr, rows.count);
    out.base = std::move(part.base);
    out.gated = std::move(part.gated);
  }
  out.booster = fit_booster(spec, rows, t, base, how.settings, how.outcome.rounds, options.seed, context);
  return out;
}

}  // namespace

TaskResult train_task(const GroupData& data, std::size_t t, const TrainOptions& options, Journal& journal,
                      const RunContext& context) {
  const TaskSpec& task = data.group.tasks[t];
  const TaskSearch search(task, t, data.folds, options.seed, context);
  TaskResult out;
  const std::vector<Candidate> candidates = find_candidates(task, search, options, t, journal, context, out.effort);

  TaskScore& score = out.score;
  std::size_t kept = 0;
  std::vector<Unseen> calibration;
  std::vector<double> errors;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    std::vector<Unseen> unseen = unseen_of(data, search, candidates[c]);
    const Booster plain = fit_booster(task, data.folds[0].unseen, t, {}, candidates[c].settings, 0, 0, context);
    // Not the search's own number, which is the least of many: trees as they will be, on the whole features.
    const Trust trust = fit_trust(task, plain, unseen[0].margins, unseen[0].rows, t, options.coverage);
    std::vector<double> these = errors_of(task, as_shown(task, trust, unseen[1].margins), unseen[1].rows, t);
    const double mean = std::accumulate(these.begin(), these.end(), 0.0) / static_cast<double>(these.size());
    Contender contender{candidates[c].name, task.regression() ? std::sqrt(mean) : mean, {}};
    for (std::size_t v = 2; v < unseen.size(); ++v)
      contender.figures.push_back(
          figure(task, plain, as_shown(task, trust, unseen[v].margins), unseen[v].rows, t, options.seed));
    score.contenders.push_back(contender);
    // Trees without a base fail first where an instrument is unlike all in the training: they have to be clearly
    // better.
    const bool bare = c > 0 && candidates[kept].settings.at("base") < 0.5;
    const bool better =
        bare ? !clearly_less(errors, these, unseen[1].rows) : contender.loss < score.contenders[kept].loss;
    if (c > 0 && !better) continue;
    kept = c;
    errors = std::move(these);
    calibration = std::move(unseen);
  }
  const Candidate& winner = candidates[kept];
  const bool linear = winner.settings.at("base") > 0.5;
  out.task = trained_on(data.training, data.base, task, t, winner, search.recipe(), options, context);
  out.task.trust = fit_trust(task, out.task.booster, calibration[0].margins, calibration[0].rows, t, options.coverage);

  score.task = task.name;
  score.measure = measure_of(task);
  score.kept = winner.name;
  if (linear) score.settings = spoken(search.recipe());
  if (winner.outcome.rounds > 0)
    score.settings += (linear ? "; " : "") + spoken(winner.settings, winner.outcome.rounds);
  score.training_structures = data.group.training_structures;
  score.training_spectra = data.training.count;
  score.held_out_structures = data.group.held_out_structures;
  score.held_out_specimens = data.group.held_out.size();
  const auto& of_folds = calibration[0].rows.structures;
  score.fold_structures = std::set<std::size_t>(of_folds.begin(), of_folds.end()).size();
  std::vector<Example> examples;
  for (std::size_t i = 0; i < calibration[0].rows.count; ++i) {
    Example example;
    for (const auto& column : calibration[0].rows.labels) example.labels.push_back(column[i]);
    examples.push_back(example);
  }
  score.guess = guess(task, examples, t);
  for (const Rows& rows : data.held_out) {
    std::vector<float> margins(rows.count * out.task.booster.output_count());
    task_margins(out.task, rows.features, rows.snr, rows.count, margins);
    score.figures.push_back(
        figure(task, out.task.booster, as_shown(task, *out.task.trust, margins), rows, t, options.seed));
    score.coverage.push_back(coverage_of(task, *out.task.trust, out.task.booster, margins, rows, t));
  }
  if (data.everything.count > 0) {
    Task whole =
        trained_on(data.everything, data.base_of_everything, task, t, winner, search.recipe(), options, context);
    whole.trust = out.task.trust;
    out.task = std::move(whole);
  }
  return out;
}

}  // namespace elver::train
