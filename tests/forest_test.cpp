#include <cmath>

#include "forest_support.hpp"

// What a booster's file means: XGBoost's rules, one law a test, on forests that can be worked out by hand.
namespace elver {
namespace {

using namespace elver::test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Forest, GoesLeftStrictlyBelowTheThresholdInFloat32) {
  const Booster booster = booster_of(document({stump(0.5F, 1, 2)}));
  EXPECT_EQ(margin_at(booster, std::nextafter(0.5F, 0.0F)), 1);
  EXPECT_EQ(margin_at(booster, 0.5F), 2);
  EXPECT_EQ(margin_at(booster, -kInf), 1);
  EXPECT_EQ(margin_at(booster, kInf), 2);
  const Booster zero = booster_of(document({stump(0.0F, 1, 2)}));
  EXPECT_EQ(margin_at(zero, -0.0F), 2) << "-0 is not below 0";
  EXPECT_EQ(margin_at(zero, -1e-45F), 1) << "subnormal numbers are not flushed";
}

TEST(Forest, AMissingValueTakesTheDefaultChild) {
  EXPECT_EQ(margin_at(booster_of(document({stump(0.5F, 1, 2, true)})), kNan), 1);
  EXPECT_EQ(margin_at(booster_of(document({stump(0.5F, 1, 2, false)})), kNan), 2);
}

TEST(Forest, SumsStartAtTheBaseAndGoInTreeOrder) {
  // In float32, 2^24 + 1 is 2^24: adding the ones to the base one by one differs from adding their sum.
  const Booster booster = booster_of(document({leaf(1), leaf(1)}, "[1.6777216E7]"));
  EXPECT_EQ(margin_at(booster, 0), 16777216.0F);
  const Booster order = booster_of(document({leaf(1e8F), leaf(-1e8F), leaf(1)}));
  EXPECT_EQ(margin_at(order, 0), 1.0F);
  const Booster other = booster_of(document({leaf(1), leaf(1e8F), leaf(-1e8F)}));
  EXPECT_EQ(margin_at(other, 0), 0.0F);
}

TEST(Forest, TreesAreOrderedByTheirId) {
  json reversed = document({leaf(1), leaf(1e8F), leaf(-1e8F)});
  std::reverse(model_of(reversed)["trees"].begin(), model_of(reversed)["trees"].end());
  EXPECT_EQ(margin_at(booster_of(reversed), 0), 0.0F);
}

TEST(Forest, ThresholdsThatAreNoNumbersAreWrittenBareAndSendEverythingOneWay) {
  const auto with = [](const std::string& threshold) {
    std::string text = document({stump(0.125F, 1, 2)}).dump();
    text.replace(text.find("0.125"), 5, threshold);
    return booster_of(text);
  };
  EXPECT_EQ(margin_at(with("Infinity"), 3e38F), 1);
  EXPECT_EQ(margin_at(with("Infinity"), kInf), 2);
  EXPECT_EQ(margin_at(with("-Infinity"), -kInf), 2);
  EXPECT_EQ(margin_at(with("NaN"), -kInf), 2);
  EXPECT_EQ(margin_at(with("NaN"), kNan), 2);
}

TEST(Forest, DecimalTextIsRoundedOnceToFloat32) {
  // A hair above the middle between 1 and the next float32. By way of double it would become the middle, and then 1.
  std::string text = document({leaf(0.125F)}).dump();
  text.replace(text.find("0.125"), 5, "1.000000059604644775390625000000000001");
  EXPECT_EQ(margin_at(booster_of(text), 0), std::nextafter(1.0F, 2.0F));
}

TEST(Forest, WalksDeepLopsidedTreesAndSkipsPrunedNodes) {
  // Node 0 splits at 0; its left child 3 splits at -1. Nodes 1 and 2 were pruned away and are not to be looked at.
  json tree = stump(0, 0, 0);
  tree["left_children"] = {3, -1, 77, 5, -1, -1, -1};
  tree["right_children"] = {4, -1, -5, 6, -1, -1, -1};
  tree["split_conditions"] = {0.0, 0.0, 0.0, -1.0, 10.0, 20.0, 30.0};
  tree["split_indices"] = {0, 2147483647, 4294967295, 1, 0, 0, 0};
  tree["parents"] = {-1, 0, 0, 0, 0, 3, 3};
  tree["default_left"] = {1, 0, 0, 0, 0, 0, 0};
  for (const char* key : {"base_weights", "loss_changes", "sum_hessian", "split_type"}) tree[key] = json(7, 0);
  tree["tree_param"]["num_nodes"] = "7";
  tree["tree_param"]["num_deleted"] = "2";
  const Booster booster = booster_of(document({tree}));
  EXPECT_EQ(booster.max_depth(), 2u);
  EXPECT_THAT(margins_of(booster, {1, -2, -1, -2, -1, 0, kNan, kNan}), ElementsAre(10, 20, 30, 30));
}

TEST(Forest, ACategoryInTheSetGoesRightAndAllOthersLeft) {
  json tree = stump(0, 1, 2);
  tree["split_type"] = {1, 0, 0};
  tree["categories"] = {1, 3, 40};
  tree["categories_nodes"] = {0};
  tree["categories_segments"] = {0};
  tree["categories_sizes"] = {3};
  const Booster booster = booster_of(document({tree}));
  for (const float x : {1.0F, 3.0F, 40.0F, 3.9F}) EXPECT_EQ(margin_at(booster, x), 2) << x;
  for (const float x : {0.0F, 2.0F, 41.0F, -1.0F, -0.5F, 16777216.0F, kInf, -kInf})
    EXPECT_EQ(margin_at(booster, x), 1) << x;
  EXPECT_EQ(margin_at(booster, kNan), 2) << "missing: the default child";
}

TEST(Forest, VectorLeavesAddToEveryOutputInBothLayouts) {
  json own = stump(0.5F, 0, 0);  // 3.2 and later: a leaf's right child is its place in leaf_weights
  own["right_children"] = {2, 0, 1};
  own["leaf_weights"] = {1, 2, 3, 10, 20, 30};
  own["tree_param"]["size_leaf_vector"] = "3";
  json among = stump(0.5F, 0, 0);  // before: at the node's own place in base_weights
  among["base_weights"] = {0, 0, 0, 1, 2, 3, 10, 20, 30};
  among["tree_param"]["size_leaf_vector"] = "3";
  for (const json& tree : {own, among}) {
    json text = document({tree, tree}, "[1E0,2E0,3E0]");
    parameters_of(text)["num_target"] = "3";
    const Booster booster = booster_of(text);
    EXPECT_EQ(booster.output_count(), 3u);
    EXPECT_THAT(margins_of(booster, {0, 0, 1, 0}), ElementsAre(3, 6, 9, 21, 42, 63));
  }
}

TEST(Forest, DartWeightsCountWhereverTheyStand) {
  const json plain = document({leaf(1), leaf(10), leaf(100)});
  const json weights = {0.5, 1.0, 2.0};
  const json model = plain["learner"]["gradient_booster"]["model"];
  json nested = plain, beside = plain, inside = plain;  // up to 3.2, 3.3, from 3.4 on
  nested["learner"]["gradient_booster"] = {
      {"gbtree", {{"model", model}, {"name", "gbtree"}}}, {"name", "dart"}, {"weight_drop", weights}};
  beside["learner"]["gradient_booster"]["weight_drop"] = weights;
  model_of(inside)["weight_drop"] = weights;
  for (const json& text : {nested, beside, inside}) EXPECT_EQ(margin_at(booster_of(text), 0), 210.5F);
  nested["learner"]["gradient_booster"]["weight_drop"] = {0.5, 1.0};
  EXPECT_THAT(refusal_of(nested), HasSubstr("2 weights for 3 trees"));
}

TEST(Forest, BaseScoreIsReadInEveryFormAndTurnedIntoAMargin) {
  const auto base = [](const std::string& score, const std::string& objective) {
    return margin_at(booster_of(document({leaf(0)}, score, objective)), 0);
  };
  for (const char* text : {"2.5E-1", "[2.5E-1]", "0.25", " [ 0.25 ] ", "(0.25)"}) {
    EXPECT_EQ(base(text, "reg:squarederror"), 0.25F) << text;
  }
  EXPECT_EQ(base("0.25", "binary:logistic"), -std::log(3.0F));
  EXPECT_EQ(base("0.25", "reg:gamma"), std::log(0.25F));
  EXPECT_EQ(base("0.25", "binary:logitraw"), 0.25F);
  EXPECT_EQ(base("0", "binary:logistic"), -std::log(1.0F / 1e-6F - 1.0F)) << "bounded, as XGBoost has it since 3.2";
  json number = document({leaf(0)});
  parameters_of(number)["base_score"] = 0.25;
  EXPECT_EQ(margin_at(booster_of(number), 0), 0.25F);
  json many = document({leaf(0)}, "[1E0,2E0,3E0]", "multi:softprob");
  parameters_of(many)["num_class"] = "3";
  EXPECT_THAT(margins_of(booster_of(many), {0, 0}), ElementsAre(1, 2, 3));
  parameters_of(many)["base_score"] = "5E-1";
  EXPECT_THAT(margins_of(booster_of(many), {0, 0}), ElementsAre(0.5F, 0.5F, 0.5F)) << "one for all, as before 3.1";
}

TEST(Forest, OldFilesLackWhatNewOnesSay) {
  // XGBoost 1.0: no rounds, no split types, booleans for default_left, no targets, no names.
  json old = document({stump(0.5F, 1, 2, true), leaf(3), leaf(4), leaf(5)}, "5E-1", "multi:softmax");
  old["version"] = {1, 0, 2};
  model_of(old).erase("iteration_indptr");
  model_of(old)["tree_info"] = {0, 1, 0, 1};
  for (json& tree : model_of(old)["trees"]) {
    for (const char* key :
         {"split_type", "categories", "categories_nodes", "categories_segments", "categories_sizes"}) {
      tree.erase(key);
    }
    for (json& direction : tree["default_left"]) direction = direction == 1;
  }
  parameters_of(old).erase("num_target");
  parameters_of(old)["num_class"] = "2";
  for (const char* key : {"feature_names", "feature_types"}) old["learner"].erase(key);
  const Booster booster = booster_of(old);
  EXPECT_EQ(booster.version(), "1.0.2");
  EXPECT_EQ(booster.round_count(), 2u);
  EXPECT_THAT(margins_of(booster, {kNan, 0}), ElementsAre(5.5F, 8.5F));
  EXPECT_THAT(margins_of(booster, {kNan, 0}, 1), ElementsAre(1.5F, 3.5F));
}

TEST(Forest, RoundsAreCountedInParallelTreesToo) {
  json forest = document({leaf(1), leaf(2), leaf(4), leaf(8)});
  model_of(forest)["gbtree_model_param"]["num_parallel_tree"] = "2";
  model_of(forest)["iteration_indptr"] = {0, 2, 4};
  forest["learner"]["attributes"]["best_iteration"] = "0";
  const Booster booster = booster_of(forest);
  EXPECT_EQ(booster.round_count(), 2u);
  EXPECT_EQ(booster.best_iteration(), 0u);
  EXPECT_THAT(margins_of(booster, {0, 0}, 1), ElementsAre(3));
  EXPECT_THAT(margins_of(booster, {0, 0}), ElementsAre(15));
  std::vector<float> out(1);
  EXPECT_THROW(booster.margins(std::vector<float>{0, 0}, 1, out, 3), Error);
  EXPECT_THROW(booster.margins(std::vector<float>{0, 0, 0}, 1, out), Error);
}

// XGBoost 1.4 writes neither num_parallel_tree nor iteration_indptr; the attributes of early stopping tell both.
TEST(Forest, RoundsOfAnOldForestAreToldByItsAttributes) {
  json old = document({leaf(1), leaf(2), leaf(4), leaf(8), leaf(16), leaf(32)});
  model_of(old).erase("iteration_indptr");
  model_of(old)["gbtree_model_param"].erase("num_parallel_tree");
  EXPECT_EQ(booster_of(old).round_count(), 6U);  // nothing is known of it
  old["learner"]["attributes"] = {{"best_iteration", "0"}, {"best_ntree_limit", "3"}};
  const Booster booster = booster_of(old);
  EXPECT_EQ(booster.round_count(), 2U);
  EXPECT_EQ(booster.best_iteration(), 0U);
  EXPECT_EQ(margins_of(booster, {0, 0}, 1).front(), 7.0F);
  EXPECT_EQ(margins_of(booster, {0, 0}).front(), 63.0F);
  for (const char* const nonsense : {"4", "7", "-3", "x", "18446744073709551615"}) {
    old["learner"]["attributes"]["best_ntree_limit"] = nonsense;
    EXPECT_EQ(booster_of(old).round_count(), 6U) << nonsense;
  }
}

TEST(Forest, PredictionsFollowTheObjective) {
  const auto predict = [](const std::string& objective, std::vector<float> margins, int classes = 0) {
    json text = document({leaf(0)}, "5E-1", objective);
    parameters_of(text)["num_class"] = std::to_string(classes);
    const Booster booster = booster_of(text);
    booster.transform(margins, margins.size() / booster.output_count());
    return margins;
  };
  // 2e-7: the last bit of float32, where XGBoost's and our expf may differ.
  for (const float x : {-80.0F, -3.0F, 0.0F, 0.7F, 20.0F}) {
    const double sigmoid = 1.0 / (1.0 + std::exp(-static_cast<double>(x)));
    EXPECT_NEAR(predict("binary:logistic", {x})[0], sigmoid, 2e-7);
    EXPECT_NEAR(predict("reg:logistic", {x})[0], sigmoid, 2e-7);
    for (const char* objective : {"count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"}) {
      EXPECT_NEAR(predict(objective, {x})[0] / std::exp(static_cast<double>(x)), 1, 2e-7) << objective;
    }
    for (const char* objective :
         {"reg:squarederror", "reg:linear", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror",
          "reg:quantileerror", "binary:logitraw", "rank:pairwise", "rank:ndcg", "rank:map"}) {
      EXPECT_EQ(predict(objective, {x})[0], x) << objective;
    }
    EXPECT_EQ(predict("binary:hinge", {x})[0], x > 0 ? 1 : 0);
  }
  const double sum = 1 + std::exp(1.0) + std::exp(2.0);
  for (const char* objective : {"multi:softprob", "multi:softmax"}) {
    const std::vector<float> p = predict(objective, {1, 2, 3, 200, -200, 200}, 3);
    for (int k = 0; k < 3; ++k) EXPECT_NEAR(p[static_cast<std::size_t>(k)], std::exp(k) / sum, 2e-7);
    EXPECT_THAT(std::vector(p.begin() + 3, p.end()), ElementsAre(0.5F, 0.0F, 0.5F));
  }
}

TEST(Forest, SaysWhatItIs) {
  json text = document({stump(0.5F, 1, 2)}, "5E-1", "binary:logistic");
  text["learner"]["feature_names"] = {"O_K \"\\u00e9\"", "é"};
  text["learner"]["attributes"] = {{"best_iteration", "7"}, {"note", "x"}};
  const Booster booster = booster_of(text);
  EXPECT_EQ(booster.objective(), "binary:logistic");
  EXPECT_TRUE(booster.is_classifier());
  EXPECT_EQ(booster.feature_count(), 2u);
  EXPECT_EQ(booster.tree_count(), 1u);
  EXPECT_EQ(booster.version(), "3.2.0");
  EXPECT_THAT(booster.feature_names(), ElementsAre("O_K \"\\u00e9\"", "é"));
  EXPECT_EQ(booster.best_iteration(), std::nullopt) << "a round that it does not have";
  EXPECT_EQ(booster.bytes(), bytes_of(text.dump())) << "kept byte for byte";
  EXPECT_FALSE(booster_of(document({leaf(0)})).is_classifier());
}

TEST(Forest, ABoosterWithoutTreesGivesItsBase) {
  const Booster booster = booster_of(document({}, "[3E0]"));
  EXPECT_EQ(booster.round_count(), 0u);
  EXPECT_EQ(margin_at(booster, 1), 3);
}

TEST(Forest, ABoosterMadeOfNothingIsSafeToUse) {
  const Booster nothing;
  EXPECT_EQ(nothing.tree_count(), 0u);
  EXPECT_TRUE(nothing.bytes().empty());
  std::vector<float> out(2, 1.0F);
  nothing.margins({}, 2, out);
  nothing.transform(out, 2);
  EXPECT_THAT(out, ElementsAre(0, 0));
}

TEST(Forest, ABoosterMayHaveNoFeatures) {
  json text = document({leaf(2)});
  parameters_of(text)["num_feature"] = "0";
  const Booster booster = booster_of(text);
  std::vector<float> out(3);
  booster.margins({}, 3, out);
  EXPECT_THAT(out, ElementsAre(2, 2, 2));
}

TEST(Forest, SharedBoostersGiveTheirExpectedOutputs) {
  const fs::path folder = shared_data("xgboost-models") / "boosters-3.1.1";
  ELVER_NEEDS(folder);
  int compared = 0;
  for (const char* kind : {"gbtree", "dart"}) {
    for (const auto& entry : fs::directory_iterator(folder / kind)) {
      const std::string path = entry.path().string();
      const std::size_t stem = path.rfind(".model.json");
      if (stem == std::string::npos) continue;
      SCOPED_TRACE(entry.path().filename().string());
      const Booster booster = Booster::load(path);
      const auto input = json::parse(read_text(path.substr(0, stem) + ".input.json"));
      const auto expected = json::parse(read_text(path.substr(0, stem) + ".expected.json"));
      std::vector<float> x, margins, predictions;
      for (const auto& row : input["features"]) {
        for (const auto& value : row) x.push_back(value.is_null() ? kNan : static_cast<float>(value.get<double>()));
      }
      for (const auto& value : expected["predictions"].flatten()) margins.push_back(value.get<float>());
      for (const auto& value : expected["predictions_transformed"].flatten()) predictions.push_back(value.get<float>());
      std::vector<float> out = margins_of(booster, x);
      EXPECT_EQ(out, margins) << "bit for bit";
      booster.transform(out, input["num_rows"].get<std::size_t>());
      for (std::size_t i = 0; i < out.size(); ++i) {
        EXPECT_NEAR(out[i], predictions[i], 2e-7 * std::max(1.0F, std::abs(predictions[i])));
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 13);
}

TEST(Forest, SharedModelsThatAreNoForestsAreToldApart) {
  const fs::path folder = shared_data("xgboost-models");
  ELVER_NEEDS(folder);
  for (const char* name : {"binary", "multiclass", "regression"}) {
    const std::string path = (folder / "boosters-3.1.1/gblinear/gblinear_").string() + name + ".model.json";
    const Booster linear = Booster::load(path);
    EXPECT_FALSE(linear.has_trees());
    EXPECT_THROW(linear.require_trees(), Error);
  }
  EXPECT_THAT(refusal_of(read_text(folder / "treelite/tests/examples/mushroom/mushroom.model")),
              HasSubstr("old binary format"));
  const Booster booster = Booster::load((folder / "nvforest/docs/source/_static/xgboost_model.json").string());
  EXPECT_THAT(margins_of(booster, {0, 0, 1, 0, kNan, 0}), ElementsAre(0.575F, 0.425F, 0.425F));
}

}  // namespace
}  // namespace elver
