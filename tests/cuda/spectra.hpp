#pragma once
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "elver/model.hpp"
#include "io/strided_image.hpp"
#include "random_booster.hpp"
#include "types/text.hpp"

/// Spectrum images of every number type in both orders, and models of one edge to eight, for contracts between back
/// ends: what they say of matter means nothing.
namespace elver::test {

enum class Order { energy_major, pixel_major };

/// Edge k of a model lies at 500 + 60 k eV: 30 eV of fit window, 20 eV of grid.
inline Model model_of(std::size_t edges, std::size_t points, const std::vector<RandomBooster>& boosters) {
  Model model;
  model.name = "contract";
  for (std::size_t k = 0; k < edges; ++k) {
    const double at = 500.0 + 60.0 * static_cast<double>(k);
    model.edges.push_back({text("E%zu", k), {at - 32.0, at - 2.0}, {at, at + 20.0, points}});
  }
  for (RandomBooster wanted : boosters) {
    wanted.features = edges * points;
    model.tasks.push_back({text("task_%zu", model.tasks.size()), "", {}, false, random_booster(wanted)});
  }
  return model;
}

inline LinearBase random_base(const Model& model, std::size_t outputs, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  LinearBase base;
  for (const Edge& edge : model.edges) base.parts.push_back(edge.grid.count);
  for (std::size_t k = 0; k < outputs; ++k) base.intercept.push_back(normal(random));
  for (std::size_t i = 0; i < outputs * model.feature_count(); ++i) base.weights.push_back(normal(random));
  return base;
}

/// Noisy power laws with steps at the edges. Some pixels are vacuum, some have no edge; with `bad`, some hold NaN or
/// infinity, where the number type has them.
template <class Number>
std::unique_ptr<Image> spectra(NumberType type, Order order, std::uint64_t pixels, bool bad = true, double level = 60,
                               std::size_t edges = 8) {
  constexpr double kFirstEv = 460.0, kPerChannelEv = 0.5;
  const auto channels = static_cast<std::size_t>((500.0 + 60.0 * static_cast<double>(edges) - kFirstEv) / kPerChannelEv);
  const auto values = std::make_shared<std::vector<Number>>(pixels * channels);
  std::mt19937 random(7 + static_cast<unsigned>(pixels));
  std::uniform_real_distribution<double> uniform(0, 1);
  for (std::uint64_t p = 0; p < pixels; ++p) {
    const double thickness = p % 7 == 3 ? 0.0 : 0.3 + uniform(random), height = p % 5 == 1 ? 0.0 : uniform(random);
    const double r = 2.0 + 2.0 * uniform(random);
    for (std::size_t c = 0; c < channels; ++c) {
      const double energy = kFirstEv + kPerChannelEv * static_cast<double>(c);
      double mean = level * std::pow(energy / kFirstEv, -r);
      for (double at = 500; at <= energy; at += 60) mean += 0.3 * level * height * std::exp((at - energy) / 40.0);
      const double value = thickness * mean + std::sqrt(thickness * mean) * (uniform(random) + uniform(random) - 1.0) * 1.7;
      Number number = static_cast<Number>(value < 0 ? 0 : value);
      if constexpr (std::numeric_limits<Number>::has_quiet_NaN) {
        if (bad && p % 11 == 5 && c == 60 + p % 64) {
          number = p % 2 == 0 ? std::numeric_limits<Number>::quiet_NaN() : std::numeric_limits<Number>::infinity();
        }
      }
      (*values)[order == Order::energy_major ? c * pixels + p : p * channels + c] = number;
    }
  }
  ImageInfo info;
  info.type = type;
  info.kind = ImageKind::spectrum_image;
  info.axes = {{"x", "nm", 1, 0, pixels, AxisRole::navigation},
               {"Energy loss", "eV", kPerChannelEv, kFirstEv, channels, AxisRole::energy}};
  info.signal_type = "EELS";
  constexpr auto kBytes = static_cast<std::ptrdiff_t>(sizeof(Number));
  StridedLayout layout;
  layout.bytes.span = std::as_bytes(std::span(*values));
  layout.bytes.owner = values;
  layout.strides = order == Order::energy_major
                       ? std::vector<std::ptrdiff_t>{kBytes, kBytes * static_cast<std::ptrdiff_t>(pixels)}
                       : std::vector<std::ptrdiff_t>{kBytes * static_cast<std::ptrdiff_t>(channels), kBytes};
  return std::make_unique<StridedImage>(std::move(info), std::move(layout));
}

/// Bit for bit; any NaN is as good as another.
inline bool same_bits(const float* a, const float* b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (std::memcmp(a + i, b + i, sizeof(float)) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  }
  return true;
}
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && same_bits(a.data(), b.data(), a.size());
}

}  // namespace elver::test
