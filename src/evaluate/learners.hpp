#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elver/dataset.hpp"
#include "elver/run_context.hpp"
#include "evaluate/study.hpp"

namespace elver::evaluate {

/// The models that the paper's Table 1 compares, and trees that begin at a ridge, as elver's own models have them
/// (values only).
enum class Learner : std::uint8_t { ridge, mlp, random_forest, xgboost, gbm, lightgbm, cnn, ridge_and_trees };
/// As the paper's Table 1 calls it.
std::string_view name_of(Learner learner);
/// Why it is not at hand; "" if it is.
std::string missing(Learner learner);

/// Plain hyper-parameters, the same for every task; those of networks are evaluate::network's.
struct LearnerOptions {
  std::size_t rounds = 120;  ///< of boosting; of forests twice as many trees
  std::size_t max_depth = 4;
  double learning_rate = 0.1;
  std::uint64_t seed = 1;
  std::size_t epochs = 100;  ///< of networks, at most
};

/// What a trained one says: a value, the value of the most probable class, or 0 or 1.
using Predictor = std::function<std::vector<double>(const Matrix&)>;

/// What is learned from.
struct LearnerRows {
  const Matrix& features;
  const std::vector<std::size_t>& parts;    ///< columns of each edge
  std::span<const float> labels, weights;   ///< [row]
  std::span<const std::size_t> structures;  ///< [row]: networks stop by what some of them, held back, say
};

/// Trains on one thread. Throws Error{resources} where it is missing, Error{interrupted}.
Predictor learn(Learner learner, const train::TaskSpec& task, const LearnerRows& rows, const LearnerOptions& options,
                const RunContext& context);

}  // namespace elver::evaluate
