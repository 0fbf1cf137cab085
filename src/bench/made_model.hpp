#pragma once
#include <span>
#include <vector>

#include "elver/library.hpp"
#include "elver/model.hpp"
#include "elver/run_context.hpp"

namespace elver::bench {

/// What a trained forest of the bench has a round: one tree of a regression, one of a binary task, four of a task of
/// four classes.
inline constexpr std::size_t kTreesARound = 6;

struct TrainedTrees {
  std::uint64_t depth = 6, count = 1800;  ///< the count is rounded up to whole rounds
  bool operator==(const TrainedTrees&) const = default;
};

/// Models with trees that XGBoost trained on `samples` spectra a task, made of a library's, once for all: a model for each of
/// `trees`; those of one depth are the first rounds of the same training. `features` are dealt out over the library's edges.
/// Throws Error{resources} without XGBoost, Error{input} where the library lacks one of the tasks.
std::vector<Model> trained_models(const Library& library, std::size_t features, std::span<const TrainedTrees> trees,
                                  const RunContext& context, std::size_t samples = 6000);

/// A model with at least `trees` trees, the tasks of `model` again and again under other names.
Model repeated_model(const Model& model, std::uint64_t trees);

std::uint64_t trees_of(const Model& model);

}  // namespace elver::bench
