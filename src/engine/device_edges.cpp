#include "engine/device_edges.hpp"

#include <algorithm>

#include "background/edge_fitter.hpp"
#include "elver/error.hpp"
#include "features/features.hpp"

namespace elver::engine {
namespace {

ChannelRange together(ChannelRange a, ChannelRange b) { return {std::min(a.first, b.first), std::max(a.last, b.last)}; }

/// The channels of all ranges, in ranges that do not touch.
std::vector<ChannelRange> joined(std::vector<ChannelRange> ranges) {
  std::ranges::sort(ranges, {}, &ChannelRange::first);
  std::vector<ChannelRange> out;
  for (const ChannelRange& range : ranges) {
    if (!out.empty() && range.first <= out.back().last) {
      out.back() = together(out.back(), range);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

/// The row of a tile that a channel lies in.
std::uint32_t row_of(const std::vector<ChannelRange>& windows, std::size_t channel) {
  std::size_t before = 0;
  for (const ChannelRange& window : windows) {
    if (channel < window.last) return static_cast<std::uint32_t>(before + channel - window.first);
    before += window.size();
  }
  return static_cast<std::uint32_t>(before);
}

std::uint32_t append(std::vector<float>& to, const std::vector<float>& from, ChannelRange range) {
  const auto first = static_cast<std::uint32_t>(to.size());
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(range.first),
            from.begin() + static_cast<std::ptrdiff_t>(range.last));
  return first;
}

}  // namespace

std::string why_not_on_device(const Model& model) {
  if (model.background.method == BackgroundMethod::poisson_ml) return "";
  return "background method " + std::string(name_of(model.background.method)) + " is computed on the CPU only";
}

DeviceEdges pack_device_edges(const Model& model, const EnergyAxis& axis, const CodeTable& codes) {
  DeviceEdges out;
  out.rule = model.features;
  std::vector<EdgeFitter> fitters;
  std::vector<Featuriser> featurisers;
  std::vector<ChannelRange> nets;
  for (const Edge& edge : model.edges) {
    fitters.emplace_back(axis, edge.fit, EnergyWindow{edge.grid.start_ev, edge.grid.stop_ev}, model.background);
    featurisers.emplace_back(edge, axis, model.features);
    nets.push_back(together(fitters.back().signal_channels(), featurisers.back().channels()));
    out.windows.push_back(fitters.back().fit_channels());
    out.windows.push_back(nets.back());
  }
  out.windows = joined(out.windows);
  for (const ChannelRange& window : out.windows) out.rows += window.size();

  std::size_t code_row = 0;  // rows are ascending by feature
  for (std::size_t e = 0; e < model.edges.size(); ++e) {
    const EdgeFitter& fitter = fitters[e];
    const Featuriser& featuriser = featurisers[e];
    const ChannelRange fit = fitter.fit_channels(), signal = fitter.signal_channels(), net = nets[e];
    const PoissonWindow& window = *fitter.poisson();
    DeviceEdge edge;
    edge.fit_row = row_of(out.windows, fit.first);
    edge.fit_count = static_cast<std::uint32_t>(fit.size());
    edge.net_row = row_of(out.windows, net.first);
    edge.net_count = static_cast<std::uint32_t>(net.size());
    edge.signal_first = static_cast<std::uint32_t>(signal.first - net.first);
    edge.signal_last = static_cast<std::uint32_t>(signal.last - net.first);
    edge.fit_x = append(out.x, fitter.x(), fit);
    edge.net_x = append(out.x, fitter.x(), net);
    edge.series = static_cast<std::uint32_t>(out.series.size());
    edge.series_count = static_cast<std::uint32_t>(window.count);
    for (const auto* series : {&window.r, &window.log2_mean, &window.variance, &window.skew}) {
      out.series.insert(out.series.end(), series->begin(), series->end());
    }
    edge.q_centre = window.q_centre;
    edge.q_half_inverse = window.q_half_inverse;
    edge.log2_e0 = static_cast<float>(fitter.log2_e0());
    edge.phi = static_cast<float>(model.background.phi);
    edge.limits = fitter.limits();
    edge.point = static_cast<std::uint32_t>(out.points.size());
    edge.point_count = static_cast<std::uint32_t>(featuriser.count());
    edge.feature = static_cast<std::uint32_t>(out.feature_count);
    for (std::size_t i = 0; i < featuriser.count(); ++i) {
      const float weight = featuriser.weight()[i];
      DevicePoint point;
      point.at = static_cast<std::uint32_t>(featuriser.left()[i] + (weight > 0 ? 1 : 0) - net.first);
      point.weight = weight;
      point.absent = featuriser.absent()[i];
      while (code_row < codes.rows.size() && codes.rows[code_row].feature < out.feature_count) ++code_row;
      point.first_row = static_cast<std::uint32_t>(code_row);
      while (code_row < codes.rows.size() && codes.rows[code_row].feature == out.feature_count) ++code_row;
      point.last_row = static_cast<std::uint32_t>(code_row);
      out.points.push_back(point);
      ++out.feature_count;
    }
    out.most_points = std::max(out.most_points, featuriser.count());
    out.most_fit = std::max(out.most_fit, fit.size());
    out.edges.push_back(edge);
  }
  return out;
}

}  // namespace elver::engine
