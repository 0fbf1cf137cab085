#include "train/trust.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace elver::train {
namespace {

constexpr std::size_t kComponents = 24;  ///< of a domain
constexpr std::size_t kRandom = 8;       ///< directions across all other features, which components do not see
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// The least of some numbers that at least `share` of as many again would not exceed: the split-conformal quantile.
double conformal_quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto n = static_cast<double>(values.size());
  const auto rank = static_cast<std::size_t>(std::ceil((n + 1) * share));
  const std::size_t place = std::min(values.size(), std::max<std::size_t>(1, rank)) - 1;
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(place));
  return values[place];
}

/// Slope and offset of a logistic of the margin by Newton's steps; answers are drawn a little towards the middle, so
/// that margins which tell all sides apart do not lead to infinity. Source: Platt (1999); Lin et al., Mach. Learn. 68
/// (2007) 267.
void fit_logistic(std::span<const float> margins, std::span<const float> labels, Trust& trust) {
  double count[2] = {0, 0};
  for (const float label : labels) count[label > 0.5F ? 1 : 0] += 1;
  if (count[0] == 0 || count[1] == 0) return;
  const double goal[2] = {1 / (count[0] + 2), (count[1] + 1) / (count[1] + 2)};
  double slope = 1, offset = 0;
  for (int step = 0; step < 50; ++step) {
    double g0 = 0, g1 = 1e-6 * slope, h00 = 1e-9, h01 = 0, h11 = 1e-6;
    for (std::size_t i = 0; i < margins.size(); ++i) {
      const std::size_t side = labels[i] > 0.5F ? 1 : 0;
      const double x = static_cast<double>(margins[i]), p = 1 / (1 + std::exp(-(slope * x + offset)));
      const double weight = 1 / count[side], residual = weight * (p - goal[side]), curve = weight * p * (1 - p);
      g0 += residual;
      g1 += residual * x;
      h00 += curve;
      h01 += curve * x;
      h11 += curve * x * x;
    }
    const double determinant = h00 * h11 - h01 * h01;
    if (!(determinant > 0)) break;
    const double d0 = (h11 * g0 - h01 * g1) / determinant, d1 = (h00 * g1 - h01 * g0) / determinant;
    const double size = std::max(std::abs(d0), std::abs(d1)), damping = size > 1 ? 1 / size : 1;
    offset -= damping * d0;
    slope -= damping * d1;
    if (size < 1e-9) break;
  }
  if (!std::isfinite(slope) || !std::isfinite(offset)) return;
  trust.slope = slope;
  trust.offset = offset;
}

}  // namespace

NoiseVariance fit_variance(std::span<const double> squares, std::span<const float> snr, std::size_t edges) {
  const std::vector<double> levels{0.0003, 0.003, 0.03, 0.3};
  const std::size_t terms = 1 + edges + levels.size(), rows = squares.size();
  std::vector<double> design;  // [row][term]
  design.reserve(rows * terms);
  double mean = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::span<const float> of_row = snr.subspan(i * edges, edges);
    const double noise = noise_of(of_row);
    mean += squares[i] / static_cast<double>(rows);
    design.push_back(1.0);
    for (const float of_edge : of_row) {
      const double ratio = std::max(1.0, static_cast<double>(of_edge));
      design.push_back(1 / (ratio * ratio));
    }
    for (const double level : levels) design.push_back(noise / (noise + level));
  }
  const double least = std::max(1e-12, 1e-6 * mean);
  std::vector<double> theta(terms, std::max(mean, least) / static_cast<double>(terms));
  for (int step = 0; step < 120; ++step) {
    std::vector<double> up(terms, 0.0), down(terms, 0.0);
    for (std::size_t i = 0; i < rows; ++i) {
      double variance = least;
      for (std::size_t j = 0; j < terms; ++j) variance += design[i * terms + j] * theta[j];
      for (std::size_t j = 0; j < terms; ++j) {
        up[j] += design[i * terms + j] * squares[i] / (variance * variance);
        down[j] += design[i * terms + j] / variance;
      }
    }
    for (std::size_t j = 0; j < terms; ++j) theta[j] *= down[j] > 0 ? std::sqrt(up[j] / down[j]) : 1.0;
  }
  const auto of_levels = theta.begin() + 1 + static_cast<std::ptrdiff_t>(edges);
  return {theta[0] + least, {theta.begin() + 1, of_levels}, levels, {of_levels, theta.end()}};
}

Trust fit_trust(const TaskSpec& task, const Booster& booster, std::span<const float> margins, const Rows& rows,
                std::size_t task_index, double coverage) {
  Trust out;
  out.coverage = coverage;
  const std::vector<float>& labels = rows.labels[task_index];
  if (task.binary) {
    fit_logistic(margins, labels, out);
    return out;
  }
  std::vector<float> values(margins.begin(), margins.end());
  booster.transform(values, rows.count);
  const std::size_t edges = rows.snr.size() / std::max<std::size_t>(1, rows.count);
  std::vector<double> scores;
  if (!task.classes.empty()) {
    for (std::size_t i = 0; i < rows.count; ++i) {
      const auto label = static_cast<std::size_t>(std::lround(labels[i]));
      scores.push_back(1 - static_cast<double>(values[i * task.classes.size() + label]));
    }
    out.least_probability = 1 - conformal_quantile(std::move(scores), coverage);
    return out;
  }
  std::vector<double> squares;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const double error = static_cast<double>(values[i]) - static_cast<double>(labels[i]);
    squares.push_back(error * error);
  }
  out.error = fit_variance(squares, rows.snr, edges);
  for (std::size_t i = 0; i < rows.count; ++i)
    scores.push_back(std::sqrt(squares[i] / out.error.at(std::span(rows.snr).subspan(i * edges, edges))));
  out.quantile = conformal_quantile(std::move(scores), coverage);
  return out;
}

Figure coverage_of(const TaskSpec& task, const Trust& trust, const Booster& booster, std::span<const float> margins,
                   const Rows& rows, std::size_t task_index) {
  if (task.binary || rows.count == 0) return {kNone, {kNone, kNone}, rows.count};
  std::vector<float> values(margins.begin(), margins.end());
  booster.transform(values, rows.count);
  const std::size_t edges = rows.snr.size() / rows.count, outputs = booster.output_count();
  double inside = 0;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const float label = rows.labels[task_index][i];
    const std::span<const float> row = std::span(values).subspan(i * outputs, outputs);
    if (task.classes.empty()) {
      const double half = trust.quantile * std::sqrt(trust.error.at(std::span(rows.snr).subspan(i * edges, edges)));
      inside += std::abs(static_cast<double>(row[0]) - static_cast<double>(label)) <= half ? 1 : 0;
    } else {
      const float truth = row[static_cast<std::size_t>(std::lround(label))];
      inside += static_cast<double>(truth) >= trust.least_probability || truth == std::ranges::max(row) ? 1 : 0;
    }
  }
  const std::set<std::size_t> structures(rows.structures.begin(), rows.structures.end());
  const Share share{inside / static_cast<double>(rows.count), structures.size()};
  return {share.value, wilson(share), rows.count};
}

namespace {

/// [row][projection]
std::vector<float> projected(const Domain& domain, const Rows& rows) {
  std::vector<float> out(rows.count * domain.projections.intercept.size());
  domain.projections.values(rows.features, rows.count, out);
  return out;
}

std::vector<double> distances(const Domain& domain, const Rows& rows) {
  const std::size_t k = domain.variance.size(), edges = rows.snr.size() / std::max<std::size_t>(1, rows.count);
  const std::vector<float> values = projected(domain, rows);
  std::vector<double> out;
  for (std::size_t i = 0; i < rows.count; ++i) {
    out.push_back(domain.distance(std::span(values).subspan(i * k, k), 1, std::span(rows.snr).subspan(i * edges, edges)));
  }
  return out;
}

}  // namespace

Domain fit_domain(const LinearFit& fit, const std::vector<const Rows*>& unseen, std::uint64_t seed) {
  Domain out;
  out.projections = fit.projections(kComponents, kRandom, seed);
  const std::size_t k = out.projections.intercept.size();
  std::vector<float> snr;
  std::vector<std::vector<double>> squares(k);
  for (const Rows* rows : unseen) {
    snr.insert(snr.end(), rows->snr.begin(), rows->snr.end());
    const std::vector<float> values = projected(out, *rows);
    for (std::size_t i = 0; i < values.size(); ++i) {
      squares[i % k].push_back(static_cast<double>(values[i]) * static_cast<double>(values[i]));
    }
  }
  const std::size_t edges = out.projections.parts.size();
  for (const std::vector<double>& of_one : squares) out.variance.push_back(fit_variance(of_one, snr, edges));
  out.limit = 1;
  std::vector<double> all;
  for (const Rows* rows : unseen) {
    const std::vector<double> found = distances(out, *rows);
    all.insert(all.end(), found.begin(), found.end());
  }
  out.limit = std::max(1e-9, conformal_quantile(std::move(all), out.share));
  return out;
}

double share_inside(const Domain& domain, const Rows& rows) {
  if (rows.count == 0) return kNone;
  const std::vector<double> found = distances(domain, rows);
  return static_cast<double>(std::ranges::count_if(found, [](double d) { return d <= 1; })) /
         static_cast<double>(found.size());
}

}  // namespace elver::train
