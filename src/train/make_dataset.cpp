#include <algorithm>
#include <cmath>

#include "elver/dataset.hpp"
#include "elver/error.hpp"

namespace elver::train {

Dataset make_dataset(const Library& library, const Model& skeleton, const DatasetOptions& options,
                     const RunContext& context) {
  constexpr std::array<std::string_view, 4> kGroups{"li_content", "local_counts", "oxygen_vacancy", "antisite"};
  if (std::ranges::find(kGroups, options.group) == kGroups.end()) {
    throw Error(ErrorKind::usage, "task " + options.group, "there is no such data set",
                "Use li_content, local_counts, oxygen_vacancy or antisite");
  }
  const Pool pool = make_pool(library, options.scale);
  const std::vector<std::size_t> fold_of = deal_folds(library.structures, options.folds, options.seed);
  Dataset out;
  std::vector<Example> examples;
  std::vector<std::size_t> folds;
  for (std::size_t fold = 0; fold < options.folds; ++fold) {
    std::vector<Side> sides;
    for (const std::size_t f : fold_of) sides.push_back(f == fold ? Side::training : Side::left_out);
    // Singles stand on the held-out side of a split, so a fold without mixtures is one that is held out.
    if (options.samples == 0) {
      for (std::size_t s = 0; s < sides.size(); ++s) sides[s] = fold_of[s] == fold ? Side::held_out : Side::training;
    }
    const std::size_t samples = options.samples == 0 ? 8 : std::max<std::size_t>(2, options.samples / options.folds);
    for (TaskGroup& group : make_tasks(library, pool, sides, samples, options.seed + fold)) {
      if (group.name != options.group) continue;
      out.tasks = group.tasks;
      const std::vector<Example>& from = options.samples == 0 ? group.held_out : group.training;
      for (std::size_t draw = 0; draw < (options.samples == 0 ? options.draws : 1); ++draw) {
        examples.insert(examples.end(), from.begin(), from.end());
        folds.insert(folds.end(), from.size(), fold);
      }
    }
  }
  if (examples.empty()) {
    throw Error(ErrorKind::input, "library",
                "its structures do not suffice for " + options.group + " in every one of the folds");
  }
  const std::vector<float> features =
      simulate_features(skeleton, library, pool, examples, options.exposure, options.seed, context, "simulating");
  out.edges = skeleton.edges;
  out.columns = skeleton.feature_count();
  out.labels.resize(out.tasks.size());
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto row = features.begin() + static_cast<std::ptrdiff_t>(i * out.columns);
    if (std::isnan(*row)) continue;  // a failed pixel's row is NaN throughout
    out.features.insert(out.features.end(), row, row + static_cast<std::ptrdiff_t>(out.columns));
    out.weights.push_back(examples[i].weight);
    out.structures.push_back(examples[i].structure);
    out.folds.push_back(folds[i]);
    for (std::size_t t = 0; t < out.tasks.size(); ++t) out.labels[t].push_back(examples[i].labels[t]);
    ++out.rows;
  }
  return out;
}

}  // namespace elver::train
