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
    {"reg:expectileerror", Link::identity, Transform::identity},
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

const Objective* find_objective(std::string_view name) {
  const auto found = std::ranges::find(kObjectives, name, &Objective::name);
  return found != kObjectives.end() ? &*found : nullptr;
}

bool base_margin(Link link, float base_score, float& margin) {
  if (!std::isfinite(base_score)) return false;
  switch (link) {
    case Link::identity:
      margin = base_score;
      return true;
    case Link::log:
      margin = std::log(base_score);
      return base_score >= 0;
    case Link::logit: {
      if (!(base_score >= 0.0F && base_score <= 1.0F)) return false;
      // Since 3.2 XGBoost bounds it by 1e-6, so that labels of one class alone give a finite margin.
      constexpr float kEdge = 1e-6F;
      const float p = std::min(std::max(base_score, kEdge), 1.0F - kEdge);
      margin = -std::log(1.0F / p - 1.0F);
      return true;
    }
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
    case Transform::softmax:
    case Transform::largest:
      for (std::size_t i = 0; i + outputs <= margins.size(); i += outputs) softmax(margins.subspan(i, outputs));
      return;
  }
}

}  // namespace elver::forest
