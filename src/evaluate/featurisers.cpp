#include "evaluate/featurisers.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "train/random.hpp"

namespace elver::evaluate {
namespace {

using Vector = Eigen::VectorXd;

/// Over the maximum, so that the dose does not matter.
Vector scaled(std::span<const float> net) {
  Vector out(static_cast<Eigen::Index>(net.size()));
  for (std::size_t i = 0; i < net.size(); ++i) out[static_cast<Eigen::Index>(i)] = static_cast<double>(net[i]);
  const double highest = out.maxCoeff();
  return highest > 0 ? Vector(out / highest) : Vector(Vector::Zero(out.size()));
}

Vector cumulative(std::span<const float> net) {
  Vector out(static_cast<Eigen::Index>(net.size()));
  double sum = 0;
  for (std::size_t i = 0; i < net.size(); ++i) {
    sum += std::max(0.0, static_cast<double>(net[i]));
    out[static_cast<Eigen::Index>(i)] = sum;
  }
  return sum > 0 ? Vector(out / sum) : out;
}

/// Equal regions of about `size` eV.
std::size_t regions(const Edge& edge, double size_ev) {
  return std::max<std::size_t>(
      1, static_cast<std::size_t>(std::lround((edge.grid.stop_ev - edge.grid.start_ev) / size_ev)));
}

struct Region {
  Eigen::Index first = 0, count = 0;
};
Region region(const Edge& edge, std::size_t k, std::size_t of) {
  const auto at = [&](std::size_t i) { return static_cast<Eigen::Index>(i * edge.grid.count / of); };
  return {at(k), at(k + 1) - at(k)};
}

/// Powers 0 to 3 of the position in a region, -1 to 1.
Eigen::MatrixXd powers(Eigen::Index count) {
  Eigen::MatrixXd out(count, 4);
  for (Eigen::Index i = 0; i < count; ++i) {
    const double x = count > 1 ? 2.0 * static_cast<double>(i) / static_cast<double>(count - 1) - 1 : 0.0;
    out.row(i) << 1, x, x * x, x * x * x;
  }
  return out;
}

Vector cubic(const Vector& y, const Region& r) {
  return powers(r.count).completeOrthogonalDecomposition().solve(y.segment(r.first, r.count));
}

constexpr std::array<double, 3> kRegions{2.5, 5, 10};  ///< eV

Vector cubics(const Vector& y, const Edge& edge) {
  std::vector<double> out;
  for (const double size : kRegions) {
    for (std::size_t k = 0, of = regions(edge, size); k < of; ++k) {
      const Vector c = cubic(y, region(edge, k, of));
      out.insert(out.end(), c.begin(), c.end());
    }
  }
  return Eigen::Map<Vector>(out.data(), static_cast<Eigen::Index>(out.size()));
}

/// 20 Gaussians by Levenberg's and Marquardt's steps; a width is 5 eV times the logistic of its parameter, so it stays
/// within its bounds.
class GaussianFit {
 public:
  GaussianFit(const Vector& y, const Edge& edge) : y_(y), edge_(edge), p_(3 * kCount) {
    const double apart = (edge.grid.stop_ev - edge.grid.start_ev) / static_cast<double>(kCount);
    for (Eigen::Index g = 0; g < kCount; ++g) {
      const double centre = edge.grid.start_ev + (static_cast<double>(g) + 0.5) * apart;
      const auto near = static_cast<Eigen::Index>((centre - edge.grid.start_ev) / edge.grid.spacing_ev());
      p_.segment<3>(3 * g) << centre, 0.8 * std::max(0.0, y[std::min(near, y.size() - 1)]), 0.0;
    }
    double damping = 1e-2, loss = curve_of(p_, nullptr).squaredNorm();
    for (int step = 0; step < kSteps; ++step) {
      Eigen::MatrixXd jacobian;
      const Vector residual = curve_of(p_, &jacobian);
      Eigen::MatrixXd normal = jacobian.transpose() * jacobian;
      const Vector gradient = jacobian.transpose() * residual;
      normal.diagonal().array() += damping * (normal.diagonal().array() + 1e-6);
      const Vector moved = bounded(p_ - normal.ldlt().solve(gradient));
      const double found = curve_of(moved, nullptr).squaredNorm();
      if (std::isfinite(found) && found < loss) {
        const bool enough = loss - found < 1e-4 * loss;
        p_ = moved;
        loss = found;
        damping = std::max(1e-7, damping / 4);
        if (enough) break;
      } else {
        damping *= 6;
      }
    }
  }
  /// Centre, amplitude and full width of each.
  Vector parameters() const {
    Vector out = p_;
    for (Eigen::Index g = 0; g < kCount; ++g) out[3 * g + 2] = width(p_[3 * g + 2]);
    return out;
  }
  Vector curve() const { return curve_of(p_, nullptr) + y_; }

 private:
  static constexpr Eigen::Index kCount = static_cast<Eigen::Index>(kGaussians);
  static constexpr int kSteps = 25;
  static constexpr double kWidest = 5.0;  ///< eV
  static double width(double parameter) { return kWidest / (1 + std::exp(-parameter)) + 1e-3; }

  /// Centres stay on the grid and peaks are peaks, or a spectrum now and then is fitted by giants that cancel.
  Vector bounded(Vector p) const {
    for (Eigen::Index g = 0; g < kCount; ++g) {
      p[3 * g] = std::clamp(p[3 * g], edge_.grid.start_ev, edge_.grid.stop_ev);
      p[3 * g + 1] = std::clamp(p[3 * g + 1], 0.0, 2.0);
      p[3 * g + 2] = std::clamp(p[3 * g + 2], -6.0, 6.0);
    }
    return p;
  }

  /// Curve minus the data, and its derivatives.
  Vector curve_of(const Vector& p, Eigen::MatrixXd* jacobian) const {
    Vector out = -y_;
    if (jacobian != nullptr) *jacobian = Eigen::MatrixXd::Zero(y_.size(), p.size());
    for (Eigen::Index g = 0; g < kCount; ++g) {
      const double centre = p[3 * g], amplitude = p[3 * g + 1], fwhm = width(p[3 * g + 2]);
      const double k = 4 * std::numbers::ln2 / (fwhm * fwhm);
      for (Eigen::Index i = 0; i < y_.size(); ++i) {
        const double d = edge_.grid.energy(static_cast<std::size_t>(i)) - centre;
        if (k * d * d > 30) continue;
        const double bell = std::exp(-k * d * d);
        out[i] += amplitude * bell;
        if (jacobian == nullptr) continue;
        (*jacobian)(i, 3 * g) = amplitude * bell * 2 * k * d;
        (*jacobian)(i, 3 * g + 1) = bell;
        (*jacobian)(i, 3 * g + 2) = amplitude * bell * 2 * k * d * d / fwhm * (fwhm * (1 - fwhm / kWidest));
      }
    }
    return out;
  }

  const Vector& y_;
  const Edge& edge_;
  Vector p_;
};

Vector features_of(Featurisation kind, std::span<const float> net, const Edge& edge) {
  switch (kind) {
    case Featurisation::raw: return scaled(net);
    case Featurisation::cdf: return cumulative(net);
    case Featurisation::cubics: return cubics(scaled(net), edge);
    default: {
      const Vector y = scaled(net);
      return GaussianFit(y, edge).parameters();
    }
  }
}

}  // namespace

std::string_view name_of(Featurisation kind) {
  constexpr std::array<std::string_view, 4> kNames{"raw intensity", "CDF", "piecewise cubics", "20 Gaussians"};
  return kNames[static_cast<std::size_t>(kind)];
}

Featurised featurise(Featurisation kind, std::span<const float> net, std::size_t rows, const std::vector<Edge>& edges) {
  Featurised out;
  std::size_t columns = 0;
  for (const Edge& edge : edges) {
    const std::vector<float> flat(edge.grid.count, 1.0F);
    out.parts.push_back(kind == Featurisation::raw || kind == Featurisation::cdf ? edge.grid.count
                        : kind == Featurisation::gaussians
                            ? 3 * kGaussians
                            : static_cast<std::size_t>(cubics(scaled(flat), edge).size()));
    columns += out.parts.back();
  }
  out.matrix = {rows, columns, std::vector<float>(rows * columns)};
  std::size_t from = 0, to = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    for (const Edge& edge : edges) {
      const Vector made = features_of(kind, net.subspan(from, edge.grid.count), edge);
      for (const double value : made) out.matrix.values[to++] = static_cast<float>(value);
      from += edge.grid.count;
    }
  }
  return out;
}

std::vector<double> fitted_curve(Featurisation kind, std::span<const float> net, const Edge& edge) {
  const Vector y = scaled(net);
  Vector out = y;
  if (kind == Featurisation::gaussians) {
    out = GaussianFit(y, edge).curve();
  } else if (kind == Featurisation::cubics) {
    for (std::size_t k = 0, of = regions(edge, kRegions[1]); k < of; ++k) {
      const Region r = region(edge, k, of);
      out.segment(r.first, r.count) = powers(r.count) * cubic(y, r);
    }
  } else if (kind == Featurisation::cdf) {
    out = cumulative(net);
  }
  return {out.begin(), out.end()};
}

std::vector<float> with_poisson_noise(std::span<const float> net, const std::vector<Edge>& edges, double peak,
                                      std::uint64_t seed) {
  std::vector<float> out(net.begin(), net.end());
  std::size_t at = 0, row = 0;
  while (at < out.size()) {
    std::mt19937_64 random = train::random_stream(seed, 42, row++);
    for (const Edge& edge : edges) {
      const auto part = std::span(out).subspan(at, edge.grid.count);
      const double scale = peak / static_cast<double>(std::ranges::max(part));
      for (float& value : part) {
        const double mean = static_cast<double>(value) * scale;
        if (!(scale > 0) || !(mean > 0)) continue;
        value = static_cast<float>(static_cast<double>(std::poisson_distribution<int>(mean)(random)) / scale);
      }
      at += edge.grid.count;
    }
  }
  return out;
}

}  // namespace elver::evaluate
