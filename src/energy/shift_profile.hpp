#pragma once
#include <Eigen/Dense>
#include <span>

#include "elver/energy_axis.hpp"

namespace elver::energy {

/// How well a feature of the mean spectrum explains a pixel's counts, at every shift of a grid.
///
/// The pixel is a * B + b * B * E + s * S(E - shift): a background B that may be brighter and tilt, and the feature S;
/// least squares with the weights of the mean spectrum's Poisson noise, the same for all pixels, so that few counts
/// make no bias. The score of a shift is what S explains of the sum of squares; its half, over the pixel's variance
/// in units of the mean's, is the profile likelihood.
class ShiftProfile {
 public:
  /// `mean`: counts a channel, `margin` channels more on either side than the window; `background`: of the same
  /// length, or empty; shifts run from -range to range channels in `steps` steps either side, range <= margin - 2.
  ShiftProfile(std::span<const double> mean, std::span<const double> background, std::size_t margin, double range,
               std::size_t steps);

  std::size_t channels() const { return static_cast<std::size_t>(rows_.cols()); }
  std::size_t shifts() const { return static_cast<std::size_t>(rows_.rows()); }
  double freedom() const { return static_cast<double>(rows_.cols() - common_.rows() - 1); }

  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  /// Adds the scores, [shift][pixel], and what the background leaves of the weighted sum of squares, [pixel].
  /// `counts`: [channel of the window][pixel].
  void add_scores(const Matrix& counts, Matrix& scores, Eigen::VectorXd& rest) const;

 private:
  Matrix rows_;    ///< [shift][channel]: orthonormal to the background, in weighted counts
  Matrix common_;  ///< the background's, orthonormal
  Eigen::VectorXd weight_;
};

/// The mean of the values at a fraction between channels: a cubic through four of them (Catmull-Rom), ends repeated.
double between(std::span<const double> values, double channel);

}  // namespace elver::energy
