#pragma once
#include <Eigen/Dense>
#include <memory>
#include <vector>

#include "elver/calibrate_library.hpp"
#include "train/edge_model.hpp"

namespace elver::train {

using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

/// One edge of the reference without its background, and the model that is to describe it.
struct Fitted {
  EdgeCalibration start;
  std::size_t skip = 0;  ///< channels of the model before the grid
  Vector measured;       ///< net counts in the grid, over their length
  double scale = 1;      ///< that length
  std::vector<double> energy_ev;
  std::unique_ptr<EdgeModel> model;
  Eigen::Index first = 0;  ///< of its parameters
  Matrix seen(const EdgeCalibration& how, const std::vector<Matrix>& broadened, double thickness, double power) const {
    return model->curves(how, broadened, thickness, power).bottomRows(measured.size());
  }
  Matrix seen(const EdgeCalibration& how, double thickness, double power) const {
    return seen(how, model->lifetimes(how), thickness, power);
  }
};

/// All numbers of the fit but the mixture, each in a scale without limits.
class Parameters {
 public:
  explicit Parameters(std::vector<Fitted>& edges);  ///< says to each where its own begin
  static Eigen::Index count(const Fitted& edge) { return edge.model->has_l2() ? 9 : 6; }
  Eigen::Index size() const { return size_; }
  EdgeCalibration of(const Fitted& edge, const Vector& x) const;
  double thickness(const Vector& x) const;
  double power(const Vector& x) const;
  /// Where the fit begins, and how far from there a parameter is expected.
  Vector start(const std::vector<Fitted>& edges, double gauss) const;
  Vector width(const std::vector<Fitted>& edges) const;

 private:
  Eigen::Index size_ = 0;
};

/// The misfit as Eigen's minimiser asks for it: for each set of parameters the best mixture is taken (variable
/// projection).
class Misfit {
 public:
  using Scalar = double;
  enum { InputsAtCompileTime = Eigen::Dynamic, ValuesAtCompileTime = Eigen::Dynamic };
  using InputType = Vector;
  using ValueType = Vector;
  using JacobianType = Matrix;

  Misfit(const std::vector<Fitted>& edges, const Parameters& parameters, const Vector& start,
         const RunContext& context);
  int inputs() const { return static_cast<int>(parameters_.size()); }
  int values() const { return static_cast<int>(rows_ + parameters_.size()); }

  std::vector<Matrix> curves(const Vector& x) const { return curves(lifetimes(x), x); }
  /// The mixture of the families that these curves describe the reference best with; not normalised.
  Vector mixture(const std::vector<Matrix>& curves, const Vector& x) const;
  int operator()(const Vector& x, Vector& out) const {
    residual(curves(x), x, out);
    return 0;
  }
  int df(const Vector& x, Matrix& jacobian) const;

 private:
  std::vector<std::vector<Matrix>> lifetimes(const Vector& x) const;
  std::vector<Matrix> curves(const std::vector<std::vector<Matrix>>& broadened, const Vector& x) const;
  Matrix curve(const Fitted& edge, const Vector& x) const;
  Matrix curve(const Fitted& edge, const std::vector<Matrix>& broadened, const Vector& x) const;
  void residual(const std::vector<Matrix>& curves, const Vector& x, Vector& out) const;

  const std::vector<Fitted>& edges_;
  const Parameters& parameters_;
  Vector start_, width_;
  const RunContext& context_;
  Eigen::Index rows_ = 0;
};

}  // namespace elver::train
