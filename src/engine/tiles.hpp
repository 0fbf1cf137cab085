#pragma once
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "elver/engine.hpp"

namespace elver::engine {

/// How the loop cuts an image: stretches of so many rows and columns, one after the other, and tiles in them.
struct TileCut {
  std::uint64_t rows = 1,
                columns = 1;  ///< of a stretch: whole rows, or one row of grains where a row of them is too large
  std::uint64_t tile_pixels = 1;
};

/// Cuts that stay within the context's memory: two stretches (one being computed, one being read) take at most half of
/// it, as far as the image's grain allows. `usual`: pixels of a tile where memory is not short.
/// Throws Error{resources} when it cannot hold one tile.
TileCut cut_tiles(const Image& image, std::span<const ChannelRange> channels, const RunContext& context,
                  std::uint64_t usual);

/// Tiles of about the size of a second-level cache.
std::uint64_t usual_tile_pixels(std::span<const ChannelRange> channels);

/// As for_each_tile, for channels that lie apart (ascending): a tile spans them all, and holds no values between them.
/// While a stretch is computed the next one is read by a thread of its own. Returns the seconds that were spent waiting
/// for it.
double deal_tiles(const Image& image, std::span<const ChannelRange> channels, const TileCut& cut,
                  const RunContext& context, std::string_view stage, const std::function<void(const Tile&)>& work);
double deal_tiles(const Image& image, std::span<const ChannelRange> channels, const RunContext& context,
                  std::string_view stage, const std::function<void(const Tile&)>& work);

/// Windows in ascending order, those that lie close together as one.
std::vector<ChannelRange> merged(std::vector<ChannelRange> windows);

}  // namespace elver::engine
