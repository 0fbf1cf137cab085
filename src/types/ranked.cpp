#include "types/ranked.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace elver {
namespace {

constexpr std::uint32_t kSign = 0x80000000U, kExponent = 0x7F800000U;

/// Ascending as the numbers do; that of -0 is the one below that of 0.
std::uint32_t key_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits & kSign) != 0 ? ~bits : bits ^ kSign;
}
float value_of(std::uint32_t key) {
  return std::bit_cast<float>((key & kSign) != 0 ? key ^ kSign : ~key) + 0.0F;  // -0 is 0
}

}  // namespace

Ranked::Ranked(std::span<const float> values) : values_(values), counts_(1 << 16) {
  std::uint32_t least = ~0U, most = 0;
  for (const float value : values) {
    if ((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent) continue;  // not finite
    const std::uint32_t key = key_of(value);
    least = std::min(least, key);
    most = std::max(most, key);
    ++counts_[key >> 16];
    ++size_;
  }
  if (size_ == 0) return;
  least_ = value_of(least);
  most_ = value_of(most);
}

float Ranked::at(std::size_t rank) const {
  assert(rank < size_);
  std::uint32_t half = 0;
  while (rank >= counts_[half]) rank -= counts_[half++];
  if (half != half_) {
    // No value that is not finite has the half of one that is. Each is put down, and stays where it belongs there: no guess of
    // the processor's can be wrong.
    alike_.resize(counts_[half] + std::size_t{1});
    std::size_t count = 0;
    for (const float value : values_) {
      const std::uint32_t key = key_of(value);
      alike_[count] = key;
      count += key >> 16 == half ? 1 : 0;
    }
    alike_.pop_back();
    half_ = half;
  }
  const auto place = alike_.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(alike_.begin(), place, alike_.end());
  return value_of(*place);
}

}  // namespace elver
