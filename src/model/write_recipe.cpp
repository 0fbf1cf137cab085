#include <array>

#include "elver/version.hpp"
#include "model/json_value.hpp"
#include "model/model.hpp"
#include "model/recipe_words.hpp"
#include "model/sha256.hpp"

namespace elver {
namespace {

using nlohmann::ordered_json;

template <class Enum, std::size_t N>
std::string_view word(Enum value, const std::array<std::string_view, N>& words) {
  return words.at(static_cast<std::size_t>(value));
}

ordered_json json_of(const LinearBase& base) {
  return {{"parts", base.parts}, {"intercept", base.intercept}, {"weights", base.weights}};
}

ordered_json json_of(const NoiseVariance& variance) {
  ordered_json out{{"constant", variance.constant}, {"per_edge", variance.per_edge}};
  if (variance.levels.empty()) return out;  // as models were before there were levels
  out["levels"] = variance.levels;
  out["per_level"] = variance.per_level;
  return out;
}

ordered_json json_of(const Trust& trust, const Task& task) {
  ordered_json out{{"coverage", trust.coverage}};
  if (!task.classes.empty()) {
    out["least_probability"] = trust.least_probability;
  } else if (task.booster.is_classifier()) {
    out["slope"] = trust.slope;
    out["offset"] = trust.offset;
  } else {
    out["error"] = json_of(trust.error);
    out["quantile"] = trust.quantile;
  }
  return out;
}

ordered_json plain_numbers(const std::vector<double>& values) {
  ordered_json out = ordered_json::array();
  for (const double value : values) out.push_back(plain_number(value));
  return out;
}

std::string text_of(const ordered_json& json, int indent = 2) {
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string booster_file_name(const Task& task) {
  // UBJSON opens with { and a length marker, JSON with { and a blank or a quote.
  const std::vector<std::byte>& bytes = task.booster.bytes();
  const auto at = [&](std::size_t i) { return i < bytes.size() ? std::to_integer<char>(bytes[i]) : '\0'; };
  const bool json = at(0) != '{' || std::string_view("\" \t\r\n}").find(at(1)) != std::string_view::npos;
  return task.name + (task.name == "recipe" ? "-booster" : "") + (json ? ".json" : ".ubj");  // recipe.json is taken
}

std::size_t rounds_used(const Task& task) {
  return task.best_rounds && task.booster.best_iteration() ? *task.booster.best_iteration() + 1 : 0;
}

ordered_json recipe_json(const Model& model, const std::function<std::string(const Task&)>& booster) {
  ordered_json out;
  out["name"] = model.name;
  if (!model.purpose.empty()) out["purpose"] = model.purpose;
  out["edges"] = ordered_json::array();
  for (const Edge& edge : model.edges) {
    const Grid& grid = edge.grid;
    out["edges"].push_back(
        {{"name", edge.name},
         {"fit", plain_numbers({edge.fit.start_ev, edge.fit.stop_ev})},
         {"grid",
          {{"start", plain_number(grid.start_ev)}, {"stop", plain_number(grid.stop_ev)}, {"count", grid.count}}}});
  }
  const FeatureRule& rule = model.features;
  out["features"] = {{"kind", word(rule.kind, kKinds)}};
  if (rule.kind == FeatureKind::cdf) out["features"]["sum"] = word(rule.sum, kSums);
  out["features"]["divide_by"] = word(rule.divide_by, kDivisors);
  out["features"]["clip_negative"] = rule.clip_negative;
  out["background"] = {{"method", name_of(model.background.method)},
                       {"minimum_counts", plain_number(model.background.minimum_counts)},
                       {"r_min", plain_number(model.background.r_minimum)},
                       {"r_max", plain_number(model.background.r_maximum)}};
  out["tasks"] = ordered_json::array();
  for (const Task& task : model.tasks) {
    ordered_json entry{{"name", task.name}};
    if (!task.unit.empty()) entry["unit"] = task.unit;
    if (!task.classes.empty()) entry["classes"] = plain_numbers(task.classes);
    entry["booster"] = booster(task);
    entry["rounds"] = task.best_rounds ? "best" : "all";
    if (!task.base.empty()) entry["base"] = json_of(task.base);
    if (task.gated) {
      entry["gated"] = json_of(task.gated->linear);
      entry["gated"]["levels"] = task.gated->levels;
      entry["gated"]["projections"] = task.gated->projections;
    }
    if (task.trust) entry["trust"] = json_of(*task.trust, task);
    out["tasks"].push_back(std::move(entry));
  }
  if (!model.references.empty()) {
    out["references"] = ordered_json::array();
    for (const ReferenceSpectrum& reference : model.references) {
      out["references"].push_back(
          {{"edge", reference.edge}, {"energy_ev", reference.energy_ev}, {"intensity", reference.intensity}});
    }
  }
  if (model.domain) {
    ordered_json variance = ordered_json::array();
    for (const NoiseVariance& v : model.domain->variance) variance.push_back(json_of(v));
    out["domain"] = {{"share", model.domain->share},
                     {"limit", model.domain->limit},
                     {"projections", json_of(model.domain->projections)},
                     {"variance", variance}};
  }
  const nlohmann::json training = parse_json(model.training_json, "training facts of model " + model.name);
  if (!training.empty()) out["training"] = training;
  return out;
}

std::string model_json(const Model& model) {
  ordered_json out = recipe_json(model, booster_file_name);
  for (std::size_t i = 0; i < model.tasks.size(); ++i) {
    const Task& task = model.tasks[i];
    const Booster& booster = task.booster;
    ordered_json& entry = out["tasks"][i];
    entry["predicts"] = !task.classes.empty() ? "class" : booster.is_classifier() ? "probability" : "value";
    entry["objective"] = booster.objective();
    entry["feature_count"] = booster.feature_count();
    entry["outputs"] = booster.output_count();
    entry["trees"] = booster.tree_count();
    entry["rounds_in_booster"] = booster.round_count();
    entry["rounds_used"] = task.best_rounds ? rounds_used(task) : booster.round_count();
    entry["depth"] = booster.max_depth();
    const auto best = booster.best_iteration();
    entry["best_iteration"] = best ? ordered_json(*best) : ordered_json(nullptr);
    entry["xgboost_version"] = booster.version().empty() ? ordered_json(nullptr) : ordered_json(booster.version());
    entry["sha256"] = sha256(booster.bytes());
  }
  out["feature_count"] = model.feature_count();
  out["sha256"] = model.sha256.empty() ? ordered_json(nullptr) : ordered_json(model.sha256);
  if (!out.contains("training")) out["training"] = ordered_json::object();
  return text_of(out);
}

}  // namespace elver
