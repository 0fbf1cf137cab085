#include "train/calibration_misfit.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <cmath>

#include "types/arena.hpp"

namespace elver::train {
namespace {

constexpr double kPrior = 2e-3;  ///< a parameter one standard deviation off counts as a misfit of this share of an edge

}  // namespace

Parameters::Parameters(std::vector<Fitted>& edges) {
  for (Fitted& edge : edges) {
    edge.first = size_;
    size_ += count(edge);
  }
  size_ += 2;
}

EdgeCalibration Parameters::of(const Fitted& edge, const Vector& x) const {
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

double Parameters::thickness(const Vector& x) const { return std::exp(x(size_ - 2)); }

/// Between 2 and 4.5: beyond, it is no continuum that falls, but something else that has no name here.
double Parameters::power(const Vector& x) const { return 3.25 + 1.25 * std::tanh(x(size_ - 1)); }

Vector Parameters::start(const std::vector<Fitted>& edges, double gauss) const {
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

Vector Parameters::width(const std::vector<Fitted>& edges) const {
  Vector w = Vector::Ones(size_);
  for (const Fitted& edge : edges) {
    w(edge.first) = 2;        // eV
    w(edge.first + 4) = 0.5;  // of ln(1 + continuum)
    w(edge.first + 5) = 3;
    if (edge.model->has_l2()) w(edge.first + 7) = 0.3;
  }
  return w;
}

Misfit::Misfit(const std::vector<Fitted>& edges, const Parameters& parameters, const Vector& start,
               const RunContext& context)
    : edges_(edges), parameters_(parameters), start_(start), width_(parameters.width(edges)), context_(context) {
  for (const Fitted& edge : edges) rows_ += edge.measured.size();
}

Vector Misfit::mixture(const std::vector<Matrix>& curves, const Vector& x) const {
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

int Misfit::df(const Vector& x, Matrix& jacobian) const {
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
        if (lifetime)
          these[e] = curve(edges_[e], moved);
        else if (own || j >= parameters_.size() - 2)
          these[e] = curve(edges_[e], broadened[e], moved);
      }
      Vector at(values());
      residual(these, moved, at);
      jacobian.col(j) = (at - centre) / kStep;
    });
  });
  if (context_.progress != nullptr) context_.progress->advance(1);
  return 0;
}

std::vector<std::vector<Matrix>> Misfit::lifetimes(const Vector& x) const {
  std::vector<std::vector<Matrix>> out;
  for (const Fitted& edge : edges_) out.push_back(edge.model->lifetimes(parameters_.of(edge, x)));
  return out;
}

std::vector<Matrix> Misfit::curves(const std::vector<std::vector<Matrix>>& broadened, const Vector& x) const {
  std::vector<Matrix> out;
  for (std::size_t e = 0; e < edges_.size(); ++e) out.push_back(curve(edges_[e], broadened[e], x));
  return out;
}

Matrix Misfit::curve(const Fitted& edge, const Vector& x) const {
  return curve(edge, edge.model->lifetimes(parameters_.of(edge, x)), x);
}

Matrix Misfit::curve(const Fitted& edge, const std::vector<Matrix>& broadened, const Vector& x) const {
  return edge.seen(parameters_.of(edge, x), broadened, parameters_.thickness(x), parameters_.power(x));
}

void Misfit::residual(const std::vector<Matrix>& curves, const Vector& x, Vector& out) const {
  const Vector weights = mixture(curves, x);
  Eigen::Index row = 0;
  for (std::size_t e = 0; e < edges_.size(); ++e) {
    const double amount = parameters_.of(edges_[e], x).amount / edges_[e].scale;
    out.segment(row, edges_[e].measured.size()) = amount * (curves[e] * weights) - edges_[e].measured;
    row += edges_[e].measured.size();
  }
  out.tail(parameters_.size()) = kPrior * (x - start_).cwiseQuotient(width_);
}

}  // namespace elver::train
