#include "train/linear_fit.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/random.hpp"

namespace elver::train {
namespace {

constexpr Eigen::Index kMostComponents = 150;
constexpr double kLeastVariance = 1e-9;  ///< of the whole
constexpr Eigen::Index kMostGated = 80;  ///< components behind each gate
constexpr Eigen::Index kMostProjections = 3;  ///< that are gates themselves
constexpr double kLevel = 0.001;              ///< of every edge: a signal to noise ratio of 32
constexpr int kSteps = 150;
constexpr std::uint32_t kStream = 21;

Eigen::VectorXd doubles(std::span<const float> values) {
  return Eigen::Map<const Eigen::VectorXf>(values.data(), static_cast<Eigen::Index>(values.size())).cast<double>();
}

}  // namespace

std::vector<float> LinearPart::values(std::span<const float> features, std::span<const float> snr,
                                      std::size_t rows) const {
  const std::size_t outputs = base.intercept.size();
  std::vector<float> out(rows * outputs);
  base.values(features, rows, out);
  if (gated) gated->add(features, snr, rows, out);
  return out;
}

void LinearPart::scale(double factor) {
  const auto each = [&](std::span<float> values) {
    for (float& value : values) value = static_cast<float>(factor * static_cast<double>(value));
  };
  each(base.weights);
  each(base.intercept);
  if (!gated) return;
  LinearBase& linear = gated->linear;  // but for the projections, which are no margins
  each(std::span(linear.weights).subspan(gated->projections * linear.feature_count()));
  each(std::span(linear.intercept).subspan(gated->projections));
}

LinearFit::LinearFit(std::span<const float> features, std::span<const float> snr, std::span<const float> weights,
                     std::vector<std::size_t> parts)
    : parts_(std::move(parts)) {
  const auto width = static_cast<Eigen::Index>(std::accumulate(parts_.begin(), parts_.end(), std::size_t{0}));
  const auto rows = static_cast<Eigen::Index>(weights.size());
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> x(features.data(), rows, width);
  row_weights_ = doubles(weights);
  row_weights_ /= row_weights_.sum();
  mean_ = x.transpose().cast<double>() * row_weights_;
  const auto centred = [&](Eigen::Index first, Eigen::Index count) {
    Eigen::MatrixXd part = x.middleRows(first, count).cast<double>();
    part.rowwise() -= mean_.transpose();
    return part;
  };
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(width, width);
  constexpr Eigen::Index kBlock = 512;
  for (Eigen::Index first = 0; first < rows; first += kBlock) {
    const Eigen::Index count = std::min(kBlock, rows - first);
    const Eigen::MatrixXd part = row_weights_.segment(first, count).cwiseSqrt().asDiagonal() * centred(first, count);
    covariance.selfadjointView<Eigen::Lower>().rankUpdate(part.transpose());
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);
  const Eigen::VectorXd values = solver.eigenvalues().reverse();
  Eigen::Index kept = 1;
  while (kept < std::min(width, kMostComponents) && values[kept] > kLeastVariance * values.sum()) ++kept;
  axes_ = solver.eigenvectors().rowwise().reverse().leftCols(kept);

  deviation_ = values.head(kept).cwiseMax(0).cwiseSqrt();

  if (!snr.empty()) {
    edge_gates_ = parts_.size();
    projection_gates_ = values[0] > 0 ? static_cast<std::size_t>(std::min(kept, kMostProjections)) : 0;
    gated_ = std::min(kept, kMostGated);
  }
  const Eigen::Index columns = columns_of(Gates::noise_and_projections);
  design_.resize(rows, columns);
  column_means_ = Eigen::VectorXd::Zero(columns);
  gram_ = Eigen::MatrixXd::Zero(columns, columns);
  for (Eigen::Index first = 0; first < rows; first += kBlock) {
    const Eigen::Index count = std::min(kBlock, rows - first);
    Eigen::MatrixXd block(count, columns);
    block.leftCols(kept).noalias() = centred(first, count) * axes_;
    for (std::size_t g = 0; g < edge_gates_ + projection_gates_; ++g) {
      const Eigen::Index column = kept + static_cast<Eigen::Index>(g) * (1 + gated_);
      const auto component = static_cast<Eigen::Index>(g) - static_cast<Eigen::Index>(edge_gates_);
      if (component >= 0) {
        block.col(column) = (block.col(component) / deviation_[component]).cwiseMax(-kWidestGate).cwiseMin(kWidestGate);
      } else {
        for (Eigen::Index i = 0; i < count; ++i) {
          const double noise = noise_of(snr.subspan(static_cast<std::size_t>(first + i) * parts_.size() + g, 1));
          block(i, column) = noise / (noise + kLevel);
        }
      }
      block.middleCols(column + 1, gated_) = block.col(column).asDiagonal() * block.leftCols(gated_);
    }
    design_.middleRows(first, count) = block.cast<float>();
    column_means_ += block.transpose() * row_weights_.segment(first, count);
    block = row_weights_.segment(first, count).cwiseSqrt().asDiagonal() * block;
    gram_.selfadjointView<Eigen::Lower>().rankUpdate(block.transpose());
  }
  gram_.selfadjointView<Eigen::Lower>().rankUpdate(column_means_, -1.0);
  gram_ = gram_.selfadjointView<Eigen::Lower>();
  design_.rowwise() -= column_means_.cast<float>().transpose();
}

/// From directions in the components' coordinates, [component][output], to weights of the features.
LinearBase LinearFit::base_of(const Eigen::MatrixXd& directions, const Eigen::VectorXd& intercept) const {
  const Eigen::MatrixXd weights = axes_.leftCols(directions.rows()) * directions;
  LinearBase out;
  out.parts = parts_;
  for (Eigen::Index k = 0; k < weights.cols(); ++k) {
    const Eigen::VectorXf rounded = weights.col(k).cast<float>();
    out.weights.insert(out.weights.end(), rounded.begin(), rounded.end());
    out.intercept.push_back(static_cast<float>(intercept[k] - mean_.dot(rounded.cast<double>())));
  }
  return out;
}

LinearPart LinearFit::part_of(const Eigen::MatrixXd& coefficients, const Eigen::VectorXd& intercept) const {
  const Eigen::VectorXd constant = intercept - coefficients.transpose() * column_means_.head(coefficients.rows());
  LinearPart out{base_of(coefficients.topRows(axes_.cols()), constant), std::nullopt};
  if (coefficients.rows() == axes_.cols()) return out;
  GatedTerm term;
  term.levels.assign(edge_gates_, kLevel);
  term.linear.parts = parts_;
  const auto append = [&](const LinearBase& more) {
    term.linear.intercept.insert(term.linear.intercept.end(), more.intercept.begin(), more.intercept.end());
    term.linear.weights.insert(term.linear.weights.end(), more.weights.begin(), more.weights.end());
  };
  if (coefficients.rows() == columns_of(Gates::noise_and_projections) && projection_gates_ > 0) {
    term.projections = projection_gates_;
    const auto count = static_cast<Eigen::Index>(projection_gates_);
    const Eigen::MatrixXd unit = deviation_.head(count).cwiseInverse().asDiagonal();
    append(base_of(unit, Eigen::VectorXd::Zero(count)));
  }
  for (Eigen::Index row = axes_.cols(); row < coefficients.rows(); row += 1 + gated_)
    append(base_of(coefficients.middleRows(row + 1, gated_), coefficients.row(row).transpose()));
  out.gated = std::move(term);
  return out;
}

Eigen::Index LinearFit::columns_of(Gates gates) const {
  const std::size_t count = gates == Gates::none    ? 0
                            : gates == Gates::noise ? edge_gates_
                                                    : edge_gates_ + projection_gates_;
  return axes_.cols() + static_cast<Eigen::Index>(count) * (1 + gated_);
}

LinearPart LinearFit::ridge(std::span<const float> labels, double penalty, Gates gates) const {
  const Eigen::Index columns = columns_of(gates);
  const Eigen::VectorXd y = doubles(labels);
  const Eigen::VectorXd moment =
      design_.leftCols(columns).transpose().cast<double>() * row_weights_.cwiseProduct(y);  // the design is centred
  Eigen::MatrixXd curvature = gram_.topLeftCorner(columns, columns);
  curvature.diagonal().array() += penalty;
  return part_of(curvature.llt().solve(moment), Eigen::VectorXd::Constant(1, y.dot(row_weights_)));
}

LinearPart LinearFit::logistic(std::span<const float> labels, std::size_t classes, double penalty, Gates gates) const {
  const Eigen::Index outputs = classes == 2 ? 1 : static_cast<Eigen::Index>(classes);
  const Eigen::Index rows = design_.rows(), columns = columns_of(gates);
  const auto design = design_.leftCols(columns);
  Eigen::MatrixXf wanted = Eigen::MatrixXf::Zero(rows, outputs);
  for (Eigen::Index i = 0; i < rows; ++i) {
    const auto label = static_cast<Eigen::Index>(std::lround(labels[static_cast<std::size_t>(i)]));
    if (outputs == 1) wanted(i, 0) = label == 1 ? 1.0F : 0.0F;
    if (outputs > 1) wanted(i, label) = 1.0F;
  }
  const double bound = outputs == 1 ? 0.25 : 0.5;
  Eigen::MatrixXd curvature = bound * gram_.topLeftCorner(columns, columns);
  curvature.diagonal().array() += penalty;
  const Eigen::LLT<Eigen::MatrixXd> step(curvature);
  Eigen::MatrixXd direction = Eigen::MatrixXd::Zero(columns, outputs), looked = direction;
  Eigen::RowVectorXd intercept = Eigen::RowVectorXd::Zero(outputs), looked_at = intercept;
  const Eigen::VectorXf row_weights = row_weights_.cast<float>();
  double momentum = 1;
  for (int i = 0; i < kSteps; ++i) {
    Eigen::MatrixXf margins = design * looked.cast<float>();
    margins.rowwise() += looked_at.cast<float>();
    if (outputs == 1) {
      margins = (1 + (-margins.array()).exp()).inverse().matrix();
    } else {
      margins.colwise() -= margins.rowwise().maxCoeff().eval();
      margins = margins.array().exp().matrix();
      const Eigen::VectorXf norm = margins.rowwise().sum().cwiseInverse();  // before the sums change
      margins = norm.asDiagonal() * margins;
    }
    const Eigen::MatrixXf residual = row_weights.asDiagonal() * (margins - wanted);
    const Eigen::MatrixXd slope = (design.transpose() * residual).cast<double>() + penalty * looked;
    const Eigen::MatrixXd next = looked - step.solve(slope);
    const Eigen::RowVectorXd next_intercept = looked_at - residual.colwise().sum().cast<double>() / bound;
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
  return part_of(direction, intercept.transpose());
}

LinearPart LinearFit::discriminant(std::span<const float> labels, std::size_t classes, double penalty,
                                   Gates gates) const {
  const Eigen::Index columns = columns_of(gates);
  const auto count = static_cast<Eigen::Index>(classes);
  const Eigen::Index rows = design_.rows();
  Eigen::MatrixXd weights = Eigen::MatrixXd::Zero(rows, count);
  for (Eigen::Index i = 0; i < rows; ++i)
    weights(i, std::lround(labels[static_cast<std::size_t>(i)])) = row_weights_[i];
  // A class that no row has is as likely as half a row would make it, and lies in the middle of all.
  const Eigen::RowVectorXd share = weights.colwise().sum().cwiseMax(0.5 / static_cast<double>(rows));
  Eigen::MatrixXd means = design_.leftCols(columns).transpose().cast<double>() * weights;
  means.array().rowwise() /= share.array();
  Eigen::MatrixXd within = gram_.topLeftCorner(columns, columns) - means * share.asDiagonal() * means.transpose();
  within.diagonal().array() += penalty;
  const Eigen::MatrixXd directions = within.llt().solve(means);
  const Eigen::VectorXd intercept =
      (share.array().log() - 0.5 * means.cwiseProduct(directions).colwise().sum().array()).matrix().transpose();
  if (classes > 2) return part_of(directions, intercept);
  return part_of(directions.col(1) - directions.col(0), intercept.segment(1, 1) - intercept.segment(0, 1));
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
