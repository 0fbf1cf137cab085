#pragma once
#include <random>

#include "forest_support.hpp"

/// Boosters with random trees of any shape, for comparing engines: what they predict means nothing.
namespace elver::test {

struct RandomBooster {
  std::size_t features = 6, trees = 20, depth = 6, outputs = 1;
  std::size_t thresholds = 40;  ///< different ones a feature
  double leaf_chance = 0.25;    ///< that a node above the deepest level is a leaf
  std::size_t leaves = 0;    ///< not 0: so many, any leaf above the deepest level being split next, as lossguide does
  bool missing_left = true;  ///< some nodes send NaN left
  bool categorical = false;  ///< feature 0 holds categories
  bool vector_leaves = false;
  bool dart = false;
  bool odd_thresholds = false;  ///< infinities, zeros of both signs, denormals, the largest numbers
  std::uint32_t seed = 1;
};

class RandomBoosterMaker {
 public:
  explicit RandomBoosterMaker(const RandomBooster& wanted) : w_(wanted), random_(wanted.seed) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::vector<float> odd{-3.4e38F, -1e-45F, -0.0F, 0.0F, 1e-45F, 1e-40F, 3.4e38F, kInfinity, -kInfinity};
    for (std::size_t f = 0; f < w_.features; ++f) {
      std::vector<float> pool(w_.thresholds);
      for (float& t : pool) t = unit();
      if (w_.odd_thresholds) pool.insert(pool.end(), odd.begin(), odd.end() - (f % 2 == 0 ? 2 : 0));
      pools_.push_back(std::move(pool));
    }
  }

  Booster make() {
    std::vector<json> trees;
    for (std::size_t t = 0; t < w_.trees; ++t) trees.push_back(tree());
    json all = document(trees);
    parameters_of(all)["num_feature"] = std::to_string(w_.features);
    if (w_.outputs > 1) {
      parameters_of(all)["num_target"] = std::to_string(w_.outputs);
      parameters_of(all)["base_score"] = "[2.5E-1]";
      for (std::size_t t = 0; t < w_.trees; ++t) model_of(all)["tree_info"][t] = w_.vector_leaves ? 0 : t % w_.outputs;
    }
    if (w_.dart) {
      json weights = json::array();
      for (std::size_t t = 0; t < w_.trees; ++t) weights.push_back(unit());
      json& booster = all["learner"]["gradient_booster"];
      booster = {{"name", "dart"}, {"gbtree", booster}, {"weight_drop", weights}};
    }
    // XGBoost writes infinities as bare words, which the JSON library cannot.
    std::string text = all.dump();
    for (const auto& [quoted, bare] : {std::pair{"\"+inf\"", "Infinity"}, std::pair{"\"-inf\"", "-Infinity"}}) {
      for (std::size_t at = 0; (at = text.find(quoted, at)) != text.npos;)
        text.replace(at, std::string(quoted).size(), bare);
    }
    return booster_of(text);
  }

 private:
  float unit() { return static_cast<float>(random_() >> 8) * 0x1p-24F; }
  std::size_t below(std::size_t n) { return random_() % n; }

  json tree() {
    struct Node {
      int left = -1, right = -1, parent = 2147483647;
      std::size_t level = 0;
    };
    std::vector<Node> nodes(1);
    const auto split = [&](std::size_t i) {
      nodes[i].left = static_cast<int>(nodes.size());
      nodes[i].right = nodes[i].left + 1;
      for (int child = 0; child < 2; ++child) nodes.push_back({-1, -1, static_cast<int>(i), nodes[i].level + 1});
    };
    while (nodes.size() + 1 < 2 * w_.leaves) {
      const std::size_t i = below(nodes.size());
      if (nodes[i].left < 0 && nodes[i].level < w_.depth) split(i);
    }
    for (std::size_t i = 0; w_.leaves == 0 && i < nodes.size(); ++i) {
      // The first node of every level splits: the tree is as deep as was asked.
      const bool first = i == 0 || nodes[i].level != nodes[i - 1].level;
      if (nodes[i].level == w_.depth || (!first && unit() < static_cast<float>(w_.leaf_chance))) continue;
      if (nodes[i].level > 6 && !first && unit() < 0.7F) continue;
      split(i);
    }
    const std::size_t n = nodes.size();
    json out;
    for (const char* key : {"categories", "categories_nodes", "categories_segments", "categories_sizes"})
      out[key] = json::array();
    for (const char* key : {"base_weights", "default_left", "left_children", "right_children", "parents",
                            "loss_changes", "split_conditions", "split_indices", "split_type", "sum_hessian"}) {
      out[key] = json::array();
    }
    for (std::size_t i = 0; i < n; ++i) {
      const bool leaf = nodes[i].left < 0;
      const std::size_t feature = leaf ? 0 : below(w_.features);
      const bool categories = !leaf && w_.categorical && feature == 0;
      out["left_children"].push_back(nodes[i].left);
      out["right_children"].push_back(nodes[i].right);
      out["parents"].push_back(nodes[i].parent);
      out["split_indices"].push_back(feature);
      out["split_type"].push_back(categories ? 1 : 0);
      out["default_left"].push_back(!leaf && w_.missing_left && below(2) == 0 ? 1 : 0);
      out["loss_changes"].push_back(1.0);
      out["sum_hessian"].push_back(1.0);
      const float value = leaf ? unit() - 0.5F : pools_[feature][below(pools_[feature].size())];
      if (std::isfinite(value)) {
        out["split_conditions"].push_back(value);
      } else {
        out["split_conditions"].push_back(value > 0 ? "+inf" : "-inf");
      }
      if (w_.vector_leaves) {
        for (std::size_t k = 0; k < w_.outputs; ++k) out["base_weights"].push_back(unit() - 0.5F);
      } else {
        out["base_weights"].push_back(0.0);
      }
      if (!categories) continue;
      out["categories_nodes"].push_back(i);
      out["categories_segments"].push_back(out["categories"].size());
      std::size_t size = 0;
      for (int category = 0; category < 30; ++category) {
        if (below(3) != 0) continue;
        out["categories"].push_back(category);
        ++size;
      }
      out["categories_sizes"].push_back(size);
    }
    out["id"] = 0;
    out["tree_param"] = {{"num_deleted", "0"},
                         {"num_feature", std::to_string(w_.features)},
                         {"num_nodes", std::to_string(n)},
                         {"size_leaf_vector", std::to_string(w_.vector_leaves ? w_.outputs : 1)}};
    return out;
  }

  RandomBooster w_;
  std::mt19937 random_;
  std::vector<std::vector<float>> pools_;
};

inline Booster random_booster(const RandomBooster& wanted) { return RandomBoosterMaker(wanted).make(); }

}  // namespace elver::test
