#include "maps/task_maps.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// "oxygen_vacancy" as people write it.
std::string spoken(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

/// How many rounds to run (0: all), with a note where the booster knows of fewer than are run.
std::size_t rounds_of(const Task& task, std::vector<std::string>& notes) {
  const std::optional<std::size_t> best = task.booster.best_iteration();
  if (task.best_rounds) {
    if (best) return *best + 1;
    notes.push_back("task " + task.name +
                    " asks for its booster's best iteration, but the booster names none: all rounds are used");
  } else if (best && *best + 1 < task.booster.round_count()) {
    notes.push_back(
        text("task %s: the booster names iteration %zu as its best; all %zu rounds are used (\"rounds\":\"best\" in "
             "the recipe stops there)",
             task.name.c_str(), *best, task.booster.round_count()));
  }
  return 0;
}

}  // namespace

void shown_values(const Task& task, std::span<float> margins, std::size_t rows) {
  const bool binary = task.booster.objective().starts_with("binary:");
  if (binary && task.trust) {
    for (float& value : margins) {
      const double margin = task.trust->slope * static_cast<double>(value) + task.trust->offset;
      value = static_cast<float>(1.0 / (1.0 + std::exp(-margin)));
    }
    return;
  }
  task.booster.transform(margins, rows);
  if (task.booster.objective() != "binary:logitraw") return;  // which leaves the logistic to us
  for (float& value : margins) value = 1.0F / (1.0F + std::exp(-value));
}

TaskMaps::TaskMaps(const Task& task, std::size_t feature_count, std::vector<Map>& maps, std::vector<std::string>& notes)
    : task_(task), outputs_(task.booster.output_count()), first_map_(maps.size()) {
  const Booster& booster = task.booster;
  if (booster.feature_count() != feature_count) {
    throw Error(
        ErrorKind::mismatch, "task " + task.name,
        text("its booster takes %zu features, the model's edges give %zu", booster.feature_count(), feature_count),
        "Make the model with the grids that the booster was trained on");
  }
  rounds_ = rounds_of(task, notes);
  if (task.gated) bare_ = Booster::bare(feature_count, task.gated->linear_outputs(outputs_));

  const auto add = [&](std::string name, std::string unit, std::string title, MapScale scale) -> Map& {
    maps.push_back({std::move(name), std::move(unit), {}, {}, std::move(title), scale, true});
    return maps.back();
  };
  const std::string name = spoken(task.name);
  std::string title = name;
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
  const auto numbered = [&](std::size_t i) { return outputs_ == 1 ? std::string() : text("_%zu", i); };

  if (!booster.is_classifier()) {
    for (std::size_t i = 0; i < outputs_; ++i) {
      add(task.name + numbered(i), task.unit, title + spoken(numbered(i)), MapScale::linear);
    }
  } else if (booster.objective().starts_with("binary:")) {
    for (std::size_t i = 0; i < outputs_; ++i) {
      add("probability_" + task.name + numbered(i), "", "Probability of " + name + spoken(numbered(i)),
          MapScale::probability);
    }
  } else {
    kind_ = Kind::classes;
    classes_ = task.classes;
    if (classes_.empty()) {
      classes_.resize(outputs_);
      std::iota(classes_.begin(), classes_.end(), 0.0);
    }
    if (classes_.size() != outputs_) {
      throw Error(ErrorKind::input, "task " + task.name,
                  text("it names %zu classes, its booster has %zu", classes_.size(), outputs_),
                  "Name one value a class");
    }
    add(task.name, task.unit, title, MapScale::linear).classes = classes_;
    for (const double value : classes_) {
      add(text("probability_%s_%g", task.name.c_str(), value), "", text("Probability of %s = %g", name.c_str(), value),
          MapScale::probability)
          .of_task = false;  // the value of the most probable one is what one looks at
    }
  }
  trust_map_ = maps.size();
  if (!task.trust) return;
  if (kind_ == Kind::classes) {
    add(task.name + "_set_size", "classes", title + ": classes that may be true", MapScale::linear).of_task = false;
  } else if (!booster.is_classifier()) {
    for (std::size_t i = 0; i < outputs_; ++i) {
      add(task.name + numbered(i) + "_low", task.unit, title + ", lower end", MapScale::linear).of_task = false;
      add(task.name + numbered(i) + "_high", task.unit, title + ", upper end", MapScale::linear).of_task = false;
    }
  }
}

void TaskMaps::add_boosters(std::vector<engine::BoosterRounds>& boosters) const {
  boosters.push_back({&task_.booster, rounds_, &task_.base});
  if (task_.gated) boosters.push_back({&bare_, 0, &task_.gated->linear});
}

void TaskMaps::fill(const float* margins, std::size_t stride, std::span<const std::uint64_t> pixels,
                    std::span<const float> snr, std::vector<Map>& maps) const {
  const std::size_t rows = pixels.size();
  if (rows == 0) return;
  std::vector<float> values(rows * outputs_);
  for (std::size_t i = 0; i < outputs_; ++i) {
    for (std::size_t row = 0; row < rows; ++row) values[row * outputs_ + i] = margins[i * stride + row];
  }
  for (std::size_t row = 0; task_.gated && row < rows; ++row) {
    const std::size_t edges = snr.size() / rows;
    task_.gated->add_pixel(margins + outputs_ * stride + row, stride, snr.subspan(row * edges, edges),
                           std::span(values).subspan(row * outputs_, outputs_));
  }
  const Trust* const trust = task_.trust ? &*task_.trust : nullptr;
  shown_values(task_, values, rows);
  const std::size_t first = first_map_ + (kind_ == Kind::classes ? 1 : 0);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::span<const float> output = std::span(values).subspan(row * outputs_, outputs_);
    for (std::size_t i = 0; i < outputs_; ++i) maps[first + i].values[pixels[row]] = output[i];
    if (kind_ == Kind::classes) {
      const auto most = static_cast<std::size_t>(std::max_element(output.begin(), output.end()) - output.begin());
      maps[first_map_].values[pixels[row]] = static_cast<float>(classes_[most]);
      if (trust == nullptr) continue;
      const auto in_set = std::ranges::count_if(
          output, [&](float p) { return static_cast<double>(p) >= trust->least_probability || p == output[most]; });
      maps[trust_map_].values[pixels[row]] = static_cast<float>(in_set);
    } else if (trust != nullptr && !task_.booster.is_classifier()) {
      const std::size_t edges = snr.size() / rows;
      const double half = trust->quantile * std::sqrt(trust->error.at(snr.subspan(row * edges, edges)));
      for (std::size_t i = 0; i < outputs_; ++i) {
        maps[trust_map_ + 2 * i].values[pixels[row]] = static_cast<float>(static_cast<double>(output[i]) - half);
        maps[trust_map_ + 2 * i + 1].values[pixels[row]] = static_cast<float>(static_cast<double>(output[i]) + half);
      }
    }
  }
}

DomainMaps::DomainMaps(const Domain& domain, std::size_t feature_count, std::vector<Map>& maps)
    : domain_(domain), bare_(Booster::bare(feature_count, domain.variance.size())), first_map_(maps.size()) {
  if (domain.projections.feature_count() != feature_count) {
    throw Error(ErrorKind::mismatch, "the model's domain",
                text("it is of %zu features, the model's edges give %zu", domain.projections.feature_count(),
                     feature_count));
  }
  maps.push_back({"domain_distance", "of the limit", {}, {}, "Distance to the training spectra", MapScale::linear, false});
  maps.push_back({"in_domain", "", {}, {0, 1}, "Like the training spectra", MapScale::linear, true});
}

void DomainMaps::fill(const float* margins, std::size_t stride, std::span<const std::uint64_t> pixels,
                      std::span<const float> snr, std::vector<Map>& maps) const {
  for (std::size_t row = 0; row < pixels.size(); ++row) {
    const std::size_t edges = snr.size() / pixels.size();
    const double distance = domain_.distance({margins + row, domain_.variance.size() * stride - row}, stride,
                                             snr.subspan(row * edges, edges));
    maps[first_map_].values[pixels[row]] = static_cast<float>(distance);
    maps[first_map_ + 1].values[pixels[row]] = distance <= 1 ? 1.0F : 0.0F;
  }
}

}  // namespace elver
