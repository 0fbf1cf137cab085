#include "elver/explain.hpp"

#include <algorithm>
#include <cmath>

#include "elver/background.hpp"
#include "elver/core/features.hpp"
#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "features/features.hpp"
#include "forest/xgboost_api.hpp"
#include "model/model.hpp"
#include "types/piecewise_linear.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// Features of the model's mean spectra: what a linear part is explained against. An edge without one: the absent edge's.
std::vector<double> reference_features(const Model& model) {
  std::vector<double> out;
  for (const Edge& edge : model.edges) {
    const ReferenceSpectrum* reference = nullptr;
    for (const ReferenceSpectrum& r : model.references) reference = r.edge == edge.name ? &r : reference;
    core::Accumulator<double> sums;
    std::vector<double> points;
    for (std::size_t i = 0; i < edge.grid.count; ++i) {
      const bool known = reference != nullptr && reference->energy_ev.size() > 1;
      const double value = known ? piecewise_linear<float, float>(reference->energy_ev, reference->intensity, edge.grid.energy(i)) : kAbsentLine;
      points.push_back(core::accumulate(sums, value, model.features, i == 0));
    }
    for (const double point : points) out.push_back(sums.divisor > 0 ? point / sums.divisor : 0.0);
  }
  return out;
}

/// Adds `factor` times an output of a linear function.
void add_linear(const LinearBase& linear, std::size_t output, double factor, std::span<const float> features,
                const std::vector<double>& reference, OutputExplanation& out) {
  const std::size_t width = linear.feature_count();
  out.bias += factor * static_cast<double>(linear.intercept[output]);
  for (std::size_t i = 0; i < width; ++i) {
    const double weight = factor * static_cast<double>(linear.weights[output * width + i]);
    out.bias += weight * reference[i];
    out.linear[i] += weight * (static_cast<double>(features[i]) - reference[i]);
  }
}

/// Adds the gated term of output `k`. A product of two linear functions is shared out exactly: what one feature moves
/// in either factor counts times the mean of the other factor at the pixel and at the reference (Shapley's value).
void add_gated(const GatedTerm& term, std::size_t outputs, std::size_t k, std::span<const float> features,
               std::span<const float> snr, const std::vector<double>& reference, OutputExplanation& out) {
  std::vector<float> values(term.linear.intercept.size());
  term.linear.values(features, 1, values);
  const std::size_t width = term.linear.feature_count();
  const auto at_reference = [&](std::size_t output) {
    double sum = static_cast<double>(term.linear.intercept[output]);
    for (std::size_t i = 0; i < width; ++i)
      sum += static_cast<double>(term.linear.weights[output * width + i]) * reference[i];
    return sum;
  };
  for (std::size_t j = 0; j < term.gate_count(); ++j) {
    const double gate = term.gate(j, values.data(), 1, snr);
    const std::size_t output = term.projections + j * outputs + k;
    if (j < term.levels.size()) {
      add_linear(term.linear, output, gate, features, reference, out);
      continue;
    }
    const std::size_t projection = j - term.levels.size();
    const double free_now = static_cast<double>(values[projection]), free_then = at_reference(projection);
    const double then = std::clamp(free_then, -kWidestGate, kWidestGate), moved = gate - then;
    const double held = moved == 0 ? 0.0 : moved / (free_now - free_then);  // 1 where the gate is within its bounds
    const double before = at_reference(output), now = static_cast<double>(values[output]);
    out.bias += then * before;
    for (std::size_t i = 0; i < width; ++i) {
      const double difference = static_cast<double>(features[i]) - reference[i];
      out.linear[i] +=
          difference * ((gate + then) / 2 * static_cast<double>(term.linear.weights[output * width + i]) +
                        (now + before) / 2 * held * static_cast<double>(term.linear.weights[projection * width + i]));
    }
  }
}

std::vector<OutputExplanation> explain_task(const Task& task, const std::vector<float>& features, std::span<const float> snr,
                                            const std::vector<double>& reference) {
  const std::size_t outputs = task.booster.output_count(), width = features.size();
  std::vector<float> margins(outputs), base(outputs, 0.0F);
  task_margins(task, features, snr, 1, margins);
  xgboost::DMatrix row(features, 1, width);
  const bool linear = !task.base.empty();
  if (linear) {
    task.base.values(features, 1, base);
    row.set_float("base_margin", base);
  }
  const xgboost::XgbBooster::Prediction shap =
      xgboost::XgbBooster(task.booster).contributions(row, rounds_used(task));
  if (shap.values.size() != outputs * (width + 1)) {
    throw Error(ErrorKind::mismatch, "cannot explain " + task.name,
                text("XGBoost gives %zu contributions where %zu belong", shap.values.size(), outputs * (width + 1)));
  }
  std::vector<OutputExplanation> out;
  std::size_t best = 0;
  for (std::size_t k = 0; k < outputs; ++k) {
    if (margins[k] > margins[best]) best = k;
    OutputExplanation one;
    one.task = one.output = task.name;
    if (!task.classes.empty()) one.output += text(" = %g", task.classes[k]);
    one.margin = static_cast<double>(margins[k]);
    const float* values = shap.values.data() + k * (width + 1);
    one.trees.assign(values, values + width);
    one.linear.assign(width, 0.0);
    one.bias = static_cast<double>(values[width]) - (linear ? static_cast<double>(base[k]) : 0.0);
    if (linear) add_linear(task.base, k, 1.0, features, reference, one);
    if (task.gated) add_gated(*task.gated, outputs, k, features, snr, reference, one);
    out.push_back(std::move(one));
  }
  for (std::size_t k = 0; k < outputs; ++k) out[k].predicted = k == best;
  return out;
}

}  // namespace

Explanation explain_pixel(const Image& image, const Model& model, std::uint64_t row, std::uint64_t column) {
  if (row >= image.rows() || column >= image.columns()) {
    throw Error(ErrorKind::usage, text("no pixel %llu,%llu", static_cast<unsigned long long>(row), static_cast<unsigned long long>(column)),
                text("the image has %llu rows and %llu columns", static_cast<unsigned long long>(image.rows()),
                     static_cast<unsigned long long>(image.columns())),
                "Rows and columns count from 0, after --bin");
  }
  static_cast<void>(xgboost::functions());  // says at once when it is not there
  Explanation out;
  out.row = row;
  out.column = column;
  const std::uint64_t pixel = row * image.columns() + column;
  const PixelRange pixels{pixel, pixel + 1};
  const Plans plans(model, image);
  const ChannelRange channels = plans.channels();
  std::vector<float> counts(channels.size());
  image.read_tile(pixels, channels, counts);
  TileFeatures features;
  plans.extract({pixels, {counts.data(), 1, channels}}, {}, features);
  if (failed(features.status[0])) {
    throw Error(ErrorKind::mismatch, text("pixel %llu,%llu has no value", static_cast<unsigned long long>(row), static_cast<unsigned long long>(column)),
                "its status is " + std::string(name_of(features.status[0])), "Choose another pixel");
  }
  out.features = features.features;
  std::vector<float> snr;
  const EnergyAxis axis = image.energy();
  const double eighth = image.eighths().empty() ? 0.0 : static_cast<double>(image.eighths()[pixel]) / 8;
  for (std::size_t e = 0; e < model.edges.size(); ++e) {
    const EdgeFit& fit = features.fits[e];
    snr.push_back(fit.snr);
    ExplainedEdge view;
    view.edge = model.edges[e];
    view.snr = static_cast<double>(fit.snr);
    view.absent = fit.status == PixelStatus::edge_absent;
    for (std::size_t c = channels.first; c < channels.last; ++c) {
      const double energy = axis.energy(static_cast<double>(c) - eighth);
      if (energy < view.edge.grid.start_ev || energy >= view.edge.grid.stop_ev) continue;
      view.energy_ev.push_back(energy);
      view.net.push_back(static_cast<double>(counts[c - channels.first]) -
                         static_cast<double>(fit.A) * std::pow(energy, -static_cast<double>(fit.r)));
    }
    for (const ReferenceSpectrum& r : model.references) {
      for (std::size_t i = 0; r.edge == view.edge.name && i < r.energy_ev.size(); ++i) {
        view.reference_ev.push_back(static_cast<double>(r.energy_ev[i]));
        view.reference.push_back(static_cast<double>(r.intensity[i]));
      }
    }
    out.edges.push_back(std::move(view));
  }
  const std::vector<double> reference = reference_features(model);
  for (const Task& task : model.tasks) {
    for (OutputExplanation& one : explain_task(task, out.features, snr, reference)) out.outputs.push_back(std::move(one));
  }
  return out;
}

}  // namespace elver
