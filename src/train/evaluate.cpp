#include "train/evaluate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "train/random.hpp"

namespace elver::train {
namespace {

constexpr double kTwoSided = 1.959964;  ///< standard deviations of 95 %

}  // namespace

Rows keep_whole(const std::vector<float>& features, const std::vector<float>& snr,
                const std::vector<Example>& examples, std::size_t tasks) {
  Rows out;
  const std::size_t width = features.size() / std::max<std::size_t>(1, examples.size());
  const std::size_t edges = snr.size() / std::max<std::size_t>(1, examples.size());
  out.labels.resize(tasks);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto row = features.begin() + static_cast<std::ptrdiff_t>(i * width);
    if (std::isnan(*row)) continue;  // a failed pixel's row is NaN throughout
    out.features.insert(out.features.end(), row, row + static_cast<std::ptrdiff_t>(width));
    const auto ratios = snr.begin() + static_cast<std::ptrdiff_t>(i * edges);
    out.snr.insert(out.snr.end(), ratios, ratios + static_cast<std::ptrdiff_t>(edges));
    out.weights.push_back(examples[i].weight);
    out.structures.push_back(examples[i].structure);
    for (std::size_t t = 0; t < tasks; ++t) out.labels[t].push_back(examples[i].labels[t]);
    ++out.count;
  }
  return out;
}

void append(Rows& rows, const Rows& more) {
  const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  rows.count += more.count;
  add(rows.features, more.features);
  add(rows.weights, more.weights);
  add(rows.snr, more.snr);
  add(rows.structures, more.structures);
  rows.labels.resize(more.labels.size());
  for (std::size_t t = 0; t < more.labels.size(); ++t) add(rows.labels[t], more.labels[t]);
}

Interval wilson(Share share) {
  if (share.trials == 0) return {0.0, 1.0};
  const auto n = static_cast<double>(share.trials);
  const double z = kTwoSided, p = share.value, centre = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, (centre - half) / (1 + z * z / n)), std::min(1.0, (centre + half) / (1 + z * z / n))};
}

Interval wilson_mean(Share a, Share b) {
  const Interval of_a = wilson(a), of_b = wilson(b);
  const double mean = (a.value + b.value) / 2;
  return {mean - std::hypot(a.value - of_a.low, b.value - of_b.low) / 2,
          mean + std::hypot(of_a.high - a.value, of_b.high - b.value) / 2};
}

namespace {

struct Sum {
  double squares = 0, rows = 0;
};

/// ln of the mean square over some structures, and its standard error: that of a ratio of sums.
struct LogMean {
  double value = 0, error = 0;
};
template <class Each>
LogMean log_mean(std::size_t count, const Each& structure) {
  Sum total;
  for (std::size_t j = 0; j < count; ++j) {
    total.squares += structure(j).squares;
    total.rows += structure(j).rows;
  }
  const double mean = total.squares / total.rows;
  double residuals = 0;
  for (std::size_t j = 0; j < count; ++j) {
    const double residual = structure(j).squares - mean * structure(j).rows;
    residuals += residual * residual;
  }
  const auto n = static_cast<double>(count);
  return {std::log(mean), std::sqrt(residuals * n / (n - 1)) / total.squares};
}

}  // namespace

Interval bootstrap_rms(const std::vector<double>& squares, const std::vector<std::size_t>& structures,
                       std::uint64_t seed) {
  std::map<std::size_t, Sum> by_structure;
  for (std::size_t i = 0; i < squares.size(); ++i) {
    by_structure[structures[i]].squares += squares[i];
    by_structure[structures[i]].rows += 1;
  }
  std::vector<Sum> sums;
  for (const auto& [structure, sum] : by_structure) sums.push_back(sum);
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (sums.size() < 2) return {kNone, kNone};
  const LogMean found = log_mean(sums.size(), [&](std::size_t j) { return sums[j]; });
  if (!(found.error > 0)) return {std::exp(found.value / 2), std::exp(found.value / 2)};
  constexpr std::size_t kDraws = 1000;
  constexpr std::uint32_t kStream = 11;
  std::mt19937_64 random = random_stream(seed, kStream, 0);
  std::uniform_int_distribution<std::size_t> any(0, sums.size() - 1);
  std::vector<double> deviations;
  std::vector<std::size_t> drawn(sums.size());
  for (std::size_t d = 0; d < kDraws; ++d) {
    for (std::size_t& j : drawn) j = any(random);
    const LogMean again = log_mean(sums.size(), [&](std::size_t j) { return sums[drawn[j]]; });
    const double deviation = (again.value - found.value) / again.error;
    if (std::isfinite(deviation)) deviations.push_back(deviation);
  }
  if (deviations.size() < kDraws / 2) return {kNone, kNone};
  std::sort(deviations.begin(), deviations.end());
  const std::size_t tail = deviations.size() / 40;
  const auto end = [&](double deviation) { return std::exp((found.value - deviation * found.error) / 2); };
  return {end(deviations[deviations.size() - 1 - tail]), end(deviations[tail])};
}

std::string measure_of(const TaskSpec& task) {
  return task.regression() ? "RMSE" : task.binary ? "balanced accuracy" : "accuracy";
}

Figure figure(const TaskSpec& task, const Booster& booster, std::span<const float> margins, const Rows& rows,
              std::size_t task_index, std::uint64_t seed) {
  const std::vector<float>& labels = rows.labels[task_index];
  const std::size_t outputs = booster.output_count();
  std::vector<float> values(margins.begin(), margins.end());
  booster.transform(values, rows.count);
  std::array<double, 2> right{}, count{};  // of the two sides; other tasks use the first
  std::array<std::set<std::size_t>, 2> structures;
  std::vector<double> squares;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const auto row = values.begin() + static_cast<std::ptrdiff_t>(i * outputs);
    const std::size_t side = task.binary && labels[i] > 0.5F ? 1 : 0;
    count[side] += 1;
    structures[side].insert(rows.structures[i]);
    if (!task.classes.empty()) {
      const auto best = std::max_element(row, row + static_cast<std::ptrdiff_t>(outputs)) - row;
      right[side] += best == std::lround(labels[i]) ? 1 : 0;
    } else if (task.binary) {
      right[side] += (*row > 0.5F) == (side == 1) ? 1 : 0;
    } else {
      const double error = static_cast<double>(*row) - static_cast<double>(labels[i]);
      squares.push_back(error * error);
      right[side] += error * error;
    }
  }
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (count[0] == 0 || (task.binary && count[1] == 0)) return {kNone, {kNone, kNone}, rows.count};
  const Share first{right[0] / count[0], structures[0].size()};
  if (task.regression()) return {std::sqrt(first.value), bootstrap_rms(squares, rows.structures, seed), rows.count};
  if (!task.binary) return {first.value, wilson(first), rows.count};
  const Share second{right[1] / count[1], structures[1].size()};
  return {(first.value + second.value) / 2, wilson_mean(first, second), rows.count};
}

double guess(const TaskSpec& task, const std::vector<Example>& held_out, std::size_t task_index) {
  if (task.binary) return 0.5;
  std::map<float, double> counts;
  double sum = 0;
  double squares = 0;
  for (const Example& e : held_out) {
    const auto label = static_cast<double>(e.labels[task_index]);
    ++counts[e.labels[task_index]];
    sum += label;
    squares += label * label;
  }
  const auto n = static_cast<double>(held_out.size());
  if (task.regression()) return std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n)));
  double most = 0;
  for (const auto& [label, n_label] : counts) most = std::max(most, n_label);
  return most / n;
}

}  // namespace elver::train
