#include "io/chunk_pack.hpp"

#include <algorithm>

#include "types/deflated.hpp"

namespace elver {
namespace {

constexpr double kHardly = 0.5;         // stored as it is where gzip leaves more than this
constexpr std::size_t kSampled = 1024;  // values that are tried first

/// Byte 0 of every `step`-th value, then byte 1, ...
std::vector<std::byte> shuffled(std::span<const std::byte> values, std::size_t value_bytes, std::size_t step) {
  const std::size_t count = values.size() / value_bytes / step;
  std::vector<std::byte> out(count * value_bytes);
  for (std::size_t b = 0; b < value_bytes; ++b) {
    for (std::size_t i = 0; i < count; ++i) out[b * count + i] = values[i * step * value_bytes + b];
  }
  return out;
}

PackedChunk stored_as(std::vector<std::byte> made, std::uint32_t skipped) {
  PackedChunk out{std::move(made), {}, skipped};
  out.bytes = out.made;
  return out;
}

}  // namespace

PackedChunk pack_chunk(std::span<const std::byte> values, std::size_t value_bytes, std::size_t chunk_bytes) {
  std::vector<std::byte> padded;
  if (values.size() < chunk_bytes) {
    padded.resize(chunk_bytes);
    std::ranges::copy(values, padded.begin());
  }
  const std::span<const std::byte> whole = padded.empty() ? values : padded;
  const auto as_it_is = [&] { return padded.empty() ? PackedChunk{{}, values, 0b11} : stored_as(std::move(padded), 0b11); };
  const std::size_t count = values.size() / value_bytes;
  if (count > 16 * kSampled) {
    const std::vector<std::byte> sample = shuffled(values, value_bytes, count / kSampled);
    if (static_cast<double>(deflated(sample).size()) > kHardly * static_cast<double>(sample.size())) return as_it_is();
  }
  std::vector<std::byte> packed = value_bytes > 1 ? deflated(shuffled(whole, value_bytes, 1)) : deflated(whole);
  if (packed.size() >= whole.size()) return as_it_is();
  return stored_as(std::move(packed), 0);
}

}  // namespace elver
