#include <cmath>
#include <nlohmann/json.hpp>

#include "elver/evaluate.hpp"
#include "elver/version.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using Json = nlohmann::ordered_json;
using Kind = TaskFigures::Kind;

Json number(double value) { return std::isfinite(value) ? Json(std::round(value * 1e6) / 1e6) : Json(); }
Json interval(const Interval& i) { return {number(i.low), number(i.high)}; }

Json json_of(const TaskFigures& f) {
  Json out{{"n", f.spectra}};
  switch (f.kind) {
    case Kind::value:
      out.update({{"rmse", number(f.rmse)}, {"mae", number(f.mae)}, {"coverage", number(f.coverage)},
                  {"rmse_interval", interval(f.rmse_interval)}});
      break;
    case Kind::count:
      out.update({{"accuracy", number(f.accuracy)}, {"accuracy_interval", interval(f.accuracy_interval)},
                  {"exact", number(f.exact)}, {"coverage", number(f.coverage)}});
      break;
    case Kind::defect:
      out.update({{"accuracy", number(f.accuracy)},
                  {"accuracy_interval", interval(f.accuracy_interval)},
                  {"false_positive_rate", number(f.false_positive_rate)},
                  {"false_positive_interval", interval(f.false_positive_interval)},
                  {"true_positive_rate", number(f.true_positive_rate)},
                  {"true_positive_interval", interval(f.true_positive_interval)},
                  {"balanced_accuracy", number(f.balanced_accuracy)},
                  {"n_with_defect", f.with_defect},
                  {"n_alike", f.alike},
                  {"false_positive_rate_alike", number(f.false_positive_rate_alike)}});
  }
  out["structures"] = f.structures;
  return out;
}

Json json_of(const ViewFigures& view) {
  Json tasks = Json::object();
  for (const TaskFigures& f : view.tasks) tasks[f.task] = json_of(f);
  Json out{{"tasks", tasks}, {"spectra", view.spectra}, {"failed", view.failed}, {"in_domain", number(view.in_domain)}};
  if (view.count_spectra > 0) {
    CountTally all = view.counts_li;
    all.add(view.counts_metals);
    out["local_counts"] = {{"n", view.count_spectra},
                           {"accuracy", number(all.accuracy())},
                           {"accuracy_Li", number(view.counts_li.accuracy())},
                           {"accuracy_metals", number(view.counts_metals.accuracy())}};
  }
  return out;
}

std::string percent(double share) { return std::isfinite(share) ? text("%.1f %%", 100 * share) : "-"; }
std::string with_interval(double value, const Interval& i) {
  if (!std::isfinite(value)) return "-";
  return std::isfinite(i.low) ? text("%.3f (%.3f-%.3f)", value, i.low, i.high) : text("%.3f", value);
}

std::string figure_of(const TaskFigures& f) {
  switch (f.kind) {
    case Kind::value: return with_interval(f.rmse, f.rmse_interval);
    default: return with_interval(f.accuracy, f.accuracy_interval);
  }
}

std::string more_of(const TaskFigures& f) {
  switch (f.kind) {
    case Kind::value: return text("MAE %.3f, ", f.mae) + percent(f.coverage) + " within their intervals";
    case Kind::count: return percent(f.exact) + " exact, " + percent(f.coverage) + " within their sets";
    default:
      return text("%zu with the defect; found ", f.with_defect) + percent(f.true_positive_rate) + ", false alarms " +
             percent(f.false_positive_rate);
  }
}

const TaskFigures* find(const ViewFigures& view, const std::string& task) {
  for (const TaskFigures& f : view.tasks) {
    if (f.task == task) return &f;
  }
  return nullptr;
}

}  // namespace

std::string evaluation_json(const ModelEvaluation& evaluation) {
  Json views = Json::object(), left_out = Json::object();
  for (const ViewFigures& view : evaluation.views) views[view.view] = json_of(view);
  for (const auto& [task, reason] : evaluation.left_out) left_out[task] = reason;
  const Json out{
      {"tasks", evaluation.views.empty() ? Json::object() : views[evaluation.views[0].view]["tasks"]},
      {"views", views},
      {"left_out", left_out},
      {"structures",
       {{"in_library", evaluation.structures},
        {"scored", evaluation.scored},
        {"training_set_known", evaluation.training_set_known},
        {"in_training_set", evaluation.trained_on}}},
      {"model", {{"name", evaluation.model}, {"sha256", evaluation.model_sha256}}},
      {"library", {{"title", evaluation.library}, {"sha256", evaluation.library_sha256}}},
      {"definitions",
       {{"tasks", "the clean view: one aligned instrument of 0.8 eV without noise, a spectrum a specimen"},
        {"views", "no noise: random instruments; numbers: counts per channel before O K under random instruments; "
                  "foreign: instruments that no training saw"},
        {"n", "spectra"},
        {"intervals", "95 %, a structure is one trial: Wilson's for shares, studentised bootstrap over structures for RMSE"},
        {"accuracy", "of counts (TP+TN)/(TP+TN+FP+FN) over atoms: TP the lesser of both counts, FP what is too many, "
                     "FN what is missing, TN 1 where both are 0; exact: share of specimens with the true count; of "
                     "defects the share of right answers at probability 0.5"},
        {"alike", "specimens without the defect whose Li content is in the range of those with it"}}},
      {"notes", evaluation.notes},
      {"elver", version()}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string evaluation_markdown(const ModelEvaluation& evaluation) {
  std::string out = text("# %s on %s\n\nStructures scored: %zu of the library's %zu; ", evaluation.model.c_str(),
                         evaluation.library.c_str(), evaluation.scored, evaluation.structures);
  out += evaluation.training_set_known
             ? text("%zu were in the model's training set.\n\n", evaluation.trained_on.size())
             : std::string("the model does not say what it was trained on.\n\n");
  const ViewFigures& clean = evaluation.views.at(0);
  out += "| task | measure | n (structures) |";
  for (const ViewFigures& view : evaluation.views) out += text(" %s |", view.view.c_str());
  out += " clean, more |\n| --- | --- | --- |";
  for (std::size_t v = 0; v <= evaluation.views.size(); ++v) out += " --- |";
  out += "\n";
  for (const TaskFigures& f : clean.tasks) {
    out += text("| %s | %s | %zu (%zu) |", f.task.c_str(), f.kind == Kind::value ? "RMSE" : "accuracy", f.spectra,
                f.structures);
    for (const ViewFigures& view : evaluation.views) {
      const TaskFigures* const found = find(view, f.task);
      out += text(" %s |", found != nullptr ? figure_of(*found).c_str() : "-");
    }
    out += text(" %s |\n", more_of(f).c_str());
  }
  if (clean.count_spectra > 0) {
    for (const bool metals : {false, true}) {
      out += text("| local counts, %s | accuracy | %zu |", metals ? "Ni, Mn and Co" : "Li", clean.count_spectra);
      for (const ViewFigures& view : evaluation.views)
        out += text(" %.3f |", (metals ? view.counts_metals : view.counts_li).accuracy());
      out += metals ? " the paper's: 0.93 |\n" : " the paper's: 0.99 |\n";
    }
  }
  out += "| all | in the domain | |";
  for (const ViewFigures& view : evaluation.views) out += text(" %s |", percent(view.in_domain).c_str());
  out += " |\n\nIntervals are of 95 %, a structure is one trial. clean: one aligned instrument of 0.8 eV without noise; "
         "no noise, and counts per channel before O K: random instruments; foreign: instruments that no training saw.\n";
  for (const auto& [task, reason] : evaluation.left_out) out += text("\n- %s is left out: %s", task.c_str(), reason.c_str());
  for (const std::string& note : evaluation.notes) out += text("\n- %s", note.c_str());
  return out + (evaluation.left_out.empty() && evaluation.notes.empty() ? "" : "\n");
}

}  // namespace elver
