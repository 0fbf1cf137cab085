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

/// Models with trees that XGBoost trained on `samples` spectra a task, made of a library's: the first rounds of the
/// same training, one for each of `trees` (ascending, rounded up to whole rounds). `features` are dealt out over the
/// library's edges. Throws Error{resources} without XGBoost, Error{input} where the library lacks one of the tasks.
std::vector<Model> trained_models(const Library& library, std::size_t features, std::size_t depth,
                                  std::span<const std::uint64_t> trees, const RunContext& context, std::size_t samples = 6000);

/// A model with at least `trees` trees, the tasks of `model` again and again under other names.
Model repeated_model(const Model& model, std::uint64_t trees);

std::uint64_t trees_of(const Model& model);

}  // namespace elver::bench
