#include "elver/features.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "support.hpp"

namespace elver {
namespace {

/// One pixel: an exact power law plus these net counts from channel `first` on.
std::vector<float> spectrum(const EnergyAxis& axis, const std::vector<double>& net, std::size_t first) {
  std::vector<float> counts(axis.size);
  for (std::size_t c = 0; c < axis.size; ++c) {
    double y = 1e4 * std::pow(axis.energy(static_cast<double>(c)) / 500.0, -3.0);
    if (c >= first && c < first + net.size()) y += net[c - first];
    counts[c] = static_cast<float>(y);
  }
  return counts;
}

Model model_with(const FeatureRule& rule, const Grid& grid) {
  Model model;
  model.edges.push_back({"O_K", {490, 520}, grid});
  model.features = rule;
  return model;
}

TEST(Plan, GivesTheFeaturesOfASimplePixel) {
  const EnergyAxis axis{480.0, 1.0, 60};
  const Grid grid{525.0, 530.0, 5};
  const std::vector<float> counts = spectrum(axis, {100, 200, 400, 200, 100}, 45);
  const Plan plan(model_with({}, grid), axis);
  const std::vector<float> tile(counts.begin() + static_cast<long>(plan.channels().first),
                                counts.begin() + static_cast<long>(plan.channels().last));
  TileFeatures out;
  plan.extract({tile.data(), 1, plan.channels()}, {}, out);
  EXPECT_NEAR(out.fits[0].r, 3.0, 1e-4);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(out.features[i], (std::vector{0.1, 0.3, 0.7, 0.9, 1.0})[i], 1e-3);
  EXPECT_EQ(out.status[0], PixelStatus::ok) << name_of(out.status[0]);
}

}  // namespace
}  // namespace elver
