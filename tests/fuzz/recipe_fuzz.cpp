#include <cstdint>
#include <string>
#include <string_view>

#include "elver/error.hpp"
#include "model/json_value.hpp"
#include "model/model.hpp"

/// Any bytes as a recipe, the text that model files are made from, and hold. The boosters have a target of their own: each path
/// gives the same one, a single leaf on two features.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const elver::Booster booster = [] {
    constexpr std::string_view text =
        R"({"learner":{"attributes":{},"feature_names":[],"feature_types":[],"gradient_booster":{"model":{
        "gbtree_model_param":{"num_parallel_tree":"1","num_trees":"1"},"iteration_indptr":[0,1],"tree_info":[0],
        "trees":[{"base_weights":[0],"categories":[],"categories_nodes":[],"categories_segments":[],"categories_sizes":[],
        "default_left":[0],"id":0,"left_children":[-1],"loss_changes":[0],"parents":[2147483647],"right_children":[-1],
        "split_conditions":[1],"split_indices":[0],"split_type":[0],"sum_hessian":[1],
        "tree_param":{"num_deleted":"0","num_feature":"2","num_nodes":"1","size_leaf_vector":"1"}}]},"name":"gbtree"},
        "learner_model_param":{"base_score":"[5E-1]","boost_from_average":"1","num_class":"0","num_feature":"2",
        "num_target":"1"},"objective":{"name":"reg:squarederror","reg_loss_param":{"scale_pos_weight":"1"}}},
        "version":[3,2,0]})";
    const auto bytes = std::as_bytes(std::span(text));
    return elver::Booster::parse({bytes.begin(), bytes.end()}, "booster");
  }();
  try {
    const elver::Model model = elver::read_recipe(elver::parse_json({reinterpret_cast<const char*>(data), size}, "recipe"),
                                                  "recipe", [](const std::string&) { return booster; });
    static_cast<void>(elver::model_json(model));
  } catch (const elver::Error&) {
  }
  return 0;
}
