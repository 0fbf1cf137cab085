#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "elver/engine.hpp"
#include "elver/forest.hpp"
#include "elver/image.hpp"
#include "elver/run_context.hpp"

namespace elver {

struct PredictOptions {
  bool margin = false;       ///< sums of leaves, before the objective's transform
  bool best_rounds = false;  ///< stop at the booster's best_iteration
};

struct Prediction {
  std::vector<float> values;  ///< [row][output]
  std::uint64_t rows = 0;
  std::uint64_t outputs = 1;  ///< 1 for multi:softmax, whose prediction is the class's index
  std::uint64_t rounds = 0;   ///< boosting rounds used
  std::string forest = "elver";  ///< what walked the trees, or XGBoost with its version
  StageSeconds seconds;       ///< background and features stay 0
};

/// Predictions as XGBoost's Booster.predict gives them, for each pixel of `rows`, whose channels are the features
/// (float64 is rounded to float32, as XGBoost does). A single spectrum is one row. Throws Error{mismatch} with both
/// numbers when they are not as many as the booster's features, or when best_iteration is asked for and not there.
Prediction predict(const Booster& booster, const Image& rows, const PredictOptions& options, const RunContext& context);

/// The same to a NumPy file, float32, (rows) or (rows, outputs), as they come: memory does not grow with the rows.
/// `values` stays empty. Throws Error{output} where the file cannot be written; it is there whole or not at all.
Prediction write_predictions(const Booster& booster, const Image& rows, const PredictOptions& options,
                             const std::filesystem::path& npy, const RunContext& context);

}  // namespace elver
