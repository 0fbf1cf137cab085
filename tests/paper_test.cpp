#include <gmock/gmock.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <random>
#include <set>

#include "elver/dataset.hpp"
#include "elver/error.hpp"
#include "elver/evaluate.hpp"
#include "evaluate/cross.hpp"
#include "evaluate/lightgbm.hpp"
#include "evaluate/network.hpp"
#include "evaluate/reductions.hpp"
#include "library_fixture.hpp"
#include "support.hpp"
#include "train/views.hpp"
#include "forest/xgboost_api.hpp"

namespace elver {
namespace {

using namespace evaluate;

const std::vector<Edge> kEdge{{"O_K", {490, 520}, {525, 565, 160}}};

// A figure must be of the features that pixels have: the CDF of net counts is the plan's, up to float32 sums.
TEST(Featurise, CdfIsThatOfThePlan) {
  const Library library = test::synthetic_library(1);
  const train::Pool pool = train::make_pool(library);
  const Study study = make_study(library, pool, "li_content", deal_evenly(library.structures, 2, 1), 20, 1, 1, {});
  ASSERT_EQ(study.folds.size(), 2U);
  const StudyFeatures ours = featurise(Featurisation::cdf, study, {});
  // The same spectra again, in the order that make_study simulates them in, by a model whose rule is the CDF.
  std::vector<train::Example> examples;
  for (std::size_t f = 0; f < 2; ++f) {
    std::vector<train::Side> training, tested;
    for (const std::size_t of : train::deal_folds(library.structures, 2, 1)) {
      training.push_back(of == f ? train::Side::left_out : train::Side::training);
      tested.push_back(of == f ? train::Side::held_out : train::Side::left_out);
    }
    const std::vector<train::TaskGroup> learned = train::make_tasks(library, pool, training, 20, 1 + 100 * (f + 1));
    const std::vector<train::TaskGroup> asked = train::make_trials(library, pool, tested);
    examples.insert(examples.end(), learned[0].training.begin(), learned[0].training.end());
    examples.insert(examples.end(), asked[0].held_out.begin(), asked[0].held_out.end());
  }
  const std::vector<float> theirs =
      train::simulate_features(train::make_skeleton(library, "m"), library, pool, examples,
                               train::standard_views().front().exposure, 1, {}, "");
  std::vector<float> all;
  for (const FoldFeatures& fold : ours.folds) {
    all.insert(all.end(), fold.training.values.begin(), fold.training.values.end());
    all.insert(all.end(), fold.test.values.begin(), fold.test.values.end());
  }
  ASSERT_EQ(all.size(), theirs.size());
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_NEAR(all[i], theirs[i], 2e-5) << i;  // 160 sums of 6e-8 each
}

TEST(Featurise, CubicsAreExactForACubic) {
  std::vector<float> net;
  for (std::size_t i = 0; i < 160; ++i) {
    const double x = static_cast<double>(i) / 160;
    net.push_back(static_cast<float>(1 + 2 * x - 3 * x * x + 1.5 * x * x * x));
  }
  const std::vector<double> raw = fitted_curve(Featurisation::raw, net, kEdge[0]);
  const std::vector<double> fit = fitted_curve(Featurisation::cubics, net, kEdge[0]);
  for (std::size_t i = 0; i < raw.size(); ++i) EXPECT_NEAR(fit[i], raw[i], 1e-6);  // float32 input
  EXPECT_EQ(featurise(Featurisation::cubics, net, 1, kEdge).matrix.columns, 4U * (16 + 8 + 4));  // 40 eV in 2.5, 5, 10
}

TEST(Featurise, GaussiansFollowAnEdgeAndStayWithinTheirWidths) {
  std::vector<float> net;
  for (std::size_t i = 0; i < 160; ++i) {
    const double e = kEdge[0].grid.energy(i);
    net.push_back(static_cast<float>(0.5 + std::atan(e - 530) / std::numbers::pi + std::exp(-(e - 533) * (e - 533))));
  }
  const std::vector<double> raw = fitted_curve(Featurisation::raw, net, kEdge[0]);
  const std::vector<double> fit = fitted_curve(Featurisation::gaussians, net, kEdge[0]);
  double squares = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) squares += (fit[i] - raw[i]) * (fit[i] - raw[i]);
  EXPECT_LT(std::sqrt(squares / 160), 0.03);  // a step ends in a corner, which no Gaussian has
  const Matrix parameters = featurise(Featurisation::gaussians, net, 1, kEdge).matrix;
  ASSERT_EQ(parameters.columns, 3 * kGaussians);
  for (std::size_t g = 0; g < kGaussians; ++g) {
    EXPECT_GT(parameters.values[3 * g + 2], 0);
    EXPECT_LE(parameters.values[3 * g + 2], 5.01F);
  }
}

TEST(PoissonNoise, ScattersByTwoPerCentAtTheMaximum) {
  std::vector<float> net;
  constexpr std::size_t kRows = 400;
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t i = 0; i < 160; ++i) net.push_back(i == 80 ? 300.0F : 30.0F);
  }
  const std::vector<float> noisy = with_poisson_noise(net, kEdge, 2500, 1);
  double sum = 0, squares = 0;
  for (std::size_t r = 0; r < kRows; ++r) {
    const double ratio = static_cast<double>(noisy[r * 160 + 80]) / 300;
    sum += ratio / kRows;
    squares += ratio * ratio / kRows;
  }
  EXPECT_NEAR(sum, 1, 4 * 0.02 / std::sqrt(double{kRows}));  // four standard errors
  EXPECT_NEAR(std::sqrt(squares - sum * sum), 0.02, 4 * 0.02 / std::sqrt(2.0 * kRows));
  EXPECT_EQ(noisy, with_poisson_noise(net, kEdge, 2500, 1));
  EXPECT_NE(noisy, with_poisson_noise(net, kEdge, 2500, 2));
}

// No fold may know what it is tested on, nor a symmetry copy of it.
TEST(Study, TrainsOnNothingThatItTests) {
  const Library library = test::synthetic_library(2);
  const train::Pool pool = train::make_pool(library);
  const std::vector<std::size_t> classes = symmetry_classes(library.structures);
  const Dealing dealing = deal_evenly(library.structures, 4, 1);
  const Study study = make_study(library, pool, "li_content", dealing, 60, 1, 1, {});
  ASSERT_EQ(study.folds.size(), 4U);
  std::size_t tested = 0;
  for (const StudyFold& fold : study.folds) {
    std::set<std::size_t> learned;
    for (const std::size_t s : fold.training.structures) learned.insert(classes[s]);
    for (const std::size_t s : fold.test.structures) EXPECT_FALSE(learned.contains(classes[s]));
    tested += fold.test.count;
  }
  EXPECT_EQ(tested, 22U);  // every structure once
  EXPECT_EQ(study.truth.count, 22U);
  const Study small = make_study(library, pool, "li_content", dealing, 60, 0.4, 1, {});
  EXPECT_LT(small.training_structures, study.training_structures);
}

TEST(Study, LeavesEachDefectOutByItself) {
  std::vector<Structure> structures = test::synthetic_library(3).structures;
  for (std::size_t s = 12; s < 19; ++s) structures[s].defect = DefectKind::antisite;
  const std::vector<std::size_t> classes = symmetry_classes(structures);
  const Dealing dealing = deal_one_out(structures, DefectKind::antisite, 1);
  std::map<std::size_t, std::set<std::size_t>> left_out;
  for (std::size_t s = 12; s < 19; ++s) left_out[dealing.fold_of[s]].insert(classes[s]);
  EXPECT_EQ(left_out.size(), dealing.folds);
  for (const auto& [fold, of] : left_out) EXPECT_EQ(of.size(), 1U) << fold;
  EXPECT_EQ(deal_one_out(test::synthetic_library(1).structures, DefectKind::antisite, 1).folds, 0U);
}

Matrix rows_of(std::size_t rows, std::size_t columns, const std::function<double(std::size_t, std::size_t)>& value) {
  Matrix out{rows, columns, {}};
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) out.values.push_back(static_cast<float>(value(r, c)));
  }
  return out;
}

TEST(Reductions, FindThePlaneThatDataLieIn) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  std::vector<double> a(50), b(50);
  for (std::size_t i = 0; i < 50; ++i) a[i] = normal(random), b[i] = normal(random);
  const Matrix plane = rows_of(50, 12, [&](std::size_t r, std::size_t c) {
    const auto x = static_cast<double>(c);
    return a[r] * std::sin(x) + b[r] * std::cos(x) + 5;
  });
  const Reducer pca = fit_reduction(Reduction::pca, plane), svd = fit_reduction(Reduction::svd, plane);
  EXPECT_EQ(pca.dimensions, 2U);  // two directions of like strength: neither alone has 90 %
  EXPECT_EQ(svd.dimensions, 1U);  // the mean, which PCA takes away, outweighs them
  const Matrix flat = pca.apply(plane);
  for (std::size_t i = 1; i < 50; ++i) {  // distances stay
    double before = 0, after = 0;
    for (std::size_t c = 0; c < 12; ++c) before += std::pow(plane.row(i)[c] - plane.row(0)[c], 2);
    for (std::size_t c = 0; c < 2; ++c) after += std::pow(flat.row(i)[c] - flat.row(0)[c], 2);
    EXPECT_NEAR(std::sqrt(after), std::sqrt(before), 1e-4);  // float32
  }
}

// An arc is one-dimensional along itself, though its chord is not.
TEST(Reductions, IsomapUnrollsAnArc) {
  const auto arc = [](std::size_t count) {
    return rows_of(count, 2, [&](std::size_t r, std::size_t c) {
      const double angle = 1.5 * std::numbers::pi * static_cast<double>(r) / static_cast<double>(count - 1);
      return c == 0 ? std::cos(angle) : std::sin(angle);
    });
  };
  const Reducer isomap = fit_reduction(Reduction::isomap, arc(120));
  EXPECT_EQ(isomap.dimensions, 1U);
  EXPECT_EQ(fit_reduction(Reduction::pca, arc(120)).dimensions, 2U);
  const Matrix unrolled = isomap.apply(arc(37));  // other points of it
  const double sign = unrolled.values.back() > unrolled.values.front() ? 1 : -1;
  for (std::size_t i = 1; i < 37; ++i) EXPECT_GT(sign * (unrolled.values[i] - unrolled.values[i - 1]), 0) << i;
  // As long as the arc: chords to ten neighbours are shorter by (1/24) of the square of 0.04 at most per step.
  EXPECT_NEAR(std::abs(unrolled.values.back() - unrolled.values.front()), 1.5 * std::numbers::pi, 0.05);
}

TEST(Columns, AreThoseOfTheEdgesAskedFor) {
  const Matrix all = rows_of(2, 6, [](std::size_t r, std::size_t c) { return 10.0 * static_cast<double>(r) + static_cast<double>(c); });
  EXPECT_EQ(columns_of(all, {1, 2, 3}, {2}).values, (std::vector<float>{3, 4, 5, 13, 14, 15}));
  EXPECT_EQ(columns_of(all, {1, 2, 3}, {0, 2}).values, (std::vector<float>{0, 3, 4, 5, 10, 13, 14, 15}));
  EXPECT_EQ(columns_of(all, {1, 2, 3}, {}).values, all.values);
}

// Every learner that is at hand learns a step of one feature among noise.
TEST(Learners, LearnAStep) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform;
  const Matrix x = rows_of(400, 6, [&](std::size_t, std::size_t) { return uniform(random); });
  const train::TaskSpec value{"v", "", {}, false}, classes{"c", "", {0, 1, 2, 3}, false}, yes{"y", "", {}, true};
  for (const Learner learner : {Learner::ridge, Learner::random_forest, Learner::xgboost, Learner::gbm, Learner::lightgbm,
                                Learner::mlp}) {
    if (!missing(learner).empty()) continue;
    for (const train::TaskSpec& task : {value, classes, yes}) {
      std::vector<float> labels;
      for (std::size_t r = 0; r < 400; ++r) labels.push_back(x.row(r)[2] > 0.5F ? 1.0F : 0.0F);
      LearnerOptions options;
      options.rounds = 40;
      std::vector<std::size_t> structures(400);
      for (std::size_t r = 0; r < 400; ++r) structures[r] = r / 20;
      const std::vector<float> weights(400, 1.0F);
      const Predictor predict = learn(learner, task, {x, {6}, labels, weights, structures}, options, {});
      const std::vector<double> found = predict(x);
      double right = 0;
      for (std::size_t r = 0; r < 400; ++r) right += (found[r] > 0.5) == (labels[r] > 0.5F) ? 1.0 / 400 : 0;
      EXPECT_GT(right, 0.93) << name_of(learner) << " " << task.name;  // a line through a step errs beside it
    }
  }
}

/// Rows with a peak somewhere in 60 points: its place is a value, the half that it lies in a class.
struct Peaks {
  Matrix x;
  std::vector<float> places, halves;
  std::vector<std::size_t> structures;
  std::vector<float> weights;

  explicit Peaks(std::uint64_t seed, std::size_t rows = 300) : weights(rows, 1.0F) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> place(5, 55);
    for (std::size_t r = 0; r < rows; ++r) {
      const double at = place(random);
      places.push_back(static_cast<float>(at));
      halves.push_back(at > 30 ? 1.0F : 0.0F);
      structures.push_back(r / 10);
    }
    x = rows_of(rows, 60, [&](std::size_t r, std::size_t c) {
      const double d = static_cast<double>(c) - static_cast<double>(places[r]);
      return std::exp(-d * d / 8);
    });
  }
};

double rms(const std::vector<double>& found, const std::vector<float>& truth) {
  double sum = 0;
  for (std::size_t i = 0; i < found.size(); ++i) sum += std::pow(found[i] - static_cast<double>(truth[i]), 2);
  return std::sqrt(sum / static_cast<double>(found.size()));
}

// A peak's place is a function of the points that no line gives; both networks find it, on peaks that they never saw.
TEST(Networks, FindThePlaceOfAPeak) {
  if (!network::problem().empty()) GTEST_SKIP() << network::problem();
  const train::TaskSpec value{"v", "", {}, false}, classes{"c", "", {0, 1}, false}, yes{"y", "", {}, true};
  const Peaks known(1), other(2);
  for (const Learner learner : {Learner::mlp, Learner::cnn}) {
    const auto answers = [&](const train::TaskSpec& task, const std::vector<float>& labels) {
      return learn(learner, task, {known.x, {60}, labels, known.weights, known.structures}, {}, {})(other.x);
    };
    const std::vector<double> places = answers(value, known.places);
    EXPECT_LT(rms(places, other.places), 3) << name_of(learner);  // 14.4 is what the mean alone gives
    EXPECT_EQ(places, answers(value, known.places)) << "the same seed, another network";
    for (const train::TaskSpec& task : {classes, yes})
      EXPECT_LT(rms(answers(task, known.halves), other.halves), std::sqrt(0.07)) << name_of(learner) << " " << task.name;
  }
}

TEST(Networks, AreWeighedInterruptedAndRefused) {
  if (!network::problem().empty()) GTEST_SKIP() << network::problem();
  const train::TaskSpec value{"v", "", {}, false};
  const Peaks known(1, 60);
  network::Examples examples{known.x.values.data(), 60, 60, 1, false, known.places, std::vector<double>(60, 1.0), known.structures};
  for (std::size_t r = 0; r < 60; r += 3) examples.weights[r] = 0;
  network::Examples nonsense = examples;
  for (std::size_t r = 0; r < 60; r += 3) nonsense.targets[r] = 1e6F;
  const network::Settings few{.seed = 3, .epochs = 5};
  const auto say = [&](const network::Examples& e) {
    return network::train(network::Shape::perceptron, e, few, [] {})(known.x.values.data(), 60);
  };
  EXPECT_EQ(say(examples), say(nonsense));  // rows of no weight are never looked at
  const std::atomic<bool> stop{true};
  RunContext context;
  context.interrupted = &stop;
  EXPECT_THROW(static_cast<void>(learn(Learner::cnn, value, {known.x, {60}, known.places, known.weights, known.structures}, {}, context)), Error);
  examples.columns = 20;
  EXPECT_THROW(static_cast<void>(network::train(network::Shape::convolutional, examples, few, [] {})), Error);
}

TEST(EvaluateCommand, MakesTheFiguresThatALibraryAllows) {
  if (!xgboost::available()) GTEST_SKIP() << xgboost::library().problem;
  const test::TempDir dir;
  test::write_library(test::synthetic_library(2), dir / "library.h5");
  const test::Ran ran = test::run_elver({"evaluate", (dir / "library.h5").string(), "--out", (dir / "figures").string(),
                                         "--only", "fig3,fig4,fig6", "--folds", "2", "--samples", "40", "--rounds", "5", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* name : {"fig3_li_content", "fig6_importance"}) {
    for (const char* kind : {".md", ".csv", ".png", ".svg"})
      EXPECT_TRUE(std::filesystem::exists(dir / "figures" / (std::string(name) + kind))) << name << kind;
  }
  EXPECT_THAT(test::read_text(dir / "figures" / "fig3_li_content.svg"), testing::HasSubstr("<svg"));
  EXPECT_THAT(test::read_text(dir / "figures" / "fig3_li_content.md"), testing::HasSubstr("| multimodal |"));
  EXPECT_THAT(test::read_text(dir / "figures" / "fig4d_antisite.md"), testing::HasSubstr("left out:"));
  EXPECT_FALSE(std::filesystem::exists(dir / "figures" / "fig4d_antisite.png"));
  EXPECT_FALSE(std::filesystem::exists(dir / "figures" / "table1_models.md"));
  const test::Ran none = test::run_elver({"evaluate", (dir / "library.h5").string(), "--out", (dir / "none").string(), "--only", "fig4"});
  EXPECT_EQ(none.code, 4);  // a library without neighbourhoods and defects
  EXPECT_THAT(none.err, testing::HasSubstr("none of the figures"));
  const test::Ran wrong =
      test::run_elver({"evaluate", (dir / "library.h5").string(), "--out", (dir / "none").string(), "--only", "fig5"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, testing::HasSubstr("fig3_li_content"));
  EXPECT_FALSE(std::filesystem::exists(dir / "none"));
}

TEST(FigureTables, QuoteWhatCsvNeedsQuoted) {
  const FigureTable table{"t", "T", {"a", "b"}, {{"1, 2", "say \"x\""}}, {"a note"}};
  EXPECT_EQ(figure_csv(table), "a,b\n\"1, 2\",\"say \"\"x\"\"\"\n");
  EXPECT_EQ(figure_markdown(table), "# T\n\n| a | b |\n| --- | --- |\n| 1, 2 | say \"x\" |\n\n- a note\n");
}

}  // namespace
}  // namespace elver
