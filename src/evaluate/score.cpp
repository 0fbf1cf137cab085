#include "evaluate/score.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "maps/task_maps.hpp"
#include "types/text.hpp"

namespace elver::evaluate {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::size_t different(const std::vector<std::size_t>& structures) {
  return std::set<std::size_t>(structures.begin(), structures.end()).size();
}

double mean_of(const std::vector<std::uint8_t>& flags) {
  if (flags.empty()) return kNone;
  return static_cast<double>(std::ranges::count(flags, 1)) / static_cast<double>(flags.size());
}

/// Right answers among some spectra, and the structures that these are of.
struct Hits {
  std::size_t right = 0, all = 0;
  std::set<std::size_t> structures;
  void add(bool is_right, std::size_t structure) {
    right += is_right ? 1 : 0;
    ++all;
    structures.insert(structure);
  }
  double share() const { return all > 0 ? static_cast<double>(right) / static_cast<double>(all) : kNone; }
  Interval interval() const {
    if (all == 0) return {kNone, kNone};
    return train::wilson({share(), structures.size()});
  }
};

Interval opposite(const Interval& i) { return {1 - i.high, 1 - i.low}; }

void score_values(const Answers& answers, const train::Rows& rows, std::span<const float> truth, std::uint64_t seed,
                  TaskFigures& out) {
  std::vector<double> squares;
  double sum = 0, magnitude = 0;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const double error = answers.values[i] - static_cast<double>(truth[i]);
    squares.push_back(error * error);
    sum += error * error;
    magnitude += std::abs(error);
  }
  const auto n = static_cast<double>(rows.count);
  out.rmse = std::sqrt(sum / n);
  out.mae = magnitude / n;
  out.rmse_interval = train::bootstrap_rms(squares, rows.structures, seed);
}

void score_counts(const Answers& answers, const train::Rows& rows, std::span<const float> truth, TaskFigures& out,
                  CountTally& counts) {
  CountTally tally;
  std::size_t exact = 0;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const long predicted = std::lround(answers.values[i]), right = std::lround(truth[i]);
    tally.add(predicted, right);
    exact += predicted == right ? 1 : 0;
  }
  counts.add(tally);
  out.exact = static_cast<double>(exact) / static_cast<double>(rows.count);
  out.accuracy = tally.accuracy();
  out.accuracy_interval = train::wilson({out.accuracy, out.structures});
}

void score_defects(const Answers& answers, const train::Rows& rows, std::span<const float> truth, TaskFigures& out) {
  Hits all, alike;
  std::array<Hits, 2> side;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const std::size_t label = truth[i] > 0.5F ? 1 : 0;
    const bool right = (answers.values[i] > 0.5) == (label == 1);
    all.add(right, rows.structures[i]);
    side[label].add(right, rows.structures[i]);
    if (label == 0 && rows.weights[i] >= 1) alike.add(right, rows.structures[i]);
  }
  out.accuracy = all.share();
  out.accuracy_interval = all.interval();
  out.with_defect = side[1].all;
  out.true_positive_rate = side[1].share();
  out.true_positive_interval = side[1].interval();
  out.false_positive_rate = 1 - side[0].share();
  out.false_positive_interval = opposite(side[0].interval());
  out.balanced_accuracy = (side[0].share() + side[1].share()) / 2;
  out.false_positive_rate_alike = 1 - alike.share();
  out.alike = alike.all;
}

}  // namespace

TaskFigures::Kind kind_of(const std::string& task) {
  if (task == "li_content") return TaskFigures::Kind::value;
  return task.starts_with("count_") ? TaskFigures::Kind::count : TaskFigures::Kind::defect;
}

std::string not_scorable(const Task& task) {
  const Booster& booster = task.booster;
  const bool binary = booster.objective().starts_with("binary:");
  switch (kind_of(task.name)) {
    case TaskFigures::Kind::value:
      return booster.is_classifier() || booster.output_count() != 1 ? "its booster gives no single value" : "";
    case TaskFigures::Kind::count:
      return binary || (!booster.is_classifier() && booster.output_count() != 1) ? "its booster gives no count" : "";
    default:
      return !binary || booster.output_count() != 1 ? "its booster gives no single yes or no" : "";
  }
}

Answers answers_of(const Task& task, const train::Rows& rows, std::span<const float> truth) {
  Answers out;
  if (rows.count == 0) return out;
  const std::size_t outputs = task.booster.output_count(), edges = rows.snr.size() / rows.count;
  std::vector<float> values(rows.count * outputs);
  task_margins(task, rows.features, rows.snr, rows.count, values);
  shown_values(task, values, rows.count);
  const bool classes = task.booster.is_classifier() && !task.booster.objective().starts_with("binary:");
  for (std::size_t i = 0; i < rows.count; ++i) {
    const std::span<const float> row = std::span(values).subspan(i * outputs, outputs);
    if (classes) {
      const auto value = [&](std::size_t k) { return task.classes.empty() ? static_cast<double>(k) : task.classes[k]; };
      const float highest = std::ranges::max(row);
      bool in_set = false;
      for (std::size_t k = 0; k < outputs; ++k) {
        const bool stays = task.trust && static_cast<double>(row[k]) >= task.trust->least_probability;
        in_set = in_set || ((stays || row[k] == highest) && value(k) == static_cast<double>(truth[i]));
      }
      out.values.push_back(value(static_cast<std::size_t>(std::ranges::find(row, highest) - row.begin())));
      if (task.trust) out.covered.push_back(in_set ? 1 : 0);
      continue;
    }
    out.values.push_back(static_cast<double>(row[0]));
    if (!task.trust || task.booster.is_classifier()) continue;
    const double half =
        task.trust->quantile * std::sqrt(task.trust->error.at(std::span(rows.snr).subspan(i * edges, edges)));
    out.covered.push_back(std::abs(out.values.back() - static_cast<double>(truth[i])) <= half ? 1 : 0);
  }
  return out;
}

TaskFigures figures_of(const Task& task, const train::Rows& rows, std::size_t task_index, std::uint64_t seed,
                       CountTally& counts) {
  const std::vector<float>& truth = rows.labels[task_index];
  const Answers answers = answers_of(task, rows, truth);
  TaskFigures out;
  out.task = task.name;
  out.kind = kind_of(task.name);
  out.spectra = rows.count;
  out.structures = different(rows.structures);
  out.coverage = mean_of(answers.covered);
  switch (out.kind) {
    case TaskFigures::Kind::value: score_values(answers, rows, truth, seed, out); break;
    case TaskFigures::Kind::count: score_counts(answers, rows, truth, out, counts); break;
    case TaskFigures::Kind::defect: score_defects(answers, rows, truth, out); break;
  }
  return out;
}

}  // namespace elver::evaluate
