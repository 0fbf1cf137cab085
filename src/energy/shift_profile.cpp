#include "energy/shift_profile.hpp"

#include <algorithm>
#include <cmath>

namespace elver::energy {

double between(std::span<const double> values, double channel) {
  const auto last = static_cast<std::ptrdiff_t>(values.size()) - 1;
  const double left = std::floor(channel), t = channel - left;
  const auto at = [&](std::ptrdiff_t k) {
    return values[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(left) + k, 0, last))];
  };
  const double a = at(-1), b = at(0), c = at(1), d = at(2);
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

ShiftProfile::ShiftProfile(std::span<const double> mean, std::span<const double> background, std::size_t margin,
                           double range, std::size_t steps) {
  const auto n = static_cast<Eigen::Index>(mean.size() - 2 * margin);
  const auto count = static_cast<Eigen::Index>(2 * steps + 1);
  const double largest = *std::max_element(mean.begin(), mean.end());
  weight_.resize(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    weight_(i) = 1.0 / std::sqrt(std::max(mean[margin + static_cast<std::size_t>(i)], 1e-4 * largest));
  }
  std::vector<double> feature(mean.begin(), mean.end());
  if (!background.empty()) {
    common_.resize(2, n);
    for (Eigen::Index i = 0; i < n; ++i) {
      const double b = background[margin + static_cast<std::size_t>(i)] * weight_(i);
      common_(0, i) = b;
      common_(1, i) = b * (2.0 * static_cast<double>(i) / static_cast<double>(n) - 1.0);
    }
    common_.row(0).normalize();
    common_.row(1) -= common_.row(0).dot(common_.row(1)) * common_.row(0);
    common_.row(1).normalize();
    for (std::size_t i = 0; i < feature.size(); ++i) feature[i] -= background[i];
  }
  rows_.resize(count, n);
  for (Eigen::Index k = 0; k < count; ++k) {
    const double shift = range * (static_cast<double>(k) / static_cast<double>(steps) - 1.0);
    for (Eigen::Index i = 0; i < n; ++i) {
      rows_(k, i) = between(feature, static_cast<double>(margin) + static_cast<double>(i) - shift) * weight_(i);
    }
    for (Eigen::Index j = 0; j < common_.rows(); ++j) {
      const double along = common_.row(j).dot(rows_.row(k));
      rows_.row(k) -= along * common_.row(j);
    }
    const double norm = rows_.row(k).norm();
    if (norm > 0) rows_.row(k) /= norm;
  }
}

void ShiftProfile::add_scores(const Matrix& counts, Matrix& scores, Eigen::VectorXd& rest) const {
  const Matrix weighted = weight_.asDiagonal() * counts;
  rest += weighted.colwise().squaredNorm().transpose();
  if (common_.rows() > 0) rest -= (common_ * weighted).colwise().squaredNorm().transpose();
  scores += (rows_ * weighted).cwiseMax(0.0).cwiseAbs2();
}

}  // namespace elver::energy
