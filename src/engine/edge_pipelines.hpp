#pragma once
#include <array>
#include <memory>
#include <span>

#include "engine/fractions.hpp"
#include "engine/tile_work.hpp"
#include "engine/tiles.hpp"

namespace elver::engine {

/// The pipelines of one image: as Plans, for who works block by block.
class EdgePipelines {
 public:
  /// `image` must outlive them. Throws as Plan.
  EdgePipelines(const Model& model, const Image& image) : image_(image) {
    const std::array<bool, kFractions> occur = fractions_of(image);
    for (std::size_t f = 0; f < kFractions; ++f) {
      if (!occur[f]) continue;
      pipelines_[f] = std::make_unique<const EdgePipeline>(model, axis_of(image.energy(), f));
      if (first_ == nullptr) channels_ = pipelines_[f]->channels();
      first_ = first_ == nullptr ? pipelines_[f].get() : first_;
      channels_ = {std::min(channels_.first, pipelines_[f]->channels().first),
                   std::max(channels_.last, pipelines_[f]->channels().last)};
      windows_.insert(windows_.end(), pipelines_[f]->windows().begin(), pipelines_[f]->windows().end());
    }
    windows_ = merged(std::move(windows_));
  }
  ChannelRange channels() const { return channels_; }
  /// The channels that any of them reads, ascending, without what lies between.
  const std::vector<ChannelRange>& windows() const { return windows_; }
  std::size_t feature_count() const { return first_->feature_count(); }
  std::size_t edge_count() const { return first_->edge_count(); }

  /// The unmasked pixels of a tile, each by its own axis. `masked`: one byte a pixel of the tile, or empty.
  void work(const Tile& tile, std::span<const std::uint8_t> masked, TileWork& work) const {
    const std::span<const std::int8_t> eighths = image_.eighths();
    std::array<std::vector<std::uint32_t>, kFractions> wanted;
    for (std::size_t p = 0; p < tile.counts.pixels; ++p) {
      if (!masked.empty() && masked[p] != 0) continue;
      const std::size_t fraction =
          eighths.empty() ? kWhole : static_cast<std::size_t>(eighths[tile.pixels.first + p] - kLeastEighth);
      wanted[fraction].push_back(static_cast<std::uint32_t>(p));
    }
    work.begin(tile.counts.pixels, edge_count());
    for (std::size_t f = 0; f < kFractions; ++f) {
      if (!wanted[f].empty()) work.add(*pipelines_[f], tile.counts, wanted[f]);
    }
  }

 private:
  const Image& image_;
  std::array<std::unique_ptr<const EdgePipeline>, kFractions> pipelines_;  ///< those that no pixel needs are null
  const EdgePipeline* first_ = nullptr;
  ChannelRange channels_;
  std::vector<ChannelRange> windows_;
};

}  // namespace elver::engine
