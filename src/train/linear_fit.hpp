#pragma once
#include <Eigen/Dense>
#include <span>
#include <vector>

#include "elver/model.hpp"

namespace elver::train {

/// Rows in the coordinates of their principal components, in which penalised fits are cheap: made once for a data set,
/// asked for several penalties. Components with hardly any variance are left out: float32 features do not carry them.
class LinearFit {
 public:
  /// `features` row-major [row][parts' sum]; `weights` of the rows.
  LinearFit(std::span<const float> features, std::span<const float> weights, std::vector<std::size_t> parts);

  /// Ridge: the least weighted mean square error plus `penalty` times the squared length of the weights.
  /// `labels` [row].
  LinearBase ridge(std::span<const float> labels, double penalty) const;
  /// Logistic regression with the same penalty: one output for two classes (margin of class 1), else one a class
  /// (softmax). `labels` [row]: number of the class. By accelerated steps under Boehning's bound of the curvature
  /// (Ann. Inst. Stat. Math. 44 (1992) 197), which is diagonal in these coordinates.
  LinearBase logistic(std::span<const float> labels, std::size_t classes, double penalty) const;
  /// Projections onto the first components, and onto as many random directions across all the others as asked for.
  LinearBase projections(std::size_t components, std::size_t random, std::uint64_t seed) const;
  std::size_t components() const { return static_cast<std::size_t>(variance_.size()); }

 private:
  LinearBase base_of(const Eigen::MatrixXd& directions, const Eigen::VectorXd& intercept) const;

  std::vector<std::size_t> parts_;
  Eigen::VectorXd row_weights_;  ///< sum to 1
  Eigen::VectorXd mean_;         ///< [feature]
  Eigen::MatrixXd axes_;         ///< [feature][component], most variance first
  Eigen::VectorXd variance_;     ///< [component]
  Eigen::MatrixXd scores_;       ///< [row][component]
};

/// The penalties that are tried, ascending.
std::vector<double> penalties();

}  // namespace elver::train
