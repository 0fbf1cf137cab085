#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "background/edge_fitter.hpp"
#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "features/features.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

struct EdgePlan {
  EdgeFitter fitter;
  Featuriser featuriser;
  ChannelRange net;  ///< channels that the signal window and the grid read
};

EdgePlan plan_edge(const Edge& edge, const Model& model, const EnergyAxis& axis) {
  EdgeFitter fitter(axis, edge.fit, {edge.grid.start_ev, edge.grid.stop_ev}, model.background);
  Featuriser featuriser(edge, axis, model.features);
  const ChannelRange signal = fitter.signal_channels(), grid = featuriser.channels();
  const ChannelRange net{std::min(signal.first, grid.first), std::max(signal.last, grid.last)};
  return {std::move(fitter), std::move(featuriser), net};
}

/// Less than three standard errors of what the background alone would give there.
bool absent(const EdgeFit& fit) {
  constexpr float kSigmas = 3.0f;
  return fit.signal < kSigmas * std::sqrt(fit.phi * fit.background + fit.background_error * fit.background_error);
}

/// What a pixel is, from what its edges are: a failure before an absent edge before ok; the lowest code of failures.
PixelStatus worse(PixelStatus a, PixelStatus b) {
  if (failed(a) != failed(b)) return failed(a) ? a : b;
  return failed(a) ? std::min(a, b) : std::max(a, b);
}

}  // namespace

struct Plan::Impl {
  std::vector<EdgePlan> edges;
  ChannelRange channels{std::numeric_limits<std::size_t>::max(), 0};
  std::size_t feature_count = 0;
};

Plan::Plan(const Model& model, const EnergyAxis& axis) {
  auto impl = std::make_unique<Impl>();
  if (model.edges.empty()) throw Error(ErrorKind::mismatch, "model \"" + model.name + "\"", "it has no edge");
  for (const Edge& edge : model.edges) {
    EdgePlan plan = plan_edge(edge, model, axis);
    const ChannelRange fit = plan.fitter.fit_channels();
    impl->channels.first = std::min({impl->channels.first, fit.first, plan.net.first});
    impl->channels.last = std::max({impl->channels.last, fit.last, plan.net.last});
    impl->feature_count += plan.featuriser.count();
    impl->edges.push_back(std::move(plan));
  }
  impl_ = std::move(impl);
}

Plan::~Plan() = default;

ChannelRange Plan::channels() const { return impl_->channels; }
std::size_t Plan::feature_count() const { return impl_->feature_count; }
std::size_t Plan::edge_count() const { return impl_->edges.size(); }

void Plan::extract(const TileView& tile, std::span<const std::uint8_t> masked, TileFeatures& out) const {
  const std::size_t pixels = tile.pixels, stride = impl_->feature_count;
  out.pixels = pixels;
  out.features.resize(pixels * stride);
  out.fits.resize(impl_->edges.size() * pixels);
  out.status.assign(pixels, PixelStatus::ok);
  std::vector<float> net;
  bool usable[kBlock];
  std::size_t first_feature = 0;
  for (std::size_t e = 0; e < impl_->edges.size(); ++e) {
    const EdgePlan& edge = impl_->edges[e];
    net.resize(edge.net.size() * kBlock);
    for (std::size_t first = 0; first < pixels; first += kBlock) {
      const std::size_t count = std::min(kBlock, pixels - first);
      EdgeFit* fits = out.fits.data() + e * pixels + first;
      float* features = out.features.data() + first * stride + first_feature;
      edge.fitter.fit(tile, first, count, edge.net, edge.net, net.data(), fits);
      edge.featuriser.features(net.data(), edge.net.first, count, features, stride, usable);
      for (std::size_t p = 0; p < count; ++p) {
        const bool is_masked = !masked.empty() && masked[first + p] != 0;
        if (is_masked) fits[p] = failed_fit(PixelStatus::masked);
        if (fits[p].status == PixelStatus::ok && (!usable[p] || absent(fits[p]))) {
          fits[p].status = PixelStatus::edge_absent;
          std::ranges::copy(edge.featuriser.absent(), features + p * stride);
        }
        out.status[first + p] = worse(out.status[first + p], fits[p].status);
      }
    }
    first_feature += edge.featuriser.count();
  }
  for (std::size_t p = 0; p < pixels; ++p) {
    if (!failed(out.status[p])) continue;
    std::fill_n(out.features.data() + p * stride, stride, std::numeric_limits<float>::quiet_NaN());
  }
}

}  // namespace elver
