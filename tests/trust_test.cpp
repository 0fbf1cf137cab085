#include "train/trust.hpp"

#include <gtest/gtest.h>

#include <random>

#include "elver/error.hpp"
#include "forest/xgboost_api.hpp"
#include "support.hpp"
#include "train/linear_fit.hpp"
#include "train/search.hpp"
#include "train/tpe.hpp"

namespace elver::train {
namespace {

constexpr std::size_t kParts[2] = {5, 7}, kWidth = 12;

/// Features whose first two directions vary most; the label is linear in them.
Rows make_rows(std::size_t count, std::uint64_t seed, double noise) {
  std::mt19937_64 random(seed);
  std::normal_distribution normal;
  Rows out;
  out.count = count;
  out.labels.resize(2);
  for (std::size_t i = 0; i < count; ++i) {
    const double a = normal(random), b = normal(random), snr = std::exp(2 + normal(random));
    for (std::size_t f = 0; f < kWidth; ++f) {
      const double x = a * std::sin(0.5 * static_cast<double>(f)) + 0.3 * b * std::cos(1.1 * static_cast<double>(f)) +
                       0.01 * normal(random);
      out.features.push_back(static_cast<float>(x));
    }
    const double variance = 0.02 + 4.0 / std::pow(std::max(1.0, snr), 2);
    out.snr.insert(out.snr.end(), {static_cast<float>(snr), 50.0F});
    out.labels[0].push_back(static_cast<float>(0.4 * a - 0.7 * b + noise * std::sqrt(variance) * normal(random)));
    out.labels[1].push_back(a + b > 0 ? 1.0F : 0.0F);
    out.weights.push_back(1);
    out.structures.push_back(i);
  }
  return out;
}

LinearFit fit_of(const Rows& rows) { return {rows.features, {}, rows.weights, {kParts[0], kParts[1]}}; }
LinearFit noise_fit_of(const Rows& rows) { return {rows.features, rows.snr, rows.weights, {kParts[0], kParts[1]}}; }

TEST(LinearFit, RidgeOfAlmostNoPenaltyIsLeastSquares) {
  const Rows rows = make_rows(600, 1, 0);
  const LinearBase base = fit_of(rows).ridge(rows.labels[0], 1e-9).base;
  std::vector<float> values(rows.count);
  base.values(rows.features, rows.count, values);
  double worst = 0;
  for (std::size_t i = 0; i < rows.count; ++i)
    worst = std::max(worst, static_cast<double>(std::abs(values[i] - rows.labels[0][i])));
  EXPECT_LT(worst, 0.15);  // ten parts in a thousand of noise in the features, times weights of a few
  // An infinite penalty leaves the mean.
  const LinearBase none = fit_of(rows).ridge(rows.labels[0], 1e12).base;
  for (const float w : none.weights) EXPECT_NEAR(w, 0, 1e-9);
}

// Labels that only quiet spectra tell: a fit that knows the noise is better than one that does not, and as good as one
// of quiet spectra alone where they are quiet.
TEST(LinearFit, ReadsLessFromNoisySpectra) {
  Rows rows = make_rows(4000, 3, 0), quiet;
  std::mt19937_64 random(4);
  std::normal_distribution normal;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const double sigma = 1.5 / static_cast<double>(rows.snr[2 * i]);
    for (std::size_t f = 0; f < kWidth; ++f)
      rows.features[i * kWidth + f] += static_cast<float>(sigma * normal(random));
  }
  const auto error = [&](const LinearPart& part, bool of_quiet) {
    const std::vector<float> values = part.values(rows.features, rows.snr, rows.count);
    double sum = 0, count = 0;
    for (std::size_t i = 0; i < rows.count; ++i) {
      if (of_quiet && rows.snr[2 * i] < 20) continue;
      sum += std::pow(static_cast<double>(values[i] - rows.labels[0][i]), 2);
      count += 1;
    }
    return std::sqrt(sum / count);
  };
  const LinearPart plain = fit_of(rows).ridge(rows.labels[0], 1e-6);
  const LinearPart aware = noise_fit_of(rows).ridge(rows.labels[0], 1e-6);
  ASSERT_TRUE(aware.gated.has_value());
  EXPECT_LT(error(aware, false), 0.97 * error(plain, false));
  EXPECT_LT(error(aware, true), 0.8 * error(plain, true));
}

// Half of the specimens lack the second edge. What their first edge says is drowned at the same noise as ever, and a
// gate of its own sees that; noise summed over the edges, of which the absent one has nearly all, would not.
TEST(LinearFit, KnowsTheNoiseOfAnEdgeWhereAnotherIsAbsent) {
  Rows rows = make_rows(6000, 5, 0);
  std::mt19937_64 random(6);
  std::normal_distribution normal;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const double sigma = 1.5 / static_cast<double>(rows.snr[2 * i]);
    float* const row = rows.features.data() + i * kWidth;
    for (std::size_t f = 0; f < kWidth; ++f) row[f] += static_cast<float>(sigma * normal(random));
    if (i % 2 == 1) continue;
    rows.snr[2 * i + 1] = 0.5F;
    for (std::size_t f = kParts[0]; f < kWidth; ++f) row[f] = static_cast<float>(0.5 + 0.02 * normal(random));
  }
  const LinearPart plain = noise_fit_of(rows).ridge(rows.labels[0], 1e-6, Gates::none);
  const LinearPart aware = noise_fit_of(rows).ridge(rows.labels[0], 1e-6);
  EXPECT_FALSE(plain.gated.has_value());
  ASSERT_TRUE(aware.gated.has_value());
  EXPECT_EQ(aware.gated->levels.size(), 2U);
  double with = 0, without = 0;
  const std::vector<float> a = aware.values(rows.features, rows.snr, rows.count),
                           p = plain.values(rows.features, rows.snr, rows.count);
  for (std::size_t i = 0; i < rows.count; i += 2) {
    with += std::pow(static_cast<double>(a[i] - rows.labels[0][i]), 2);
    without += std::pow(static_cast<double>(p[i] - rows.labels[0][i]), 2);
  }
  EXPECT_LT(std::sqrt(with), 0.9 * std::sqrt(without));
}

// A label that is the product of the two directions, which no linear function knows anything of.
TEST(LinearFit, ProjectionsAreGatesThatLearnAProduct) {
  Rows rows = make_rows(4000, 8, 0);
  std::vector<float> product;
  double variance = 0;
  const LinearBase axes = fit_of(rows).projections(2, 0, 1);
  std::vector<float> z(2 * rows.count);
  axes.values(rows.features, rows.count, z);
  for (std::size_t i = 0; i < rows.count; ++i) {
    product.push_back(z[2 * i] * z[2 * i + 1]);
    variance += std::pow(static_cast<double>(product.back()), 2);
  }
  const auto error = [&](Gates gates) {
    const LinearPart part = noise_fit_of(rows).ridge(product, 1e-8, gates);
    const std::vector<float> values = part.values(rows.features, rows.snr, rows.count);
    double sum = 0;
    for (std::size_t i = 0; i < rows.count; ++i) sum += std::pow(static_cast<double>(values[i] - product[i]), 2);
    return std::sqrt(sum / variance);
  };
  EXPECT_GT(error(Gates::noise), 0.9);
  EXPECT_LT(error(Gates::noise_and_projections), 0.1);  // the few beyond four standard deviations are held there
  // A scale is one of margins: a gate that is a projection stays what it is.
  LinearPart half = noise_fit_of(rows).ridge(product, 1e-8, Gates::noise_and_projections);
  const std::vector<float> whole = half.values(rows.features, rows.snr, rows.count);
  half.scale(0.5);
  const std::vector<float> halves = half.values(rows.features, rows.snr, rows.count);
  for (std::size_t i = 0; i < rows.count; ++i) ASSERT_EQ(halves[i], 0.5F * whole[i]);
}

TEST(LinearFit, LogisticIsWhereTheSlopeOfThePenalisedLossIsZero) {
  const Rows rows = make_rows(400, 2, 0);
  const double penalty = 1e-3;
  const LinearBase base = fit_of(rows).logistic(rows.labels[1], 2, penalty).base;
  std::vector<float> margins(rows.count);
  base.values(rows.features, rows.count, margins);
  double residual = 0;
  std::vector<double> slope(kWidth, 0.0);
  std::size_t right = 0;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const double p = 1 / (1 + std::exp(-static_cast<double>(margins[i])));
    const double r = (p - static_cast<double>(rows.labels[1][i])) / static_cast<double>(rows.count);
    residual += r;
    for (std::size_t f = 0; f < kWidth; ++f) slope[f] += r * static_cast<double>(rows.features[i * kWidth + f]);
    right += (margins[i] > 0) == (rows.labels[1][i] > 0.5F) ? 1 : 0;
  }
  EXPECT_NEAR(residual, 0, 1e-4);  // float32 margins; 250 accelerated steps
  for (std::size_t f = 0; f < kWidth; ++f)
    EXPECT_NEAR(slope[f] + penalty * static_cast<double>(base.weights[f]), 0, 2e-3) << f;
  EXPECT_GT(static_cast<double>(right), 0.95 * static_cast<double>(rows.count));
  // Softmax of three classes tells them apart as well.
  std::vector<float> classes;
  for (const float y : rows.labels[0]) classes.push_back(y < -0.4F ? 0.0F : y < 0.4F ? 1.0F : 2.0F);
  const LinearBase three = fit_of(rows).logistic(classes, 3, 1e-6).base;
  std::vector<float> of_three(3 * rows.count);
  three.values(rows.features, rows.count, of_three);
  std::size_t found = 0;
  for (std::size_t i = 0; i < rows.count; ++i) {
    const float* const row = of_three.data() + 3 * i;
    found += std::max_element(row, row + 3) - row == std::lround(classes[i]) ? 1 : 0;
  }
  EXPECT_GT(static_cast<double>(found), 0.9 * static_cast<double>(rows.count));
}

// Clouds of one covariance: Fisher's discriminant is the logarithm of their densities' ratio itself, for two classes
// and for each pair of three.
TEST(LinearFit, DiscriminantOfNormalCloudsIsTheirLogDensityRatio) {
  std::mt19937_64 random(9);
  std::normal_distribution normal;
  const std::vector<std::vector<double>> centres{{0, 0}, {1, 0}, {0, 2}};
  std::vector<float> features, labels, weights;
  for (int i = 0; i < 30000; ++i) {
    const auto k = static_cast<std::size_t>(i % 3);
    const double a = normal(random), b = normal(random);
    features.push_back(static_cast<float>(centres[k][0] + a));
    features.push_back(static_cast<float>(centres[k][1] + 0.5 * a + b));
    labels.push_back(static_cast<float>(k));
    weights.push_back(1);
  }
  const auto exact = [&](std::size_t k, double x, double y) {  // up to what all classes share
    const double u = x - centres[k][0], v = y - centres[k][1] - 0.5 * u;
    return -0.5 * (u * u + v * v);
  };
  const std::vector<float> at{0.3F, -0.4F, 1.5F, 1.0F, -1.0F, 2.5F};
  const auto values = [&](const LinearFit& fit, std::span<const float> of, std::size_t classes) {
    const LinearPart part = fit.discriminant(of, classes, 1e-9);
    return part.values(at, {}, 3);
  };
  const std::vector<float> three = values(LinearFit(features, {}, weights, {2}), labels, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const double x = static_cast<double>(at[2 * i]), y = static_cast<double>(at[2 * i + 1]);
    for (std::size_t k = 1; k < 3; ++k) {  // 10000 points a cloud: means within 0.01, times centres' distances of 2
      EXPECT_NEAR(static_cast<double>(three[3 * i + k] - three[3 * i]), exact(k, x, y) - exact(0, x, y), 0.15)
          << i << k;
    }
  }
  // Two of them, one of half the weight: its share is in the margin.
  std::vector<float> two, of_two, weights_of_two;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] > 1.5F) continue;
    two.insert(two.end(), {features[2 * i], features[2 * i + 1]});
    of_two.push_back(labels[i]);
    weights_of_two.push_back(labels[i] > 0.5F ? 0.5F : 1.0F);
  }
  const std::vector<float> margins = values(LinearFit(two, {}, weights_of_two, {2}), of_two, 2);
  for (std::size_t i = 0; i < 3; ++i) {
    const double x = static_cast<double>(at[2 * i]), y = static_cast<double>(at[2 * i + 1]);
    EXPECT_NEAR(static_cast<double>(margins[i]), exact(1, x, y) - exact(0, x, y) + std::log(0.5), 0.1) << i;
  }
}

// Errors grow with the noise and end at what guessing gives: a law without an end is too narrow where the noise is
// middling.
TEST(Trust, VarianceThatEndsIsFollowed) {
  std::mt19937_64 random(6);
  std::normal_distribution normal;
  std::uniform_real_distribution uniform;
  const auto truth = [](double noise) { return 0.002 + 0.1 * noise / (noise + 0.02); };
  std::vector<double> squares;
  std::vector<float> snr;
  for (int i = 0; i < 20000; ++i) {
    const double ratio = std::exp(6 * uniform(random));
    snr.insert(snr.end(), {static_cast<float>(ratio), 1e6F});
    const double e = normal(random);
    squares.push_back(e * e * truth(1 / (ratio * ratio)));
  }
  const NoiseVariance found = fit_variance(squares, snr, 2);
  for (const double ratio : {1.0, 5.0, 20.0, 300.0}) {
    const std::vector<float> one{static_cast<float>(ratio), 1e6F};
    EXPECT_NEAR(found.at(one) / truth(1 / (ratio * ratio)), 1, 0.15) << ratio;  // levels a factor of ten apart
  }
}

TEST(Trust, IntervalsCoverWhatWasAskedWhateverTheNoise) {
  const TaskSpec task{"value", "", {}, false};
  const Rows training = make_rows(500, 11, 1), calibration = make_rows(3000, 12, 1), test = make_rows(3000, 13, 1);
  Task trained;
  trained.booster = Booster::bare(kWidth, 1);
  trained.base = fit_of(training).ridge(training.labels[0], 1e-4).base;
  std::vector<float> margins(calibration.count), seen(test.count);
  task_margins(trained, calibration.features, calibration.snr, calibration.count, margins);
  task_margins(trained, test.features, test.snr, test.count, seen);
  const Trust trust = fit_trust(task, trained.booster, margins, calibration, 0, 0.9);
  const Figure coverage = coverage_of(task, trust, trained.booster, seen, test, 0);
  EXPECT_NEAR(coverage.value, 0.9, 0.025);  // three standard errors of both halves: sqrt(2 * 0.09 / 3000) = 0.0077
  // Noisy rows and quiet ones alike: the error's variance follows the noise.
  for (const bool noisy : {false, true}) {
    double inside = 0, count = 0;
    for (std::size_t i = 0; i < test.count; ++i) {
      if ((test.snr[2 * i] < 5) != noisy) continue;
      const double half = trust.quantile * std::sqrt(trust.error.at(std::span(test.snr).subspan(2 * i, 2)));
      inside += std::abs(static_cast<double>(seen[i] - test.labels[0][i])) <= half ? 1 : 0;
      count += 1;
    }
    EXPECT_NEAR(inside / count, 0.9, 0.035) << noisy;
  }
}

TEST(Trust, ProbabilitiesAreCalibrated) {
  std::mt19937_64 random(8);
  std::normal_distribution normal;
  std::uniform_real_distribution uniform;
  const TaskSpec task{"defect", "", {}, true};
  Rows rows;
  std::vector<float> margins;
  rows.labels.resize(1);
  for (int i = 0; i < 8000; ++i) {
    const double margin = 3 * normal(random);
    margins.push_back(static_cast<float>(margin));
    rows.labels[0].push_back(uniform(random) < 1 / (1 + std::exp(-(0.5 * margin - 0.4))) ? 1.0F : 0.0F);
  }
  rows.count = margins.size();
  const Trust trust = fit_trust(task, Booster::bare(1, 1), margins, rows, 0, 0.9);
  EXPECT_NEAR(trust.slope, 0.5, 0.04);  // three standard errors
  // Both answers weigh alike: the offset is what is left when the commoner one no longer counts more.
  double ones = 0;
  for (const float label : rows.labels[0]) ones += static_cast<double>(label);
  const double prior = std::log((static_cast<double>(rows.count) - ones) / ones);
  EXPECT_NEAR(trust.offset, -0.4 + prior, 0.1);
}

TEST(Domain, TakesInWhatIsLikeTheTrainingAndNothingElse) {
  const Rows training = make_rows(800, 21, 0), unseen = make_rows(800, 22, 0);
  Rows test = make_rows(800, 23, 0);
  const Domain domain = fit_domain(fit_of(training), {&unseen}, 1);
  EXPECT_NEAR(share_inside(domain, test), 0.99, 0.012);                                         // three standard errors
  for (std::size_t i = 0; i < test.features.size(); i += kWidth) test.features[i + 5] += 0.5F;  // a direction unknown
  EXPECT_LT(share_inside(domain, test), 0.01);
}

// Margins with a base are XGBoost's own given the same base margin, bit for bit.
TEST(LinearBase, GivesXGBoostsMargins) {
  if (!xgboost::available()) GTEST_SKIP() << xgboost::library().problem;
  const Rows rows = make_rows(500, 31, 1);
  std::vector<float> classes;
  for (const float y : rows.labels[0]) classes.push_back(y < -0.4F ? 0.0F : y < 0.4F ? 1.0F : 2.0F);
  Rows of_classes = rows;
  of_classes.labels[0] = classes;
  const Settings settings{{"learning_rate", 0.3}, {"max_depth", 4}, {"base", 1}};
  const TaskSpec specs[3] = {{"value", "", {}, false}, {"defect", "", {}, true}, {"count", "", {0, 1, 2}, false}};
  for (std::size_t s = 0; s < 3; ++s) {
    const std::size_t column = s == 1 ? 1 : 0;
    const Rows& data = s == 2 ? of_classes : rows;
    Task task;
    const LinearKind kinds[3] = {LinearKind::ridge, LinearKind::discriminant, LinearKind::logistic};
    const BaseRows of_base{std::make_shared<LinearFit>(fit_of(data)), data.labels};
    const LinearPart part = fit_base(specs[s], column, of_base, {kinds[s], 1e-3, s == 1 ? 0.5 : 1.0});
    task.base = part.base;
    const std::vector<float> base = part.values(rows.features, {}, rows.count);
    task.booster = fit_booster(specs[s], data, column, base, settings, 12, 1, {});
    std::vector<float> ours(rows.count * task.booster.output_count());
    task_margins(task, rows.features, rows.snr, rows.count, ours);
    xgboost::DMatrix matrix(rows.features, rows.count, kWidth);
    matrix.set_float("base_margin", base);
    EXPECT_EQ(xgboost::XgbBooster(task.booster).predict(matrix, true).values, ours) << specs[s].name;
    EXPECT_NE(base, ours);  // the trees say something
  }
}

TEST(Tpe, FindsLowerThanChanceAndKeepsToItsSteps) {
  const std::vector<Parameter> space{{"x", -5, 10, 0, false, {}},
                                     {"n", 0, 15, 1, false, {}},
                                     {"rate", 1e-3, 1, 0, true, {}},
                                     {"kind", 0, 0, 0, false, {3, 7}}};
  const auto loss = [](const std::vector<double>& p) {
    return std::pow(p[0] - 3, 2) / 10 + std::pow(p[1] - 4, 2) / 20 + std::pow(std::log10(p[2]) + 2, 2) +
           (p[3] == 7 ? 0 : 2);
  };
  std::vector<double> found, by_chance;
  for (std::uint64_t seed = 0; seed < 9; ++seed) {
    Tpe tpe(space, seed), again(space, seed);
    std::mt19937_64 random(seed);
    std::uniform_real_distribution uniform;
    double best = 1e9, chance = 1e9;
    for (int i = 0; i < 60; ++i) {
      const std::vector<double> point = tpe.ask();
      ASSERT_EQ(point, again.ask());
      ASSERT_EQ(point[1], std::round(point[1]));
      ASSERT_TRUE(point[0] >= -5 && point[0] <= 10 && point[2] >= 1e-3 && point[2] <= 1);
      ASSERT_TRUE(point[3] == 3 || point[3] == 7);
      tpe.tell(point, loss(point));
      again.tell(point, loss(point));
      best = std::min(best, loss(point));
      chance = std::min(chance, loss({-5 + 15 * uniform(random), std::round(15 * uniform(random)),
                                      std::pow(10, -3 * uniform(random)), uniform(random) < 0.5 ? 3.0 : 7.0}));
    }
    found.push_back(best);
    by_chance.push_back(chance);
  }
  std::ranges::sort(found);
  std::ranges::sort(by_chance);
  EXPECT_LT(found[4], 0.5 * by_chance[4]);  // medians of nine seeds
}

TEST(Tpe, TakesALossThatIsNoNumberForTheWorst) {
  Tpe tpe({{"x", 0, 1, 0, false, {}}}, 1);
  const auto loss = [](double x) { return x < 0.5 ? std::nan("") : std::pow(x - 0.75, 2); };
  for (int i = 0; i < 40; ++i) {
    const std::vector<double> x = tpe.ask();
    tpe.tell(x, loss(x[0]));
  }
  std::size_t good = 0;
  for (int i = 0; i < 20; ++i) {
    const std::vector<double> x = tpe.ask();
    good += x[0] >= 0.5 ? 1 : 0;
    tpe.tell(x, loss(x[0]));
  }
  EXPECT_GT(good, 14U);  // chance would find ten
}

}  // namespace
}  // namespace elver::train
