#pragma once
#include <hwy/aligned_allocator.h>

#include <memory>
#include <span>
#include <vector>

#include "elver/run_context.hpp"
#include "engine/kernels.hpp"
#include "forest/xgboost_predictor.hpp"

namespace elver::engine {

/// Boosters made ready to be run together: those that can be packed by codes and bit-sliced trees, the others by
/// Booster::margins; or all that have trees by XGBoost. The margins are Booster::margins' own, bit for bit, wherever
/// that can run the booster. Made once, read by all threads.
class ForestRunner {
 public:
  /// The boosters must outlive it. With ForestEngine::xgboost throws Error{resources} where there is no XGBoost,
  /// Error{mismatch} where it cannot run one of them.
  ForestRunner(std::span<const BoosterRounds> boosters, Missing missing, ForestEngine engine = ForestEngine::own);

  std::size_t output_count() const { return output_count_; }
  /// Where the outputs of a booster begin.
  std::size_t first_output(std::size_t booster) const { return first_output_[booster]; }
  const PackedForest& packed() const { return packed_; }
  /// Pixels that are best handed over together: a call of XGBoost's costs some ten microseconds by itself.
  std::size_t block() const { return foreign_boosters_.empty() ? kForestBlock : 16 * kForestBlock; }

  /// What a thread works in, from block to block.
  struct Workspace {
    explicit Workspace(const ForestRunner& runner);
    hwy::AlignedFreeUniquePtr<std::uint8_t[]> codes;  ///< [row][kForestBlock]
    hwy::AlignedFreeUniquePtr<float[]> sums;          ///< [output of the packed ones][kForestBlock]
    std::unique_ptr<TreeScratch> scratch;
    std::vector<xgboost::Predictor> foreign;
    double rank_seconds = 0, trees_seconds = 0;  ///< spent so far
  };

  /// Margins of the first `count` of a block of pixels from `features`, [feature][stride], of which kForestBlock values
  /// can be read, to `margins`, [output][margin_stride]. XGBoost's are left out.
  void run_block(const float* features, std::size_t stride, std::size_t count, Workspace& work, float* margins,
                 std::size_t margin_stride) const;

  /// All margins of any number of pixels, `count` of which can be read.
  void run(const float* features, std::size_t stride, std::size_t count, Workspace& work, float* margins,
           std::size_t margin_stride) const;

 private:
  void set_bases(const float* features, std::size_t stride, float* sums) const;
  void walk(const BoosterRounds& booster, std::size_t first_output, const float* features, std::size_t stride,
            std::size_t count, float* margins, std::size_t margin_stride) const;
  void ask_xgboost(const BoosterRounds& booster, std::size_t first_output, xgboost::Predictor& predictor,
                   const float* features, std::size_t stride, std::size_t count, float* margins,
                   std::size_t margin_stride) const;

  std::vector<BoosterRounds> boosters_;
  std::vector<std::size_t> first_output_;
  std::size_t output_count_ = 0, feature_count_ = 0;
  std::vector<std::size_t> packed_boosters_, plain_boosters_, foreign_boosters_;
  PackedForest packed_;
};

}  // namespace elver::engine
