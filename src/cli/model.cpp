#include "elver/model.hpp"

#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "types/text.hpp"

namespace elver::cli {
namespace {

using nlohmann::ordered_json;

std::string plain(const ordered_json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "li_content  Li per formula unit   value, reg:squarederror, 400 trees of depth 6, 400 rounds, XGBoost 3.2.0"
std::string task_line(const ordered_json& task) {
  std::string line = "  " + plain(task["name"]);
  if (task.contains("unit")) line += " (" + plain(task["unit"]) + ")";
  line += ": " + plain(task["predicts"]);
  if (task.contains("classes")) line += " of " + task["classes"].dump();
  line += text(", %s, %s trees up to depth %s, ", plain(task["objective"]).c_str(), plain(task["trees"]).c_str(),
               plain(task["depth"]).c_str());
  if (task["rounds_used"] == task["rounds_in_booster"]) {
    line += "all " + plain(task["rounds_used"]) + " rounds";
  } else {
    line += plain(task["rounds_used"]) + " of " + plain(task["rounds_in_booster"]) + " rounds (the best)";
  }
  if (!task["xgboost_version"].is_null()) line += ", XGBoost " + plain(task["xgboost_version"]);
  return line + "\n";
}

/// A fact of the training as people read it: an object as its pairs, a list of objects as a line each.
std::string fact(const ordered_json& value, std::size_t indent) {
  std::string out;
  if (value.is_object()) {
    for (const auto& [key, part] : value.items()) out += (out.empty() ? " " : ", ") + key + fact(part, indent + 2);
    return out;
  }
  if (!value.is_array()) return " " + plain(value);
  const bool table = !value.empty() && value.front().is_structured();
  for (const ordered_json& part : value) out += (table ? "\n" + std::string(indent, ' ') : "") + fact(part, indent + 2);
  return out;
}

/// The model's card, for people.
std::string card(const Model& model) {
  const ordered_json json = ordered_json::parse(model_json(model));
  std::string out = model.name + (model.purpose.empty() ? "" : ": " + model.purpose) + "\n";
  out += "edges (fit window, grid; eV)\n";
  for (const Edge& edge : model.edges) {
    const Grid& grid = edge.grid;
    out += text("  %-8s fit %g to %g, grid %g to %g, %zu points of %.4g\n", edge.name.c_str(), edge.fit.start_ev,
                edge.fit.stop_ev, grid.start_ev, grid.stop_ev, grid.count, grid.spacing_ev());
  }
  const ordered_json& rule = json["features"];
  out += text("features: %zu, %s", model.feature_count(), plain(rule["kind"]).c_str());
  if (rule.contains("sum")) out += ", " + plain(rule["sum"]) + " sum";
  out += ", divided by " + plain(rule["divide_by"]) +
         (model.features.clip_negative ? ", negative counts clipped\n" : ", negative counts kept\n");
  const BackgroundOptions& background = model.background;
  out += text("background: %s, at least %g counts, r from %g to %g\n", std::string(name_of(background.method)).c_str(),
              background.minimum_counts, background.r_minimum, background.r_maximum);
  out += "tasks\n";
  for (const ordered_json& task : json["tasks"]) out += task_line(task);
  if (!model.references.empty()) {
    out += "reference spectra:";
    for (const ReferenceSpectrum& reference : model.references) out += " " + reference.edge;
    out += "\n";
  }
  if (!json["training"].empty()) out += "training\n";
  for (const auto& [key, value] : json["training"].items()) out += "  " + key + ":" + fact(value, 4) + "\n";
  if (!model.sha256.empty()) out += "sha256 " + model.sha256 + "\n";
  return out;
}

std::string task_names(const Model& model) {
  std::string out;
  for (const Task& task : model.tasks) out += (out.empty() ? "" : ", ") + task.name;
  return out;
}

std::string edge_names(const Model& model) {
  std::string out;
  for (const Edge& edge : model.edges) out += (out.empty() ? "" : ", ") + edge.name;
  return out;
}

/// What a user should know before trusting the model's maps.
std::vector<std::string> notes(const Model& model) {
  std::vector<std::string> out;
  for (const Task& task : model.tasks) {
    if (!task.booster.has_trees()) {
      out.push_back(text("task %s: its booster is linear (gblinear), which XGBoost alone runs: elver map --forest xgboost", task.name.c_str()));
    }
    const auto best = task.booster.best_iteration();
    if (best && !task.best_rounds && *best + 1 < task.booster.round_count()) {
      out.push_back(
          text("task %s: the booster's best_iteration %zu is not used, all %zu rounds are; \"rounds\":\"best\" in the "
               "recipe stops there",
               task.name.c_str(), *best, task.booster.round_count()));
    }
  }
  for (const Edge& edge : model.edges) {
    if (edge.fit.stop_ev > edge.grid.start_ev) {
      out.push_back(text("edge %s: its fit window ends at %g eV, inside the grid, which starts at %g eV",
                         edge.name.c_str(), edge.fit.stop_ev, edge.grid.start_ev));
    }
  }
  return out;
}

/// Predicts from a spectrum that is a ramp: every tree is walked once. Throws Error{input} when a booster gives no
/// number.
void try_boosters(const Model& model) {
  std::vector<float> features;
  for (const Edge& edge : model.edges) {
    for (std::size_t i = 0; i < edge.grid.count; ++i) {
      features.push_back(static_cast<float>(i + 1) / static_cast<float>(edge.grid.count));
    }
  }
  for (const Task& task : model.tasks) {
    if (!task.booster.has_trees()) continue;  // see notes
    std::vector<float> out(task.booster.output_count());
    task.booster.margins(features, 1, out);
    task.booster.transform(out, 1);
    for (const float value : out) {
      if (!std::isfinite(value)) {
        throw Error(ErrorKind::input, "model " + model.name + ": task " + task.name,
                    "its booster predicts no finite number from a plain ramp", "Check the booster in XGBoost");
      }
    }
  }
}

void show(const std::string& path, bool json) {
  const Model model = load_model(path);
  std::fputs((json ? model_json(model) + "\n" : card(model)).c_str(), stdout);
  if (json) return;
  for (const std::string& note : notes(model)) std::fprintf(stdout, "note: %s\n", note.c_str());
}

void check(const std::string& path) {
  const Model model = load_model(path);
  try_boosters(model);
  double low = INFINITY, high = 0;
  for (const Edge& edge : model.edges) {
    low = std::min({low, edge.fit.start_ev, edge.grid.start_ev});
    high = std::max({high, edge.fit.stop_ev, edge.grid.stop_ev});
  }
  std::printf("%s: good\nmaps %s\nfrom %s, on energy axes that cover %g to %g eV\n", path.c_str(),
              task_names(model).c_str(), edge_names(model).c_str(), low, high);
  for (const std::string& note : notes(model)) std::printf("note: %s\n", note.c_str());
}

}  // namespace

void add_model(CLI::App& program) {
  CLI::App* const model = program.add_subcommand("model", "Make, show, check and take apart model files (NAME.elver)");
  model->require_subcommand(1);
  model->footer("Example: elver model show samples/nmc.elver");

  struct Options {
    std::string file, out;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();

  CLI::App* const make = model->add_subcommand("make", "A model file from a recipe and XGBoost boosters");
  make->add_option("RECIPE", options->file, "Recipe in JSON; booster paths are relative to it")->required();
  make->add_option("--out", options->out, "Model file to write, NAME.elver")->required();
  make->footer("Example: elver model make recipe.json --out nmc.elver");
  make->callback([options] {
    const Model made = make_model(options->file);
    save_model(made, options->out);
    std::printf("%s: maps %s from %s, %zu features\n", options->out.c_str(), task_names(made).c_str(),
                edge_names(made).c_str(), made.feature_count());
    for (const std::string& note : notes(made)) std::fprintf(stderr, "elver: note: %s\n", note.c_str());
  });

  CLI::App* const show_command = model->add_subcommand("show", "What a model holds");
  show_command->add_option("MODEL", options->file, "Model file")->required();
  show_command->add_flag("--json", options->json, "As JSON: the recipe with the metadata added");
  show_command->footer("Example: elver model show nmc.elver --json");
  show_command->callback([options] { show(options->file, options->json); });

  CLI::App* const check_command = model->add_subcommand("check", "Load everything in a model and say what it can do");
  check_command->add_option("MODEL", options->file, "Model file")->required();
  check_command->footer("Example: elver model check nmc.elver");
  check_command->callback([options] { check(options->file); });

  CLI::App* const extract =
      model->add_subcommand("extract", "The boosters as XGBoost wrote them, and the recipe that makes the model again");
  extract->add_option("MODEL", options->file, "Model file")->required();
  extract->add_option("--out", options->out, "Folder to write into")->required();
  extract->footer("Example: elver model extract nmc.elver --out boosters");
  extract->callback([options] { extract_model(load_model(options->file), options->out); });
}

}  // namespace elver::cli
