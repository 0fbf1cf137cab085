#include "engine/forest_runner.hpp"

#include <algorithm>

#include "engine/linear.hpp"
#include "types/stopwatch.hpp"

namespace elver::engine {
namespace {

std::vector<float> rows_of(const float* features, std::size_t stride, std::size_t width, std::size_t count) {
  std::vector<float> rows(count * width);
  for (std::size_t f = 0; f < width; ++f) {
    for (std::size_t p = 0; p < count; ++p) rows[p * width + f] = features[f * stride + p];
  }
  return rows;
}

/// From [row][output] to [output][stride].
void put_margins(const float* rows, std::size_t count, std::size_t outputs, float* margins, std::size_t stride) {
  for (std::size_t k = 0; k < outputs; ++k) {
    for (std::size_t p = 0; p < count; ++p) margins[k * stride + p] = rows[p * outputs + k];
  }
}

}  // namespace

ForestRunner::ForestRunner(std::span<const BoosterRounds> boosters, Missing missing, ForestEngine engine)
    : boosters_(boosters.begin(), boosters.end()) {
  std::vector<BoosterRounds> packable;
  for (std::size_t b = 0; b < boosters_.size(); ++b) {
    first_output_.push_back(output_count_);
    output_count_ += boosters_[b].booster->output_count();
    feature_count_ = std::max(feature_count_, boosters_[b].booster->feature_count());
    if (engine == ForestEngine::xgboost && run_by_xgboost(*boosters_[b].booster)) {
      foreign_boosters_.push_back(b);
      continue;
    }
    const bool packs = why_not_packable(*boosters_[b].booster).empty();
    (packs ? packed_boosters_ : plain_boosters_).push_back(b);
    if (packs) packable.push_back(boosters_[b]);
  }
  packed_ = pack_forest(packable, missing);
}

void ForestRunner::walk(const BoosterRounds& booster, std::size_t first_output, const float* features,
                        std::size_t stride, std::size_t count, float* margins, std::size_t margin_stride) const {
  const std::size_t outputs = booster.booster->output_count();
  const std::vector<float> rows = rows_of(features, stride, booster.booster->feature_count(), count);
  std::vector<float> sums(count * outputs);
  if (booster.linear()) {
    booster.base->values(rows, count, sums);
    booster.booster->add_trees(rows, count, sums, booster.rounds);
  } else {
    booster.booster->margins(rows, count, sums, booster.rounds);
  }
  put_margins(sums.data(), count, outputs, margins + first_output * margin_stride, margin_stride);
}

void ForestRunner::ask_xgboost(const BoosterRounds& booster, std::size_t first_output, xgboost::Predictor& predictor,
                               const float* features, std::size_t stride, std::size_t count, float* margins,
                               std::size_t margin_stride) const {
  const std::size_t outputs = booster.booster->output_count();
  std::vector<float> base(booster.linear() ? count * outputs : 0);
  if (booster.linear())
    booster.base->values(rows_of(features, stride, booster.booster->feature_count(), count), count, base);
  const float* const found = predictor.margins({features, count, 1, stride}, base, booster.rounds);
  put_margins(found, count, outputs, margins + first_output * margin_stride, margin_stride);
}

/// What the outputs of the packed boosters begin with.
void ForestRunner::set_bases(const float* features, std::size_t stride, float* sums) const {
  for (std::size_t i = 0; i < packed_boosters_.size(); ++i) {
    const BoosterRounds& booster = boosters_[packed_boosters_[i]];
    float* const first = sums + packed_.first_output[i] * kForestBlock;
    if (booster.linear()) {
      linear_values(*booster.base, features, stride, first);
      continue;
    }
    for (std::size_t k = 0; k < booster.booster->output_count(); ++k)
      std::fill_n(first + k * kForestBlock, kForestBlock, packed_.base[packed_.first_output[i] + k]);
  }
}

ForestRunner::Workspace::Workspace(const ForestRunner& runner)
    : codes(hwy::AllocateAligned<std::uint8_t>(std::max<std::size_t>(1, runner.packed_.codes.rows.size()) *
                                               kForestBlock)),
      sums(hwy::AllocateAligned<float>(std::max<std::size_t>(1, runner.packed_.output_count()) * kForestBlock)),
      scratch(std::make_unique<TreeScratch>()) {
  std::fill_n(sums.get(), std::max<std::size_t>(1, runner.packed_.output_count()) * kForestBlock, 0.0f);
  for (const std::size_t b : runner.foreign_boosters_) foreign.emplace_back(*runner.boosters_[b].booster);
}

void ForestRunner::run_block(const float* features, std::size_t stride, std::size_t count, Workspace& work,
                             float* margins, std::size_t margin_stride) const {
  Stopwatch watch;
  if (!packed_boosters_.empty()) {
    rank_rows(packed_.codes, 0, packed_.codes.rows.size(), features, stride, work.codes.get());
    work.rank_seconds += watch.lap();
    set_bases(features, stride, work.sums.get());
    sum_trees(packed_, work.codes.get(), work.sums.get(), *work.scratch);
  }
  for (std::size_t i = 0; i < packed_boosters_.size(); ++i) {
    for (std::size_t k = packed_.first_output[i]; k < packed_.first_output[i + 1]; ++k) {
      const std::size_t output = first_output_[packed_boosters_[i]] + k - packed_.first_output[i];
      std::copy_n(work.sums.get() + k * kForestBlock, count, margins + output * margin_stride);
    }
  }
  for (const std::size_t b : plain_boosters_) {
    walk(boosters_[b], first_output_[b], features, stride, count, margins, margin_stride);
  }
  work.trees_seconds += watch.lap();
}

void ForestRunner::run(const float* features, std::size_t stride, std::size_t count, Workspace& work, float* margins,
                       std::size_t margin_stride) const {
  std::size_t first = 0;
  for (; first + kForestBlock <= count; first += kForestBlock) {
    run_block(features + first, stride, kForestBlock, work, margins + first, margin_stride);
  }
  if (first < count) {
    std::vector<float> rest(feature_count_ * kForestBlock, 0.0f);
    for (std::size_t f = 0; f < feature_count_; ++f) {
      std::copy_n(features + f * stride + first, count - first, &rest[f * kForestBlock]);
    }
    run_block(rest.data(), kForestBlock, count - first, work, margins + first, margin_stride);
  }
  const Stopwatch watch;
  for (std::size_t i = 0; i < foreign_boosters_.size(); ++i) {
    const std::size_t b = foreign_boosters_[i];
    ask_xgboost(boosters_[b], first_output_[b], work.foreign[i], features, stride, count, margins, margin_stride);
  }
  work.trees_seconds += watch.seconds();
}

}  // namespace elver::engine
