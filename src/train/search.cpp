#include "train/search.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "types/arena.hpp"
#include "types/text.hpp"

namespace elver::train {
namespace {

constexpr int kBins = 64;               ///< of the quantised features
constexpr int kSearchBins = 32;         ///< the same in trials
constexpr std::size_t kStride = 2;      ///< trials see every second feature
constexpr std::size_t kFirstFolds = 2;  ///< that a trial is pruned by
constexpr std::size_t kPatience = 25;   ///< rounds without gain before a booster stops

std::size_t outputs_of(const TaskSpec& task) { return task.classes.empty() ? 1 : task.classes.size(); }

void configure(xgboost::XgbBooster& booster, const TaskSpec& task, const Settings& settings, int bins, std::uint64_t seed,
               Backend device) {
  const bool several = !task.classes.empty();
  booster.set("objective", several ? "multi:softprob" : task.binary ? "binary:logistic" : "reg:squarederror");
  if (several) booster.set("num_class", std::to_string(task.classes.size()));
  booster.set("eval_metric", several ? "mlogloss" : task.binary ? "logloss" : "rmse");
  booster.set("tree_method", "hist");
  booster.set("max_bin", std::to_string(bins));
  booster.set("nthread", "1");
  if (device == Backend::cuda) booster.set("device", "cuda");
  booster.set("seed", std::to_string(seed % 0x7fffffffU));
  for (const auto& [name, value] : settings) {
    if (name != "base" && name != "n_estimators") booster.set(name, text("%.9g", value));
  }
}

/// The one number in "[3]\tunseen-rmse:0.1".
double metric_of(const std::string& line) {
  const std::size_t colon = line.rfind(':');
  return colon == std::string::npos ? std::nan("") : std::strtod(line.c_str() + colon + 1, nullptr);
}

std::vector<float> base_values(const LinearPart& part, const Rows& rows) {
  return part.values(rows.features, rows.snr, rows.count);
}

xgboost::DMatrix matrix_of(const Rows& rows, std::span<const float> features, std::size_t task_index,
                           std::span<const float> base, int bins, const xgboost::DMatrix* reference) {
  xgboost::DMatrix out = xgboost::DMatrix::quantile(features, rows.count, features.size() / rows.count,
                                                    rows.labels[task_index], rows.weights, bins, reference);
  if (!base.empty()) out.set_float("base_margin", base);
  return out;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(std::max<std::size_t>(1, values.size()));
}

/// As the recipe says, but for the scale.
LinearPart unscaled_base(const TaskSpec& task, std::size_t task_index, const BaseRows& rows, const LinearRecipe& recipe) {
  const std::vector<float>& labels = rows.labels[task_index];
  const std::size_t classes = task.binary ? 2 : task.classes.size();
  return recipe.kind == LinearKind::ridge      ? rows.fit->ridge(labels, recipe.penalty, recipe.gates)
         : recipe.kind == LinearKind::logistic ? rows.fit->logistic(labels, classes, recipe.penalty, recipe.gates)
                                               : rows.fit->discriminant(labels, classes, recipe.penalty, recipe.gates);
}

/// Every kStride-th feature of each row.
std::vector<float> thinned(const Rows& rows) {
  const std::size_t width = rows.features.size() / rows.count;
  std::vector<float> out;
  out.reserve(rows.count * (width / kStride + 1));
  for (std::size_t i = 0; i < rows.count; ++i) {
    for (std::size_t k = 0; k < width; k += kStride) out.push_back(rows.features[i * width + k]);
  }
  return out;
}

}  // namespace

std::vector<double> losses_of(const TaskSpec& task, std::span<const float> margins, const Rows& rows,
                              std::size_t task_index) {
  const std::size_t outputs = outputs_of(task);
  std::vector<double> out;
  out.reserve(rows.count);
  for (std::size_t i = 0; i < rows.count; ++i) {
    const auto label = static_cast<double>(rows.labels[task_index][i]);
    const auto margin = [&](std::size_t k) { return static_cast<double>(margins[i * outputs + k]); };
    double loss = 0;
    if (outputs > 1) {
      double highest = margin(0), norm = 0;
      for (std::size_t k = 1; k < outputs; ++k) highest = std::max(highest, margin(k));
      for (std::size_t k = 0; k < outputs; ++k) norm += std::exp(margin(k) - highest);
      loss = std::log(norm) + highest - margin(static_cast<std::size_t>(std::lround(label)));
    } else if (task.binary) {
      loss = std::log1p(std::exp(-std::abs(margin(0)))) + std::max(0.0, label > 0.5 ? -margin(0) : margin(0));
    } else {
      loss = (margin(0) - label) * (margin(0) - label);
    }
    out.push_back(loss);
  }
  return out;
}

std::vector<double> errors_of(const TaskSpec& task, std::span<const float> margins, const Rows& rows,
                              std::size_t task_index) {
  if (task.regression()) return losses_of(task, margins, rows, task_index);
  const std::vector<float>& labels = rows.labels[task_index];
  const std::size_t outputs = outputs_of(task);
  const auto yes = static_cast<double>(std::ranges::count_if(labels, [](float label) { return label > 0.5F; }));
  const auto count = static_cast<double>(rows.count);
  std::vector<double> out;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const std::span<const float> row = margins.subspan(i * outputs, outputs);
    const auto most = task.binary ? (row[0] > 0 ? 1 : 0) : std::ranges::max_element(row) - row.begin();
    const double side = !task.binary ? 1.0 : count / (2 * (labels[i] > 0.5F ? yes : count - yes));
    out.push_back(most == std::lround(labels[i]) ? 0.0 : side);
  }
  return out;
}

double loss_of(const TaskSpec& task, std::span<const float> margins, const Rows& rows, std::size_t task_index) {
  const std::vector<double> losses = losses_of(task, margins, rows, task_index);
  double sum = 0, total = 0;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const auto weight = static_cast<double>(rows.weights[i]);
    sum += weight * losses[i];
    total += weight;
  }
  const double mean = sum / total;
  return task.regression() ? std::sqrt(mean) : mean;
}

std::vector<Parameter> search_space(std::size_t rounds) {
  std::vector<double> numbers;
  for (const double n : {50.0, 100.0, 150.0, 300.0, 500.0, 800.0, 1000.0}) {
    if (n <= static_cast<double>(rounds)) numbers.push_back(n);
  }
  if (numbers.empty()) numbers.push_back(static_cast<double>(rounds));
  return {{"learning_rate", 0.02, 0.5, 0, true, {}}, {"min_child_weight", 1, 10, 1, false, {}},
          {"subsample", 0.6, 0.9, 0.05, false, {}},  {"colsample_bytree", 0.1, 0.9, 0.05, false, {}},
          {"gamma", 0, 5, 0.5, false, {}},           {"max_depth", 2, 8, 1, false, {}},
          {"reg_lambda", 0, 2, 0.1, false, {}},      {"reg_alpha", 0, 10, 1, false, {}},
          {"n_estimators", 0, 0, 0, false, numbers}, {"base", 0, 0, 0, false, {0, 1}}};
}

std::vector<LinearRecipe> linear_recipes(const TaskSpec& task) {
  std::vector<LinearRecipe> out;
  if (task.regression()) {
    for (const Gates gates : {Gates::noise, Gates::noise_and_projections}) {
      for (const double penalty : {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3})
        out.push_back({LinearKind::ridge, penalty, 1.0, gates});
    }
    return out;
  }
  // Of yes and no Fisher's answers were never worse, and they are there at once.
  if (!task.binary) {
    for (const double penalty : {1e-6, 1e-5}) out.push_back({LinearKind::logistic, penalty, 1.0});
  }
  for (const Gates gates : {Gates::noise, Gates::noise_and_projections}) {
    for (const double penalty : {1e-7, 1e-6, 1e-5, 1e-4}) {
      for (const double scale : {0.25, 0.5, 1.0}) out.push_back({LinearKind::discriminant, penalty, scale, gates});
    }
  }
  return out;
}

std::string spoken(const LinearRecipe& recipe) {
  const char* const gates = recipe.gates == Gates::noise_and_projections ? ", gates of noise and of projections"
                            : recipe.gates == Gates::noise               ? ", gates of noise"
                                                                         : "";
  if (recipe.kind == LinearKind::ridge) return text("ridge, penalty %.0e%s", recipe.penalty, gates);
  if (recipe.kind == LinearKind::logistic) return text("logistic, penalty %.0e%s", recipe.penalty, gates);
  return text("discriminant, penalty %.0e, scale %.2g%s", recipe.penalty, recipe.scale, gates);
}

LinearPart fit_base(const TaskSpec& task, std::size_t task_index, const BaseRows& rows, const LinearRecipe& recipe) {
  LinearPart out = unscaled_base(task, task_index, rows, recipe);
  out.scale(recipe.scale);
  return out;
}

Booster fit_booster(const TaskSpec& task, const Rows& rows, std::size_t task_index, std::span<const float> base,
                    const Settings& settings, std::size_t rounds, std::uint64_t seed, const RunContext& context) {
  const xgboost::DMatrix data = matrix_of(rows, rows.features, task_index, base, kBins, nullptr);
  const xgboost::DMatrix* const cached = &data;
  xgboost::XgbBooster booster(std::span(&cached, 1));
  configure(booster, task, settings, kBins, seed, context.backend);
  // Without a round XGBoost would not have looked at the objective, so a bare base keeps one round of no gain at all.
  if (rounds == 0) booster.set("learning_rate", "0");
  for (std::size_t r = 0; r < std::max<std::size_t>(1, rounds); ++r) {
    context.check_interrupt();
    booster.update(static_cast<int>(r), data);
  }
  return Booster::parse(booster.save("ubj"), task.name);
}

/// Matrices without a base and with it.
struct TaskSearch::Prepared {
  LinearPart part;
  std::optional<xgboost::DMatrix> training[2], unseen[2];
};

TaskSearch::TaskSearch(const TaskSpec& task, std::size_t task_index, const std::vector<Fold>& folds, std::uint64_t seed,
                       const RunContext& context)
    : task_(task), task_index_(task_index), folds_(folds), seed_(seed), context_(context), prepared_(folds.size()) {
  // A scale that answers do not depend on goes by the loss, and what is left by the errors.
  const std::vector<LinearRecipe> tried = linear_recipes(task);
  std::vector<std::vector<LinearPart>> bases(tried.size(), std::vector<LinearPart>(folds.size()));
  std::vector<double> losses(tried.size()), errors(tried.size());
  std::vector<std::pair<double, double>> of_folds(tried.size() * folds.size());  // loss, errors
  std::vector<std::size_t> firsts;  // recipes behind each differ from it in the scale alone, and share its fit
  for (std::size_t p = 0; p < tried.size(); ++p) {
    if (p == 0 || tried[p].kind != tried[p - 1].kind || tried[p].penalty != tried[p - 1].penalty ||
        tried[p].gates != tried[p - 1].gates)
      firsts.push_back(p);
  }
  in_arena(context_, [&] {
    oneapi::tbb::parallel_for(std::size_t{0}, folds.size() * firsts.size(), [&](std::size_t i) {
      context_.check_interrupt();
      const std::size_t f = i % folds.size(), group = i / folds.size();
      const std::size_t end = group + 1 < firsts.size() ? firsts[group + 1] : tried.size();
      const Fold& fold = folds[f];
      const LinearPart fitted = unscaled_base(task, task_index, fold.base, tried[firsts[group]]);
      const std::vector<float> unseen = base_values(fitted, fold.unseen), judged = base_values(fitted, fold.judged);
      for (std::size_t p = firsts[group]; p < end; ++p) {
        bases[p][f] = fitted;
        bases[p][f].scale(tried[p].scale);
        const auto scaled = [&](std::vector<float> values) {
          for (float& value : values) value *= static_cast<float>(tried[p].scale);
          return values;
        };
        of_folds[p * folds.size() + f] = {loss_of(task, scaled(unseen), fold.unseen, task_index),
                                          mean_of(errors_of(task, scaled(judged), fold.judged, task_index))};
      }
    });
  });
  for (std::size_t i = 0; i < of_folds.size(); ++i) {
    losses[i / folds.size()] += of_folds[i].first / static_cast<double>(folds.size());
    errors[i / folds.size()] += of_folds[i].second / static_cast<double>(folds.size());
  }
  std::size_t best = 0;
  for (std::size_t p = 1; p < tried.size(); ++p) {
    if (std::pair(errors[p], losses[p]) < std::pair(errors[best], losses[best])) best = p;
  }
  recipe_ = tried[best];
  linear_loss_ = losses[best];
  for (std::size_t f = 0; f < folds.size(); ++f) {
    Prepared& p = prepared_[f];
    p.part = bases[best][f];
    const std::vector<float> training = thinned(folds[f].training), unseen = thinned(folds[f].unseen);
    for (const int with : {0, 1}) {
      const auto base = [&](const Rows& rows) { return with == 1 ? base_values(p.part, rows) : std::vector<float>(); };
      p.training[with].emplace(
          matrix_of(folds[f].training, training, task_index, base(folds[f].training), kSearchBins, nullptr));
      p.unseen[with].emplace(
          matrix_of(folds[f].unseen, unseen, task_index, base(folds[f].unseen), kSearchBins, &*p.training[with]));
    }
  }
}

TaskSearch::~TaskSearch() = default;

Outcome TaskSearch::evaluate(const Settings& settings, double give_up_above) const {
  std::vector<Outcome> found(folds_.size());
  const int with = settings.at("base") > 0.5 ? 1 : 0;
  const auto most = static_cast<std::size_t>(settings.at("n_estimators"));
  const auto run = [&](std::size_t f) {
    const xgboost::DMatrix &training = *prepared_[f].training[with], &unseen = *prepared_[f].unseen[with];
    const xgboost::DMatrix* const cached[2] = {&training, &unseen};
    xgboost::XgbBooster booster(cached);
    configure(booster, task_, settings, kSearchBins, seed_, context_.backend);
    const std::pair<const xgboost::DMatrix*, std::string> watched[1] = {{&unseen, "unseen"}};
    Outcome best{std::numeric_limits<double>::infinity(), 0};
    for (std::size_t r = 0; r < most && r < best.rounds + kPatience; ++r) {
      context_.check_interrupt();
      booster.update(static_cast<int>(r), training);
      const double loss = metric_of(booster.evaluate(static_cast<int>(r), watched));
      if (loss < best.loss) best = {loss, r + 1};
    }
    found[f] = best;
  };
  const auto run_folds = [&](std::size_t begin, std::size_t end) {
    in_arena(context_, [&] {
      oneapi::tbb::parallel_for(
          oneapi::tbb::blocked_range<std::size_t>(begin, end, 1),
          [&](const auto& range) {
            for (std::size_t f = range.begin(); f != range.end(); ++f) run(f);
          },
          oneapi::tbb::simple_partitioner());
    });
  };
  const auto mean_of = [&](std::size_t folds) {
    Outcome out;
    double rounds = 0;
    for (std::size_t f = 0; f < folds; ++f) {
      out.loss += found[f].loss / static_cast<double>(folds);
      rounds += static_cast<double>(found[f].rounds) / static_cast<double>(folds);
    }
    out.rounds = std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(rounds)));
    return out;
  };
  const std::size_t few = std::min(kFirstFolds, folds_.size());
  run_folds(0, few);
  Outcome out = mean_of(few);
  out.first = out.loss;
  out.pruned = few < folds_.size() && out.first > give_up_above;
  if (out.pruned) return out;
  run_folds(few, folds_.size());
  const Outcome all = mean_of(folds_.size());
  out.loss = all.loss;
  out.rounds = all.rounds;
  return out;
}

std::vector<std::vector<std::vector<float>>> TaskSearch::unseen_margins(
    const Settings& settings, std::size_t rounds, const std::vector<std::vector<const Rows*>>& rows) const {
  std::vector<std::vector<std::vector<float>>> out(folds_.size());
  const bool with = settings.at("base") > 0.5;
  in_arena(context_, [&] {
    oneapi::tbb::parallel_for(std::size_t{0}, folds_.size(), [&](std::size_t f) {
      Task task;
      task.name = task_.name;
      std::vector<float> base;
      if (with) {
        task.base = prepared_[f].part.base;
        task.gated = prepared_[f].part.gated;
        base = base_values(prepared_[f].part, folds_[f].training);
      }
      task.booster = Booster::bare(folds_[f].unseen.features.size() / folds_[f].unseen.count, outputs_of(task_));
      if (rounds > 0)
        task.booster = fit_booster(task_, folds_[f].training, task_index_, base, settings, rounds, seed_, context_);
      for (const Rows* set : rows[f]) {
        out[f].emplace_back(set->count * outputs_of(task_));
        task_margins(task, set->features, set->snr, set->count, out[f].back());
      }
    });
  });
  return out;
}

}  // namespace elver::train
