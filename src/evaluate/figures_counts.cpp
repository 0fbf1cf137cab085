#include <algorithm>
#include <cmath>
#include <numeric>

#include "evaluate/figures.hpp"
#include "evaluate/network.hpp"
#include "report/chart.hpp"
#include "train/random.hpp"
#include "types/text.hpp"

namespace elver::evaluate {
namespace {

constexpr std::size_t kRepeats = 10;
constexpr double kPeak = 2500;  ///< counts that scatter by 2 %
constexpr const char* kNoCounts = "the library has too few O K sites whose three transition metals are computed";
const std::vector<std::size_t> kLi{0}, kMetals{1, 2, 3}, kAll{0, 1, 2, 3};  ///< tasks of local_counts

/// The features of a fold's test rows under the paper's noise.
Matrix noisy(const Study& study, std::size_t fold, std::size_t repeat, std::uint64_t seed) {
  const train::Rows& rows = study.folds[fold].test;
  const std::vector<float> net = with_poisson_noise(rows.features, study.edges, kPeak, seed + 1000 * fold + repeat);
  return featurise(Featurisation::cdf, net, rows.count, study.edges).matrix;
}

/// The features of a fold's test rows, those of one edge dealt anew among the rows.
Matrix permuted(const StudyFeatures& features, std::size_t fold, std::size_t edge, std::size_t repeat, std::uint64_t seed) {
  Matrix out = features.folds[fold].test;
  const std::size_t first =
      std::accumulate(features.parts.begin(), features.parts.begin() + static_cast<std::ptrdiff_t>(edge), std::size_t{0});
  std::vector<std::size_t> order(out.rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random = train::random_stream(seed, 43, 1000 * fold + repeat);
  std::shuffle(order.begin(), order.end(), random);
  for (std::size_t r = 0; r < out.rows; ++r) {
    std::copy_n(features.folds[fold].test.row(order[r]).begin() + static_cast<std::ptrdiff_t>(first), features.parts[edge],
                out.values.begin() + static_cast<std::ptrdiff_t>(r * out.columns + first));
  }
  return out;
}

report::Box box_of(const std::string& label, std::vector<double> values) {
  std::ranges::sort(values);
  report::Box out{label, {}};
  for (std::size_t q = 0; q < 5; ++q) {  // linear between the values
    const double place = static_cast<double>(q) / 4 * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    out.at[q] = values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
  }
  return out;
}

std::vector<std::string> row_of(const report::Box& box, const std::string& kind) {
  std::vector<std::string> out{box.label, kind};
  for (const double v : box.at) out.push_back(number(v));
  return out;
}

/// The answers of one modality to every count task: plain, or of one version.
std::vector<std::vector<double>> answers_of(const std::vector<Answered>& found, std::size_t first, std::size_t version,
                                            bool plain) {
  std::vector<std::vector<double>> out;
  for (std::size_t t = 0; t < kAll.size(); ++t)
    out.push_back(plain ? found[first + t].plain : found[first + t].versions[version]);
  return out;
}

PaperFigure bars(const std::vector<Modality>& modalities, const std::vector<Answered>& found, const Study& study) {
  const char* const title = "Local counts within 0.3 nm from all edges and from each by itself (Fig. 4a)";
  PaperFigure out;
  out.table = {"fig4a_local_counts", title,
               {"edges", "Li (95 %)", "Ni, Mn and Co (95 %)", "all (95 %)", "n", "paper's Li", "paper's metals"}, {}, {}};
  report::BarChart chart;
  chart.frame = {title, "accuracy as the paper defines it; " + size_of(study), 0, 1.1};
  chart.series = {"Li", "Ni, Mn, Co"};
  chart.reference_name = "the paper: 0.99, 0.93";
  double multimodal = 0;
  std::array<double, 2> margins{2, -2};
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    const auto answers = answers_of(found, m * kAll.size(), 0, true);
    const CountScore li = count_score(answers, study, kLi), metals = count_score(answers, study, kMetals),
                     all = count_score(answers, study, kAll);
    const double paper_li = m == 0 ? 0.99 : report::kNoNumber, paper_metals = m == 0 ? 0.93 : report::kNoNumber;
    chart.groups.push_back(modalities[m].name);
    chart.bars.push_back({{li.accuracy, li.interval.low, li.interval.high, paper_li},
                          {metals.accuracy, metals.interval.low, metals.interval.high, paper_metals}});
    out.table.rows.push_back({modalities[m].name, number(li.accuracy, li.interval), number(metals.accuracy, metals.interval),
                              number(all.accuracy, all.interval), text("%zu", study.truth.count), m == 0 ? "0.99" : "",
                              m == 0 ? "0.93" : ""});
    if (m == 0) multimodal = all.accuracy;
    if (m > 0) margins = {std::min(margins[0], multimodal - all.accuracy), std::max(margins[1], multimodal - all.accuracy)};
  }
  out.table.notes = {size_of(study) + text(", %zu folds by structure", study.folds.size())};
  if (modalities.size() > 2) {
    out.table.notes.push_back(text("margin of all edges over a single one: %.2f to %.2f; the paper's: 0.14 to 0.78", margins[0], margins[1]));
  }
  out.draw = [chart](report::Canvas& canvas) { draw(canvas, 0, 0, chart); };
  return out;
}

PaperFigure boxes(const std::vector<Modality>& modalities, const std::vector<Answered>& found, const Study& study) {
  const char* const title = "Local counts under 2 % Poisson noise, ten repeats (Fig. 4b)";
  PaperFigure out;
  out.table = {"fig4b_noise", title, {"edges", "what", "least", "25 %", "median", "75 %", "most"}, {}, {}};
  report::BoxChart noise, drop;
  noise.frame = {title, "accuracy, all counts; " + size_of(study), 1, 1.02};
  drop.frame = {"The same model, one edge dealt anew among the specimens", "loss of accuracy", 0, 0.1};
  const double whole = count_score(answers_of(found, 0, 0, true), study, kAll).accuracy;
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    std::vector<double> accuracy;
    for (std::size_t v = 0; v < kRepeats; ++v)
      accuracy.push_back(count_score(answers_of(found, m * kAll.size(), v, false), study, kAll).accuracy);
    noise.boxes.push_back(box_of(modalities[m].name, accuracy));
    noise.frame.low = std::min(noise.frame.low, std::floor(10 * noise.boxes.back().at[0]) / 10);
    out.table.rows.push_back(row_of(noise.boxes.back(), "accuracy under noise"));
  }
  for (std::size_t e = 0; e < study.edges.size(); ++e) {
    std::vector<double> lost;
    for (std::size_t v = 0; v < kRepeats; ++v)
      lost.push_back(whole - count_score(answers_of(found, 0, (e + 1) * kRepeats + v, false), study, kAll).accuracy);
    drop.boxes.push_back(box_of(spoken(study.edges[e].name), lost));
    drop.frame.high = std::max(drop.frame.high, 1.15 * drop.boxes.back().at[4]);
    out.table.rows.push_back(row_of(drop.boxes.back(), "accuracy lost when permuted"));
  }
  out.table.notes = {text("without noise the accuracy of all edges together is %.3f; ", whole) + size_of(study),
                     "2 %: every edge is scaled to 2500 counts at its maximum; the models were trained without noise",
                     "the paper shows no numbers here; its finding: all edges together withstand noise best"};
  out.draw = [noise, drop](report::Canvas& canvas) { draw(canvas, 0, draw(canvas, 0, 0, noise) + 30, drop); };
  return out;
}

}  // namespace

std::vector<PaperFigure> fig4ab_local_counts(Paper& paper) {
  const Study& study = paper.study("local_counts");
  if (study.folds.size() < 2) {
    return {left_out("fig4a_local_counts", "Local counts (Fig. 4a)", kNoCounts),
            left_out("fig4b_noise", "Local counts under noise (Fig. 4b)", kNoCounts)};
  }
  const StudyFeatures& features = paper.features("local_counts");
  const std::vector<Modality> modalities = modalities_of(study.edges);
  const std::uint64_t seed = paper.options().seed;
  std::vector<Job> jobs;
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    for (const std::size_t t : kAll) {
      Job job{Learner::xgboost, &study, &features, t, modalities[m].edges};
      job.versions = m == 0 ? (1 + study.edges.size()) * kRepeats : kRepeats;
      job.version = [&, seed](std::size_t fold, std::size_t v) {
        return v < kRepeats ? noisy(study, fold, v, seed) : permuted(features, fold, v / kRepeats - 1, v % kRepeats, seed);
      };
      jobs.push_back(job);
    }
  }
  const std::vector<Answered> found = run_jobs(jobs, paper.learner(), paper.context(), "fig4a_local_counts, fig4b_noise");
  return {bars(modalities, found, study), boxes(modalities, found, study)};
}

PaperFigure table1_models(Paper& paper) {
  const std::string name = "table1_models";
  const char* const title = "Models compared on local counts (Table 1)";
  const Study& study = paper.study("local_counts");
  if (study.folds.size() < 2) return left_out(name, title, kNoCounts);
  const StudyFeatures& features = paper.features("local_counts");
  struct Row {
    Learner learner;
    const char *li, *metals;
    double paper_li, paper_metals;
  };
  constexpr std::array<Row, 7> kRows{{{Learner::ridge, "0.93", "0.79", 0.93, 0.79},
                                      {Learner::mlp, "0.99", "0.84", 0.99, 0.84},
                                      {Learner::random_forest, "0.95", "0.88", 0.95, 0.88},
                                      {Learner::xgboost, "0.99", "0.93", 0.99, 0.93},
                                      {Learner::gbm, "0.96", "0.84", 0.96, 0.84},
                                      {Learner::lightgbm, "0.99", "0.88", 0.99, 0.88},
                                      {Learner::cnn, "0.97", "0.77", 0.97, 0.77}}};
  std::vector<Job> jobs;
  for (const Row& row : kRows) {
    for (const std::size_t t : kAll) {
      if (missing(row.learner).empty()) jobs.push_back({row.learner, &study, &features, t, {}});
    }
  }
  const std::vector<Answered> found = run_jobs(jobs, paper.learner(), paper.context(), name);
  PaperFigure out;
  out.table = {name, title, {"model", "Li (95 %)", "Ni, Mn and Co (95 %)", "n", "paper's Li", "paper's metals"}, {}, {}};
  report::BarChart chart;
  chart.frame = {title, "accuracy as the paper defines it; " + size_of(study), 0.5, 1.05, 760};
  chart.series = {"Li", "Ni, Mn, Co"};
  chart.reference_name = "the paper";
  std::size_t first = 0;
  for (const Row& row : kRows) {
    const std::string model(name_of(row.learner));
    chart.groups.push_back(model);
    chart.bars.push_back({{report::kNoNumber, report::kNoNumber, report::kNoNumber, row.paper_li},
                          {report::kNoNumber, report::kNoNumber, report::kNoNumber, row.paper_metals}});
    if (const std::string why = missing(row.learner); !why.empty()) {
      out.table.rows.push_back({model, text("left out: %s", why.c_str()), "", "", row.li, row.metals});
      continue;
    }
    const auto answers = answers_of(found, first, 0, true);
    first += kAll.size();
    const CountScore li = count_score(answers, study, kLi), metals = count_score(answers, study, kMetals);
    chart.bars.back()[0] = {li.accuracy, li.interval.low, li.interval.high, row.paper_li};
    chart.bars.back()[1] = {metals.accuracy, metals.interval.low, metals.interval.high, row.paper_metals};
    out.table.rows.push_back({model, number(li.accuracy, li.interval), number(metals.accuracy, metals.interval),
                              text("%zu", study.truth.count), row.li, row.metals});
  }
  const LearnerOptions o = paper.learner();
  out.table.notes = {size_of(study) + text(", %zu folds by structure, CDFs; plain hyper-parameters: %zu rounds of learning rate %g, "
                                           "depth %zu (GBM 3), %zu trees a forest, ridge on the counts, rounded",
                                           study.folds.size(), o.rounds, o.learning_rate, o.max_depth, 2 * o.rounds),
                     "RF and GBM are XGBoost's; the paper searched the hyper-parameters of each"};
  if (missing(Learner::mlp).empty())
    out.table.notes.push_back(std::string("MLP: ") + network::kPerceptron + "; CNN: " + network::kConvolutional + "; " + network::kTraining + text(", at most %zu epochs", o.epochs));
  out.draw = [chart](report::Canvas& canvas) { draw(canvas, 0, 0, chart); };
  return out;
}

}  // namespace elver::evaluate
