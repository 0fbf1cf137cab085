#include <algorithm>
#include <numeric>

#include "elver/core/linear.hpp"
#include "elver/error.hpp"
#include "elver/model.hpp"
#include "model/model.hpp"
#include "types/text.hpp"

namespace elver {

std::size_t LinearBase::feature_count() const { return std::accumulate(parts.begin(), parts.end(), std::size_t{0}); }

void LinearBase::values(std::span<const float> features, std::size_t rows, std::span<float> out) const {
  const std::size_t width = feature_count(), outputs = intercept.size();
  if (features.size() != rows * width || out.size() != rows * outputs) {
    throw Error(ErrorKind::mismatch, "cannot compute a linear base",
                text("%zu rows of %zu features and %zu outputs do not fit %zu values in and %zu out", rows, width, outputs,
                     features.size(), out.size()));
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t k = 0; k < outputs; ++k) {
      const float* x = features.data() + r * width;
      const float* w = weights.data() + k * width;
      float total = intercept[k];
      for (const std::size_t part : parts) {
        float sum = 0.0F;
        for (std::size_t i = 0; i < part; ++i) sum = core::add_product(sum, *w++, *x++);
        total = total + sum;
      }
      out[r * outputs + k] = total;
    }
  }
}

double NoiseVariance::at(std::span<const float> snr) const {
  double variance = constant;
  for (std::size_t e = 0; e < per_edge.size(); ++e) {
    const double ratio = std::max(1.0, static_cast<double>(snr[e]));
    variance += per_edge[e] / (ratio * ratio);
  }
  const double noise = levels.empty() ? 0.0 : noise_of(snr);
  for (std::size_t l = 0; l < levels.size(); ++l) variance += per_level[l] * noise / (noise + levels[l]);
  return variance;
}

double Domain::distance(std::span<const float> projected, std::size_t stride, std::span<const float> snr) const {
  double sum = 0;
  for (std::size_t k = 0; k < variance.size(); ++k) {
    const auto value = static_cast<double>(projected[k * stride]);
    sum += value * value / variance[k].at(snr);
  }
  return sum / static_cast<double>(variance.size()) / limit;
}

double noise_of(std::span<const float> snr) {
  double noise = 0;
  for (const float ratio : snr) {
    const double at_least = std::max(1.0, static_cast<double>(ratio));
    noise += 1 / (at_least * at_least);
  }
  return noise;
}

double GatedTerm::gate(std::size_t j, const float* values, std::size_t stride, std::span<const float> snr) const {
  if (j < levels.size()) {
    const double noise = noise_of(snr.subspan(j, 1));
    return noise / (noise + levels[j]);
  }
  return std::clamp(static_cast<double>(values[(j - levels.size()) * stride]), -kWidestGate, kWidestGate);
}

void GatedTerm::add_pixel(const float* values, std::size_t stride, std::span<const float> snr,
                          std::span<float> margins) const {
  for (std::size_t j = 0; j < gate_count(); ++j) {
    const double open = gate(j, values, stride, snr);
    for (std::size_t k = 0; k < margins.size(); ++k) {
      const float linear_value = values[(projections + j * margins.size() + k) * stride];
      margins[k] += static_cast<float>(open * static_cast<double>(linear_value));
    }
  }
}

void GatedTerm::add(std::span<const float> features, std::span<const float> snr, std::size_t rows,
                    std::span<float> margins) const {
  const std::size_t of_all = linear.intercept.size(), outputs = (of_all - projections) / gate_count(),
                    edges = linear.parts.size();
  std::vector<float> values(rows * of_all);
  linear.values(features, rows, values);
  for (std::size_t r = 0; r < rows; ++r) {
    add_pixel(values.data() + r * of_all, 1, snr.subspan(r * edges, edges), margins.subspan(r * outputs, outputs));
  }
}

void task_margins(const Task& task, std::span<const float> features, std::span<const float> snr, std::size_t rows,
                  std::span<float> out) {
  if (task.base.empty()) {
    task.booster.margins(features, rows, out, rounds_used(task));
  } else {
    task.base.values(features, rows, out);
    task.booster.add_trees(features, rows, out, rounds_used(task));
  }
  if (task.gated) task.gated->add(features, snr, rows, out);
}

}  // namespace elver
