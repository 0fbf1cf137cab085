#include <cmath>
#include <random>

#include "forest/forest.hpp"
#include "forest_support.hpp"
#include "train/forest_check.hpp"

// Boosters trained here by XGBoost itself, of every kind: our margins are its margins, bit for bit.
namespace elver {
namespace {

using namespace elver::test;

#define NEEDS_XGBOOST() \
  if (!xgboost::available()) GTEST_SKIP() << "needs XGBoost: " << xgboost::library().problem

constexpr std::size_t kRowCount = 400, kColumns = 6;

struct Data {
  std::vector<float> x, regression, binary, classes, targets;
};

/// A tenth of the values missing; column 2 holds categories 0 to 11.
Data make_data() {
  Data data;
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < kRowCount; ++i) {
    std::vector<float> row(kColumns);
    for (float& value : row) value = normal(random);
    row[2] = static_cast<float>(random() % 12);
    const float y = 2 * row[0] + std::sin(3 * row[1]) + (std::fmod(row[2], 3.0F) == 1.0F ? 2.0F : 0.0F);
    data.regression.push_back(y);
    data.binary.push_back(y > 0.5F ? 1 : 0);
    data.classes.push_back(y < -1 ? 0 : y < 1 ? 1 : 2);
    data.targets.insert(data.targets.end(), {y, row[3] - y});
    for (float& value : row) value = random() % 10 == 0 ? kNan : value;
    data.x.insert(data.x.end(), row.begin(), row.end());
  }
  return data;
}

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// Trains eight rounds, and compares both formats on rows that try the forest.
void expect_parity(const std::vector<float>& labels, const Parameters& parameters, bool categorical = false) {
  const Data data = make_data();
  xgboost::DMatrix matrix(data.x, kRowCount, kColumns);
  matrix.set_labels(labels);
  if (categorical) {
    std::vector<std::string> types(kColumns, "q");
    types[2] = "c";
    matrix.set_feature_types(types);
  }
  const std::array cached{&std::as_const(matrix)};
  xgboost::XgbBooster trained(cached);
  for (const auto& [name, value] :
       Parameters{{"nthread", "1"}, {"tree_method", "hist"}, {"max_depth", "5"}, {"seed", "1"}}) {
    trained.set(name, value);
  }
  for (const auto& [name, value] : parameters) trained.set(name, value);
  for (int round = 0; round < 8; ++round) trained.update(round, matrix);
  for (const char* format : {"json", "ubj"}) {
    const Booster booster = Booster::parse(trained.save(format), format);
    ASSERT_EQ(not_comparable(booster), "");
    EXPECT_EQ(booster.round_count(), 8u);
    ForestComparison comparison(booster, 1);
    comparison.add(trying_rows(booster, 2000, 5), 2000);
    EXPECT_EQ(comparison.result().different_rows, 0u) << format;
    EXPECT_EQ(comparison.result().rows, 2000u);
    if (booster.forest().dart) continue;  // without a matrix, XGBoost rounds these otherwise
    // Fewer rounds, and predictions, where XGBoost's expf may differ from ours in the last bit.
    for (const std::size_t rounds : {std::size_t{3}, std::size_t{0}}) {
      const auto margins = trained.predict(data.x, kRowCount, kColumns, true, rounds);
      std::vector<float> ours = margins_of(booster, data.x, rounds);
      EXPECT_EQ(ours, margins.values) << rounds << " rounds";
      if (booster.objective() == "multi:softmax") continue;
      const auto predictions = trained.predict(data.x, kRowCount, kColumns, false, rounds);
      booster.transform(ours, kRowCount);
      for (std::size_t i = 0; i < ours.size(); ++i) {
        ASSERT_NEAR(ours[i], predictions.values[i], 3e-7F * std::fmax(1.0F, std::fabs(ours[i])));
      }
    }
  }
}

TEST(ForestParity, Regression) {
  NEEDS_XGBOOST();
  expect_parity(make_data().regression, {{"objective", "reg:squarederror"}});
}

TEST(ForestParity, PrunedTreesOfTheExactMethod) {
  NEEDS_XGBOOST();
  expect_parity(make_data().regression, {{"tree_method", "exact"}, {"gamma", "3"}});
}

TEST(ForestParity, DeepTreesGrownLeafByLeaf) {
  NEEDS_XGBOOST();
  expect_parity(make_data().regression, {{"grow_policy", "lossguide"}, {"max_depth", "0"}, {"min_child_weight", "0"}});
}

TEST(ForestParity, Binary) {
  NEEDS_XGBOOST();
  for (const char* objective : {"binary:logistic", "binary:logitraw", "binary:hinge", "reg:logistic"}) {
    SCOPED_TRACE(objective);
    expect_parity(make_data().binary, {{"objective", objective}, {"base_score", "0.3"}});
  }
}

TEST(ForestParity, Counts) {
  NEEDS_XGBOOST();
  for (const char* objective : {"count:poisson", "reg:tweedie", "survival:cox"}) {
    SCOPED_TRACE(objective);
    expect_parity(make_data().classes, {{"objective", objective}});
  }
}

TEST(ForestParity, MultiClass) {
  NEEDS_XGBOOST();
  expect_parity(make_data().classes, {{"objective", "multi:softprob"}, {"num_class", "3"}});
  expect_parity(make_data().classes, {{"objective", "multi:softmax"}, {"num_class", "3"}});
}

TEST(ForestParity, MultiTargetByOneTreeEachOrByVectorLeaves) {
  NEEDS_XGBOOST();
  expect_parity(make_data().targets, {{"multi_strategy", "one_output_per_tree"}});
  if (xgboost::library().version >= std::array{2, 0, 0}) {
    expect_parity(make_data().targets, {{"multi_strategy", "multi_output_tree"}});
  }
}

TEST(ForestParity, ParallelTrees) {
  NEEDS_XGBOOST();
  const Parameters forest = {{"num_parallel_tree", "4"}, {"subsample", "0.6"}, {"colsample_bynode", "0.6"}};
  expect_parity(make_data().regression, forest);
  Parameters classes = forest;
  classes.insert(classes.end(), {{"objective", "multi:softprob"}, {"num_class", "3"}});
  expect_parity(make_data().classes, classes);
}

TEST(ForestParity, Dart) {
  NEEDS_XGBOOST();
  expect_parity(make_data().regression, {{"booster", "dart"}, {"rate_drop", "0.4"}});
  expect_parity(make_data().classes,
                {{"booster", "dart"}, {"rate_drop", "0.4"}, {"objective", "multi:softprob"}, {"num_class", "3"}});
}

TEST(ForestParity, Categories) {
  NEEDS_XGBOOST();
  for (const char* one_hot : {"1", "100"}) {
    expect_parity(make_data().regression, {{"max_cat_to_onehot", one_hot}}, true);
  }
}

TEST(ForestParity, TryingRowsTryEveryWayAtANode) {
  const Booster booster = booster_of(document({stump(0.5F, 1, 2), stump(0.25F, 1, 2, true, 1)}));
  const std::vector<float> rows = trying_rows(booster, 1000, 1);
  EXPECT_EQ(rows.size(), 2000u);
  const auto has = [&](float x) { return std::ranges::find(rows, x) != rows.end(); };
  for (const float x : {0.5F, std::nextafter(0.5F, 0.0F), std::nextafter(0.5F, 1.0F), kInf, -kInf, 0.0F})
    EXPECT_TRUE(has(x)) << x;
  EXPECT_TRUE(std::ranges::any_of(rows, [](float x) { return std::isnan(x); }));
  EXPECT_TRUE(std::ranges::any_of(rows, [](float x) { return x == 0 && std::signbit(x); }));
}

TEST(ForestParity, WhatThisXgboostWouldCrashOnOrMisreadIsNotGivenToIt) {
  NEEDS_XGBOOST();
  json apart = document({stump(0.5F, 1, 2)});
  std::swap(model_of(apart)["trees"][0]["left_children"][0], model_of(apart)["trees"][0]["right_children"][0]);
  EXPECT_NE(not_comparable(booster_of(apart)), "");
  if (xgboost::library().version >= std::array{3, 2, 0}) {
    json tree = stump(0.5F, 0, 0);
    tree["base_weights"] = {0, 0, 1, 2, 10, 20};
    tree["tree_param"]["size_leaf_vector"] = "2";
    json old = document({tree});
    parameters_of(old)["num_target"] = "2";
    EXPECT_NE(not_comparable(booster_of(old)), "");
  }
  EXPECT_EQ(not_comparable(booster_of(document({stump(0.5F, 1, 2)}))), "");
}

}  // namespace
}  // namespace elver
