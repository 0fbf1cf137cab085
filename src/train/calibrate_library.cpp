#include "elver/calibrate_library.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <unsupported/Eigen/NonLinearOptimization>

#include "background/edge_fitter.hpp"
#include "elver/dataset.hpp"
#include "elver/error.hpp"
#include "train/edge_model.hpp"
#include "types/arena.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace train;
using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

constexpr double kPrior = 2e-3;  ///< a parameter one standard deviation off counts as a misfit of this share of an edge
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
  std::ranges::nth_element(steps, steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2));
  Measured out;
  out.axis.offset_ev = s.energy_ev.front();
  out.axis.dispersion_ev = steps[steps.size() / 2];
  out.axis.size = static_cast<std::size_t>((s.energy_ev.back() - s.energy_ev.front()) / out.axis.dispersion_ev + 1.5);
  std::size_t k = 0;
  for (std::size_t c = 0; c < out.axis.size; ++c) {
    const double e = std::min(out.axis.energy(static_cast<double>(c)), s.energy_ev.back());
    while (k + 2 < s.energy_ev.size() && s.energy_ev[k + 1] < e) ++k;
    const double t = (e - s.energy_ev[k]) / (s.energy_ev[k + 1] - s.energy_ev[k]);
    out.counts.push_back(static_cast<float>((1 - t) * s.value[k] + t * s.value[k + 1]));
  }
  return out;
}

/// One edge of the reference without its background, and the model that is to describe it.
struct Fitted {
  EdgeCalibration start;
  std::size_t skip = 0;   ///< channels of the model before the grid
  Vector measured;        ///< net counts in the grid, over their length
  double scale = 1;       ///< that length
  std::vector<double> energy_ev;
  std::unique_ptr<EdgeModel> model;
  Eigen::Index first = 0; ///< of its parameters
  Matrix seen(const EdgeCalibration& how, const std::vector<Matrix>& broadened, double thickness, double power) const {
    return model->curves(how, broadened, thickness, power).bottomRows(measured.size());
  }
  Matrix seen(const EdgeCalibration& how, double thickness, double power) const {
    return seen(how, model->lifetimes(how), thickness, power);
  }
};

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

/// All numbers of the fit but the mixture, each in a scale without limits.
class Parameters {
 public:
  explicit Parameters(std::vector<Fitted>& edges) {
    for (Fitted& edge : edges) {
      edge.first = size_;
      size_ += count(edge);
    }
    size_ += 2;
  }
  static Eigen::Index count(const Fitted& edge) { return edge.model->has_l2() ? 9 : 6; }
  Eigen::Index size() const { return size_; }
  EdgeCalibration of(const Fitted& edge, const Vector& x) const {
    EdgeCalibration out = edge.start;
    const auto at = [&](Eigen::Index k) { return x(edge.first + k); };
    out.shift_ev = at(0);
    out.gauss_fwhm_ev = std::exp(at(1));
    out.lorentz_ev = std::exp(at(2));
    out.lorentz_growth = std::exp(at(3));
    out.continuum = std::exp(at(4)) - 1;
    out.amount = std::exp(at(5));
    if (!edge.model->has_l2()) return out;
    out.splitting_ev = at(6);
    out.l2_ratio = std::exp(at(7));
    out.l2_lorentz_ev = std::exp(at(8));
    return out;
  }
  double thickness(const Vector& x) const { return std::exp(x(size_ - 2)); }
  /// Between 2 and 4.5: beyond, it is no continuum that falls, but something else that has no name here.
  double power(const Vector& x) const { return 3.25 + 1.25 * std::tanh(x(size_ - 1)); }
  /// Where the fit begins, and how far from there a parameter is expected.
  Vector start(const std::vector<Fitted>& edges, double gauss) const {
    Vector x = Vector::Zero(size_);
    for (const Fitted& edge : edges) {
      x(edge.first) = edge.start.shift_ev;
      x(edge.first + 1) = std::log(gauss);
      x(edge.first + 2) = std::log(0.3);
      x(edge.first + 3) = std::log(0.02);
      x(edge.first + 5) = std::log(edge.start.amount);
      if (edge.model->has_l2()) x(edge.first + 8) = std::log(0.2);
    }
    x(size_ - 2) = std::log(0.3);
    x(size_ - 1) = std::atanh((3.0 - 3.25) / 1.25);
    return x;
  }
  Vector width(const std::vector<Fitted>& edges) const {
    Vector w = Vector::Ones(size_);
    for (const Fitted& edge : edges) {
      w(edge.first) = 2;        // eV
      w(edge.first + 4) = 0.5;  // of ln(1 + continuum)
      w(edge.first + 5) = 3;
      if (edge.model->has_l2()) w(edge.first + 7) = 0.3;
    }
    return w;
  }

 private:
  Eigen::Index size_ = 0;
};

/// The misfit as Eigen's minimiser asks for it: for each set of parameters the best mixture is taken (variable projection).
class Misfit {
 public:
  using Scalar = double;
  enum { InputsAtCompileTime = Eigen::Dynamic, ValuesAtCompileTime = Eigen::Dynamic };
  using InputType = Vector;
  using ValueType = Vector;
  using JacobianType = Matrix;

  Misfit(const std::vector<Fitted>& edges, const Parameters& parameters, const Vector& start, const RunContext& context)
      : edges_(edges), parameters_(parameters), start_(start), width_(parameters.width(edges)), context_(context) {
    for (const Fitted& edge : edges) rows_ += edge.measured.size();
  }
  int inputs() const { return static_cast<int>(parameters_.size()); }
  int values() const { return static_cast<int>(rows_ + parameters_.size()); }

  std::vector<Matrix> curves(const Vector& x) const { return curves(lifetimes(x), x); }
  /// The mixture of the families that these curves describe the reference best with; not normalised.
  Vector mixture(const std::vector<Matrix>& curves, const Vector& x) const {
    const Eigen::Index families = curves[0].cols();
    Matrix gram = Matrix::Zero(families, families);
    Vector right = Vector::Zero(families);
    for (std::size_t e = 0; e < edges_.size(); ++e) {
      const double amount = parameters_.of(edges_[e], x).amount / edges_[e].scale;
      gram += amount * amount * curves[e].transpose() * curves[e];
      right += amount * curves[e].transpose() * edges_[e].measured;
    }
    gram.diagonal().array() += 1e-7 * gram.trace() / static_cast<double>(families);
    return nonnegative(gram, right);
  }
  int operator()(const Vector& x, Vector& out) const {
    residual(curves(x), x, out);
    return 0;
  }
  int df(const Vector& x, Matrix& jacobian) const {
    context_.check_interrupt();
    const std::vector<std::vector<Matrix>> broadened = lifetimes(x);
    const std::vector<Matrix> base = curves(broadened, x);
    Vector centre(values());
    residual(base, x, centre);
    in_arena(context_, [&] {
      oneapi::tbb::parallel_for(Eigen::Index{0}, parameters_.size(), [&](Eigen::Index j) {
        constexpr double kStep = 1e-4;
        Vector moved = x;
        moved(j) += kStep;
        std::vector<Matrix> these = base;
        for (std::size_t e = 0; e < edges_.size(); ++e) {
          const Eigen::Index k = j - edges_[e].first;
          const bool own = k >= 0 && k < Parameters::count(edges_[e]) && k != 5;
          const bool lifetime = own && (k == 2 || k == 3 || k == 8);
          if (lifetime) these[e] = curve(edges_[e], moved);
          else if (own || j >= parameters_.size() - 2) these[e] = curve(edges_[e], broadened[e], moved);
        }
        Vector at(values());
        residual(these, moved, at);
        jacobian.col(j) = (at - centre) / kStep;
      });
    });
    if (context_.progress != nullptr) context_.progress->advance(1);
    return 0;
  }

 private:
  std::vector<std::vector<Matrix>> lifetimes(const Vector& x) const {
    std::vector<std::vector<Matrix>> out;
    for (const Fitted& edge : edges_) out.push_back(edge.model->lifetimes(parameters_.of(edge, x)));
    return out;
  }
  std::vector<Matrix> curves(const std::vector<std::vector<Matrix>>& broadened, const Vector& x) const {
    std::vector<Matrix> out;
    for (std::size_t e = 0; e < edges_.size(); ++e) out.push_back(curve(edges_[e], broadened[e], x));
    return out;
  }
  Matrix curve(const Fitted& edge, const Vector& x) const {
    return curve(edge, edge.model->lifetimes(parameters_.of(edge, x)), x);
  }
  Matrix curve(const Fitted& edge, const std::vector<Matrix>& broadened, const Vector& x) const {
    return edge.seen(parameters_.of(edge, x), broadened, parameters_.thickness(x), parameters_.power(x));
  }
  void residual(const std::vector<Matrix>& curves, const Vector& x, Vector& out) const {
    const Vector weights = mixture(curves, x);
    Eigen::Index row = 0;
    for (std::size_t e = 0; e < edges_.size(); ++e) {
      const double amount = parameters_.of(edges_[e], x).amount / edges_[e].scale;
      out.segment(row, edges_[e].measured.size()) = amount * (curves[e] * weights) - edges_[e].measured;
      row += edges_[e].measured.size();
    }
    out.tail(parameters_.size()) = kPrior * (x - start_).cwiseQuotient(width_);
  }
  const std::vector<Fitted>& edges_;
  const Parameters& parameters_;
  Vector start_, width_;
  const RunContext& context_;
  Eigen::Index rows_ = 0;
};

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
