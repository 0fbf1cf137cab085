#pragma once
#include <Eigen/Dense>
#include <optional>
#include <span>
#include <vector>

#include "elver/model.hpp"

namespace elver::train {

/// What a linear fit gives a task.
struct LinearPart {
  LinearBase base;
  std::optional<NoiseTerm> noise;

  /// [row][output]: base and noise term together.
  std::vector<float> values(std::span<const float> features, std::span<const float> snr, std::size_t rows) const;
  /// All values times `factor`.
  void scale(double factor);
};

/// Rows in the coordinates of their principal components, in which penalised fits are cheap: made once for a data set,
/// asked for several penalties. Components with hardly any variance are left out: float32 features do not carry them.
/// Where the rows' signal to noise is given, the components stand there again, times a weight that grows with the
/// noise: what is worth reading from a quiet spectrum is not what is left in a noisy one.
class LinearFit {
 public:
  /// `features` row-major [row][parts' sum]; `snr` [row][part] or empty; `weights` of the rows.
  LinearFit(std::span<const float> features, std::span<const float> snr, std::span<const float> weights,
            std::vector<std::size_t> parts);

  /// Ridge: the least weighted mean square error plus `penalty` times the squared length of the coefficients.
  /// `labels` [row].
  LinearPart ridge(std::span<const float> labels, double penalty) const;
  /// Logistic regression with the same penalty: one output for two classes (margin of class 1), else one a class
  /// (softmax). `labels` [row]: number of the class. By accelerated steps under Boehning's bound of the curvature
  /// (Ann. Inst. Stat. Math. 44 (1992) 197).
  LinearPart logistic(std::span<const float> labels, std::size_t classes, double penalty) const;
  /// Fisher's discriminant: margins are log densities of normal clouds of one covariance, `penalty` added to its
  /// diagonal, plus the log of the class's share of the weights. Outputs and labels as of `logistic`. Closed form, and
  /// on unseen structures better than `logistic`; too sure of itself, so that the margins want a scale below 1.
  LinearPart discriminant(std::span<const float> labels, std::size_t classes, double penalty) const;
  /// Projections onto the first components, and onto as many random directions across all the others as asked for.
  LinearBase projections(std::size_t components, std::size_t random, std::uint64_t seed) const;

 private:
  LinearPart part_of(const Eigen::MatrixXd& coefficients, const Eigen::VectorXd& intercept) const;
  LinearBase base_of(const Eigen::MatrixXd& directions, const Eigen::VectorXd& intercept) const;

  std::vector<std::size_t> parts_;
  std::vector<double> levels_;    ///< of the noise
  Eigen::VectorXd row_weights_;   ///< sum to 1
  Eigen::VectorXd mean_;          ///< [feature]
  Eigen::MatrixXd axes_;          ///< [feature][component], most variance first
  Eigen::VectorXd column_means_;  ///< of the design
  Eigen::MatrixXf design_;        ///< [row][component, then of each level: its weight, weight * component]; centred
  Eigen::MatrixXd gram_;          ///< weighted, of the design
};

}  // namespace elver::train
