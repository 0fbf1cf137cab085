#pragma once
#include <span>

#include "elver/evaluate.hpp"
#include "train/evaluate.hpp"

namespace elver::evaluate {

/// What a task of a model says about some rows: [row] its value, the value of its most probable class, or the
/// probability of yes.
struct Answers {
  std::vector<double> values;
  std::vector<std::uint8_t> covered;  ///< [row]: the truth is in its interval or set; empty where it has none
};
/// `truth` [row].
Answers answers_of(const Task& task, const train::Rows& rows, std::span<const float> truth);

/// Which figures a task of this name has: li_content is a value, count_* a count, the others are defects.
TaskFigures::Kind kind_of(const std::string& task);
/// Why the model's task cannot be scored as such; "" if it can.
std::string not_scorable(const Task& task);

/// `counts` receives what a count task adds to the tally of all of them.
TaskFigures figures_of(const Task& task, const train::Rows& rows, std::size_t task_index, std::uint64_t seed,
                       CountTally& counts);

}  // namespace elver::evaluate
