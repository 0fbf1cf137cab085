#include "evaluate/learners.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "elver/error.hpp"
#include "evaluate/lightgbm.hpp"
#include "evaluate/network.hpp"
#include "train/linear_fit.hpp"
#include "forest/xgboost_api.hpp"
#include "types/text.hpp"

namespace elver::evaluate {
namespace {

constexpr int kBins = 64;
constexpr double kPenalty = 1e-3;  ///< of the ridge, in units of the columns' mean variance

/// Probabilities [row][output], or values, to answers.
std::vector<double> answers(const train::TaskSpec& task, std::span<const float> out, std::size_t outputs) {
  std::vector<double> found;
  for (std::size_t i = 0; i + outputs <= out.size(); i += outputs) {
    const auto row = out.subspan(i, outputs);
    if (!task.classes.empty()) {
      found.push_back(task.classes[static_cast<std::size_t>(std::ranges::max_element(row) - row.begin())]);
    } else {
      found.push_back(task.binary ? (row[0] > 0.5F ? 1.0 : 0.0) : static_cast<double>(row[0]));
    }
  }
  return found;
}

double mean_variance(const Matrix& x) {
  std::vector<double> sum(x.columns), squares(x.columns);
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const auto value = static_cast<double>(x.values[i]);
    sum[i % x.columns] += value;
    squares[i % x.columns] += value * value;
  }
  double total = 0;
  const auto n = static_cast<double>(x.rows);
  for (std::size_t c = 0; c < x.columns; ++c) total += squares[c] / n - sum[c] / n * (sum[c] / n);
  return total / static_cast<double>(x.columns);
}

train::LinearPart fitted_ridge(const LearnerRows& rows) {
  const train::LinearFit fit(rows.features.values, {}, rows.weights, rows.parts);
  return fit.ridge(rows.labels, kPenalty * mean_variance(rows.features));
}

Predictor learn_xgboost(Learner learner, const train::TaskSpec& task, const LearnerRows& rows,
                        const LearnerOptions& options, const RunContext& context) {
  const Matrix& x = rows.features;
  xgboost::DMatrix data = xgboost::DMatrix::quantile(x.values, x.rows, x.columns, rows.labels, rows.weights, kBins);
  const xgboost::DMatrix* const cached = &data;
  const auto booster = std::make_shared<xgboost::XgbBooster>(std::span(&cached, 1));
  std::shared_ptr<const train::LinearPart> base;
  if (learner == Learner::ridge_and_trees) {
    base = std::make_shared<train::LinearPart>(fitted_ridge(rows));
    data.set_float("base_margin", base->values(x.values, {}, x.rows));
  }
  const auto set = [&](const char* name, const std::string& value) { booster->set(name, value); };
  const auto number = [&](const char* name, double value) { booster->set(name, text("%.9g", value)); };
  set("objective", !task.classes.empty() ? "multi:softprob" : task.binary ? "binary:logistic" : "reg:squarederror");
  if (!task.classes.empty()) set("num_class", std::to_string(task.classes.size()));
  set("tree_method", "hist");
  number("max_bin", kBins);
  set("nthread", "1");
  number("seed", static_cast<double>(options.seed % 0x7fffffffU));
  std::size_t rounds = options.rounds;
  if (learner == Learner::random_forest) {  // trees side by side, each on a bootstrap's worth of rows
    rounds = 1;
    number("num_parallel_tree", static_cast<double>(2 * options.rounds));
    number("learning_rate", 1);
    number("subsample", 0.632);
    number("colsample_bynode", 1 / std::sqrt(static_cast<double>(x.columns)));
    number("reg_lambda", 1e-3);
    number("min_child_weight", task.regression() ? 1 : 0.1);
    number("max_depth", 12);
  } else {
    number("max_depth", static_cast<double>(learner == Learner::gbm ? 3 : options.max_depth));
    number("learning_rate", options.learning_rate);
    if (learner == Learner::xgboost || learner == Learner::ridge_and_trees) {
      number("subsample", 0.8);
      number("colsample_bytree", x.columns > 100 ? 0.2 : 0.8);  // neighbours on a grid say nearly the same
      number("min_child_weight", 2);
    } else {  // plain gradient boosting: all rows and columns, no penalty
      number("reg_lambda", 0);
    }
  }
  for (std::size_t r = 0; r < rounds; ++r) {
    context.check_interrupt();
    booster->update(static_cast<int>(r), data);
  }
  if (base != nullptr) {
    const auto trees = std::make_shared<const Booster>(Booster::parse(booster->save("ubj"), task.name));
    return [trees, task, base](const Matrix& test) {
      std::vector<float> values = base->values(test.values, {}, test.rows);
      trees->add_trees(test.values, test.rows, values, 0);
      return answers(task, values, 1);
    };
  }
  return [booster, task](const Matrix& test) {
    const auto found = booster->predict(test.values, test.rows, test.columns, false);
    return answers(task, found.values, found.outputs);
  };
}

/// Least squares; a class is the nearest value, a yes what lies above the middle.
Predictor learn_ridge(const train::TaskSpec& task, const LearnerRows& rows) {
  const auto part = std::make_shared<train::LinearPart>(fitted_ridge(rows));
  return [part, task](const Matrix& test) {
    std::vector<double> out;
    for (const float value : part->values(test.values, {}, test.rows)) {
      const auto v = static_cast<double>(value);
      out.push_back(!task.classes.empty() ? std::clamp(std::round(v), task.classes.front(), task.classes.back())
                    : task.binary         ? (v > 0.5 ? 1.0 : 0.0)
                                          : v);
    }
    return out;
  };
}

Predictor learn_lightgbm(const train::TaskSpec& task, const LearnerRows& rows, const LearnerOptions& options,
                         const RunContext& context) {
  const Matrix& x = rows.features;
  const bool classes = !task.classes.empty();
  const std::string settings =
      text("objective=%s num_leaves=%d learning_rate=%.6g min_data_in_leaf=5 feature_fraction=0.2 bagging_fraction=0.8 "
           "bagging_freq=1 max_bin=%d num_threads=1 verbosity=-1 deterministic=true force_col_wise=true seed=%d%s",
           classes ? "multiclass" : task.binary ? "binary" : "regression", 1 << options.max_depth, options.learning_rate,
           kBins, static_cast<int>(options.seed % 0x7fffffffU),
           classes ? text(" num_class=%zu", task.classes.size()).c_str() : "");
  const auto booster = std::make_shared<lightgbm::Booster>(x.values, x.rows, x.columns, rows.labels, rows.weights, settings);
  for (std::size_t r = 0; r < options.rounds && booster->update(); ++r) context.check_interrupt();
  return [booster, task, classes](const Matrix& test) {
    const std::vector<float> found = booster->predict(test.values, test.rows, test.columns);
    return answers(task, found, classes ? task.classes.size() : 1);
  };
}

Predictor learn_network(network::Shape shape, const train::TaskSpec& task, const LearnerRows& rows,
                        const LearnerOptions& options, const RunContext& context) {
  const Matrix& x = rows.features;
  network::Examples examples{x.values.data(), x.rows, x.columns, 1, task.binary || !task.classes.empty(), {}, {}, {}};
  examples.outputs = task.binary ? 2 : std::max<std::size_t>(1, task.classes.size());
  for (const float label : rows.labels) {
    const auto place = std::ranges::find(task.classes, static_cast<double>(label));
    examples.targets.push_back(task.classes.empty() ? label : static_cast<float>(place - task.classes.begin()));
  }
  examples.weights.assign(rows.weights.begin(), rows.weights.end());
  examples.structures.assign(rows.structures.begin(), rows.structures.end());
  const network::Network trained =
      network::train(shape, examples, {.seed = options.seed, .epochs = options.epochs}, [&context] { context.check_interrupt(); });
  return [trained, task, outputs = examples.outputs](const Matrix& test) {
    std::vector<float> said = trained(test.values.data(), test.rows);
    if (!task.binary) return answers(task, said, outputs);
    for (std::size_t i = 0; i < test.rows; ++i) said[i] = said[2 * i + 1];  // the probability of a yes
    said.resize(test.rows);
    return answers(task, said, 1);
  };
}

}  // namespace

std::string_view name_of(Learner learner) {
  constexpr std::array<std::string_view, 8> kNames{"Ridge", "MLP",      "RF",  "XGBoost",
                                                   "GBM",   "LightGBM", "CNN", "Ridge + XGBoost"};
  return kNames[static_cast<std::size_t>(learner)];
}

std::string missing(Learner learner) {
  switch (learner) {
    case Learner::ridge: return "";
    case Learner::mlp:
    case Learner::cnn: return network::problem();
    case Learner::lightgbm: return lightgbm::problem();
    default: return xgboost::library().problem;
  }
}

Predictor learn(Learner learner, const train::TaskSpec& task, const LearnerRows& rows, const LearnerOptions& options,
                const RunContext& context) {
  if (const std::string problem = missing(learner); !problem.empty())
    throw Error(ErrorKind::resources, std::string(name_of(learner)) + " is not at hand", problem);
  switch (learner) {
    case Learner::ridge: return learn_ridge(task, rows);
    case Learner::lightgbm: return learn_lightgbm(task, rows, options, context);
    case Learner::mlp: return learn_network(network::Shape::perceptron, task, rows, options, context);
    case Learner::cnn: return learn_network(network::Shape::convolutional, task, rows, options, context);
    default: return learn_xgboost(learner, task, rows, options, context);
  }
}

}  // namespace elver::evaluate
