#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace elver::forest {

/// From base_score, which a file keeps in the space of the output, to the margin that the trees add to.
/// `steps`: each output after the first is the softplus of its margin above the one before.
enum class Link : std::uint8_t { identity, logit, log, steps };
/// From margins to predictions.
enum class Transform : std::uint8_t { identity, sigmoid, exponential, step, softmax, largest, steps, sorted };

struct Objective {
  std::string_view name;
  Link link = Link::identity;
  Transform transform = Transform::identity;
};

/// Null where elver does not know the objective. `sorted_quantiles`: as XGBoost has it from 3.4 on, so that quantiles
/// do not cross.
const Objective* find_objective(std::string_view name, bool sorted_quantiles);

/// Base scores to margins in place, one an output, by XGBoost's rules; false when it refuses a value.
bool to_margins(Link link, std::span<float> base_scores);

/// In place, [row][output]; multi:softmax as probabilities.
void apply(Transform transform, std::span<float> margins, std::size_t outputs);

}  // namespace elver::forest
