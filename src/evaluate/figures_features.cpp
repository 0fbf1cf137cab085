#include <algorithm>
#include <cmath>

#include "evaluate/figures.hpp"
#include "evaluate/network.hpp"
#include "evaluate/reductions.hpp"
#include "report/chart.hpp"
#include "types/text.hpp"

namespace elver::evaluate {
namespace {

constexpr std::array<Featurisation, 4> kKinds{Featurisation::raw, Featurisation::cdf, Featurisation::cubics,
                                              Featurisation::gaussians};
constexpr const char* kNoLi = "the library's structures do not suffice for li_content in two folds";
constexpr std::size_t kFewer = 2;        ///< 20 Gaussians are slow to fit: half the training rows, for all alike
constexpr std::ptrdiff_t kShift = 2;     ///< grid points
constexpr std::size_t kLeast = 40;

/// A study with fewer training rows a fold.
Study thinned(const Study& study) {
  Study out = study;
  for (StudyFold& fold : out.folds) {
    train::Rows& rows = fold.training;
    const std::size_t keep = std::min(rows.count, std::max(kLeast, rows.count / kFewer));
    rows.features.resize(rows.features.size() / rows.count * keep);
    rows.weights.resize(keep);
    rows.structures.resize(keep);
    for (std::vector<float>& labels : rows.labels) labels.resize(keep);
    rows.snr.clear();
    rows.count = keep;
  }
  return out;
}

/// Every edge of every row moved up by some grid points; the first point fills what comes in.
std::vector<float> shifted(const train::Rows& rows, const std::vector<Edge>& edges) {
  std::vector<float> out = rows.features;
  for (std::size_t at = 0; at < out.size();) {
    for (const Edge& edge : edges) {
      const auto first = out.begin() + static_cast<std::ptrdiff_t>(at);
      const auto last = first + static_cast<std::ptrdiff_t>(edge.grid.count);
      std::shift_right(first, last, kShift);
      std::fill(first, first + kShift, rows.features[at]);
      at += edge.grid.count;
    }
  }
  return out;
}

/// One edge of one specimen as each featuriser sees it.
std::vector<report::LineChart> pictures(const Study& study) {
  const Edge& edge = study.edges.back();
  const train::Rows& rows = study.folds[0].test;
  const std::size_t width = rows.features.size() / rows.count;
  const std::span<const float> net = std::span(rows.features).subspan(width - edge.grid.count, edge.grid.count);
  std::vector<double> energy;
  for (std::size_t i = 0; i < edge.grid.count; ++i) energy.push_back(edge.grid.energy(i));
  std::vector<report::LineChart> out;
  const std::array<const char*, 4> titles{"(a) raw intensity", "(b) CDF", "(c) 20 Gaussians", "(d) cubics of 5 eV"};
  const std::array<Featurisation, 4> order{Featurisation::raw, Featurisation::cdf, Featurisation::gaussians, Featurisation::cubics};
  for (std::size_t k = 0; k < order.size(); ++k) {
    report::LineChart chart;
    chart.frame = {text("%s, %s", titles[k], spoken(edge.name).c_str()), "", 0, 1.05, 280, 160};
    chart.x_axis = "energy loss, eV";
    if (k >= 2) chart.lines.push_back({"spectrum", energy, fitted_curve(Featurisation::raw, net, edge), {}, {}, false});
    chart.lines.push_back({k >= 2 ? "fit" : "", energy, fitted_curve(order[k], net, edge), {}, {}, false});
    out.push_back(chart);
  }
  return out;
}

}  // namespace

PaperFigure fig8_featurisation(Paper& paper) {
  const std::string name = "fig8_featurisation";
  const char* const title = "Li content by the way the spectra become features (Fig. 8)";
  if (paper.study("li_content").folds.size() < 2) return left_out(name, title, kNoLi);
  const Study study = thinned(paper.study("li_content"));
  const RunContext& context = paper.context();
  if (context.progress != nullptr) context.progress->begin("featurising", kKinds.size(), "ways");
  std::vector<StudyFeatures> features;
  for (const Featurisation kind : kKinds) {
    features.push_back(featurise(kind, study, context));
    if (context.progress != nullptr) context.progress->advance(1);
  }
  if (context.progress != nullptr) context.progress->end();
  std::vector<Job> jobs;
  for (std::size_t k = 0; k < kKinds.size(); ++k) {
    for (const Learner learner : {Learner::xgboost, Learner::ridge}) {
      Job job{learner, &study, &features[k], 0, {}};
      job.versions = 1;
      job.version = [&study, kind = kKinds[k]](std::size_t fold, std::size_t) {
        const train::Rows& rows = study.folds[fold].test;
        return featurise(kind, shifted(rows, study.edges), rows.count, study.edges).matrix;
      };
      jobs.push_back(job);
    }
  }
  const std::vector<Answered> found = run_jobs(jobs, paper.learner(), context, name);
  PaperFigure out;
  out.table = {name, title,
               {"features", "how many", "RMSE, XGBoost (95 %)", "RMSE, ridge (95 %)", "XGBoost, moved by 0.5 eV",
                "ridge, moved by 0.5 eV", "n (structures)"}, {}, {}};
  report::BarChart chart;
  chart.frame = {title, text("RMSE, Li per formula unit; %zu structures", study.structures()), 0, 0.1};
  chart.series = {"XGBoost", "ridge", "XGBoost, test spectra moved by 0.5 eV"};
  for (std::size_t k = 0; k < kKinds.size(); ++k) {
    const std::uint64_t seed = paper.options().seed;
    const Rmse trees = rmse_of(found[2 * k].plain, study, seed), ridge = rmse_of(found[2 * k + 1].plain, study, seed),
               moved = rmse_of(found[2 * k].versions[0], study, seed),
               ridge_moved = rmse_of(found[2 * k + 1].versions[0], study, seed);
    chart.groups.emplace_back(name_of(kKinds[k]));
    chart.bars.emplace_back();
    for (const Rmse& rmse : {trees, ridge, moved}) {
      chart.bars.back().push_back({rmse.value, rmse.interval.low, rmse.interval.high});
      if (std::isfinite(rmse.interval.high)) chart.frame.high = std::max(chart.frame.high, std::min(0.4, 1.1 * rmse.interval.high));
    }
    out.table.rows.push_back({std::string(name_of(kKinds[k])), text("%zu", features[k].folds[0].training.columns),
                              number(trees.value, trees.interval), number(ridge.value, ridge.interval), number(moved.value),
                              number(ridge_moved.value), text("%zu", study.structures())});
  }
  out.table.notes = {text("at most %zu training spectra a fold", study.folds[0].training.count),
                     "the paper: aligned, raw intensity is 2 to 5 % more accurate than the CDF; not aligned, the CDF is the best"};
  out.draw = [chart, panels = pictures(study)](report::Canvas& canvas) {
    double y = 0, below = 0;
    for (std::size_t i = 0; i < panels.size(); ++i) {
      if (i == 2) y = below + 30;
      below = std::max(below, draw(canvas, 400.0 * static_cast<double>(i % 2), y, panels[i]));
    }
    draw(canvas, 0, below + 30, chart);
  };
  return out;
}

PaperFigure table2_reductions(Paper& paper) {
  const std::string name = "table2_reductions";
  const char* const title = "Li content by features and reduction of dimensions, to 90 % of the variance";
  if (paper.study("li_content").folds.size() < 2) return left_out(name, title, kNoLi);
  const Study study = thinned(paper.study("li_content"));
  const RunContext& context = paper.context();
  PaperFigure out;
  const std::string no_network = missing(Learner::mlp);
  out.table = {name, title, {"features", "reduction", "dimensions", "RMSE, XGBoost (95 %)", "RMSE, ridge (95 %)", "RMSE, MLP (95 %)", "n (structures)"}, {}, {}};
  for (const Featurisation kind : kKinds) {
    const StudyFeatures whole = featurise(kind, study, context);
    for (const Reduction reduction : {Reduction::none, Reduction::svd, Reduction::pca, Reduction::isomap}) {
      StudyFeatures reduced;  // folds may differ in dimensions
      std::size_t least = SIZE_MAX, most = 0;
      for (const FoldFeatures& fold : whole.folds) {
        context.check_interrupt();
        const Reducer reducer = fit_reduction(reduction, fold.training);
        reduced.folds.push_back({reducer.apply(fold.training), reducer.apply(fold.test)});
        least = std::min(least, reducer.dimensions);
        most = std::max(most, reducer.dimensions);
      }
      std::vector<std::string> row{std::string(name_of(kind)), std::string(name_of(reduction)),
                                   least == most ? text("%zu", least) : text("%zu to %zu", least, most)};
      std::vector<Job> jobs{{Learner::xgboost, &study, &reduced, 0, {}}, {Learner::ridge, &study, &reduced, 0, {}}};
      if (no_network.empty()) jobs.push_back({Learner::mlp, &study, &reduced, 0, {}});
      const std::vector<Answered> found =
          run_jobs(jobs, paper.learner(), context, text("%s, %s, %s", name.c_str(), row[0].c_str(), row[1].c_str()));
      for (const Answered& answered : found) {
        const Rmse rmse = rmse_of(answered.plain, study, paper.options().seed);
        row.push_back(number(rmse.value, rmse.interval));
      }
      if (!no_network.empty()) row.push_back("left out: " + no_network);
      row.push_back(text("%zu", study.structures()));
      out.table.rows.push_back(row);
    }
  }
  out.table.notes = {text("at most %zu training spectra a fold", study.folds[0].training.count), "the paper names the three reductions and gives no numbers; it took none for the CDF"};
  if (no_network.empty()) out.table.notes.push_back(std::string("MLP: ") + network::kPerceptron + "; " + network::kTraining + text(", at most %zu epochs", paper.options().epochs));
  return out;
}

}  // namespace elver::evaluate
