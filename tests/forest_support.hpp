#pragma once
#include <gmock/gmock.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "elver/error.hpp"
#include "elver/forest.hpp"
#include "support.hpp"

/// Boosters small enough to work out by hand, written as XGBoost writes them.
namespace elver::test {

using nlohmann::json;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

/// One split: feature < threshold ? left : right; a missing value goes left or right.
inline json stump(float threshold, float left, float right, bool default_left = false, int feature = 0) {
  return {{"base_weights", {0.0, left, right}},
          {"categories", json::array()},
          {"categories_nodes", json::array()},
          {"categories_segments", json::array()},
          {"categories_sizes", json::array()},
          {"default_left", {default_left ? 1 : 0, 0, 0}},
          {"id", 0},
          {"left_children", {1, -1, -1}},
          {"loss_changes", {1.0, 0.0, 0.0}},
          {"parents", {2147483647, 0, 0}},
          {"right_children", {2, -1, -1}},
          {"split_conditions", {threshold, left, right}},
          {"split_indices", {feature, 0, 0}},
          {"split_type", {0, 0, 0}},
          {"sum_hessian", {2.0, 1.0, 1.0}},
          {"tree_param", {{"num_deleted", "0"}, {"num_feature", "2"}, {"num_nodes", "3"}, {"size_leaf_vector", "1"}}}};
}

/// A tree that is one leaf.
inline json leaf(float value) {
  json tree = stump(0, 0, 0);
  for (const char* key : {"base_weights", "default_left", "left_children", "loss_changes", "parents", "right_children",
                          "split_conditions", "split_indices", "split_type", "sum_hessian"}) {
    tree[key].erase(2);
    tree[key].erase(1);
  }
  tree["left_children"][0] = tree["right_children"][0] = -1;
  tree["split_conditions"][0] = value;
  tree["tree_param"]["num_nodes"] = "1";
  return tree;
}

/// A whole document of these trees, one a round, all for output 0.
inline json document(std::vector<json> trees, const std::string& base_score = "[0E0]",
                     const std::string& objective = "reg:squarederror") {
  json groups = json::array(), rounds = {0};
  for (std::size_t i = 0; i < trees.size(); ++i) {
    trees[i]["id"] = i;
    groups.push_back(0);
    rounds.push_back(i + 1);
  }
  return {{"learner",
           {{"attributes", json::object()},
            {"feature_names", json::array()},
            {"feature_types", json::array()},
            {"gradient_booster",
             {{"model",
               {{"gbtree_model_param", {{"num_parallel_tree", "1"}, {"num_trees", std::to_string(trees.size())}}},
                {"iteration_indptr", rounds},
                {"tree_info", groups},
                {"trees", trees}}},
              {"name", "gbtree"}}},
            {"learner_model_param",
             {{"base_score", base_score},
              {"boost_from_average", "1"},
              {"num_class", "0"},
              {"num_feature", "2"},
              {"num_target", "1"}}},
            {"objective", {{"name", objective}}}}},
          {"version", {3, 2, 0}}};
}

inline json& model_of(json& document) { return document["learner"]["gradient_booster"]["model"]; }
inline json& parameters_of(json& document) { return document["learner"]["learner_model_param"]; }

inline std::vector<std::byte> bytes_of(const std::string& text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}
inline Booster booster_of(const std::string& text) { return Booster::parse(bytes_of(text), "test"); }
inline Booster booster_of(const json& document) { return booster_of(document.dump()); }

/// Margins of rows of two features.
inline std::vector<float> margins_of(const Booster& booster, const std::vector<float>& features,
                                     std::size_t rounds = 0) {
  const std::size_t rows = features.size() / std::max<std::size_t>(booster.feature_count(), 1);
  std::vector<float> out(rows * booster.output_count());
  booster.margins(features, rows, out, rounds);
  return out;
}
/// Margin of the first output where feature 0 is x.
inline float margin_at(const Booster& booster, float x) { return margins_of(booster, {x, 0.0F}).front(); }

/// The message of the Error that refuses this booster, which must be of that kind.
inline std::string refusal_of(const std::string& text, ErrorKind kind = ErrorKind::input) {
  try {
    booster_of(text);
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    return error.what();
  }
  return "not refused";
}
inline std::string refusal_of(const json& document, ErrorKind kind = ErrorKind::input) {
  return refusal_of(document.dump(), kind);
}

}  // namespace elver::test
