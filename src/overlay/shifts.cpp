#include "overlay/shifts.hpp"

#include <random>

namespace elver {

Shifts shifts_of(std::uint64_t rows, std::uint64_t columns, std::uint64_t draws, std::uint64_t seed) {
  constexpr std::uint64_t kFew = 10'000;
  // The mirror image of a single row is itself.
  const std::uint64_t high = rows > 1 ? 2 * rows : 1, wide = columns > 1 ? 2 * columns : 1;
  Shifts out;
  out.all = high * wide <= kFew;
  if (out.all) {
    for (std::uint64_t down = 0; down < high; ++down) {
      for (std::uint64_t right = 0; right < wide; ++right) out.list.push_back({down, right});
    }
    return out;
  }
  std::mt19937_64 random(seed);
  out.list.push_back({0, 0});
  for (std::uint64_t i = 0; i < draws; ++i) {
    const std::uint64_t k = 1 + random() % (high * wide - 1);
    out.list.push_back({k / wide, k % wide});
  }
  return out;
}

}  // namespace elver
