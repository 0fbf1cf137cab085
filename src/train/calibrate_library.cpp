#include "elver/calibrate_library.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <unsupported/Eigen/NonLinearOptimization>

#include "background/edge_fitter.hpp"
#include "elver/dataset.hpp"
#include "elver/error.hpp"
#include "train/calibration_misfit.hpp"
#include "types/median.hpp"
#include "types/piecewise_linear.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace train;
constexpr int kMostEvaluations = 60;

/// The reference on a uniform axis, as float counts.
struct Measured {
  EnergyAxis axis;
  std::vector<float> counts;
};

Measured uniform(const NamedSpectrum& s) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < s.energy_ev.size(); ++i) steps.push_back(s.energy_ev[i] - s.energy_ev[i - 1]);
  if (steps.size() < 8) throw Error(ErrorKind::mismatch, s.name, "it holds fewer than nine channels");
  Measured out;
  out.axis.offset_ev = s.energy_ev.front();
  out.axis.dispersion_ev = upper_median(std::move(steps));
  out.axis.size = static_cast<std::size_t>((s.energy_ev.back() - s.energy_ev.front()) / out.axis.dispersion_ev + 1.5);
  for (std::size_t c = 0; c < out.axis.size; ++c)
    out.counts.push_back(static_cast<float>(piecewise_linear<double, double>(s.energy_ev, s.value, out.axis.energy(static_cast<double>(c)))));
  return out;
}

std::string element_of(const std::string& edge) { return edge.substr(0, edge.find('_')); }

/// Nothing where the edge is not there.
std::optional<Fitted> measured_edge(const Library& library, const Families& families, const Model& skeleton, const Edge& edge,
                                    const Measured& reference, std::vector<std::string>& notes) {
  const EnergyWindow signal{edge.grid.start_ev, edge.grid.stop_ev};
  std::optional<EdgeFitter> fitter;
  try {
    fitter.emplace(reference.axis, edge.fit, signal, skeleton.background);
  } catch (const Error& error) {
    notes.push_back(edge.name + " is left as it is: " + error.what());
    return std::nullopt;
  }
  const auto from = static_cast<std::size_t>(std::ceil(reference.axis.channel(edge.fit.stop_ev)));
  const ChannelRange net_channels{from, fitter->signal_channels().last};
  const TileView tile{reference.counts.data(), 1, {0, reference.axis.size}};
  std::vector<float> net(net_channels.size() * kBlock);
  EdgeFit fit;
  fitter->fit(tile, 0, 1, net_channels, net_channels, net.data(), &fit);
  if (failed(fit.status) || core::edge_absent(fit)) {
    notes.push_back(edge.name + " is left as it is: the reference does not show it");
    return std::nullopt;
  }
  Fitted out;
  out.start.edge = edge.name;
  out.start.element = element_of(edge.name);
  std::vector<double> channels;
  std::vector<double> values;
  for (std::size_t c = net_channels.first; c < net_channels.last; ++c) {
    const double e = reference.axis.energy(static_cast<double>(c));
    channels.push_back(e);
    if (e < edge.grid.start_ev) continue;
    out.energy_ev.push_back(e);
    values.push_back(static_cast<double>(net[(c - net_channels.first) * kBlock]));
  }
  out.measured = Eigen::Map<Vector>(values.data(), static_cast<Eigen::Index>(values.size()));
  out.scale = out.measured.norm();
  out.measured /= out.scale;
  out.model = std::make_unique<EdgeModel>(library, families, out.start.element, channels);
  return out;
}

/// Where the mean family correlates best, and how much of it there is.
void rough_start(std::vector<Fitted>& edges, double gauss) {
  std::vector<double> amounts;
  for (Fitted& edge : edges) {
    EdgeCalibration how = edge.start;
    how.gauss_fwhm_ev = gauss;
    const std::vector<Matrix> broadened = edge.model->lifetimes(how);
    double best = -2, amount = 1;
    for (double shift = -3; shift <= 3.01; shift += 0.5) {
      how.shift_ev = shift;
      const Vector mean = edge.seen(how, broadened, 0.3, 3.0).rowwise().mean();
      const double r = mean.dot(edge.measured) / mean.norm();
      if (!(r > best)) continue;
      best = r;
      edge.start.shift_ev = shift;
      amount = edge.scale * mean.dot(edge.measured) / mean.squaredNorm();
    }
    amounts.push_back(amount);
  }
  for (std::size_t e = 0; e < edges.size(); ++e) edges[e].start.amount = amounts[e] / amounts[0];
}

std::vector<double> as_list(const Vector& v) { return {v.data(), v.data() + v.size()}; }

}  // namespace

LibraryCalibration calibrate_library(const Library& library, const NamedSpectrum& reference,
                                     const LibraryCalibrationOptions& options, const RunContext& context) {
  LibraryCalibration out;
  out.reference = reference.name;
  out.resolution_ev = options.resolution_ev;
  const Model skeleton = make_skeleton(library, "library");
  const Families families = families_of(library);
  if (families.names.empty()) throw Error(ErrorKind::input, "library", "none of its structures has all of its spectra");
  const Measured measured = uniform(reference);
  std::vector<Fitted> edges;
  for (const Edge& edge : skeleton.edges) {
    if (std::optional<Fitted> one = measured_edge(library, families, skeleton, edge, measured, out.notes))
      edges.push_back(std::move(*one));
  }
  if (edges.empty()) {
    throw Error(ErrorKind::mismatch, reference.name,
                text("it shows none of the library's edges; its axis runs from %g to %g eV", measured.axis.offset_ev,
                     measured.axis.energy(static_cast<double>(measured.axis.size - 1))),
                "Put its axis right first: elver calibrate FILE --model MODEL --auto-axis --out CALIBRATED.hspy");
  }
  const double seen_with = std::max(options.resolution_ev, 0.8);
  const double gauss = std::max(options.resolution_ev, 1.2);
  rough_start(edges, gauss);
  const Parameters parameters(edges);
  Vector x = parameters.start(edges, gauss);
  const Vector start = x;
  Misfit misfit(edges, parameters, start, context);
  if (context.progress != nullptr) context.progress->begin("calibrating", kMostEvaluations, "steps");
  Eigen::LevenbergMarquardt<Misfit> minimiser(misfit);
  minimiser.parameters.maxfev = kMostEvaluations;
  minimiser.parameters.ftol = minimiser.parameters.xtol = 1e-5;
  minimiser.minimize(x);
  if (context.progress != nullptr) context.progress->end();

  const std::vector<Matrix> curves = misfit.curves(x);
  const Vector weights = misfit.mixture(curves, x);
  for (Eigen::Index k = 0; k < weights.size(); ++k) {
    if (weights(k) > 0) out.mixture.emplace_back(families.names[static_cast<std::size_t>(k)], weights(k) / weights.sum());
  }
  std::ranges::sort(out.mixture, [](const auto& a, const auto& b) { return a.second > b.second; });
  out.thickness = parameters.thickness(x);
  out.continuum_power = parameters.power(x);
  for (std::size_t e = 0; e < edges.size(); ++e) {
    const Fitted& edge = edges[e];
    EdgeCalibration one = parameters.of(edge, x), plain = edge.start;
    plain.shift_ev = 0;
    plain.gauss_fwhm_ev = seen_with;
    one.amount /= parameters.of(edges[0], x).amount;
    Vector before = edge.seen(plain, 0, 3.0) * weights, after = curves[e] * weights;
    before *= before.dot(edge.measured) / before.squaredNorm();
    after *= after.dot(edge.measured) / after.squaredNorm();
    one.energy_ev = edge.energy_ev;
    const double mean = edge.measured.cwiseAbs().mean();
    one.measured = as_list(edge.measured / mean);
    one.as_it_is = as_list(before / mean);
    one.calibrated = as_list(after / mean);
    one.before = similarity(one.measured, one.as_it_is);
    one.after = similarity(one.measured, one.calibrated);
    out.edges.push_back(std::move(one));
  }
  return out;
}

}  // namespace elver
