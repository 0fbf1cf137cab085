#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "forest/xgboost_api.hpp"

/// XGBoost's own predictor in place of elver's: margins of rows of features, which stay where they lie.
namespace elver::xgboost {

/// Why XGBoost, as it is at hand, cannot be asked about this booster, or would answer otherwise than the one that
/// wrote it; "" if it can. Some of these files crash it.
std::string why_not(const Booster& booster);
/// Why it cannot be given features that lie on a GPU; "" if it can. DART and linear boosters want a matrix of their
/// own.
std::string why_not_on_gpu(const Booster& booster);
/// "XGBoost 3.2.0", or "XGBoost" where there is none.
std::string name();

/// float32 features as they lie: feature f of row r is data[r * row_step + f * feature_step]; NaN is missing.
struct FeatureRows {
  const float* data = nullptr;
  std::size_t rows = 0;
  std::size_t row_step = 0, feature_step = 0;
};

/// One booster inside XGBoost, for one thread at a time; it uses no other.
class Predictor {
 public:
  /// `device`: number of the GPU on which the features lie; -1: in host memory. Throws Error{resources} without a
  /// libxgboost, Error{mismatch} where it refuses the booster.
  explicit Predictor(const Booster& booster, int device = -1);

  /// Margins [row][output], valid until the next call, and on the GPU where the features are. `base`: what they begin
  /// with, [row][output] in host memory (XGBoost's base_margin), or empty for the booster's base score. `rounds` 0:
  /// all.
  const float* margins(const FeatureRows& features, std::span<const float> base, std::size_t rounds);

 private:
  const float* by_matrix(const FeatureRows& features, std::span<const float> base, std::size_t rounds);
  const float* in_place(const FeatureRows& features, std::span<const float> base, std::size_t rounds);

  std::size_t width_, outputs_;
  bool in_place_, trees_, on_device_;
  XgbBooster booster_;
};

}  // namespace elver::xgboost
