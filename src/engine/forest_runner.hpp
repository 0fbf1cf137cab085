#pragma once
#include <hwy/aligned_allocator.h>

#include <memory>
#include <span>
#include <vector>

#include "engine/kernels.hpp"

namespace elver::engine {

/// Boosters made ready to be run together: those that can be packed by codes and bit-sliced trees, the others by
/// Booster::margins. The margins are Booster::margins' own, bit for bit. Made once, read by all threads.
class ForestRunner {
 public:
  /// The boosters must outlive it.
  ForestRunner(std::span<const BoosterRounds> boosters, Missing missing);

  std::size_t output_count() const { return output_count_; }
  /// Where the outputs of a booster begin.
  std::size_t first_output(std::size_t booster) const { return first_output_[booster]; }
  const PackedForest& packed() const { return packed_; }

  /// What a thread works in, from block to block.
  struct Workspace {
    explicit Workspace(const ForestRunner& runner);
    hwy::AlignedFreeUniquePtr<std::uint8_t[]> codes;  ///< [row][kForestBlock]
    hwy::AlignedFreeUniquePtr<float[]> sums;          ///< [output of the packed ones][kForestBlock]
    std::unique_ptr<TreeScratch> scratch;
    double rank_seconds = 0, trees_seconds = 0;  ///< spent so far
  };

  /// Margins of the first `count` of a block of pixels from `features`, [feature][stride], of which kForestBlock values
  /// can be read, to `margins`, [output][margin_stride].
  void run_block(const float* features, std::size_t stride, std::size_t count, Workspace& work, float* margins,
                 std::size_t margin_stride) const;

  /// The same for any number of pixels, `count` of which can be read.
  void run(const float* features, std::size_t stride, std::size_t count, Workspace& work, float* margins,
           std::size_t margin_stride) const;

 private:
  void set_bases(const float* features, std::size_t stride, float* sums) const;
  void walk(const BoosterRounds& booster, std::size_t first_output, const float* features, std::size_t stride,
            std::size_t count, float* margins, std::size_t margin_stride) const;

  std::vector<BoosterRounds> boosters_;
  std::vector<std::size_t> first_output_;
  std::size_t output_count_ = 0, feature_count_ = 0;
  std::vector<std::size_t> packed_boosters_, plain_boosters_;
  PackedForest packed_;
};

}  // namespace elver::engine
