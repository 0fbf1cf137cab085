#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "elver/forest.hpp"
#include "elver/run_context.hpp"
#include "forest/xgboost_predictor.hpp"

namespace elver {

/// Our margins against XGBoost's, for one booster.
struct ForestCheck {
  std::uint64_t rows = 0;
  std::uint64_t different_rows = 0;  ///< at least one output with other bits (NaN equals NaN)
  float largest_difference = 0;
};

/// Why a booster's margins by elver and by XGBoost cannot be compared; "" if they can.
std::string not_comparable(const Booster& booster);

/// Rows that try a forest: like CDFs, at its thresholds and next to them, with missing values, zeros of both signs,
/// infinities and, where it splits by categories, categories in and out of range. The same for the same seed.
std::vector<float> trying_rows(const Booster& booster, std::size_t rows, std::uint64_t seed);

/// Compares bit for bit. Throws Error{resources} where XGBoost is not at hand, Error{mismatch} where it refuses the
/// booster. Not for several threads at once.
class ForestComparison {
 public:
  ForestComparison(const Booster& booster, unsigned threads);
  /// Adds row-major rows [row][feature] to the comparison.
  void add(std::span<const float> features, std::size_t rows);
  const ForestCheck& result() const { return result_; }

 private:
  Booster booster_;
  xgboost::XgbBooster theirs_;
  ForestCheck result_;
};

}  // namespace elver
