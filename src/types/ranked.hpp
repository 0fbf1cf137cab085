#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace elver {

/// The finite ones of some values by their rank, without sorting: values are counted by the upper half of their bits, and
/// only those that share it with the one asked for are looked at again.
class Ranked {
 public:
  /// `values` must outlive it.
  explicit Ranked(std::span<const float> values);
  std::size_t size() const { return size_; }  ///< of the finite ones
  float least() const { return least_; }      ///< 0 where there is none, as `most`
  float most() const { return most_; }
  /// The value that sorting would put at `rank` < size(). Neighbours by rank cost little after the first. For one thread.
  float at(std::size_t rank) const;

 private:
  std::span<const float> values_;
  std::vector<std::uint32_t> counts_;  ///< by the upper half, ascending
  mutable std::vector<std::uint32_t> alike_;  ///< those that share the upper half `half_`
  mutable std::uint32_t half_ = ~0U;
  std::size_t size_ = 0;
  float least_ = 0, most_ = 0;
};

}  // namespace elver
