#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elver/maps.hpp"
#include "engine/codes.hpp"

namespace elver {

/// Margins, [row][output], to what a task's maps show, in place: values, probabilities of classes, and of yes or no the
/// probability that was calibrated, where the task has it.
void shown_values(const Task& task, std::span<float> margins, std::size_t rows);

/// One task on its way from features to maps: which maps it fills, and how a booster's outputs become their values.
class TaskMaps {
 public:
  /// Adds the task's maps, without values, to `maps`, and what the user should know to `notes`.
  /// Throws Error{mismatch} when the booster wants another number of features, Error{input} when it has another number
  /// of classes than the task.
  TaskMaps(const Task& task, std::size_t feature_count, std::vector<Map>& maps, std::vector<std::string>& notes);

  /// What is run for the task: its booster on its base and, where it has one, the gated term as a booster without
  /// trees, whose outputs follow.
  void add_boosters(std::vector<engine::BoosterRounds>& boosters) const;
  std::size_t output_count() const { return outputs_ + (task_.gated ? task_.gated->linear_outputs(outputs_) : 0); }

  /// From margins, [output][stride], to the values of `pixels`, each at its pixel's place, with intervals and sets where
  /// the task has them; `snr` of the pixels, [row][edge]. Tiles touch different pixels, so it may run side by side.
  void fill(const float* margins, std::size_t stride, std::span<const std::uint64_t> pixels, std::span<const float> snr,
            std::vector<Map>& maps) const;

 private:
  enum class Kind : std::uint8_t { values, classes };
  const Task& task_;
  Kind kind_ = Kind::values;
  std::size_t outputs_ = 1;
  Booster bare_;               ///< of the gated term
  std::size_t rounds_ = 0;     ///< 0: all
  std::size_t first_map_ = 0;  ///< in `maps`
  std::size_t trust_map_ = 0;  ///< the first of them that says how far to trust the values
  std::vector<double> classes_;
};

/// The maps "domain_distance" and "in_domain" of a model that has a domain.
class DomainMaps {
 public:
  /// Adds them, without values.
  DomainMaps(const Domain& domain, std::size_t feature_count, std::vector<Map>& maps);
  /// Its projections, as a booster without trees.
  engine::BoosterRounds booster() const { return {&bare_, 0, &domain_.projections}; }
  /// As TaskMaps::fill.
  void fill(const float* margins, std::size_t stride, std::span<const std::uint64_t> pixels, std::span<const float> snr,
            std::vector<Map>& maps) const;

 private:
  const Domain& domain_;
  Booster bare_;
  std::size_t first_map_ = 0;
};

}  // namespace elver
