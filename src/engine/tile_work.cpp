#include "engine/tile_work.hpp"

#include <algorithm>

#include "background/edge_fitter.hpp"

namespace elver::engine {

static_assert(kBlock == kForestBlock);

TileWork::TileWork(const ForestRunner& forest) : forest_(forest), forest_work_(forest) {}

void TileWork::begin(std::size_t pixels, std::size_t edge_count) {
  outcome_.status.assign(pixels, PixelStatus::masked);
  outcome_.fits.assign(edge_count * pixels, failed_fit(PixelStatus::masked));
  outcome_.valid.clear();
  outcome_.margins.resize(forest_.output_count() * pixels);
  waiting_count_ = done_ = 0;
}

void TileWork::add(const EdgePipeline& edges, const TileView& tile, std::span<const std::uint32_t> pixels) {
  TileView chosen = tile;
  if (pixels.size() < tile.pixels) {
    gathered_.resize(pixels.size() * tile.channels.size());
    for (const ChannelRange& window : edges.windows()) {
      for (std::size_t c = window.first; c < window.last; ++c) {
        const float* const from = tile.channel(c);
        float* const to = gathered_.data() + (c - tile.channels.first) * pixels.size();
        for (std::size_t i = 0; i < pixels.size(); ++i) to[i] = from[pixels[i]];
      }
    }
    chosen = {gathered_.data(), pixels.size(), tile.channels};
  }
  for (std::size_t first = 0; first < pixels.size(); first += kForestBlock) {
    const std::size_t count = std::min(kForestBlock, pixels.size() - first);
    edges.extract(chosen, first, count, block_);
    hand_on(count, pixels.subspan(first, count));
  }
}

/// From a block's fits to the outcome, and its valid pixels on to the forest.
void TileWork::hand_on(std::size_t count, std::span<const std::uint32_t> pixels) {
  const std::size_t tile_pixels = outcome_.status.size(), edge_count = block_.fits.size() / kForestBlock;
  std::uint32_t places[kForestBlock];
  std::size_t valid = 0;
  for (std::size_t p = 0; p < count; ++p) {
    outcome_.status[pixels[p]] = block_.status[p];
    for (std::size_t e = 0; e < edge_count; ++e)
      outcome_.fits[e * tile_pixels + pixels[p]] = block_.fits[e * kForestBlock + p];
    if (failed(block_.status[p])) continue;
    outcome_.valid.push_back(pixels[p]);
    places[valid++] = static_cast<std::uint32_t>(p);
  }
  const std::size_t room = forest_.block();
  if (waiting_count_ == 0 && valid == room) return run_forest(block_.features, valid);
  const std::size_t feature_count = block_.features.size() / kForestBlock;
  waiting_.resize(feature_count * room);
  for (std::size_t taken = 0; taken < valid;) {
    const std::size_t some = std::min(valid - taken, room - waiting_count_);
    for (std::size_t f = 0; f < feature_count; ++f) {
      const float* const from = block_.features.data() + f * kForestBlock;
      float* const to = waiting_.data() + f * room + waiting_count_;
      for (std::size_t i = 0; i < some; ++i) to[i] = from[places[taken + i]];
    }
    taken += some;
    waiting_count_ += some;
    if (waiting_count_ < room) continue;
    run_forest(waiting_, room);
    waiting_count_ = 0;
  }
}

void TileWork::run_forest(const std::vector<float>& features, std::size_t count) {
  float* const margins = outcome_.margins.data() + done_;
  if (forest_.block() == kForestBlock) {
    forest_.run_block(features.data(), kForestBlock, count, forest_work_, margins, outcome_.status.size());
  } else {
    forest_.run(features.data(), forest_.block(), count, forest_work_, margins, outcome_.status.size());
  }
  done_ += count;
}

const TileOutcome& TileWork::finish() {
  if (waiting_count_ > 0) run_forest(waiting_, waiting_count_);
  waiting_count_ = 0;
  return outcome_;
}

}  // namespace elver::engine
