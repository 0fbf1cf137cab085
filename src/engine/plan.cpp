#include <algorithm>
#include <limits>

#include "engine/edge_pipeline.hpp"

namespace elver {

struct Plan::Impl {
  engine::EdgePipeline edges;
};

Plan::Plan(const Model& model, const EnergyAxis& axis)
    : impl_(std::make_unique<const Impl>(engine::EdgePipeline(model, axis))) {}

Plan::~Plan() = default;

ChannelRange Plan::channels() const { return impl_->edges.channels(); }
std::size_t Plan::feature_count() const { return impl_->edges.feature_count(); }
std::size_t Plan::edge_count() const { return impl_->edges.edge_count(); }

void Plan::extract(const TileView& tile, std::span<const std::uint8_t> masked, TileFeatures& out) const {
  const std::size_t pixels = tile.pixels, stride = impl_->edges.feature_count();
  out.pixels = pixels;
  out.features.resize(pixels * stride);
  out.fits.resize(edge_count() * pixels);
  out.status.resize(pixels);
  engine::BlockFeatures block;
  for (std::size_t first = 0; first < pixels; first += kBlock) {
    const std::size_t count = std::min(kBlock, pixels - first);
    impl_->edges.extract(tile, first, count, block);
    for (std::size_t p = 0; p < count; ++p) {
      const bool is_masked = !masked.empty() && masked[first + p] != 0;
      out.status[first + p] = is_masked ? PixelStatus::masked : block.status[p];
      for (std::size_t e = 0; e < edge_count(); ++e) {
        out.fits[e * pixels + first + p] = is_masked ? failed_fit(PixelStatus::masked) : block.fits[e * kBlock + p];
      }
      float* const row = out.features.data() + (first + p) * stride;
      for (std::size_t f = 0; f < stride; ++f) {
        row[f] = is_masked ? std::numeric_limits<float>::quiet_NaN() : block.features[f * kBlock + p];
      }
    }
  }
}

}  // namespace elver
