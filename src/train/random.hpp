#pragma once
#include <cstdint>
#include <random>

namespace elver::train {

/// An independent stream of random numbers for every (seed, purpose, index).
inline std::mt19937_64 random_stream(std::uint64_t seed, std::uint32_t purpose, std::uint64_t index) {
  std::seed_seq words{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32), purpose,
                      static_cast<std::uint32_t>(index)};
  return std::mt19937_64(words);
}

}  // namespace elver::train
