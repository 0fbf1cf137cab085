#include <algorithm>
#include <cmath>

#include "evaluate/figures.hpp"
#include "forest/forest.hpp"
#include "report/chart.hpp"
#include "train/search.hpp"
#include "types/text.hpp"

namespace elver::evaluate {
namespace {

constexpr const char* kLiTitle = "Li content from all edges and from each by itself (Fig. 3)";
constexpr const char* kNoLi = "the library's structures do not suffice for li_content in two folds";

}  // namespace

PaperFigure fig3_li_content(Paper& paper) {
  const std::string name = "fig3_li_content";
  const Study& study = paper.study("li_content");
  if (study.folds.size() < 2) return left_out(name, kLiTitle, kNoLi);
  const StudyFeatures& features = paper.features("li_content");
  const std::vector<Modality> modalities = modalities_of(study.edges);
  constexpr std::array kLearners{Learner::xgboost, Learner::ridge, Learner::ridge_and_trees};
  std::vector<Job> jobs;
  for (const Modality& m : modalities) {
    for (const Learner learner : kLearners) jobs.push_back({learner, &study, &features, 0, m.edges});
  }
  const std::vector<Answered> found = run_jobs(jobs, paper.learner(), paper.context(), name);

  PaperFigure out;
  out.table = {name,
               kLiTitle,
               {"edges", "RMSE, XGBoost (95 %)", "RMSE, ridge (95 %)", "RMSE, XGBoost on ridge (95 %)",
                "n (structures)", "paper's RMSE"},
               {},
               {}};
  report::BarChart chart;
  chart.frame = {kLiTitle, text("RMSE, Li per formula unit; %zu structures", study.structures()), 0, 0.1};
  chart.series = {"XGBoost", "ridge", "XGBoost on ridge"};
  chart.reference_name = "the paper: below 0.1, on experiments";
  std::array<double, kLearners.size()> multimodal{}, best{1e9, 1e9, 1e9};
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    std::array<Rmse, kLearners.size()> rmse;
    std::vector<report::Bar> bars;
    for (std::size_t k = 0; k < kLearners.size(); ++k) {
      rmse[k] = rmse_of(found[kLearners.size() * m + k].plain, study, paper.options().seed);
      bars.push_back({rmse[k].value, rmse[k].interval.low, rmse[k].interval.high, m == 0 ? 0.1 : report::kNoNumber});
      if (m == 0) multimodal[k] = rmse[k].value;
      if (m > 0) best[k] = std::min(best[k], rmse[k].value);
      const double top = std::isfinite(rmse[k].interval.high) ? rmse[k].interval.high : rmse[k].value;
      chart.frame.high = std::max(chart.frame.high, 1.12 * top);
    }
    chart.groups.push_back(modalities[m].name);
    chart.bars.push_back(bars);
    out.table.rows.push_back({modalities[m].name, number(rmse[0].value, rmse[0].interval),
                              number(rmse[1].value, rmse[1].interval), number(rmse[2].value, rmse[2].interval),
                              text("%zu", study.structures()), m == 0 ? "< 0.1 (experiments)" : ""});
  }
  if (modalities.size() > 2) {
    out.table.rows.push_back({"gain over the best single edge", text("%.0f %%", 100 * (1 - multimodal[0] / best[0])),
                              text("%.0f %%", 100 * (1 - multimodal[1] / best[1])),
                              text("%.0f %%", 100 * (1 - multimodal[2] / best[2])), "", "30 to 50 % (experiments)"});
  }
  out.table.notes = {text("%zu-fold cross-validation by structure, at most %zu structures trained on; the paper's numbers are of "
                          "measured spectra, whose truth is the cell's capacity",
                          study.folds.size(), study.training_structures)};
  out.draw = [chart](report::Canvas& canvas) { draw(canvas, 0, 0, chart); };
  return out;
}

PaperFigure fig6_importance(Paper& paper) {
  const std::string name = "fig6_importance";
  const char* const title = "What the trees ask for Li content: splits by energy, beside the mean spectrum (Fig. 6)";
  const Study& study = paper.study("li_content");
  if (study.folds.size() < 2) return left_out(name, title, kNoLi);
  const StudyFeatures& features = paper.features("li_content");
  std::vector<double> splits(features.folds[0].training.columns, 0.0), mean(splits.size(), 0.0);
  const LearnerOptions o = paper.learner();
  const train::Settings settings{{"learning_rate", o.learning_rate}, {"max_depth", static_cast<double>(o.max_depth)},
                                 {"subsample", 0.8}, {"colsample_bytree", 0.2}, {"min_child_weight", 2}};
  for (std::size_t f = 0; f < study.folds.size(); ++f) {
    train::Rows rows = study.folds[f].training;
    for (std::size_t i = 0; i < rows.features.size(); ++i)
      mean[i % mean.size()] += std::max(0.0, static_cast<double>(rows.features[i]));
    rows.features = features.folds[f].training.values;
    const Booster booster = train::fit_booster(study.tasks[0], rows, 0, {}, settings, o.rounds, o.seed, paper.context());
    const Booster::Forest& forest = booster.forest();
    for (const forest::Tree& tree : forest.trees) {
      for (std::uint32_t i = 0; i < tree.node_count; ++i) {
        const forest::Node& node = forest.nodes[tree.first_node + i];
        if (node.left != static_cast<std::int32_t>(i)) splits[node.index()] += 1;  // a leaf leads back to itself
      }
    }
  }
  std::vector<double> sorted = splits;  // one energy that is asked more than all others must not darken them
  std::ranges::sort(sorted);
  const double most = std::max(1.0, sorted[sorted.size() * 98 / 100]);
  double all = 0;
  for (const double s : splits) all += s;

  PaperFigure out;
  out.table = {name, title, {"edge", "share of the splits", "energy of most splits, eV", "paper's rank"}, {}, {}};
  std::vector<report::HeatCurve> curves;
  std::size_t first = 0;
  for (std::size_t e = 0; e < study.edges.size(); ++e) {
    const Edge& edge = study.edges[e];
    report::HeatCurve curve;
    curve.frame = {spoken(edge.name), "mean net counts over their maximum", 0, 1.05, 300, 190};
    curve.x_axis = "energy loss, eV";
    double share = 0, highest = 1e-30;
    std::size_t top = first;
    for (std::size_t i = first; i < first + edge.grid.count; ++i) {
      share += splits[i] / std::max(1.0, all);
      highest = std::max(highest, mean[i]);
      if (splits[i] > splits[top]) top = i;
    }
    for (std::size_t i = first; i < first + edge.grid.count; ++i) {
      curve.x.push_back(edge.grid.energy(i - first));
      curve.y.push_back(mean[i] / highest);
      curve.heat.push_back(std::min(1.0, splits[i] / most));
    }
    curves.push_back(curve);
    const std::string rank = edge.name == "Ni_L" ? "1 (Ni L3)" : edge.name == "O_K" ? "2" : "";
    out.table.rows.push_back({spoken(edge.name), text("%.1f %%", 100 * share), text("%.1f", edge.grid.energy(top - first)), rank});
    first += edge.grid.count;
  }
  out.table.notes = {text("%.0f splits of %zu boosters of %zu trees, one a fold, trained on CDFs: a split at an energy asks "
                          "how much of the edge lies below it",
                          all, study.folds.size(), o.rounds),
                     "splits at the first and last energies of a grid ask how high the foot of the edge and its continuum are beside "
                     "its area"};
  out.draw = [curves, title](report::Canvas& canvas) {
    canvas.text(0, 0, title, 16, report::kInk, true);
    for (std::size_t i = 0; i < curves.size(); ++i)
      draw(canvas, 420.0 * static_cast<double>(i % 2), 30 + 310.0 * static_cast<double>(i / 2), curves[i]);
    const double below = 50 + 310.0 * static_cast<double>((curves.size() + 1) / 2);
    for (int k = 0; k < 200; ++k) canvas.fill(66 + k, below - 12, 2, 12, report::perceptual_at(0.08 + 0.9 * k / 200.0));
    canvas.text(276, below, "no splits (dark) to as many as the busiest 2 % of the energies have (bright)", 14);
  };
  return out;
}

PaperFigure learning_curve(Paper& paper) {
  const std::string name = "learning_curve";
  const char* const title = "Li content against the number of structures trained on";
  PaperFigure out;
  out.table = {name, title, {"structures trained on", "RMSE, XGBoost (95 %)", "RMSE, ridge (95 %)", "n (structures)"}, {}, {}};
  report::LineChart chart;
  chart.frame = {title, "RMSE, Li per formula unit", 0, 0.1};
  chart.x_axis = "structures trained on";
  chart.lines = {{"XGBoost", {}, {}, {}, {}}, {"ridge", {}, {}, {}, {}}};
  for (const double share : {0.15, 0.3, 0.6, 1.0}) {
    const Study part = share < 1 ? paper.smaller("li_content", share) : Study();
    const Study& study = share < 1 ? part : paper.study("li_content");
    if (study.folds.size() < 2) continue;
    const StudyFeatures features = featurise(Featurisation::cdf, study, paper.context());
    const std::vector<Answered> found =
        run_jobs({{Learner::xgboost, &study, &features, 0, {}}, {Learner::ridge, &study, &features, 0, {}}}, paper.learner(),
                 paper.context(), text("%s, %.0f %%", name.c_str(), 100 * share));
    std::vector<std::string> row{text("%zu", study.training_structures)};
    for (std::size_t k = 0; k < 2; ++k) {
      const Rmse rmse = rmse_of(found[k].plain, study, paper.options().seed);
      row.push_back(number(rmse.value, rmse.interval));
      report::ChartLine& line = chart.lines[k];
      line.x.push_back(static_cast<double>(study.training_structures) * (k == 0 ? 1 : 1.01));  // so that whiskers do not cover each other
      line.y.push_back(rmse.value);
      line.low.push_back(rmse.interval.low);
      line.high.push_back(rmse.interval.high);
      chart.frame.high = std::max(chart.frame.high, 1.05 * std::max(rmse.value, std::isfinite(rmse.interval.high) ? rmse.interval.high : 0));
    }
    row.push_back(text("%zu", study.structures()));
    out.table.rows.push_back(row);
  }
  if (out.table.rows.empty()) return left_out(name, title, kNoLi);
  out.table.notes = {"the paper has no such curve; it trains on 701 structures"};
  out.draw = [chart](report::Canvas& canvas) { draw(canvas, 0, 0, chart); };
  return out;
}

}  // namespace elver::evaluate
