#pragma once
#include <hdf5.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "elver/image.hpp"
#include "io/values.hpp"

namespace elver {

/// A data set of chunks that elver unpacks itself: fetched as they are stored, under HDF5's lock, then unpacked by any
/// threads. None where chunks are stored otherwise than plain or by gzip, with or without shuffled bytes.
struct ChunkLayout {
  std::vector<hsize_t> dims, chunk;  ///< of the data set, C order
  std::size_t energy_place = 0;      ///< which of the axes is the energy; their number where none is
  values::Format format;
  std::size_t value_bytes = 0;
  bool shuffled = false, deflated = false;
  std::size_t chunk_bytes = 0;  ///< unpacked
};
std::optional<ChunkLayout> chunk_layout(hid_t dataset, NumberType type, const std::vector<hsize_t>& dims,
                                        std::size_t energy_place);

/// Whether a type is stored as a C++ number is, but for the order of its bytes.
std::optional<values::Format> stored_format(hid_t type, NumberType number);

/// Rows and columns of a chunk's pixels.
Grain grain_of(const ChunkLayout& layout);

/// Each chunk that holds any of the values is fetched once and unpacked once. `dataset` stays open as long as it lives.
/// Throws Error{input}.
std::unique_ptr<Stretch> chunk_stretch(const ChunkLayout& layout, hid_t dataset, const PixelBlock& pixels,
                                       std::span<const ChannelRange> channels);

}  // namespace elver
