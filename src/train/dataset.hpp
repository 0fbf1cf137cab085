#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "elver/model.hpp"
#include "elver/run_context.hpp"
#include "train/tasks.hpp"

namespace elver::train {

/// Edges of layered oxides that the library has spectra of, and the rule of the features: a model without tasks.
/// Throws Error{input} when there are none.
Model make_skeleton(const Library& library, const std::string& name);

/// Mean spectrum of each edge over the pristine structures, 0.8 eV wide, the background left out.
std::vector<ReferenceSpectrum> make_references(const Library& library, const Pool& pool, const Model& model);

/// How the spectra of a data set are taken.
struct Exposure {
  /// Random unless given: 30 to 30,000, and in a tenth of the spectra without noise, as in sums over many pixels.
  std::optional<double> counts_per_channel;
  bool noise = true;  ///< where the counts are given
};

/// Features of one spectrum an example, row-major [example][feature]; NaN rows where a background fit failed. Every
/// example has its own stream of random numbers, so a row does not depend on the others or on threads; exposures of the
/// same `seed` share their instruments.
std::vector<float> simulate_features(const Model& skeleton, const Library& library, const Pool& pool,
                                     const std::vector<Example>& examples, const Exposure& exposure, std::uint64_t seed,
                                     const RunContext& context, std::string_view stage);

}  // namespace elver::train
