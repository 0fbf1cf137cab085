#pragma once
#include <cstdint>
#include <set>
#include <vector>

#include "elver/dataset.hpp"
#include "elver/library.hpp"
#include "elver/run_context.hpp"
#include "phantom/scene.hpp"

namespace elver::phantom {

/// What a pixel is made of, and the truth about it; NaN where the question has no answer.
struct Pixel {
  std::vector<train::Part> parts;  ///< empty: vacuum
  float li_content, oxygen_vacancy, antisite;
  float counts[4];  ///< Li, Ni, Mn, Co
};

/// Structures and neighbourhoods for every place of a scene.
struct Cast {
  train::Pool pool;
  std::vector<Pixel> pixels;
  std::set<std::size_t> structures;  ///< used
  bool held_out = true;              ///< all of them are
};

/// Chooses them, from what a training with `split_seed` holds out as far as there is enough. A place that the library
/// has nothing for stays vacuum. Throws Error{input} where that is true of all.
Cast make_cast(const Library& library, const std::vector<Place>& scene, std::uint64_t seed, std::uint64_t split_seed,
               const RunContext& context);

}  // namespace elver::phantom
