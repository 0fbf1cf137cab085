#include <algorithm>
#include <cmath>
#include <set>

#include "evaluate/figures.hpp"
#include "report/chart.hpp"
#include "types/text.hpp"

namespace elver::evaluate {
namespace {

struct Side {
  double right = 0, all = 0;
  std::set<std::size_t> structures;
  train::Share share() const { return {all > 0 ? right / all : report::kNoNumber, structures.size()}; }
};

struct DefectScore {
  train::Share all;
  std::array<train::Share, 2> sides;  ///< without the defect, with it
};

/// Of specimens that weigh as much as `least` in training: 1 takes only those in the defects' range of Li.
DefectScore score(const std::vector<double>& answers, const Study& study, float least) {
  Side all;
  std::array<Side, 2> sides;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (study.truth.weights[i] < least) continue;
    const bool truth = study.truth.labels[0][i] > 0.5F;
    for (Side* side : {&all, &sides[truth ? 1 : 0]}) {
      side->right += (answers[i] > 0.5) == truth ? 1 : 0;
      side->all += 1;
      side->structures.insert(study.truth.structures[i]);
    }
  }
  return {all.share(), {sides[0].share(), sides[1].share()}};
}

std::string shown(const train::Share& share) { return number(share.value, train::wilson(share)); }

PaperFigure defect(Paper& paper, const std::string& name, const std::string& group, const std::string& title,
                   const std::string& finding, const std::string& why_not) {
  const Study& study = paper.study(group);
  if (study.folds.size() < 2) return left_out(name, title, why_not);
  const StudyFeatures& features = paper.features(group);
  const std::vector<Modality> modalities = modalities_of(study.edges);
  std::vector<Job> jobs;
  for (const Modality& m : modalities) jobs.push_back({Learner::xgboost, &study, &features, 0, m.edges});
  const std::vector<Answered> found = run_jobs(jobs, paper.learner(), paper.context(), name);
  PaperFigure out;
  out.table = {name, title,
               {"edges", "accuracy (95 %)", "balanced", "found (95 %)", "false alarms (95 %)", "accuracy, alike in Li (95 %)",
                "n", "with the defect", "paper's accuracy"}, {}, {}};
  report::BarChart chart;
  chart.series = {"all specimens", "with the defect", "without it, alike in Li"};
  chart.reference_name = "the paper: 1.00";
  const auto with = static_cast<std::size_t>(std::ranges::count_if(study.truth.labels[0], [](float l) { return l > 0.5F; }));
  chart.frame = {title, text("share of right answers; %s, %zu with the defect", size_of(study).c_str(), with), 0, 1.1};
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    const DefectScore every = score(found[m].plain, study, 0.0F), alike = score(found[m].plain, study, 1.0F);
    std::vector<report::Bar> bars;
    for (const train::Share& share : {every.all, every.sides[1], alike.sides[0]}) {
      const Interval interval = train::wilson(share);
      bars.push_back({share.value, interval.low, interval.high, m == 0 && bars.empty() ? 1.0 : report::kNoNumber});
    }
    chart.groups.push_back(modalities[m].name);
    chart.bars.push_back(bars);
    const Interval right = train::wilson(every.sides[0]);
    out.table.rows.push_back({modalities[m].name, shown(every.all),
                              number((every.sides[0].value + every.sides[1].value) / 2), shown(every.sides[1]),
                              number(1 - every.sides[0].value, {1 - right.high, 1 - right.low}), shown(alike.all),
                              text("%zu", study.truth.count), text("%zu", with), m == 0 ? "1.00" : ""});
  }
  out.table.notes = {size_of(study) + text(", %zu folds by structure; a structure is one trial in the intervals", study.folds.size()),
                     "alike in Li: specimens without the defect whose Li content is in the range of those with it; the others weigh a "
                     "quarter in training",
                     finding};
  out.draw = [chart](report::Canvas& canvas) { draw(canvas, 0, 0, chart); };
  return out;
}

}  // namespace

PaperFigure fig4c_vacancy(Paper& paper) {
  return defect(paper, "fig4c_oxygen_vacancy", "oxygen_vacancy", "Oxygen vacancies, 5 % (Fig. 4c)",
                "the paper's finding: Co is the most sensitive single edge; 136 structures with vacancies",
                "the library does not have structures with and without an oxygen vacancy in two folds");
}

PaperFigure fig4d_antisite(Paper& paper) {
  return defect(paper, "fig4d_antisite", "antisite", "Ni/Li antisites within 0.3 nm (Fig. 4d)",
                "the paper's finding: Ni is the most sensitive single edge; 14 or 18 structures with antisites",
                "the library does not have neighbourhoods with and without an antisite in two folds");
}

}  // namespace elver::evaluate
