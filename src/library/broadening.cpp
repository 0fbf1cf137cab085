#include "library/broadening.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "library/instrument.hpp"

namespace elver {
namespace {

constexpr double kRoomBelow = 12.0, kRoomAbove = 45.0;  ///< eV

}  // namespace

WideGrid wide_grid(const Subshell& subshell, double step_ev) {
  WideGrid out;
  out.step_ev = step_ev;
  out.start_ev = subshell.start_ev - kRoomBelow;
  const double last = subshell.energy(subshell.points - 1) + kRoomAbove;
  out.points = static_cast<Eigen::Index>((last - out.start_ev) / step_ev) + 1;
  return out;
}

Eigen::MatrixXd on_wide_grid(const Subshell& subshell, const WideGrid& grid, std::span<const std::span<const float>> columns,
                             std::span<const double> jumps) {
  Eigen::MatrixXd out(grid.points, static_cast<Eigen::Index>(columns.size()));
  const double last = subshell.energy(subshell.points - 1);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const std::span<const float> values = columns[c];
    for (Eigen::Index i = 0; i < grid.points; ++i) {
      const double e = grid.energy(i), x = (e - subshell.start_ev) / subshell.step_ev;
      double value = 0;
      if (x <= 0) {
        const double ratio = (subshell.onset_ev - subshell.start_ev) / (subshell.onset_ev - e);
        value = static_cast<double>(values.front()) * ratio * ratio;
      } else if (e >= last) {
        value = jumps[c] + (static_cast<double>(values.back()) - jumps[c]) * std::exp(-(e - last) / kFineStructureDecay);
      } else {
        const auto k = std::min(static_cast<std::size_t>(x), values.size() - 2);
        const double t = x - static_cast<double>(k);
        value = (1 - t) * static_cast<double>(values[k]) + t * static_cast<double>(values[k + 1]);
      }
      out(i, static_cast<Eigen::Index>(c)) = value;
    }
  }
  return out;
}

Eigen::MatrixXd lorentz_matrix(const WideGrid& grid, double onset_ev, const Lifetime& lifetime) {
  const Eigen::Index n = grid.points;
  Eigen::MatrixXd out(n, n);
  for (Eigen::Index from = 0; from < n; ++from) {
    const double above = std::clamp(grid.energy(from) - onset_ev, 0.0, kLifetimeReach);
    const double half = std::max(1e-9, 0.5 * (lifetime.width_ev + lifetime.growth * above));
    // All but the ends: what lies beyond the grid is taken to be as at its ends.
    const auto share = [&](double to) {
      return 0.5 + std::atan((to - static_cast<double>(from)) * grid.step_ev / half) / std::numbers::pi;
    };
    double before = share(-0.5);
    for (Eigen::Index to = 0; to < n; ++to) {
      const double next = share(static_cast<double>(to) + 0.5);
      out(to, from) = next - before;
      before = next;
    }
  }
  // Above the grid the edge goes on: its Lorentzians' lower tails are those of the last energy, in all.
  for (Eigen::Index to = 0; to < n; ++to) out(to, n - 1) += std::max(0.0, 1 - out.row(to).sum());
  return out;
}

Eigen::MatrixXd gauss_matrix(const WideGrid& grid, std::span<const double> energy_ev, double fwhm_ev) {
  const double sigma = std::max(fwhm_ev, 1e-9) / 2.354820045;
  Eigen::MatrixXd out = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(energy_ev.size()), grid.points);
  for (std::size_t row = 0; row < energy_ev.size(); ++row) {
    const auto r = static_cast<Eigen::Index>(row);
    const double x = std::clamp((energy_ev[row] - grid.start_ev) / grid.step_ev, 0.0, static_cast<double>(grid.points - 1));
    if (sigma < grid.step_ev / 2) {
      const auto k = std::min(static_cast<Eigen::Index>(x), grid.points - 2);
      out(r, k + 1) = x - static_cast<double>(k);
      out(r, k) = 1 - out(r, k + 1);
      continue;
    }
    const double reach = 5 * sigma / grid.step_ev;
    const auto first = static_cast<Eigen::Index>(std::max(0.0, std::ceil(x - reach)));
    const auto last = static_cast<Eigen::Index>(std::min(static_cast<double>(grid.points - 1), std::floor(x + reach)));
    double total = 0;
    for (Eigen::Index k = first; k <= last; ++k) {
      const double z = (static_cast<double>(k) - x) * grid.step_ev / sigma;
      total += out(r, k) = std::exp(-0.5 * z * z);
    }
    out.row(r) /= total;
  }
  return out;
}

Eigen::VectorXd rising_continuum(const WideGrid& grid, double onset_ev) {
  Eigen::VectorXd out(grid.points);
  for (Eigen::Index i = 0; i < grid.points; ++i)
    out(i) = 1 - std::exp(-std::max(0.0, grid.energy(i) - onset_ev) / kContinuumRise);
  return out;
}

}  // namespace elver
