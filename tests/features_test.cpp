#include "elver/features.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "features/features.hpp"
#include "support.hpp"
#include "types/text.hpp"

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

// A channel up to two steps of the grid wide, and the 5 % that dispersions are off by, is taken; a wider one has averaged
// away what the points hold, and a tenth of a step is no longer the same measurement. 0.3125 eV is the real files'.
TEST(Plan, RefusesChannelsThatAreTooCoarseForItsPointsWithTheNumbers) {
  const auto plan = [](double spacing, double dispersion) {
    const EnergyAxis axis{480.0, dispersion, static_cast<std::size_t>(120 / dispersion)};
    const Plan made(model_with({}, {525.0, 563.0, static_cast<std::size_t>(std::lround(38 / spacing))}), axis);
    return made.feature_count();
  };
  for (const auto& [spacing, dispersion] : {std::pair{0.2, 0.3125}, {0.25, 0.3125}, {0.25, 0.1}, {0.25, 0.5}, {0.25, 0.52}})
    EXPECT_GT(plan(spacing, dispersion), 0U) << spacing << " " << dispersion;
  for (const auto& [spacing, dispersion] : {std::pair{0.25, 0.6}, {0.25, 0.53}, {0.2, 0.625}, {0.25, 0.02}}) {
    try {
      plan(spacing, dispersion);
      ADD_FAILURE() << spacing << " " << dispersion;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::mismatch);
      EXPECT_THAT(error.what(), testing::HasSubstr(text("%g eV a channel", dispersion)));
      EXPECT_THAT(error.what(), testing::HasSubstr(text("%g eV apart", spacing)));
    }
  }
}

/// The rules as one would write them down, in double precision: interpolate, clip, sum, divide. Empty where there is
/// nothing positive to divide by.
std::vector<double> written_down(const FeatureRule& rule, std::vector<double> points) {
  for (double& y : points) y = rule.clip_negative ? std::max(y, 0.0) : y;
  std::vector<double> out = points;
  if (rule.kind == FeatureKind::cdf) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      out[i] = 0;
      for (std::size_t k = 0; k <= i; ++k) {
        const bool last = k == i;
        if (rule.sum == CdfSum::inclusive) out[i] += points[k];
        if (rule.sum == CdfSum::exclusive && !last) out[i] += points[k];
        if (rule.sum == CdfSum::trapezoid && !last) out[i] += (points[k] + points[k + 1]) / 2;
      }
    }
  }
  double divisor = 1;
  if (rule.divide_by == Divisor::last) divisor = out.back();
  if (rule.divide_by == Divisor::max) divisor = *std::max_element(out.begin(), out.end());
  if (rule.divide_by == Divisor::area) divisor = std::accumulate(points.begin(), points.end(), 0.0);
  if (!(divisor > 0)) return {};
  for (double& value : out) value /= divisor;
  return out;
}

std::vector<FeatureRule> every_rule() {
  std::vector<FeatureRule> out;
  for (const bool clip : {false, true}) {
    for (const CdfSum sum : {CdfSum::inclusive, CdfSum::exclusive, CdfSum::trapezoid}) {
      for (const Divisor divisor : {Divisor::last, Divisor::max, Divisor::none})
        out.push_back({FeatureKind::cdf, sum, divisor, clip});
    }
    for (const Divisor divisor : {Divisor::max, Divisor::area, Divisor::none})
      out.push_back({FeatureKind::raw, CdfSum::inclusive, divisor, clip});
  }
  return out;
}

class EveryRule : public testing::TestWithParam<FeatureRule> {};
INSTANTIATE_TEST_SUITE_P(Features, EveryRule, testing::ValuesIn(every_rule()));

// On axes finer and coarser than the grid, in blocks full or not, with net counts of either sign. Sums of 150 points in
// single precision: a few 1e-7 of the largest; where counts cancel, relative to the largest sum on the way.
TEST_P(EveryRule, IsWhatIsWrittenDown) {
  const FeatureRule rule = GetParam();
  const Edge edge{"O_K", {490, 520}, {525.3, 563, 150}};
  std::mt19937_64 random(9);
  for (const double dispersion : {0.06, 0.2513333, 0.5}) {
    const EnergyAxis axis{480.1, dispersion, static_cast<std::size_t>(90 / dispersion)};
    const Featuriser featuriser(edge, axis, rule);
    const ChannelRange channels = featuriser.channels();
    for (const std::size_t count : {std::size_t{1}, std::size_t{7}, kBlock}) {
      std::vector<float> net(channels.size() * kBlock), found(count * 200);
      for (float& y : net) y = std::normal_distribution(random() % 2 == 0 ? 5.0f : 60.0f, 30.0f)(random);
      bool usable[kBlock];
      featuriser.features(net.data(), channels.first, count, found.data(), 200, usable);
      for (std::size_t p = 0; p < count; ++p) {
        std::vector<double> points;
        for (std::size_t i = 0; i < edge.grid.count; ++i) {
          const double at = axis.channel(525.3 + static_cast<double>(i) * (563 - 525.3) / 150);
          const auto left = static_cast<std::size_t>(at);
          const auto y = [&](std::size_t c) {
            return static_cast<double>(net[(std::min(c, channels.last - 1) - channels.first) * kBlock + p]);
          };
          points.push_back(y(left) + (at - static_cast<double>(left)) * (y(left + 1) - y(left)));
        }
        const std::vector<double> expected = written_down(rule, points);
        ASSERT_EQ(usable[p], !expected.empty());
        if (expected.empty()) continue;
        double largest = 0;
        for (const double value : expected) largest = std::max(largest, std::abs(value));
        for (std::size_t i = 0; i < expected.size(); ++i)
          ASSERT_NEAR(static_cast<double>(found[p * 200 + i]), expected[i], 3e-6 * largest) << "point " << i;
      }
    }
  }
}

// Both definitions of a CDF that are in use, by hand: Chen et al. divide the running sum by its largest value; the
// other sums the points before, so that it starts at 0.
TEST(CdfDefinitions, ByHand) {
  const EnergyAxis axis{500, 1, 40};
  const Edge edge{"O_K", {500, 505}, {520, 524, 4}};
  const auto features = [&](const FeatureRule& rule) {
    std::vector<float> net(4 * kBlock, 0.0f), out(4);
    const float counts[] = {1, 4, 5, -2};
    for (std::size_t c = 0; c < 4; ++c) net[c * kBlock] = counts[c];
    bool usable[kBlock];
    Featuriser(edge, axis, rule).features(net.data(), 520 - 500, 1, out.data(), 4, usable);
    return out;
  };
  using testing::ElementsAre;
  EXPECT_THAT(features({FeatureKind::cdf, CdfSum::inclusive, Divisor::max, false}),
              ElementsAre(0.1f, 0.5f, 1.0f, 0.8f));
  EXPECT_THAT(features({FeatureKind::cdf, CdfSum::exclusive, Divisor::max, false}),
              ElementsAre(0.0f, 0.1f, 0.5f, 1.0f));
  EXPECT_THAT(features({FeatureKind::cdf, CdfSum::inclusive, Divisor::last, true}),
              ElementsAre(0.1f, 0.5f, 1.0f, 1.0f));
  EXPECT_THAT(features({FeatureKind::cdf, CdfSum::inclusive, Divisor::last, false}),
              ElementsAre(0.125f, 0.625f, 1.25f, 1.0f));
}

// An edge that is not there, or has nothing to be divided by, has the features of the constant line 0.1.
TEST_P(EveryRule, GivesAnAbsentEdgeTheFeaturesOfAConstantLine) {
  const FeatureRule rule = GetParam();
  const EnergyAxis axis{480, 0.25, 400};
  const Grid grid{525, 563, 150};
  std::mt19937_64 random(3);
  std::vector<float> counts(axis.size);
  for (std::size_t c = 0; c < axis.size; ++c) {
    const double mean = 500 * std::pow(axis.energy(static_cast<double>(c)) / 500.0, -3.0);
    counts[c] = static_cast<float>(std::poisson_distribution<>(mean)(random));
  }
  const Plan plan(model_with(rule, grid), axis);
  TileFeatures out;
  plan.extract({counts.data() + plan.channels().first, 1, plan.channels()}, {}, out);
  EXPECT_EQ(out.status[0], PixelStatus::edge_absent);
  EXPECT_EQ(out.fits[0].status, PixelStatus::edge_absent);
  const std::vector<double> line = written_down(rule, std::vector<double>(grid.count, 0.1));
  for (std::size_t i = 0; i < grid.count; ++i)
    EXPECT_NEAR(static_cast<double>(out.features[i]), line[i], 1e-6 * line[i]);
}

}  // namespace
}  // namespace elver
