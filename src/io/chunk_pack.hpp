#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace elver {

/// A chunk of an HDF5 data set whose filters are shuffle and gzip, as it is stored.
struct PackedChunk {
  std::vector<std::byte> made;       ///< empty where the values themselves are stored
  std::span<const std::byte> bytes;  ///< of `made`, or the values
  std::uint32_t skipped = 0;  ///< filters that it went past: bit 0 shuffle, bit 1 gzip
};

/// Packs values of so many bytes each, followed by zeros up to `chunk_bytes`. What gzip would hardly make smaller (noise in
/// the low bytes of floats) is stored as it is: packing it takes longer than all else that is done with it. The values must
/// outlive the chunk.
PackedChunk pack_chunk(std::span<const std::byte> values, std::size_t value_bytes, std::size_t chunk_bytes);

}  // namespace elver
