#pragma once
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "elver/run_context.hpp"
#include "engine/codes.hpp"
#include "engine/cuda.hpp"
#include "forest/xgboost_predictor.hpp"

namespace elver::engine {

/// Why a GPU cannot be asked for a booster's margins, or "" where it can.
std::string why_not_on_device(const Booster& booster, ForestEngine engine);

/// XGBoost's predictor beside a pipeline: it reads features where they lie in device memory. What elver adds to trees
/// (linear bases, gated terms, the domain) comes from the pipeline, which is given boosters without trees.
class DeviceXgboost {
 public:
  /// The boosters must outlive it. Throws as run_by_xgboost.
  explicit DeviceXgboost(std::span<const BoosterRounds> boosters);
  /// What the pipeline is to run in their place; its job must say Job::features_stay.
  std::span<const BoosterRounds> rest() const { return rest_; }
  /// Margins of a tile as TileResult::margins has them, with the trees added. Safe to call side by side for different
  /// devices.
  std::vector<float> margins(const cuda::TileResult& tile);

 private:
  std::vector<xgboost::Predictor>& predictors_of(int device);

  std::vector<BoosterRounds> boosters_, rest_;
  std::vector<Booster> bare_;          ///< [booster]
  std::vector<std::uint8_t> foreign_;  ///< [booster]: 1 where XGBoost runs it
  std::size_t output_count_ = 0;
  std::mutex mutex_;
  std::map<int, std::vector<xgboost::Predictor>> predictors_;
};

}  // namespace elver::engine
