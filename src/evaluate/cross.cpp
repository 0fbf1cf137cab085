#include "evaluate/cross.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <mutex>
#include <numeric>

#include "types/arena.hpp"

namespace elver::evaluate {
namespace {

struct Part {
  std::size_t job = 0, fold = 0;
};

}  // namespace

StudyFeatures featurise(Featurisation kind, const Study& study, const RunContext& context) {
  StudyFeatures out;
  out.folds.resize(study.folds.size());
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(std::size_t{0}, 2 * study.folds.size(), [&](std::size_t i) {
      context.check_interrupt();
      const train::Rows& rows = i % 2 == 0 ? study.folds[i / 2].training : study.folds[i / 2].test;
      Featurised made = featurise(kind, rows.features, rows.count, study.edges);
      (i % 2 == 0 ? out.folds[i / 2].training : out.folds[i / 2].test) = std::move(made.matrix);
      if (i == 0) out.parts = std::move(made.parts);
    });
  });
  return out;
}

std::string spoken(const std::string& edge) {
  std::string out = edge;
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

std::vector<Modality> modalities_of(const std::vector<Edge>& edges) {
  std::vector<std::size_t> all(edges.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (edges.size() == 1) return {{spoken(edges[0].name), all}};
  std::vector<Modality> out{{"multimodal", all}};
  for (std::size_t e = 0; e < edges.size(); ++e) out.push_back({spoken(edges[e].name), {e}});
  return out;
}

Matrix columns_of(const Matrix& all, const std::vector<std::size_t>& parts, const std::vector<std::size_t>& edges) {
  if (edges.empty() || edges.size() == parts.size()) return all;
  Matrix out;
  out.rows = all.rows;
  for (const std::size_t e : edges) out.columns += parts[e];
  out.values.reserve(out.rows * out.columns);
  for (std::size_t r = 0; r < all.rows; ++r) {
    for (const std::size_t e : edges) {
      const auto first = std::accumulate(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(e), std::size_t{0});
      const auto part = all.row(r).subspan(first, parts[e]);
      out.values.insert(out.values.end(), part.begin(), part.end());
    }
  }
  return out;
}

std::vector<Answered> run_jobs(const std::vector<Job>& jobs, const LearnerOptions& options, const RunContext& context,
                               std::string_view stage) {
  std::vector<Part> parts;
  std::vector<std::vector<Answered>> found(jobs.size());
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    found[j].resize(jobs[j].study->folds.size());
    for (std::size_t f = 0; f < found[j].size(); ++f) parts.push_back({j, f});
  }
  std::mutex telling;
  if (context.progress != nullptr) context.progress->begin(stage, parts.size(), "fits");
  const auto work = [&](const Part& part) {
    context.check_interrupt();
    const Job& job = jobs[part.job];
    const StudyFold& fold = job.study->folds[part.fold];
    const FoldFeatures& features = job.features->folds[part.fold];
    std::vector<std::size_t> shown;
    for (std::size_t e = 0; e < job.features->parts.size(); ++e) {
      if (job.edges.empty() || std::ranges::find(job.edges, e) != job.edges.end()) shown.push_back(job.features->parts[e]);
    }
    if (shown.empty()) shown.push_back(features.training.columns);
    const auto select = [&](const Matrix& all) { return columns_of(all, job.features->parts, job.edges); };
    const Matrix training = select(features.training);
    const Predictor predict = learn(job.learner, job.study->tasks[job.task],
                                    {training, shown, fold.training.labels[job.task], fold.training.weights, fold.training.structures},
                                    options, context);
    Answered& out = found[part.job][part.fold];
    out.plain = predict(select(features.test));
    for (std::size_t v = 0; v < job.versions; ++v) out.versions.push_back(predict(select(job.version(part.fold, v))));
    if (context.progress != nullptr) {
      const std::lock_guard lock(telling);
      context.progress->advance(1);
    }
  };
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<std::size_t>(0, parts.size(), 1),
        [&](const auto& range) {
          for (std::size_t i = range.begin(); i != range.end(); ++i) work(parts[i]);
        },
        oneapi::tbb::simple_partitioner());
  });
  if (context.progress != nullptr) context.progress->end();
  std::vector<Answered> out(jobs.size());
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    out[j].versions.resize(jobs[j].versions);
    for (const Answered& fold : found[j]) {
      out[j].plain.insert(out[j].plain.end(), fold.plain.begin(), fold.plain.end());
      for (std::size_t v = 0; v < jobs[j].versions; ++v)
        out[j].versions[v].insert(out[j].versions[v].end(), fold.versions[v].begin(), fold.versions[v].end());
    }
  }
  return out;
}

}  // namespace elver::evaluate
