#include <algorithm>
#include <cmath>
#include <set>

#include "elver/error.hpp"
#include "model/model.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

[[noreturn]] void refuse(const std::string& where, const std::string& what, const std::string& why,
                         const std::string& todo = {}) {
  throw Error(ErrorKind::input, where + ": " + what, why, todo);
}

/// Names become map names, group names and file names on every system.
void check_name(const std::string& name, const std::string& where, const std::string& what) {
  constexpr std::size_t kLongest = 100;
  constexpr std::string_view kForbidden = "/\\:*?\"<>|";
  const bool bad =
      name.empty() || name.size() > kLongest || name.front() == '.' || name.front() == '-' || name.front() == ' ' ||
      name.back() == ' ' || std::any_of(name.begin(), name.end(), [&](char c) {
        return (static_cast<unsigned char>(c) < 32) || c == 127 || kForbidden.find(c) != std::string_view::npos;
      });
  if (bad) {
    refuse(where, what + " \"" + name.substr(0, kLongest) + "\"", "it cannot be part of a file name",
           "Use letters, digits and underscores, for example O_K");
  }
}

void check_edge(const Edge& edge, const std::string& where) {
  const std::string what = "edge " + edge.name;
  const EnergyWindow& fit = edge.fit;
  // A*E^-r has no value at and below 0 eV.
  if (!(std::isfinite(fit.start_ev) && std::isfinite(fit.stop_ev) && fit.start_ev > 0 && fit.start_ev < fit.stop_ev)) {
    refuse(where, what, text("its fit window is %g:%g eV", fit.start_ev, fit.stop_ev),
           "Start must be above 0 and below stop");
  }
  const Grid& grid = edge.grid;
  if (!(std::isfinite(grid.start_ev) && std::isfinite(grid.stop_ev) && grid.start_ev > 0 &&
        grid.start_ev < grid.stop_ev)) {
    refuse(where, what, text("its grid is %g:%g eV", grid.start_ev, grid.stop_ev),
           "Start must be above 0 and below stop");
  }
  if (grid.count < 2 || grid.count > kMostGridPoints) {
    refuse(where, what, text("its grid has %zu points", grid.count), text("Give 2 to %zu", kMostGridPoints));
  }
}

void check_features(const FeatureRule& rule, const std::string& where) {
  if (rule.kind == FeatureKind::cdf && rule.divide_by == Divisor::area) {
    refuse(where, "feature rule", "a CDF is not divided by its area", "Use \"last\", \"max\" or \"none\"");
  }
  if (rule.kind == FeatureKind::raw && rule.divide_by == Divisor::last) {
    refuse(where, "feature rule", "raw intensity is not divided by its last point",
           "Use \"max\", \"area\" or \"none\"");
  }
}

void check_background(const BackgroundOptions& options, const std::string& where) {
  if (!(options.minimum_counts >= 0) || !std::isfinite(options.minimum_counts)) {
    refuse(where, "background", text("minimum_counts is %g", options.minimum_counts), "Give 0 or more");
  }
  if (!(options.r_minimum < options.r_maximum) || !std::isfinite(options.r_minimum) ||
      !std::isfinite(options.r_maximum)) {
    refuse(where, "background", text("r_min is %g, r_max %g", options.r_minimum, options.r_maximum),
           "r_min must be below r_max");
  }
}

std::string grids_of(const Model& model) {
  std::string out;
  for (const Edge& edge : model.edges) out += (out.empty() ? "" : " + ") + edge.name + text(" %zu", edge.grid.count);
  return out;
}

void check_task(const Model& model, const Task& task, const std::string& where) {
  const std::string what = "task " + task.name;
  const Booster& booster = task.booster;
  if (booster.feature_count() != model.feature_count()) {
    refuse(where, what,
           text("its booster takes %zu features, the model's grids give %zu: %s", booster.feature_count(),
                model.feature_count(), grids_of(model).c_str()),
           "Give the edges and grid counts that it was trained with");
  }
  const std::size_t names = booster.feature_names().size();
  if (names != 0 && names != booster.feature_count()) {
    refuse(where, what, text("its booster names %zu features and takes %zu", names, booster.feature_count()),
           "The file is damaged");
  }
  const bool multi_class = booster.is_classifier() && booster.objective().starts_with("multi:");
  if (multi_class && task.classes.size() != booster.output_count()) {
    refuse(where, what,
           text("its booster has %zu classes, the model names %zu", booster.output_count(), task.classes.size()),
           "Give the value of each class in \"classes\"");
  }
  if (!multi_class && !task.classes.empty()) {
    refuse(where, what,
           text("\"classes\" is for multi:softprob and multi:softmax, its booster is %s", booster.objective().c_str()),
           "Leave \"classes\" out");
  }
  if (std::set<double>(task.classes.begin(), task.classes.end()).size() != task.classes.size() ||
      !std::all_of(task.classes.begin(), task.classes.end(), [](double value) { return std::isfinite(value); })) {
    refuse(where, what, "two of its classes have the same value, or one is no number");
  }
  if (task.best_rounds) {
    const auto best = booster.best_iteration();
    if (!best)
      refuse(where, what, "\"rounds\" is \"best\" and its booster has no best_iteration",
             "Use \"all\", or train with early stopping");
    if (*best >= booster.round_count()) {
      refuse(where, what, text("its booster's best_iteration is %zu of %zu rounds", *best, booster.round_count()),
             "Use \"rounds\":\"all\"");
    }
  }
}

void check_base(const Model& model, const LinearBase& base, std::size_t outputs, const std::string& what,
                const std::string& where) {
  std::vector<std::size_t> parts;
  for (const Edge& edge : model.edges) parts.push_back(edge.grid.count);
  if (base.parts != parts) refuse(where, what, "its parts are not the points of the model's grids: " + grids_of(model));
  if (base.intercept.size() != outputs || base.weights.size() != outputs * model.feature_count()) {
    refuse(where, what,
           text("it has %zu intercepts and %zu weights for %zu outputs of %zu features", base.intercept.size(),
                base.weights.size(), outputs, model.feature_count()));
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(base.weights.begin(), base.weights.end(), finite) ||
      !std::all_of(base.intercept.begin(), base.intercept.end(), finite))
    refuse(where, what, "one of its numbers is not finite");
}

void check_variance(const Model& model, const NoiseVariance& variance, const std::string& what,
                    const std::string& where) {
  bool right = variance.per_edge.size() == model.edges.size() && variance.constant > 0 &&
               std::isfinite(variance.constant);
  for (const double value : variance.per_edge) right = right && value >= 0 && std::isfinite(value);
  right = right && variance.per_level.size() == variance.levels.size();
  for (const double value : variance.per_level) right = right && value >= 0 && std::isfinite(value);
  for (const double level : variance.levels) right = right && level > 0 && std::isfinite(level);
  if (!right)
    refuse(where, what, "its variance must be above 0, with one number of 0 or more an edge, and one a level above 0");
}

void check_trust(const Model& model, const Task& task, const std::string& where) {
  if (!task.base.empty())
    check_base(model, task.base, task.booster.output_count(), "linear base of task " + task.name, where);
  if (task.gated) {
    const std::string what = "gated term of task " + task.name;
    const std::vector<double>& levels = task.gated->levels;
    if (task.gated->gate_count() == 0) refuse(where, what, "it has no gates");
    if (!levels.empty() && levels.size() != model.edges.size()) refuse(where, what, "it must have one level an edge");
    for (const double level : levels) {
      if (!(level > 0) || !std::isfinite(level)) refuse(where, what, "its levels must be above 0");
    }
    check_base(model, task.gated->linear, task.gated->linear_outputs(task.booster.output_count()), what, where);
  }
  if (!task.trust) return;
  const Trust& trust = *task.trust;
  const std::string what = "trust of task " + task.name;
  if (!(trust.coverage > 0 && trust.coverage < 1)) refuse(where, what, "its coverage is no share");
  for (const double value : {trust.quantile, trust.least_probability, trust.slope, trust.offset}) {
    if (!std::isfinite(value)) refuse(where, what, "one of its numbers is not finite");
  }
  if (!task.booster.is_classifier()) check_variance(model, trust.error, what, where);
}

void check_domain(const Model& model, const Domain& domain, const std::string& where) {
  check_base(model, domain.projections, domain.variance.size(), "domain", where);
  if (domain.variance.empty() || !(domain.limit > 0) || !std::isfinite(domain.limit))
    refuse(where, "domain", "it has no projections, or no limit above 0");
  for (const NoiseVariance& variance : domain.variance) check_variance(model, variance, "domain", where);
}

/// Every map of a run has its own name, whatever the tasks are called.
void check_map_names(const Model& model, const std::string& where) {
  std::set<std::string> names;
  const auto take = [&](const std::string& name) {
    if (!names.insert(name).second)
      refuse(where, "map \"" + name + "\"", "two maps of the model would have this name", "Rename a task or an edge");
  };
  take("status");
  if (model.domain) {
    take("domain_distance");
    take("in_domain");
  }
  for (const Edge& edge : model.edges) {
    for (const char* const prefix : {"A_", "r_", "snr_"}) take(prefix + edge.name);
  }
  for (const Task& task : model.tasks) {
    const Booster& booster = task.booster;
    const std::string stem = (booster.is_classifier() && task.classes.empty() ? "probability_" : "") + task.name;
    if (!task.classes.empty() || booster.output_count() == 1) {
      take(stem);
    } else {
      for (std::size_t i = 0; i < booster.output_count(); ++i) take(stem + text("_%zu", i));
    }
    for (const double value : task.classes) take("probability_" + task.name + text("_%g", value));
    if (task.trust && !task.classes.empty()) take(task.name + "_set_size");
    if (task.trust && !booster.is_classifier()) {
      take(task.name + "_low");
      take(task.name + "_high");
    }
  }
}

void check_reference(const ReferenceSpectrum& reference, const std::string& where) {
  const std::string what = "reference spectrum " + reference.edge;
  const std::vector<float>& energy = reference.energy_ev;
  if (energy.size() < 2 || energy.size() != reference.intensity.size()) {
    refuse(where, what, text("it has %zu energies and %zu intensities", energy.size(), reference.intensity.size()));
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(energy.begin(), energy.end(), finite) ||
      !std::all_of(reference.intensity.begin(), reference.intensity.end(), finite) ||
      std::adjacent_find(energy.begin(), energy.end(), std::greater_equal<>()) != energy.end()) {
    refuse(where, what, "its energies do not rise, or a value is not finite");
  }
}

template <class Items, class NameOf>
void check_names(const Items& items, NameOf name_of, const std::string& where, const std::string& what) {
  std::set<std::string> seen;
  for (const auto& item : items) {
    check_name(name_of(item), where, what);
    if (!seen.insert(name_of(item)).second) refuse(where, what + " " + name_of(item), "there are two of this name");
  }
}

}  // namespace

void validate(const Model& model, const std::string& where) {
  check_name(model.name, where, "model name");
  if (model.edges.empty()) refuse(where, "edges", "there are none", "A model needs at least one");
  if (model.tasks.empty()) refuse(where, "tasks", "there are none", "A model needs at least one");
  check_names(
      model.edges, [](const Edge& edge) { return edge.name; }, where, "edge");
  check_names(
      model.tasks, [](const Task& task) { return task.name; }, where, "task");
  check_names(
      model.references, [](const ReferenceSpectrum& reference) { return reference.edge; }, where, "reference spectrum");
  for (const Edge& edge : model.edges) check_edge(edge, where);
  check_features(model.features, where);
  check_background(model.background, where);
  for (const Task& task : model.tasks) {
    check_task(model, task, where);
    check_trust(model, task, where);
  }
  if (model.domain) check_domain(model, *model.domain, where);
  check_map_names(model, where);
  for (const ReferenceSpectrum& reference : model.references) check_reference(reference, where);
}

}  // namespace elver
