#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "elver/error.hpp"
#include "model/json_value.hpp"
#include "model/model.hpp"
#include "model/recipe_words.hpp"
#include "types/inputs.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// The enumerator whose word this is.
template <class Enum, std::size_t N>
Enum word(const JsonValue& value, const std::array<std::string_view, N>& words) {
  std::string expected;
  for (const std::string_view w : words) expected += (expected.empty() ? "\"" : ", \"") + std::string(w) + "\"";
  const std::string found = value.text("one of " + expected);
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == found) return static_cast<Enum>(i);
  }
  value.must_be("one of " + expected);
}

std::string optional_text(const JsonValue& object, const std::string& key) {
  return object.has(key) ? object.at(key, "text").text("text") : std::string();
}

Edge read_edge(const JsonValue& value) {
  value.object({"name", "fit", "grid"});
  Edge edge;
  edge.name = value.at("name", "the edge's name, for example \"O_K\"").text("the edge's name, for example \"O_K\"");
  const std::string window = "[start, stop] in eV, for example [490, 522]";
  const JsonValue fit = value.at("fit", window);
  const std::vector<double> ends = fit.numbers(window);
  if (ends.size() != 2 || !(ends[0] < ends[1])) fit.must_be(window + ", start below stop");
  edge.fit = {ends[0], ends[1]};
  const std::string shape = "{\"start\":525,\"stop\":563,\"count\":150}";
  const JsonValue grid = value.at("grid", shape).object({"start", "stop", "count"});
  edge.grid.start_ev = grid.at("start", "an energy in eV").number("an energy in eV");
  edge.grid.stop_ev = grid.at("stop", "an energy in eV").number("an energy in eV");
  const std::string points = text("a whole number of points, 2 to %zu", kMostGridPoints);
  edge.grid.count = grid.at("count", points).count(2, kMostGridPoints, points);
  if (!(edge.grid.start_ev < edge.grid.stop_ev)) grid.must_be("a grid whose start lies below its stop");
  return edge;
}

FeatureRule read_features(const JsonValue& value) {
  value.object({"kind", "sum", "divide_by", "clip_negative"});
  FeatureRule rule;
  rule.kind = word<FeatureKind>(value.at("kind", "\"cdf\" or \"raw\""), kKinds);
  if (rule.kind == FeatureKind::raw) rule.clip_negative = false;
  if (value.has("sum")) rule.sum = word<CdfSum>(value.at("sum", ""), kSums);
  if (value.has("divide_by") || rule.kind == FeatureKind::raw) {
    const JsonValue divisor = value.at("divide_by", "\"max\", \"area\" or \"none\" for raw intensity");
    rule.divide_by = word<Divisor>(divisor, kDivisors);
    if (rule.kind == FeatureKind::cdf && rule.divide_by == Divisor::area)
      divisor.must_be("\"last\", \"max\" or \"none\" for a CDF");
    if (rule.kind == FeatureKind::raw && rule.divide_by == Divisor::last) {
      divisor.must_be("\"max\", \"area\" or \"none\" for raw intensity");
    }
  }
  if (value.has("clip_negative")) rule.clip_negative = value.at("clip_negative", "").boolean("true or false");
  return rule;
}

BackgroundOptions read_background(const JsonValue& value) {
  value.object({"method", "minimum_counts", "r_min", "r_max"});
  BackgroundOptions options;
  if (value.has("method")) {
    const std::string methods = "\"poisson-ml\", \"log-lsq\" or \"two-area\"";
    const JsonValue method = value.at("method", methods);
    try {
      options.method = background_method(method.text(methods));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::usage) method.must_be(methods);
      throw;
    }
  }
  if (value.has("minimum_counts")) options.minimum_counts = value.at("minimum_counts", "").number("a number of counts");
  if (value.has("r_min")) options.r_minimum = value.at("r_min", "").number("an exponent, for example -2");
  if (value.has("r_max")) options.r_maximum = value.at("r_max", "").number("an exponent, for example 12");
  return options;
}

std::vector<float> read_floats(const JsonValue& object, const std::string& key) {
  const std::vector<double> wide = object.at(key, "numbers").numbers("numbers");
  return {wide.begin(), wide.end()};
}

LinearBase read_linear(const JsonValue& value) {
  LinearBase out;
  for (const double part : value.at("parts", "features of each edge").numbers("features of each edge"))
    out.parts.push_back(static_cast<std::size_t>(std::clamp(part, 0.0, 1e9)));
  out.intercept = read_floats(value, "intercept");
  out.weights = read_floats(value, "weights");
  return out;
}

LinearBase read_base(const JsonValue& value) { return read_linear(value.object({"parts", "intercept", "weights"})); }

GatedTerm read_gated(const JsonValue& value) {
  value.object({"levels", "projections", "parts", "intercept", "weights"});
  GatedTerm out;
  out.projections =
      static_cast<std::size_t>(std::clamp(value.at("projections", "a number").number("a number"), 0.0, 1e6));
  out.levels = value.at("levels", "numbers").numbers("numbers");
  out.linear = read_linear(value);
  return out;
}

NoiseVariance read_variance(const JsonValue& value) {
  value.object({"constant", "per_edge", "levels", "per_level"});
  NoiseVariance out{value.at("constant", "a variance").number("a variance"),
                    value.at("per_edge", "numbers").numbers("numbers")};
  if (value.has("levels")) out.levels = value.at("levels", "numbers").numbers("numbers");
  if (value.has("per_level")) out.per_level = value.at("per_level", "numbers").numbers("numbers");
  return out;
}

Trust read_trust(const JsonValue& value) {
  value.object({"coverage", "error", "quantile", "least_probability", "slope", "offset"});
  Trust out;
  out.coverage = value.at("coverage", "a share").number("a share");
  if (value.has("error")) out.error = read_variance(value.at("error", ""));
  const auto number = [&](const char* key, double& to) {
    if (value.has(key)) to = value.at(key, "").number("a number");
  };
  number("quantile", out.quantile);
  number("least_probability", out.least_probability);
  number("slope", out.slope);
  number("offset", out.offset);
  return out;
}

Domain read_domain(const JsonValue& value) {
  value.object({"share", "limit", "projections", "variance"});
  Domain out;
  out.share = value.at("share", "a share").number("a share");
  out.limit = value.at("limit", "a number").number("a number");
  out.projections = read_base(value.at("projections", "an object"));
  for (const JsonValue& v : value.at("variance", "a list").list("a list")) out.variance.push_back(read_variance(v));
  return out;
}

Task read_task(const JsonValue& value, const std::function<Booster(const std::string&)>& load) {
  // The keys after "rounds" are what `elver model show --json` adds: told by the booster itself, so not read.
  value.object({"name", "unit", "classes", "booster", "rounds", "base", "gated", "trust", "sha256", "objective",
                "predicts", "feature_count", "outputs", "trees", "rounds_in_booster", "rounds_used", "depth",
                "best_iteration", "xgboost_version"});
  Task task;
  task.name = value.at("name", "the task's name, for example \"li_content\"")
                  .text("the task's name, for example \"li_content\"");
  task.unit = optional_text(value, "unit");
  const std::string path = "the path of an XGBoost .json or .ubj file, relative to the recipe";
  task.booster = load(value.at("booster", path).text(path));
  if (value.has("classes")) {
    const std::string expected = "the value of each class, for example [0, 1, 2, 3]";
    task.classes = value.at("classes", expected).numbers(expected);
  } else if (task.booster.is_classifier() && task.booster.output_count() > 1 &&
             task.booster.objective().starts_with("multi:")) {
    for (std::size_t i = 0; i < task.booster.output_count(); ++i) task.classes.push_back(static_cast<double>(i));
  }
  if (value.has("rounds")) {
    constexpr std::array<std::string_view, 2> kRounds{"all", "best"};
    task.best_rounds = word<int>(value.at("rounds", ""), kRounds) == 1;
  }
  if (value.has("base")) task.base = read_base(value.at("base", ""));
  if (value.has("gated")) task.gated = read_gated(value.at("gated", ""));
  if (value.has("trust")) task.trust = read_trust(value.at("trust", ""));
  return task;
}

ReferenceSpectrum read_reference(const JsonValue& value) {
  value.object({"edge", "energy_ev", "intensity"});
  const auto floats = [&](const std::string& key) {
    const std::vector<double> wide = value.at(key, "numbers").numbers("numbers");
    return std::vector<float>(wide.begin(), wide.end());
  };
  return {value.at("edge", "the edge's name").text("the edge's name"), floats("energy_ev"), floats("intensity")};
}

}  // namespace

Model read_recipe(const nlohmann::json& recipe, const std::string& where,
                  const std::function<Booster(const std::string&)>& load) {
  const JsonValue root(recipe, where);
  // The last three are what `elver model show --json` adds.
  root.object({"name", "purpose", "edges", "features", "background", "tasks", "references", "domain", "training", "feature_count",
               "format_version", "sha256"});
  Model model;
  model.name = root.at("name", "the model's name").text("the model's name");
  model.purpose = optional_text(root, "purpose");
  const std::string edges = "a list of edges, each {\"name\":..., \"fit\":[a,b], \"grid\":{...}}";
  for (const JsonValue& edge : root.at("edges", edges).list(edges)) model.edges.push_back(read_edge(edge));
  if (root.has("features")) model.features = read_features(root.at("features", ""));
  if (root.has("background")) model.background = read_background(root.at("background", ""));
  const std::string tasks = "a list of tasks, each {\"name\":..., \"booster\":...}";
  for (const JsonValue& task : root.at("tasks", tasks).list(tasks)) model.tasks.push_back(read_task(task, load));
  if (root.has("references")) {
    for (const JsonValue& reference : root.at("references", "").list("a list of reference spectra")) {
      model.references.push_back(read_reference(reference));
    }
  }
  if (root.has("domain")) model.domain = read_domain(root.at("domain", ""));
  if (root.has("training")) {
    const JsonValue training = root.at("training", "");
    if (!training.json().is_object()) training.must_be("an object of facts");
    model.training_json = training.json().dump();
  }
  validate(model, where);
  return model;
}

Model make_model(const std::filesystem::path& recipe) {
  const std::string where = "recipe " + recipe.string();
  std::error_code error;
  if (std::filesystem::exists(recipe, error) && !std::filesystem::is_regular_file(recipe, error)) {
    throw Error(ErrorKind::input, "cannot read " + where,
                std::filesystem::is_directory(recipe, error) ? "it is a folder" : "it is not a regular file",
                "Give a recipe file");
  }
  note_input(recipe);
  std::ifstream stream(recipe, std::ios::binary);
  std::ostringstream content;
  if (!stream || (stream.peek() != std::ifstream::traits_type::eof() && !(content << stream.rdbuf()))) {
    throw Error(ErrorKind::input, "cannot read " + where, "no such file, or no right to read it");
  }
  return read_recipe(parse_json(content.str(), where), where,
                     [&](const std::string& path) { return Booster::load((recipe.parent_path() / path).string()); });
}

}  // namespace elver
