#pragma once
#include <cstdint>

#include "elver/core/host_device.hpp"

/// The rank of a value among thresholds: what a tree needs to know of it. With r = how many of the ascending distinct
/// thresholds t[0], t[1], ... are <= x, x < t[j] exactly when r < j + 1, for every x that is a number: ties, -0 and
/// infinities included. So a node may compare two small integers.
namespace elver::core {

constexpr std::uint32_t kRankBuckets = 256;

/// Where x lies between low (bucket 0) and low + kRankBuckets / scale: never falls when x grows, which is all that
/// `rank` asks of it. NaN lies in bucket 0.
ELVER_HD inline std::uint32_t rank_bucket(float x, float low, float scale) {
  float place = (x - low) * scale;
  place = place > 0.0f ? place : 0.0f;
  constexpr float kLast = static_cast<float>(kRankBuckets - 1);
  place = place < kLast ? place : kLast;
  return static_cast<std::uint32_t>(place);
}

/// `starts[b]`: how many thresholds lie in buckets before b. A NaN stands behind the last threshold and ends the
/// search. NaN has rank 0.
ELVER_HD inline std::uint32_t rank(float x, const float* thresholds, float low, float scale,
                                   const std::uint8_t* starts) {
  std::uint32_t r = starts[rank_bucket(x, low, scale)];
  while (thresholds[r] <= x) ++r;
  return r;
}

}  // namespace elver::core
