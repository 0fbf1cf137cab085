#include "train/linear_fit.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/random.hpp"

namespace elver::train {
namespace {

constexpr Eigen::Index kMostComponents = 160;
constexpr double kLeastVariance = 1e-9;  ///< of the whole
constexpr int kSteps = 250;
constexpr std::uint32_t kStream = 21;

}  // namespace

std::vector<double> penalties() { return {1e-7, 3e-7, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3}; }

LinearFit::LinearFit(std::span<const float> features, std::span<const float> weights, std::vector<std::size_t> parts)
    : parts_(std::move(parts)) {
  const auto width = static_cast<Eigen::Index>(std::accumulate(parts_.begin(), parts_.end(), std::size_t{0}));
  const auto rows = static_cast<Eigen::Index>(weights.size());
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> x(features.data(), rows, width);
  row_weights_ = Eigen::Map<const Eigen::VectorXf>(weights.data(), rows).cast<double>();
  row_weights_ /= row_weights_.sum();
  mean_ = x.transpose().cast<double>() * row_weights_;
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(width, width);
  constexpr Eigen::Index kBlock = 512;
  for (Eigen::Index first = 0; first < rows; first += kBlock) {
    const Eigen::Index count = std::min(kBlock, rows - first);
    Eigen::MatrixXd part = x.middleRows(first, count).cast<double>();
    part.rowwise() -= mean_.transpose();
    part = row_weights_.segment(first, count).cwiseSqrt().asDiagonal() * part;
    covariance.selfadjointView<Eigen::Lower>().rankUpdate(part.transpose());
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);
  const Eigen::VectorXd values = solver.eigenvalues().reverse();
  Eigen::Index kept = 1;
  while (kept < std::min(width, kMostComponents) && values[kept] > kLeastVariance * values.sum()) ++kept;
  axes_ = solver.eigenvectors().rowwise().reverse().leftCols(kept);
  variance_ = values.head(kept);
  scores_.resize(rows, kept);
  for (Eigen::Index first = 0; first < rows; first += kBlock) {
    const Eigen::Index count = std::min(kBlock, rows - first);
    Eigen::MatrixXd part = x.middleRows(first, count).cast<double>();
    part.rowwise() -= mean_.transpose();
    scores_.middleRows(first, count).noalias() = part * axes_;
  }
}

/// From directions in the components' coordinates, [component][output], to weights of the features.
LinearBase LinearFit::base_of(const Eigen::MatrixXd& directions, const Eigen::VectorXd& intercept) const {
  const Eigen::MatrixXd weights = axes_ * directions;
  LinearBase out;
  out.parts = parts_;
  for (Eigen::Index k = 0; k < weights.cols(); ++k) {
    const Eigen::VectorXf rounded = weights.col(k).cast<float>();
    out.weights.insert(out.weights.end(), rounded.begin(), rounded.end());
    out.intercept.push_back(static_cast<float>(intercept[k] - mean_.dot(rounded.cast<double>())));
  }
  return out;
}

LinearBase LinearFit::ridge(std::span<const float> labels, double penalty) const {
  const Eigen::VectorXd y =
      Eigen::Map<const Eigen::VectorXf>(labels.data(), static_cast<Eigen::Index>(labels.size())).cast<double>();
  const double mean = y.dot(row_weights_);
  const Eigen::VectorXd moment = scores_.transpose() * (row_weights_.cwiseProduct(y.array().matrix() - Eigen::VectorXd::Constant(y.size(), mean)));
  const Eigen::VectorXd direction = moment.cwiseQuotient(variance_ + Eigen::VectorXd::Constant(variance_.size(), penalty));
  return base_of(direction, Eigen::VectorXd::Constant(1, mean));
}

LinearBase LinearFit::logistic(std::span<const float> labels, std::size_t classes, double penalty) const {
  const Eigen::Index outputs = classes == 2 ? 1 : static_cast<Eigen::Index>(classes);
  const Eigen::Index rows = scores_.rows(), kept = scores_.cols();
  Eigen::MatrixXd wanted = Eigen::MatrixXd::Zero(rows, outputs);
  for (Eigen::Index i = 0; i < rows; ++i) {
    const auto label = static_cast<Eigen::Index>(std::lround(labels[static_cast<std::size_t>(i)]));
    if (outputs == 1) wanted(i, 0) = label == 1 ? 1.0 : 0.0;
    if (outputs > 1) wanted(i, label) = 1.0;
  }
  const double bound = outputs == 1 ? 0.25 : 0.5;
  const Eigen::VectorXd step = (bound * variance_.array() + penalty).inverse().matrix();
  Eigen::MatrixXd direction = Eigen::MatrixXd::Zero(kept, outputs), looked = direction;
  Eigen::RowVectorXd intercept = Eigen::RowVectorXd::Zero(outputs), looked_at = intercept;
  double momentum = 1;
  for (int i = 0; i < kSteps; ++i) {
    Eigen::MatrixXd margins = scores_ * looked;
    margins.rowwise() += looked_at;
    if (outputs == 1) {
      margins = (1 + (-margins.array()).exp()).inverse().matrix();
    } else {
      margins.colwise() -= margins.rowwise().maxCoeff().eval();
      margins = margins.array().exp().matrix();
      const Eigen::VectorXd norm = margins.rowwise().sum().cwiseInverse();  // before the sums change
      margins = norm.asDiagonal() * margins;
    }
    const Eigen::MatrixXd residual = row_weights_.asDiagonal() * (margins - wanted);
    const Eigen::MatrixXd slope = scores_.transpose() * residual + penalty * looked;
    const Eigen::MatrixXd next = looked - step.asDiagonal() * slope;
    const Eigen::RowVectorXd next_intercept = looked_at - residual.colwise().sum() / bound;
    // Momentum is dropped where it leads uphill.
    const bool uphill = slope.cwiseProduct(next - direction).sum() > 0;
    const double next_momentum = uphill ? 1.0 : (1 + std::sqrt(1 + 4 * momentum * momentum)) / 2;
    const double carry = uphill ? 0.0 : (momentum - 1) / next_momentum;
    looked = next + carry * (next - direction);
    looked_at = next_intercept + carry * (next_intercept - intercept);
    direction = next;
    intercept = next_intercept;
    momentum = next_momentum;
  }
  return base_of(direction, intercept.transpose());
}

LinearBase LinearFit::projections(std::size_t components, std::size_t random, std::uint64_t seed) const {
  const Eigen::Index width = axes_.rows();
  const auto first = std::min(static_cast<Eigen::Index>(components), axes_.cols());
  Eigen::MatrixXd weights(width, first + static_cast<Eigen::Index>(random));
  weights.leftCols(first) = axes_.leftCols(first);
  std::mt19937_64 engine = random_stream(seed, kStream, 0);
  std::normal_distribution normal(0.0, 1.0 / std::sqrt(static_cast<double>(width)));
  for (Eigen::Index k = first; k < weights.cols(); ++k) {
    Eigen::VectorXd direction = Eigen::VectorXd::NullaryExpr(width, [&](Eigen::Index) { return normal(engine); });
    direction -= axes_.leftCols(first) * (axes_.leftCols(first).transpose() * direction);
    weights.col(k) = direction;
  }
  LinearBase out;
  out.parts = parts_;
  for (Eigen::Index k = 0; k < weights.cols(); ++k) {
    const Eigen::VectorXf rounded = weights.col(k).cast<float>();
    out.weights.insert(out.weights.end(), rounded.begin(), rounded.end());
    out.intercept.push_back(static_cast<float>(-mean_.dot(rounded.cast<double>())));
  }
  return out;
}

}  // namespace elver::train
