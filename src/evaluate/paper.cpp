#include <algorithm>
#include <cmath>
#include <set>

#include "elver/error.hpp"
#include "evaluate/figures.hpp"
#include "forest/xgboost_api.hpp"
#include "types/text.hpp"

namespace elver::evaluate {
namespace {

constexpr std::size_t kFewDefects = 30;  ///< below, each is left out by itself

}  // namespace

Paper::Paper(const Library& library, const PaperOptions& options, const RunContext& context)
    : library_(library), options_(options), context_(context), pool_(train::make_pool(library)) {
  static_cast<void>(xgboost::functions());  // says at once when there is nothing to train with
  static_cast<void>(train::make_skeleton(library, "figures"));  // or nothing to learn from
}

LearnerOptions Paper::learner() const {
  return {options_.rounds, options_.max_depth, options_.learning_rate, options_.seed, options_.epochs};
}

Dealing Paper::dealing(const std::string& group) const {
  for (const DefectKind kind : {DefectKind::oxygen_vacancy, DefectKind::antisite}) {
    if (group != name_of(kind)) continue;
    const auto count = static_cast<std::size_t>(
        std::ranges::count_if(library_.structures, [&](const Structure& cell) { return cell.defect == kind; }));
    if (count < kFewDefects) return deal_one_out(library_.structures, kind, options_.seed);
  }
  return deal_evenly(library_.structures, options_.folds, options_.seed);
}

std::size_t Paper::samples(const std::string& group) const {
  return group == "local_counts" ? 3 * options_.samples : options_.samples;
}

const Study& Paper::study(const std::string& group) {
  const auto found = kept_.find(group);
  if (found != kept_.end()) return found->second.study;
  Kept made{make_study(library_, pool_, group, dealing(group), samples(group), 1.0, options_.seed, context_), {}};
  return kept_.emplace(group, std::move(made)).first->second.study;
}

const StudyFeatures& Paper::features(const std::string& group) {
  static_cast<void>(study(group));
  Kept& kept = kept_.at(group);
  if (!kept.features) kept.features = featurise(Featurisation::cdf, kept.study, context_);
  return *kept.features;
}

Study Paper::smaller(const std::string& group, double share) {
  return make_study(library_, pool_, group, dealing(group), samples(group), share, options_.seed, context_);
}

Rmse rmse_of(const std::vector<double>& answers, const Study& study, std::uint64_t seed) {
  std::vector<double> squares;
  double sum = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const double error = answers[i] - static_cast<double>(study.truth.labels[0][i]);
    squares.push_back(error * error);
    sum += error * error;
  }
  return {std::sqrt(sum / static_cast<double>(answers.size())),
          train::bootstrap_rms(squares, study.truth.structures, seed)};
}

CountScore count_score(const std::vector<std::vector<double>>& answers, const Study& study,
                       const std::vector<std::size_t>& tasks) {
  CountTally tally;
  for (const std::size_t t : tasks) {
    for (std::size_t i = 0; i < answers[t].size(); ++i)
      tally.add(std::lround(answers[t][i]), std::lround(study.truth.labels[t][i]));
  }
  return {tally.accuracy(), train::wilson({tally.accuracy(), study.structures()})};
}

std::string number(double value) { return std::isfinite(value) ? text("%.3f", value) : "-"; }

std::string number(double value, const Interval& interval) {
  if (!std::isfinite(interval.low)) return number(value);
  return text("%.3f (%.3f-%.3f)", value, interval.low, interval.high);
}

std::string size_of(const Study& study) {
  return text("%zu specimens of %zu structures", study.truth.count, study.structures());
}

PaperFigure left_out(const std::string& name, const std::string& title, const std::string& why) {
  return {{name, title, {}, {}, {"left out: " + why}}};
}

}  // namespace elver::evaluate
