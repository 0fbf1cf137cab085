#include "evaluate/reductions.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <queue>

namespace elver::evaluate {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
constexpr double kExplained = 0.9;
constexpr std::size_t kNeighbours = 10;

RowMatrix dense(const Matrix& m) {
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
             m.values.data(), static_cast<Eigen::Index>(m.rows), static_cast<Eigen::Index>(m.columns))
      .cast<double>();
}

Matrix packed(const RowMatrix& m) {
  Matrix out{static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols()), {}};
  out.values.reserve(out.rows * out.columns);
  for (Eigen::Index i = 0; i < m.rows(); ++i) {
    for (Eigen::Index j = 0; j < m.cols(); ++j) out.values.push_back(static_cast<float>(m(i, j)));
  }
  return out;
}

/// How many of `values`, the largest first, make up the share of their sum.
Eigen::Index enough(const Eigen::VectorXd& values) {
  const double all = values.cwiseMax(0.0).sum();
  double sum = 0;
  Eigen::Index n = 0;
  while (n < values.size() && sum < kExplained * all) sum += std::max(0.0, values[n++]);
  return std::max<Eigen::Index>(1, n);
}

Reducer linear(const Matrix& training, bool centred) {
  const RowMatrix x = dense(training);
  const Eigen::RowVectorXd mean =
      centred ? Eigen::RowVectorXd(x.colwise().mean()) : Eigen::RowVectorXd(Eigen::RowVectorXd::Zero(x.cols()));
  const Eigen::MatrixXd moved = x.rowwise() - mean;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> found(moved.transpose() * moved);
  const Eigen::VectorXd values = found.eigenvalues().reverse();
  const Eigen::Index n = enough(values);
  const Eigen::MatrixXd axes = found.eigenvectors().rowwise().reverse().leftCols(n);
  return {static_cast<std::size_t>(n), [mean, axes](const Matrix& m) { return packed((dense(m).rowwise() - mean) * axes); }};
}

/// Distances to every row of the training, and the nearest of them.
struct Near {
  std::size_t row = 0;
  double distance = 0;
};
std::vector<Near> nearest(const RowMatrix& x, const Eigen::RowVectorXd& point) {
  const Eigen::VectorXd squares = (x.rowwise() - point).rowwise().squaredNorm();
  std::vector<Near> out;
  for (Eigen::Index i = 0; i < squares.size(); ++i) out.push_back({static_cast<std::size_t>(i), std::sqrt(squares[i])});
  const std::size_t n = std::min(kNeighbours + 1, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n), out.end(),
                    [](const Near& a, const Near& b) { return a.distance < b.distance; });
  out.resize(n);
  return out;
}

using Graph = std::vector<std::vector<Near>>;

/// Shortest ways from some places, each reached at a distance, to every row. Source: Dijkstra (1959).
Eigen::VectorXd shortest(const Graph& graph, const std::vector<Near>& from) {
  Eigen::VectorXd out =
      Eigen::VectorXd::Constant(static_cast<Eigen::Index>(graph.size()), std::numeric_limits<double>::infinity());
  const auto later = [](const Near& a, const Near& b) { return a.distance > b.distance; };
  std::priority_queue<Near, std::vector<Near>, decltype(later)> open(later);
  for (const Near& start : from) open.push(start);
  while (!open.empty()) {
    const Near here = open.top();
    open.pop();
    double& known = out[static_cast<Eigen::Index>(here.row)];
    if (here.distance >= known) continue;
    known = here.distance;
    for (const Near& next : graph[here.row]) open.push({next.row, here.distance + next.distance});
  }
  // Parts that no way leads to lie beyond the farthest that one does.
  double farthest = 0;
  for (const double d : out) farthest = std::isfinite(d) ? std::max(farthest, d) : farthest;
  return out.array().isFinite().select(out, 2 * farthest);
}

/// Source: Tenenbaum et al., Science 290 (2000) 2319; rows of no training as in landmark MDS, de Silva and Tenenbaum
/// (2004).
Reducer isomap(const Matrix& training) {
  const auto x = std::make_shared<RowMatrix>(dense(training));
  const Eigen::Index n = x->rows();
  const auto graph = std::make_shared<Graph>(training.rows);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (const Near& near : nearest(*x, x->row(i))) {
      (*graph)[static_cast<std::size_t>(i)].push_back(near);
      (*graph)[near.row].push_back({static_cast<std::size_t>(i), near.distance});
    }
  }
  Eigen::MatrixXd squares(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    squares.col(i) = shortest(*graph, {{static_cast<std::size_t>(i), 0.0}}).array().square();
  squares = (squares + squares.transpose()).eval() / 2;
  const Eigen::VectorXd mean = squares.rowwise().mean();
  const Eigen::MatrixXd gram =
      -0.5 * ((squares.colwise() - mean).rowwise() - mean.transpose()).array() - 0.5 * mean.mean();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> found(gram);
  const Eigen::VectorXd values = found.eigenvalues().reverse();
  const Eigen::Index k = enough(values);
  Eigen::MatrixXd axes = found.eigenvectors().rowwise().reverse().leftCols(k);
  for (Eigen::Index j = 0; j < k; ++j) axes.col(j) /= std::sqrt(std::max(values[j], 1e-12));
  return {static_cast<std::size_t>(k), [x, graph, mean, axes](const Matrix& m) {
            const RowMatrix points = dense(m);
            RowMatrix out(points.rows(), axes.cols());
            for (Eigen::Index i = 0; i < points.rows(); ++i) {
              const Eigen::VectorXd d = shortest(*graph, nearest(*x, points.row(i))).array().square();
              out.row(i) = -0.5 * (d - mean).transpose() * axes;
            }
            return packed(out);
          }};
}

}  // namespace

std::string_view name_of(Reduction reduction) {
  constexpr std::array<std::string_view, 4> kNames{"none", "SVD", "PCA", "Isomap"};
  return kNames[static_cast<std::size_t>(reduction)];
}

Reducer fit_reduction(Reduction reduction, const Matrix& training) {
  switch (reduction) {
    case Reduction::none: return {training.columns, [](const Matrix& m) { return m; }};
    case Reduction::svd: return linear(training, false);
    case Reduction::pca: return linear(training, true);
    default: return isomap(training);
  }
}

}  // namespace elver::evaluate
