#include <algorithm>

#include "elver/engine.hpp"
#include "engine/fractions.hpp"

namespace elver {

Plans::Plans(const Model& model, const Image& image) : image_(image) {
  const EnergyAxis axis = image.energy();
  const std::array<bool, kFractions> occur = fractions_of(image);
  for (std::size_t f = 0; f < kFractions; ++f) {
    if (occur[f]) plans_[f] = std::make_unique<const Plan>(model, axis_of(axis, f));
  }
}

const Plan& Plans::first() const {
  return **std::ranges::find_if(plans_, [](const auto& plan) { return plan != nullptr; });
}

ChannelRange Plans::channels() const {
  ChannelRange all = first().channels();
  for (const auto& plan : plans_) {
    if (plan == nullptr) continue;
    all = {std::min(all.first, plan->channels().first), std::max(all.last, plan->channels().last)};
  }
  return all;
}

void Plans::extract(const Tile& tile, std::span<const std::uint8_t> masked, TileFeatures& out) const {
  const std::size_t pixels = tile.counts.pixels, width = feature_count(), edges = edge_count();
  const auto whole = [&](std::size_t f, const TileView& counts) { plans_[f]->extract(counts, masked, out); };
  TileFeatures part;
  std::vector<std::uint8_t> part_masked;
  for_each_fraction(image_, tile.pixels, tile.counts,
                    [&](std::size_t f, const TileView& counts, std::span<const std::size_t> places) {
                      if (places.empty()) return whole(f, counts);
                      part_masked.clear();
                      if (!masked.empty()) {
                        for (const std::size_t p : places) part_masked.push_back(masked[p]);
                      }
                      plans_[f]->extract(counts, part_masked, part);
                      out.pixels = pixels;
                      out.features.resize(pixels * width);
                      out.fits.resize(pixels * edges);
                      out.status.resize(pixels);
                      for (std::size_t i = 0; i < places.size(); ++i) {
                        std::copy_n(part.features.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                                    out.features.begin() + static_cast<std::ptrdiff_t>(places[i] * width));
                        for (std::size_t e = 0; e < edges; ++e) {
                          out.fits[e * pixels + places[i]] = part.fits[e * places.size() + i];
                        }
                        out.status[places[i]] = part.status[i];
                      }
                    });
}

}  // namespace elver
