#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace elver::forest {

/// From base_score, which a file keeps in the space of the output, to the margin that the trees add to.
enum class Link : std::uint8_t { identity, logit, log };
/// From margins to predictions.
enum class Transform : std::uint8_t { identity, sigmoid, exponential, step, softmax, largest };

struct Objective {
  std::string_view name;
  Link link = Link::identity;
  Transform transform = Transform::identity;
};

/// Null where elver does not know the objective.
const Objective* find_objective(std::string_view name);

/// XGBoost's rule for one base score; false when it refuses the value.
bool base_margin(Link link, float base_score, float& margin);

/// In place, [row][output]; multi:softmax as probabilities.
void apply(Transform transform, std::span<float> margins, std::size_t outputs);

}  // namespace elver::forest
