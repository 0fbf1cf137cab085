#include "energy/offset_field.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "types/arena.hpp"

namespace elver::energy {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kOutlier = 4.0;         ///< standard errors
constexpr std::ptrdiff_t kJudges = 500;  ///< pixels that decide between two kinds of drift
constexpr double kUntoldLength = 6.0;    ///< pixels over which a drift that was not seen may go on
constexpr int kRounds = 4;               ///< of setting the covariance right
constexpr std::size_t kNeighbours = 48;
constexpr std::ptrdiff_t kReach = 12;  ///< rows and columns in which they are looked for
constexpr double kSurelyReal =
    0.5;  ///< of the measurements' variance: less scatter of single pixels is their errors' own error

double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Covariance of two pixels: smooth * alike(distance), and `single` more for a pixel with itself. `alike` is exp(-d), a
/// random walk's, or Matern's of order 3/2, of what drifts steadily.
struct Covariance {
  double smooth = 0, single = 0, rows = 1, columns = 1, mean = 0;
  bool steady = false;
  double distance(double dr, double dc) const { return std::hypot(dr / rows, dc / columns); }
  double alike(double distance) const {
    return steady ? (1 + 1.7320508 * distance) * std::exp(-1.7320508 * distance) : std::exp(-distance);
  }
};

class Kriging {
 public:
  Kriging(std::span<const double> measured, std::span<const double> error, std::uint64_t rows, std::uint64_t columns)
      : value_(measured.begin(), measured.end()),
        error_(error.begin(), error.end()),
        rows_(static_cast<std::ptrdiff_t>(rows)),
        columns_(static_cast<std::ptrdiff_t>(columns)) {}

  void drop_outliers() {
    std::vector<double> error = error_;
    for (std::ptrdiff_t p = 0; p < rows_ * columns_; ++p) {
      if (error_[p] == kInfinity) continue;
      // A row that lies off as a whole is no outlier, nor is a column.
      if (strange(p, 2, 3) && strange(p, 0, 4) && strange(p, 3, 0)) error[p] = kInfinity;
    }
    error_ = error;
  }

  void fit_covariance() {
    double sum = 0, weight = 0;
    std::vector<double> variances;
    for (std::size_t p = 0; p < value_.size(); ++p) {
      if (error_[p] == kInfinity) continue;
      const double w = 1 / (error_[p] * error_[p]);
      sum += w * value_[p];
      weight += w;
      variances.push_back(1 / w);
    }
    if (variances.empty()) return;
    covariance_.mean = sum / weight;
    std::vector<Lag> lags;
    for (const std::ptrdiff_t d : {1, 2, 3, 4, 6, 8, 12, 16, 24}) {
      add_lag(0, d, lags);
      add_lag(d, 0, lags);
    }
    if (lags.empty()) return;
    // Scatter of single pixels is believed where there is clearly more than their errors say; else the neighbours share
    // what there is.
    const bool with_single = best_of(lags, true, false).single > kSurelyReal * median_of(variances);
    const Covariance walk = best_of(lags, with_single, false), steady = best_of(lags, with_single, true);
    const bool walks = predicts(walk).likelihood >= predicts(steady).likelihood;
    covariance_ = walks ? walk : steady;
    // Few lags tell the covariance poorly. What counts is how well each measurement is foretold by the others: where
    // they miss by more than they say, pixels are less alike than was thought.
    for (int round = 0; round < kRounds; ++round) {
      const double excess = predicts(covariance_).excess;
      if (excess < 1.02) break;
      covariance_.smooth *= excess;
      covariance_.single *= excess;
    }
    // So many measurements do not tell less scatter than this from none: that an axis stands still is never known.
    const double n = static_cast<double>(variances.size());
    const double untold = std::sqrt(2 / n) * std::accumulate(variances.begin(), variances.end(), 0.0) / n;
    if (covariance_.smooth + covariance_.single < untold) {
      covariance_.smooth = untold - covariance_.single;
      covariance_.rows = std::max(covariance_.rows, kUntoldLength);
      covariance_.columns = std::max(covariance_.columns, kUntoldLength);
    }
  }

  void predict(std::ptrdiff_t p, OffsetField& out) const {
    const std::ptrdiff_t row = p / columns_, column = p % columns_;
    struct Near {
      double distance;
      std::ptrdiff_t row, column;
    };
    std::vector<Near> near;
    for (std::ptrdiff_t r = std::max<std::ptrdiff_t>(0, row - kReach); r <= std::min(rows_ - 1, row + kReach); ++r) {
      for (std::ptrdiff_t c = std::max<std::ptrdiff_t>(0, column - kReach);
           c <= std::min(columns_ - 1, column + kReach); ++c) {
        if ((r == row && c == column) || error_[r * columns_ + c] == kInfinity) continue;
        near.push_back({covariance_.distance(static_cast<double>(r - row), static_cast<double>(c - column)), r, c});
      }
    }
    const std::size_t size = std::min(kNeighbours, near.size());
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(size), near.end(),
                      [](const Near& a, const Near& b) { return a.distance < b.distance; });
    near.resize(size);
    const auto n = static_cast<Eigen::Index>(size);
    Eigen::MatrixXd between(n, n);
    Eigen::VectorXd to(n), values(n);
    for (Eigen::Index i = 0; i < n; ++i) {
      const Near& a = near[static_cast<std::size_t>(i)];
      for (Eigen::Index j = 0; j < i; ++j) {
        const Near& b = near[static_cast<std::size_t>(j)];
        between(i, j) = between(j, i) =
            covariance_.smooth * covariance_.alike(covariance_.distance(static_cast<double>(a.row - b.row),
                                                                        static_cast<double>(a.column - b.column)));
      }
      const double error = error_[a.row * columns_ + a.column];
      between(i, i) = covariance_.smooth * (1 + 1e-6) + covariance_.single + error * error;
      to(i) = covariance_.smooth * covariance_.alike(a.distance);
      values(i) = value_[a.row * columns_ + a.column] - covariance_.mean;
    }
    const Eigen::VectorXd weights = n > 0 ? Eigen::VectorXd(between.llt().solve(to)) : Eigen::VectorXd();
    const double guess = covariance_.mean + (n > 0 ? weights.dot(values) : 0.0);
    const double variance = std::max(1e-12, covariance_.smooth + covariance_.single - (n > 0 ? weights.dot(to) : 0.0));
    const auto at = static_cast<std::size_t>(p);
    out.without[at] = guess;
    out.without_error[at] = std::sqrt(variance);
    const double own = error_[at] * error_[at];
    const double share = own == kInfinity ? 0.0 : variance / (variance + own);
    out.value[at] = guess + (share > 0 ? share * (value_[at] - guess) : 0.0);
    out.error[at] = std::sqrt(variance * (1 - share));
  }

 private:
  /// Is a measurement far from those within so many rows and columns? Yes where there are too few to tell.
  bool strange(std::ptrdiff_t p, std::ptrdiff_t rows, std::ptrdiff_t columns) const {
    std::vector<double> near, off;
    const std::ptrdiff_t row = p / columns_, column = p % columns_;
    for (std::ptrdiff_t r = std::max<std::ptrdiff_t>(0, row - rows); r <= std::min(rows_ - 1, row + rows); ++r) {
      for (std::ptrdiff_t c = std::max<std::ptrdiff_t>(0, column - columns);
           c <= std::min(columns_ - 1, column + columns); ++c) {
        const std::ptrdiff_t q = r * columns_ + c;
        if (q != p && error_[q] < kInfinity) near.push_back(value_[q]);
      }
    }
    if (near.size() < 4) return rows_ * columns_ > 4;
    const double middle = median_of(near);
    for (const double v : near) off.push_back(std::abs(v - middle));
    const double spread = 1.4826 * median_of(off);
    return std::abs(value_[p] - middle) > kOutlier * std::hypot(spread, error_[p]);
  }

  /// Half the mean squared difference of pixels so far apart, less their errors.
  struct Lag {
    double dr, dc, gamma, weight;
  };
  void add_lag(std::ptrdiff_t dr, std::ptrdiff_t dc, std::vector<Lag>& lags) const {
    double sum = 0, weight = 0, pairs = 0;
    for (std::ptrdiff_t r = 0; r + dr < rows_; ++r) {
      for (std::ptrdiff_t c = 0; c + dc < columns_; ++c) {
        const std::ptrdiff_t a = r * columns_ + c, b = a + dr * columns_ + dc;
        const double variance = error_[a] * error_[a] + error_[b] * error_[b];
        if (variance == kInfinity) continue;
        const double d = value_[a] - value_[b], w = 1 / (variance * variance + 1e-12);
        sum += 0.5 * w * (d * d - variance);
        weight += w;
        pairs += 1;
      }
    }
    if (pairs >= 3)
      lags.push_back({static_cast<double>(dr), static_cast<double>(dc), sum / weight,
                      std::sqrt(pairs) / static_cast<double>(dr + dc)});
  }

  /// Measurements, each as the others predict it.
  struct Prediction {
    double likelihood = 0;  ///< its logarithm
    double excess = 1;      ///< factor of the predictions' variance that makes the mean squared miss what is said of it
  };
  Prediction predicts(const Covariance& covariance) {
    covariance_ = covariance;
    OffsetField out;
    for (auto* values : {&out.value, &out.error, &out.without, &out.without_error}) values->resize(value_.size());
    double sum = 0, missed = 0, own = 0, said = 0;
    const std::ptrdiff_t size = std::ssize(value_), step = std::max<std::ptrdiff_t>(1, size / kJudges);
    for (std::ptrdiff_t p = 0; p < size; p += step) {
      if (error_[p] == kInfinity) continue;
      predict(p, out);
      const double neighbours = out.without_error[p] * out.without_error[p];
      const double variance = neighbours + error_[p] * error_[p];
      const double d = value_[p] - out.without[p], miss = std::min(d * d / variance, kOutlier * kOutlier);
      sum -= 0.5 * (miss + std::log(variance));
      missed += miss;
      own += error_[p] * error_[p] / variance;
      said += neighbours / variance;
    }
    return {sum, said > 0 ? std::clamp((missed - own) / said, 0.1, 4.0) : 1.0};
  }

  Covariance best_of(const std::vector<Lag>& lags, bool with_single, bool steady) const {
    constexpr std::array kLengths{0.7, 1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0};
    double least = kInfinity;
    Covariance best = covariance_;
    for (const double lr : kLengths) {
      for (const double lc : kLengths) {
        Covariance trial = covariance_;
        trial.rows = lr;
        trial.columns = lc;
        trial.steady = steady;
        const double misfit = fit(lags, trial, with_single);
        if (misfit < least) {
          least = misfit;
          best = trial;
        }
      }
    }
    return best;
  }

  /// The two variances that fit the lags best, neither negative; returns the misfit.
  static double fit(const std::vector<Lag>& lags, Covariance& trial, bool with_single) {
    double a11 = 0, a12 = 0, a22 = 0, b1 = 0, b2 = 0;
    for (const Lag& lag : lags) {
      const double rise = 1 - trial.alike(trial.distance(lag.dr, lag.dc));
      a11 += lag.weight;
      a12 += lag.weight * rise;
      a22 += lag.weight * rise * rise;
      b1 += lag.weight * lag.gamma;
      b2 += lag.weight * rise * lag.gamma;
    }
    const double det = a11 * a22 - a12 * a12;
    trial.single = with_single && det > 1e-9 * a11 * a22 ? (a22 * b1 - a12 * b2) / det : -1.0;
    trial.smooth = with_single && det > 1e-9 * a11 * a22 ? (a11 * b2 - a12 * b1) / det : -1.0;
    if (!(trial.single >= 0)) {
      trial.single = 0;
      trial.smooth = std::max(0.0, b2 / a22);
    } else if (!(trial.smooth >= 0)) {
      trial.smooth = 0;
      trial.single = std::max(0.0, b1 / a11);
    }
    double misfit = 0;
    for (const Lag& lag : lags) {
      const double d = lag.gamma - trial.single - trial.smooth * (1 - trial.alike(trial.distance(lag.dr, lag.dc)));
      misfit += lag.weight * d * d;
    }
    return misfit;
  }

  std::vector<double> value_, error_;
  std::ptrdiff_t rows_, columns_;
  Covariance covariance_;
};

}  // namespace

OffsetField krige(std::span<const double> measured, std::span<const double> error, std::uint64_t rows,
                  std::uint64_t columns, unsigned threads) {
  OffsetField out;
  for (auto* values : {&out.value, &out.error, &out.without, &out.without_error}) values->resize(measured.size());
  Kriging kriging(measured, error, rows, columns);
  kriging.drop_outliers();
  kriging.fit_covariance();
  RunContext context;
  context.threads = threads;
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(std::ptrdiff_t{0}, std::ssize(measured),
                              [&](std::ptrdiff_t p) { kriging.predict(p, out); });
  });
  return out;
}

}  // namespace elver::energy
