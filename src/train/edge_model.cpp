#include "train/edge_model.hpp"

#include <cmath>
#include <map>

#include "library/instrument.hpp"
#include "types/text.hpp"

namespace elver::train {
namespace {

constexpr double kStep = 0.2;  ///< eV: the finest that a measured edge shows

bool is_l2(const std::string& subshell) { return subshell.ends_with("_L2"); }

}  // namespace

Families families_of(const Library& library) {
  struct Sum {
    Specimen specimen;
    double structures = 0;
  };
  std::map<std::string, Sum> sums;
  for (std::size_t s = 0; s < library.structures.size(); ++s) {
    const Structure& cell = library.structures[s];
    const std::optional<Specimen> average = structure_average(library, s);
    if (!average) continue;
    Sum& sum = sums[text("%s %s Li %.1f", cell.composition.c_str(), std::string(name_of(cell.defect)).c_str(), cell.lithiation)];
    sum.specimen.add(*average, 1.0);
    sum.structures += 1;
  }
  Families out;
  for (const auto& [name, sum] : sums) {
    Specimen mean;
    mean.add(sum.specimen, 1 / sum.structures);
    out.names.push_back(name);
    out.means.push_back(std::move(mean));
  }
  return out;
}

EdgeModel::EdgeModel(const Library& library, const Families& families, const std::string& element,
                     std::vector<double> channels_ev)
    : channels_(std::move(channels_ev)), library_(library) {
  for (std::size_t s = 0; s < library.subshells.size(); ++s) {
    const Subshell& subshell = library.subshells[s];
    if (subshell.element != element) continue;
    std::vector<std::span<const float>> columns;
    std::vector<double> jumps;
    const std::vector<float> none(subshell.points, 0.0F);
    for (const Specimen& mean : families.means) {
      const bool here = !mean.cross_section[s].empty();
      columns.emplace_back(here ? mean.cross_section[s] : none);
      jumps.push_back(here ? mean.jump[s] : 0.0);
    }
    if (is_l2(subshell.name)) second_.push_back(subshells_.size());
    subshells_.push_back(s);
    grids_.push_back(wide_grid(subshell, kStep));
    values_.push_back(on_wide_grid(subshell, grids_.back(), columns, jumps));
    jumps_.push_back(Eigen::Map<const Eigen::RowVectorXd>(jumps.data(), static_cast<Eigen::Index>(jumps.size())));
  }
  // Plural scattering is linear: what it does to each channel, found once.
  const auto n = static_cast<Eigen::Index>(channels_.size());
  const EnergyAxis axis{channels_[0], channels_[1] - channels_[0], channels_.size()};
  plasmon_once_ = plasmon_twice_ = Eigen::MatrixXd::Zero(n, n);
  for (Eigen::Index c = 0; c < n; ++c) {
    std::vector<double> one(channels_.size(), 0.0), two = one;
    one[static_cast<std::size_t>(c)] = two[static_cast<std::size_t>(c)] = 1;
    add_plural_scattering(one, axis, 1.0);
    add_plural_scattering(two, axis, 2.0);  // 1 + t p + t^2/2 q at t = 1 and 2 gives p and q
    for (Eigen::Index r = 0; r < n; ++r) {
      const double unit = r == c ? 1.0 : 0.0;
      const double a = one[static_cast<std::size_t>(r)] - unit, b = two[static_cast<std::size_t>(r)] - unit;
      plasmon_twice_(r, c) = b - 2 * a;  // q
      plasmon_once_(r, c) = a - 0.5 * plasmon_twice_(r, c);
    }
  }
}

std::vector<Eigen::MatrixXd> EdgeModel::lifetimes(const EdgeCalibration& how) const {
  std::vector<Eigen::MatrixXd> out;
  for (std::size_t i = 0; i < subshells_.size(); ++i) {
    const Subshell& subshell = library_.subshells[subshells_[i]];
    const Lifetime lifetime{how.lorentz_ev + (is_l2(subshell.name) ? how.l2_lorentz_ev : 0.0), how.lorentz_growth};
    out.push_back(lorentz_matrix(grids_[i], subshell.onset_ev, lifetime) * values_[i]);
  }
  return out;
}

Eigen::MatrixXd EdgeModel::curves(const EdgeCalibration& how, const std::vector<Eigen::MatrixXd>& broadened, double thickness,
                                  double continuum_power) const {
  Eigen::MatrixXd sum;
  for (std::size_t i = 0; i < subshells_.size(); ++i) {
    const Subshell& subshell = library_.subshells[subshells_[i]];
    const WideGrid& grid = grids_[i];
    const bool l2 = is_l2(subshell.name);
    Eigen::MatrixXd edge = broadened[i];
    edge += how.continuum * rising_continuum(grid, subshell.onset_ev) * jumps_[i];
    for (Eigen::Index k = 0; k < grid.points; ++k) {
      if (grid.energy(k) > subshell.onset_ev) edge.row(k) *= std::pow(grid.energy(k) / subshell.onset_ev, -continuum_power);
    }
    edge *= (l2 ? how.l2_ratio : 1.0) / subshell.onset_ev;
    std::vector<double> at = channels_;
    for (double& e : at) e -= how.shift_ev + (l2 ? how.splitting_ev : 0.0);
    const Eigen::MatrixXd seen = gauss_matrix(grid, at, how.gauss_fwhm_ev) * edge;
    if (sum.size() == 0) sum = Eigen::MatrixXd::Zero(seen.rows(), seen.cols());
    sum += seen;
  }
  return sum + thickness * (plasmon_once_ * sum) + thickness * thickness / 2 * (plasmon_twice_ * sum);
}

Eigen::VectorXd nonnegative(const Eigen::MatrixXd& gram, const Eigen::VectorXd& right) {
  const Eigen::Index n = right.size();
  Eigen::VectorXd x = Eigen::VectorXd::Zero(n);
  std::vector<char> free(static_cast<std::size_t>(n), 0);
  const double tolerance = 1e-10 * right.cwiseAbs().maxCoeff();
  const auto solve_free = [&] {
    std::vector<Eigen::Index> in;
    for (Eigen::Index i = 0; i < n; ++i) {
      if (free[static_cast<std::size_t>(i)] != 0) in.push_back(i);
    }
    Eigen::VectorXd out = Eigen::VectorXd::Zero(n);
    if (!in.empty()) {
      const Eigen::VectorXd part = Eigen::MatrixXd(gram(in, in)).ldlt().solve(Eigen::VectorXd(right(in)));
      for (std::size_t i = 0; i < in.size(); ++i) out(in[i]) = part(static_cast<Eigen::Index>(i));
    }
    return out;
  };
  for (Eigen::Index round = 0; round < 3 * n; ++round) {
    const Eigen::VectorXd gain = right - gram * x;
    Eigen::Index best = -1;
    for (Eigen::Index i = 0; i < n; ++i) {
      if (free[static_cast<std::size_t>(i)] == 0 && gain(i) > tolerance && (best < 0 || gain(i) > gain(best))) best = i;
    }
    if (best < 0) break;
    free[static_cast<std::size_t>(best)] = 1;
    for (;;) {
      const Eigen::VectorXd wanted = solve_free();
      double step = 1;
      for (Eigen::Index i = 0; i < n; ++i) {
        if (free[static_cast<std::size_t>(i)] != 0 && wanted(i) <= 0) step = std::min(step, x(i) / (x(i) - wanted(i)));
      }
      x += step * (wanted - x);
      if (step >= 1) break;
      for (Eigen::Index i = 0; i < n; ++i) {
        if (free[static_cast<std::size_t>(i)] != 0 && x(i) <= 1e-14 * x.maxCoeff()) free[static_cast<std::size_t>(i)] = 0, x(i) = 0;
      }
    }
  }
  return x;
}

}  // namespace elver::train
