#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elver/dataset.hpp"
#include "train/evaluate.hpp"

namespace elver::evaluate {

/// Row-major.
struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;
  std::span<const float> row(std::size_t i) const { return std::span(values).subspan(i * columns, columns); }
};

/// One fold: what is trained on, and structures that the training does not hold. Features are net counts on the edges'
/// grids, whose points follow one another.
struct StudyFold {
  train::Rows training, test;
};

/// A group of tasks under cross-validation by structure, seen by one aligned instrument of 0.8 eV without noise, as the
/// paper's spectra are.
struct Study {
  std::string group;
  std::vector<train::TaskSpec> tasks;
  std::vector<Edge> edges;
  std::vector<StudyFold> folds;
  train::Rows truth;  ///< of the test rows of all folds, one after the other, without features
  std::size_t structures() const;  ///< that are tested
  std::size_t training_structures = 0;  ///< of the largest fold
};

/// How structures are dealt.
struct Dealing {
  std::vector<std::size_t> fold_of;  ///< [structure]
  std::size_t folds = 0;
};
/// As evenly as train::deal_folds does.
Dealing deal_evenly(const std::vector<Structure>& structures, std::size_t folds, std::uint64_t seed);
/// Each structure with this defect (symmetry copies together) is left out by itself, the others are dealt to these folds.
Dealing deal_one_out(const std::vector<Structure>& structures, DefectKind defect, std::uint64_t seed);

/// Training rows are `samples` spectra, mixtures among them as train::make_tasks has it; test rows are single specimens.
/// Of a share below 1 only so many structures of each fold's training side are trained on. Folds without training or
/// test rows are dropped; a study without any fold has an empty truth.
Study make_study(const Library& library, const train::Pool& pool, const std::string& group, const Dealing& dealing,
                 std::size_t samples, double share, std::uint64_t seed, const RunContext& context);

}  // namespace elver::evaluate
