#include "engine/edge_pipeline.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "background/edge_fitter.hpp"
#include "elver/core/edge_fit.hpp"
#include "elver/error.hpp"
#include "engine/tiles.hpp"
#include "features/grid_features.hpp"
#include "types/stopwatch.hpp"

namespace elver::engine {
EdgePipeline::EdgePipeline(const Model& model, const EnergyAxis& axis)
    : channels_{std::numeric_limits<std::size_t>::max(), 0} {
  if (model.edges.empty()) throw Error(ErrorKind::mismatch, "model \"" + model.name + "\"", "it has no edge");
  for (const Edge& edge : model.edges) {
    EdgeFitter fitter(axis, edge.fit, {edge.grid.start_ev, edge.grid.stop_ev}, model.background);
    Featuriser featuriser(edge, axis, model.features);
    const ChannelRange fit = fitter.fit_channels(), signal = fitter.signal_channels(), grid = featuriser.channels();
    const ChannelRange net{std::min(signal.first, grid.first), std::max(signal.last, grid.last)};
    channels_.first = std::min({channels_.first, fit.first, net.first});
    channels_.last = std::max({channels_.last, fit.last, net.last});
    feature_count_ += featuriser.count();
    windows_.insert(windows_.end(), {fit, net});
    edges_.push_back({std::move(fitter), std::move(featuriser), net});
  }
  windows_ = merged(std::move(windows_));
}

void EdgePipeline::extract(const TileView& tile, std::size_t first, std::size_t count, BlockFeatures& out) const {
  out.features.resize(feature_count_ * kBlock);
  out.fits.resize(edges_.size() * kBlock);
  out.status.assign(kBlock, PixelStatus::ok);
  float* features = out.features.data();
  alignas(64) std::int32_t absent[kBlock], lost[kBlock]{};
  for (std::size_t e = 0; e < edges_.size(); ++e) {
    Stopwatch watch;
    const EdgePlan& edge = edges_[e];
    EdgeFit* const fits = out.fits.data() + e * kBlock;
    out.net.resize(std::max(out.net.size(), edge.net.size() * kBlock));
    // The next edge's fit window, or the first edge's of the next block.
    const bool last = e + 1 == edges_.size();
    const std::size_t next = last ? first + count : first;
    const Ahead ahead{{tile, next, std::min(kBlock, tile.pixels - next)},
                      edges_[last ? 0 : e + 1].fitter.fit_channels()};
    edge.fitter.fit(tile, first, count, edge.net, edge.net, out.net.data(), fits, ahead);
    out.background_seconds += watch.lap();
    for (std::size_t p = 0; p < count; ++p) absent[p] = core::edge_absent(fits[p]) ? 1 : 0;
    std::fill(absent + count, absent + kBlock, 1);
    edge.featuriser.features_by_point(out.net.data(), edge.net.first, features, absent);
    for (std::size_t p = 0; p < count; ++p) {
      if (fits[p].status == PixelStatus::ok && absent[p] != 0) fits[p].status = PixelStatus::edge_absent;
      out.status[p] = core::worse(out.status[p], fits[p].status);
    }
    features += edge.featuriser.count() * kBlock;
    out.features_seconds += watch.lap();
  }
  bool any = false;
  for (std::size_t p = 0; p < count; ++p) {
    lost[p] = failed(out.status[p]) ? 1 : 0;
    any = any || lost[p] != 0;
  }
  if (any) overwrite(feature_count_, lost, std::numeric_limits<float>::quiet_NaN(), out.features.data());
}

}  // namespace elver::engine
