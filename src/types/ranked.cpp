#include "types/ranked.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace elver {
namespace {

/// The upper half of the bits, ascending as the numbers do.
std::uint32_t upper_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  constexpr std::uint32_t kSign = 0x80000000U;
  return ((bits & kSign) != 0 ? ~bits : bits ^ kSign) >> 16;
}

}  // namespace

Ranked::Ranked(std::span<const float> values) : values_(values), counts_(1 << 16) {
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    ++counts_[upper_half(value)];
    least_ = size_ == 0 || value < least_ ? value : least_;
    most_ = size_ == 0 || value > most_ ? value : most_;
    ++size_;
  }
}

float Ranked::at(std::size_t rank) const {
  assert(rank < size_);
  std::uint32_t half = 0;
  while (rank >= counts_[half]) rank -= counts_[half++];
  std::vector<float> alike;
  alike.reserve(counts_[half]);
  for (const float value : values_) {
    if (upper_half(value) == half && std::isfinite(value)) alike.push_back(value);
  }
  const auto place = alike.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(alike.begin(), place, alike.end());
  return *place;
}

}  // namespace elver
