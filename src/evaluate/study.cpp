#include "evaluate/study.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "elver/error.hpp"
#include "train/random.hpp"
#include "train/views.hpp"
#include "types/text.hpp"

namespace elver::evaluate {
namespace {

using train::Example;
using train::Side;
using train::TaskGroup;

const TaskGroup* find(const std::vector<TaskGroup>& groups, const std::string& name) {
  for (const TaskGroup& group : groups) {
    if (group.name == name) return &group;
  }
  return nullptr;
}

/// The examples of one fold, and where they lie among those of all.
struct Piece {
  std::vector<Example> training, test;
};

std::vector<Example> joined(const std::vector<Piece>& pieces) {
  std::vector<Example> out;
  for (const Piece& piece : pieces) {
    out.insert(out.end(), piece.training.begin(), piece.training.end());
    out.insert(out.end(), piece.test.begin(), piece.test.end());
  }
  return out;
}

/// Which structures a fold trains on: those of other folds, as many as the share says, symmetry copies together.
std::vector<Side> training_sides(const Library& library, const Dealing& dealing, std::size_t fold, double share,
                                 std::uint64_t seed) {
  const std::vector<std::size_t> classes = symmetry_classes(library.structures);
  std::vector<Side> out;
  for (std::size_t s = 0; s < library.structures.size(); ++s) {
    std::mt19937_64 random = train::random_stream(seed, 41, classes[s]);
    const bool kept = share >= 1 || std::uniform_real_distribution(0.0, 1.0)(random) < share;
    out.push_back(dealing.fold_of[s] != fold && kept ? Side::training : Side::left_out);
  }
  return out;
}

/// Net counts are held as they come and by fold, and their features beside them.
void check_memory(std::size_t values, const RunContext& context) {
  const double needed = 3.0 * static_cast<double>(values) * sizeof(float);
  if (context.memory_bytes > 0 && needed > static_cast<double>(context.memory_bytes)) {
    throw Error(ErrorKind::resources, "not enough memory", text("so many spectra need about %.0f MB", needed / 1e6),
                "Raise --memory or lower --samples");
  }
}

}  // namespace

std::size_t Study::structures() const {
  return std::set<std::size_t>(truth.structures.begin(), truth.structures.end()).size();
}

Dealing deal_evenly(const std::vector<Structure>& structures, std::size_t folds, std::uint64_t seed) {
  return {train::deal_folds(structures, folds, seed), folds};
}

Dealing deal_one_out(const std::vector<Structure>& structures, DefectKind defect, std::uint64_t seed) {
  const std::vector<std::size_t> classes = symmetry_classes(structures);
  std::map<std::size_t, std::size_t> fold;  // of a class with the defect
  for (std::size_t s = 0; s < structures.size(); ++s) {
    if (structures[s].defect == defect) fold.try_emplace(classes[s], fold.size());
  }
  Dealing out{std::vector<std::size_t>(structures.size(), 0), fold.size()};
  if (fold.empty()) return out;
  const std::vector<std::size_t> others = train::deal_folds(structures, fold.size(), seed);
  for (std::size_t s = 0; s < structures.size(); ++s) {
    const auto own = fold.find(classes[s]);
    out.fold_of[s] = own == fold.end() ? others[s] : own->second;
  }
  return out;
}

Study make_study(const Library& library, const train::Pool& pool, const std::string& group, const Dealing& dealing,
                 std::size_t samples, double share, std::uint64_t seed, const RunContext& context) {
  Study out;
  out.group = group;
  Model skeleton = train::make_skeleton(library, "figures");
  skeleton.features = {FeatureKind::raw, CdfSum::inclusive, Divisor::none, false};
  out.edges = skeleton.edges;
  std::vector<Piece> pieces;
  for (std::size_t f = 0; f < dealing.folds; ++f) {
    std::vector<Side> tested;
    for (const std::size_t of : dealing.fold_of) tested.push_back(of == f ? Side::held_out : Side::left_out);
    const std::vector<TaskGroup> training =
        train::make_tasks(library, pool, training_sides(library, dealing, f, share, seed), samples, seed + 100 * (f + 1));
    const std::vector<TaskGroup> trials = train::make_trials(library, pool, tested);
    const TaskGroup *const learned = find(training, group), *const asked = find(trials, group);
    if (learned == nullptr || asked == nullptr || learned->training.empty() || asked->held_out.empty()) continue;
    out.tasks = learned->tasks;
    out.training_structures = std::max(out.training_structures, learned->training_structures);
    pieces.push_back({learned->training, asked->held_out});
  }
  if (pieces.empty()) return out;
  const std::vector<Example> examples = joined(pieces);
  const std::size_t width = skeleton.feature_count();
  check_memory(examples.size() * width, context);
  train::Exposure clean = train::standard_views().front().exposure;
  clean.absent_noise = train::Exposure{}.absent_noise;  // the paper's line for an absent element
  std::vector<float> snr;
  const std::vector<float> features = train::simulate_features(skeleton, library, pool, examples, clean, seed, context,
                                                               "simulating " + group, &snr);
  const std::size_t edges = skeleton.edges.size();
  std::size_t at = 0;
  const auto rows_of = [&](const std::vector<Example>& part) {
    const auto cut = [&](const std::vector<float>& from, std::size_t each) {
      const auto first = from.begin() + static_cast<std::ptrdiff_t>(at * each);
      return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(part.size() * each));
    };
    train::Rows rows = train::keep_whole(cut(features, width), cut(snr, edges), part, out.tasks.size());
    at += part.size();
    return rows;
  };
  for (const Piece& piece : pieces) {
    StudyFold fold;
    fold.training = rows_of(piece.training);
    fold.test = rows_of(piece.test);
    if (fold.training.count == 0 || fold.test.count == 0) continue;
    train::Rows truth = fold.test;
    truth.features.clear();
    append(out.truth, truth);
    out.folds.push_back(std::move(fold));
  }
  return out;
}

}  // namespace elver::evaluate
