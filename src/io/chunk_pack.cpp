#include "io/chunk_pack.hpp"

#include <algorithm>

#include "types/deflated.hpp"

namespace elver {
namespace {

constexpr double kHardly = 0.7;         // stored as it is where gzip leaves more than this
constexpr std::size_t kSampled = 4096;  // values that are tried first

/// Byte 0 of every `step`-th value, then byte 1, ...
std::vector<std::byte> shuffled(std::span<const std::byte> values, std::size_t value_bytes, std::size_t step) {
  const std::size_t count = values.size() / value_bytes / step;
  std::vector<std::byte> out(count * value_bytes);
  for (std::size_t b = 0; b < value_bytes; ++b) {
    for (std::size_t i = 0; i < count; ++i) out[b * count + i] = values[i * step * value_bytes + b];
  }
  return out;
}

}  // namespace

PackedChunk pack_chunk(std::span<const std::byte> values, std::size_t value_bytes, std::size_t chunk_bytes) {
  std::vector<std::byte> whole(chunk_bytes);
  std::ranges::copy(values, whole.begin());
  const std::size_t count = values.size() / value_bytes;
  if (count > 4 * kSampled) {
    const std::vector<std::byte> sample = shuffled(values, value_bytes, count / kSampled);
    if (static_cast<double>(deflated(sample).size()) > kHardly * static_cast<double>(sample.size())) {
      return {std::move(whole), 0b11};
    }
  }
  std::vector<std::byte> packed = deflated(value_bytes > 1 ? shuffled(whole, value_bytes, 1) : whole);
  if (packed.size() >= whole.size()) return {std::move(whole), 0b11};
  return {std::move(packed), 0};
}

}  // namespace elver
