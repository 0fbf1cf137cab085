#include "forest/objective.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace elver::forest {
namespace {

constexpr auto kObjectives = std::to_array<Objective>({
    {"reg:squarederror", Link::identity, Transform::identity},
    {"reg:linear", Link::identity, Transform::identity},  // its name before 0.83, still accepted
    {"reg:squaredlogerror", Link::identity, Transform::identity},
    {"reg:pseudohubererror", Link::identity, Transform::identity},
    {"reg:absoluteerror", Link::identity, Transform::identity},
    {"reg:quantileerror", Link::identity, Transform::identity},
    {"reg:expectileerror", Link::steps, Transform::steps},
    {"reg:logistic", Link::logit, Transform::sigmoid},
    {"reg:gamma", Link::log, Transform::exponential},
    {"reg:tweedie", Link::log, Transform::exponential},
    {"count:poisson", Link::log, Transform::exponential},
    {"binary:logistic", Link::logit, Transform::sigmoid},
    {"binary:logitraw", Link::identity, Transform::identity},
    {"binary:hinge", Link::identity, Transform::step},
    {"multi:softprob", Link::identity, Transform::softmax},
    {"multi:softmax", Link::identity, Transform::largest},
    {"rank:pairwise", Link::identity, Transform::identity},
    {"rank:ndcg", Link::identity, Transform::identity},
    {"rank:map", Link::identity, Transform::identity},
    {"survival:cox", Link::log, Transform::exponential},
    {"survival:aft", Link::log, Transform::exponential},
});

constexpr Objective kSortedQuantiles{"reg:quantileerror", Link::identity, Transform::sorted};

constexpr float kEdge = 1e-6F;  ///< XGBoost's smallest distance of a probability from 0 and 1, and of two expectiles

float softplus(float x) { return std::fmax(x, 0.0F) + std::log1p(std::exp(-std::fabs(x))); }
float inverse_softplus(float x) { return x + std::log(-std::expm1(-x)); }

float sigmoid(float margin) {
  const float x = std::min(-margin, 88.7F);  // expf overflows beyond
  return 1.0F / (std::exp(x) + 1.0F + 1e-16F);
}

/// The sum in double and the quotient in float, as XGBoost has it.
void softmax(std::span<float> row) {
  float largest = row[0];
  for (const float x : row) largest = std::fmax(x, largest);
  double sum = 0;
  for (float& x : row) {
    x = std::exp(x - largest);
    sum += static_cast<double>(x);
  }
  for (float& x : row) x /= static_cast<float>(sum);
}

}  // namespace

const Objective* find_objective(std::string_view name, bool sorted_quantiles) {
  if (sorted_quantiles && name == kSortedQuantiles.name) return &kSortedQuantiles;
  const auto found = std::ranges::find(kObjectives, name, &Objective::name);
  return found != kObjectives.end() ? &*found : nullptr;
}

bool to_margins(Link link, std::span<float> base_scores) {
  if (!std::ranges::all_of(base_scores, [](float score) { return std::isfinite(score); })) return false;
  switch (link) {
    case Link::identity:
      return true;
    case Link::log:
      for (float& score : base_scores) {
        if (score < 0) return false;
        score = std::log(score);
      }
      return true;
    case Link::logit:
      for (float& score : base_scores) {
        if (score < 0 || score > 1) return false;
        // Since 3.2 XGBoost bounds it, so that labels of one class alone give a finite margin.
        const float p = std::min(std::max(score, kEdge), 1.0F - kEdge);
        score = -std::log(1.0F / p - 1.0F);
      }
      return true;
    case Link::steps:
      for (std::size_t i = base_scores.size(); i-- > 1;) {
        base_scores[i] = inverse_softplus(std::max(base_scores[i] - base_scores[i - 1] - kEdge, kEdge));
      }
      return true;
  }
  return false;
}

void apply(Transform transform, std::span<float> margins, std::size_t outputs) {
  switch (transform) {
    case Transform::identity:
      return;
    case Transform::sigmoid:
      std::ranges::transform(margins, margins.begin(), sigmoid);
      return;
    case Transform::exponential:
      std::ranges::transform(margins, margins.begin(), [](float x) { return std::exp(x); });
      return;
    case Transform::step:
      std::ranges::transform(margins, margins.begin(), [](float x) { return x > 0.0F ? 1.0F : 0.0F; });
      return;
    default:
      break;
  }
  for (std::size_t i = 0; i + outputs <= margins.size(); i += outputs) {
    const std::span<float> row = margins.subspan(i, outputs);
    if (transform == Transform::sorted) {
      std::ranges::sort(row, [](float a, float b) { return std::isnan(b) ? !std::isnan(a) : a < b; });
    } else if (transform == Transform::steps) {
      for (std::size_t k = 1; k < outputs; ++k) row[k] = row[k - 1] + (kEdge + softplus(row[k]));
    } else {
      softmax(row);
    }
  }
}

}  // namespace elver::forest
