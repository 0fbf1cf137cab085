#pragma once
#include <Eigen/Dense>
#include <optional>
#include <span>
#include <vector>

#include "elver/model.hpp"

namespace elver::train {

/// Which gates a fit has: none, the edges' noise, or projections onto the first components as well.
enum class Gates : std::uint8_t { none, noise, noise_and_projections };

/// What a linear fit gives a task.
struct LinearPart {
  LinearBase base;
  std::optional<GatedTerm> gated;

  /// [row][output]: base and gated term together.
  std::vector<float> values(std::span<const float> features, std::span<const float> snr, std::size_t rows) const;
  /// All values times `factor`.
  void scale(double factor);
};

/// Rows in the coordinates of their principal components, in which penalised fits are cheap: made once for a data set,
/// asked for several penalties. Components with hardly any variance are left out: float32 features do not carry them.
/// Where the rows' signal to noise is given, the first of them stand there again times each gate (see GatedTerm), so
/// that the weights of the features may change from pixel to pixel. A gate an edge, not one of all edges' noise
/// together: that would be wide open wherever an element is absent, as in most neighbourhoods, and know nothing of the
/// dose.
class LinearFit {
 public:
  /// `features` row-major [row][parts' sum]; `snr` [row][part] or empty; `weights` of the rows.
  LinearFit(std::span<const float> features, std::span<const float> snr, std::span<const float> weights,
            std::vector<std::size_t> parts);

  /// Ridge: the least weighted mean square error plus `penalty` times the squared length of the coefficients.
  /// `labels` [row]. Gates that the fit was not made with are left out, here and below.
  LinearPart ridge(std::span<const float> labels, double penalty, Gates gates = Gates::noise) const;
  /// Logistic regression with the same penalty: one output for two classes (margin of class 1), else one a class
  /// (softmax). `labels` [row]: number of the class. By accelerated steps under Boehning's bound of the curvature
  /// (Ann. Inst. Stat. Math. 44 (1992) 197).
  LinearPart logistic(std::span<const float> labels, std::size_t classes, double penalty,
                      Gates gates = Gates::noise) const;
  /// Fisher's discriminant: margins are log densities of normal clouds of one covariance, `penalty` added to its
  /// diagonal, plus the log of the class's share of the weights. Outputs and labels as of `logistic`. Closed form, and
  /// on unseen structures better than `logistic`; too sure of itself, so that the margins want a scale below 1.
  LinearPart discriminant(std::span<const float> labels, std::size_t classes, double penalty,
                          Gates gates = Gates::noise) const;
  /// Projections onto the first components, and onto as many random directions across all the others as asked for.
  LinearBase projections(std::size_t components, std::size_t random, std::uint64_t seed) const;

 private:
  Eigen::Index columns_of(Gates gates) const;  ///< of the design, the first ones
  LinearPart part_of(const Eigen::MatrixXd& coefficients, const Eigen::VectorXd& intercept) const;
  LinearBase base_of(const Eigen::MatrixXd& directions, const Eigen::VectorXd& intercept) const;

  std::vector<std::size_t> parts_;
  std::size_t edge_gates_ = 0, projection_gates_ = 0;
  Eigen::VectorXd row_weights_;   ///< sum to 1
  Eigen::VectorXd mean_;          ///< [feature]
  Eigen::MatrixXd axes_;          ///< [feature][component], most variance first
  Eigen::VectorXd deviation_;     ///< [component]: standard deviation
  Eigen::Index gated_ = 0;        ///< components that stand behind each gate
  Eigen::VectorXd column_means_;  ///< of the design
  Eigen::MatrixXf design_;        ///< [row][component, then of each gate: itself, gate * component]; centred
  Eigen::MatrixXd gram_;          ///< weighted, of the design
};

}  // namespace elver::train
