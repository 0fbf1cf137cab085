#pragma once
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "elver/maps.hpp"

/// Small images, boosters and models with known answers, for the tests of the maps and of the pictures.
namespace elver::test {

/// An image that lies in memory, [pixel][channel].
class MemoryImage : public Image {
 public:
  MemoryImage(ImageInfo info, std::vector<float> counts) : Image(std::move(info)), counts_(std::move(counts)) {}
  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    for (std::uint64_t p = pixels.first; p < pixels.last; ++p) {
      std::memcpy(out.data() + (p - pixels.first) * channels.size() * sizeof(float),
                  &counts_[p * this->channels() + channels.first], channels.size() * sizeof(float));
    }
  }
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    for (std::uint64_t p = pixels.first; p < pixels.last; ++p) {
      for (std::size_t c = channels.first; c < channels.last; ++c) {
        out[(c - channels.first) * pixels.size() + (p - pixels.first)] = counts_[p * this->channels() + c];
      }
    }
  }
  std::vector<float>& counts() { return counts_; }

 private:
  std::vector<float> counts_;
};

inline Axis navigation(std::string name, std::string units, double scale, std::uint64_t size) {
  return {std::move(name), std::move(units), scale, 0.5, size, AxisRole::navigation};
}
constexpr double kFirstEv = 480.0, kPerChannelEv = 0.5;
constexpr std::size_t kChannels = 200;  // 480 to 580 eV

/// What a pixel of `sample` holds before its edge is added.
inline float background_counts(std::size_t channel) {
  const double energy = kFirstEv + kPerChannelEv * static_cast<double>(channel);
  return static_cast<float>(500.0 * std::pow(energy / 500.0, -3.0));
}

/// A spectrum image whose pixels have an edge at 530 eV: all in the first half of the grid 530:570 ("early"), or all in
/// the second ("late"). Pixel p is late where p % 3 == 0.
inline MemoryImage sample(std::vector<Axis> axes) {
  std::uint64_t pixels = 1;
  for (const Axis& axis : axes) pixels *= axis.size;
  std::vector<float> counts(pixels * kChannels);
  for (std::uint64_t p = 0; p < pixels; ++p) {
    for (std::size_t c = 0; c < kChannels; ++c) {
      const double energy = kFirstEv + kPerChannelEv * static_cast<double>(c);
      const bool late = p % 3 == 0;
      const bool has_edge = late ? energy >= 550 && energy < 570 : energy >= 530 && energy < 550;
      counts[p * kChannels + c] = background_counts(c) + (has_edge ? 400.0F : 0.0F);
    }
  }
  ImageInfo info;
  info.id = "0";
  info.title = "sample";
  info.kind = axes.empty() ? ImageKind::spectrum : ImageKind::spectrum_image;
  info.axes = std::move(axes);
  info.axes.push_back({"Energy", "eV", kPerChannelEv, kFirstEv, kChannels, AxisRole::energy});
  info.signal_type = "EELS";
  info.beam_energy_kev = 200.0;
  info.selected = true;
  return {std::move(info), std::move(counts)};
}
inline MemoryImage sample(std::uint64_t rows, std::uint64_t columns) {
  return sample({navigation("y", "nm", 0.8, rows), navigation("x", "nm", 0.4, columns)});
}
inline void blank(MemoryImage& image, std::uint64_t pixel) {
  std::fill_n(image.counts().begin() + static_cast<std::ptrdiff_t>(pixel * kChannels), kChannels, 0.0F);
}

/// One split: feature < threshold gives `below`, else `above`, to output `output`.
struct Stump {
  std::size_t feature = 0;
  double threshold = 0.5, below = 0, above = 1;
  std::size_t output = 0;
};

/// A booster of stumps as XGBoost 2 writes it; margins start at 0. `outputs` trees a round.
inline Booster stumps(const std::string& objective, std::size_t features, std::size_t outputs,
                      const std::vector<Stump>& trees, int best_iteration = -1) {
  using Json = nlohmann::json;
  Json list = Json::array(), info = Json::array();
  for (const Stump& s : trees) {
    list.push_back({{"base_weights", {0.0, 0.0, 0.0}},
                    {"categories", Json::array()},
                    {"categories_nodes", Json::array()},
                    {"categories_segments", Json::array()},
                    {"categories_sizes", Json::array()},
                    {"default_left", {0, 0, 0}},
                    {"id", list.size()},
                    {"left_children", {1, -1, -1}},
                    {"loss_changes", {1.0, 0.0, 0.0}},
                    {"parents", {2147483647, 0, 0}},
                    {"right_children", {2, -1, -1}},
                    {"split_conditions", {s.threshold, s.below, s.above}},
                    {"split_indices", {s.feature, 0, 0}},
                    {"split_type", {0, 0, 0}},
                    {"sum_hessian", {2.0, 1.0, 1.0}},
                    {"tree_param",
                     {{"num_deleted", "0"},
                      {"num_feature", std::to_string(features)},
                      {"num_nodes", "3"},
                      {"size_leaf_vector", "1"}}}});
    info.push_back(s.output);
  }
  Json rounds = Json::array();
  for (std::size_t first = 0; first <= trees.size(); first += outputs) rounds.push_back(first);
  const bool multi = objective.starts_with("multi:");
  Json learner{{"attributes", Json::object()}, {"feature_names", Json::array()}, {"feature_types", Json::array()}};
  if (best_iteration >= 0) learner["attributes"]["best_iteration"] = std::to_string(best_iteration);
  learner["gradient_booster"] = {
      {"name", "gbtree"},
      {"model",
       {{"gbtree_model_param", {{"num_parallel_tree", "1"}, {"num_trees", std::to_string(trees.size())}}},
        {"iteration_indptr", rounds},
        {"tree_info", info},
        {"trees", list}}}};
  const bool logistic = objective == "binary:logistic";
  learner["learner_model_param"] = {{"base_score", logistic ? "5E-1" : "0E0"},
                                    {"boost_from_average", "1"},
                                    {"num_class", multi ? std::to_string(outputs) : "0"},
                                    {"num_feature", std::to_string(features)},
                                    {"num_target", multi ? "1" : std::to_string(outputs)}};
  learner["objective"] = {{"name", objective}};
  if (multi) {
    learner["objective"]["softmax_multiclass_param"] = {{"num_class", std::to_string(outputs)}};
  } else {
    learner["objective"]["reg_loss_param"] = {{"scale_pos_weight", "1"}};
  }
  const std::string text = Json{{"learner", learner}, {"version", {2, 0, 3}}}.dump();
  const auto bytes = std::as_bytes(std::span(text));
  return Booster::parse({bytes.begin(), bytes.end()}, "stumps");
}

constexpr std::size_t kFeatures = 40;
/// The feature in the middle of the CDF of 530:570: near 1 in early pixels, near 0 in late ones.
constexpr std::size_t kMiddle = 20;

/// One edge, and a task of each kind: li_content is 0.25 in early pixels and 0.75 in late ones; count_Ni is 2 in early
/// and 5 in late ones; oxygen_vacancy has the margin +2 in early and -2 in late ones.
inline Model sample_model() {
  Model model;
  model.name = "sample";
  model.edges = {{"O_K", {490.0, 525.0}, {530.0, 570.0, kFeatures}}};
  model.tasks.push_back({"li_content",
                         "Li per formula unit",
                         {},
                         false,
                         stumps("reg:squarederror", kFeatures, 1, {{kMiddle, 0.5, 0.75, 0.25, 0}})});
  model.tasks.push_back({"count_Ni",
                         "",
                         {0, 2, 5},
                         false,
                         stumps("multi:softprob", kFeatures, 3,
                                {{kMiddle, 0.5, 0, 0, 0}, {kMiddle, 0.5, 0, 3, 1}, {kMiddle, 0.5, 3, 0, 2}})});
  model.tasks.push_back(
      {"oxygen_vacancy", "", {}, false, stumps("binary:logistic", kFeatures, 1, {{kMiddle, 0.5, -2, 2, 0}})});
  return model;
}

}  // namespace elver::test
