#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/featurisers.hpp"
#include "evaluate/learners.hpp"
#include "evaluate/study.hpp"

namespace elver::evaluate {

/// The features of one fold's rows.
struct FoldFeatures {
  Matrix training, test;
};
struct StudyFeatures {
  std::vector<FoldFeatures> folds;
  std::vector<std::size_t> parts;  ///< columns of each edge; empty where columns are of no edge
};
StudyFeatures featurise(Featurisation kind, const Study& study, const RunContext& context);

/// Which edges a learner is shown.
struct Modality {
  std::string name;                ///< "multimodal", "O K", ...
  std::vector<std::size_t> edges;  ///< indices
};
/// All edges together, then each by itself; of one edge only that one.
std::vector<Modality> modalities_of(const std::vector<Edge>& edges);
/// "O K" of "O_K", "Ni L" of "Ni_L".
std::string spoken(const std::string& edge);

/// One learner, one task, one choice of edges: trained on every fold, asked about the test rows and, if wanted, about
/// changed versions of them.
struct Job {
  Learner learner = Learner::xgboost;
  const Study* study = nullptr;
  const StudyFeatures* features = nullptr;
  std::size_t task = 0;
  std::vector<std::size_t> edges;  ///< that are shown; empty: all
  std::size_t versions = 0;
  /// The features of version `v` of a fold's test rows, all edges. Called side by side.
  std::function<Matrix(std::size_t fold, std::size_t v)> version = nullptr;
};
/// What was answered, rows as in Study::truth.
struct Answered {
  std::vector<double> plain;
  std::vector<std::vector<double>> versions;
};

/// Every fold of every job on the context's threads.
std::vector<Answered> run_jobs(const std::vector<Job>& jobs, const LearnerOptions& options, const RunContext& context,
                               std::string_view stage);

/// The columns of some edges.
Matrix columns_of(const Matrix& all, const std::vector<std::size_t>& parts, const std::vector<std::size_t>& edges);

}  // namespace elver::evaluate
