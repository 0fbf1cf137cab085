#include "elver/maps.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "elver/error.hpp"
#include "map_samples.hpp"
#include "support.hpp"
#include "types/ranked.hpp"

namespace elver::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names(const MapResult& result) {
  std::vector<std::string> out;
  for (const Map& map : result.maps) out.push_back(map.name);
  return out;
}
const Map& map_of(const MapResult& result, const std::string& name) {
  for (const Map& map : result.maps) {
    if (map.name == name) return map;
  }
  throw std::out_of_range(name);
}
std::uint64_t total(const MapResult& result) {
  std::uint64_t n = 0;
  for (const std::uint64_t count : result.status_counts) n += count;
  return n;
}
/// Bit for bit, NaN included.
bool same(const MapResult& a, const MapResult& b) {
  if (a.status != b.status || a.maps.size() != b.maps.size()) return false;
  for (std::size_t m = 0; m < a.maps.size(); ++m) {
    const auto &x = a.maps[m].values, &y = b.maps[m].values;
    if (x.size() != y.size() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) != 0) return false;
  }
  return true;
}

// A regression keeps its name, classes come with their probabilities, a binary task is one probability; fits follow.
TEST(Maps, AreNamedByTaskThenByEdge) {
  const MapResult result = map_image(sample(2, 3), sample_model(), {}, {});
  EXPECT_THAT(names(result),
              ElementsAre("li_content", "count_Ni", "probability_count_Ni_0", "probability_count_Ni_2",
                          "probability_count_Ni_5", "probability_oxygen_vacancy", "A_O_K", "r_O_K", "snr_O_K"));
  EXPECT_EQ(result.rows, 2U);
  EXPECT_EQ(result.columns, 3U);
  EXPECT_EQ(map_of(result, "li_content").unit, "Li per formula unit");
  EXPECT_THAT(map_of(result, "count_Ni").classes, ElementsAre(0, 2, 5));
}

// Intervals, sets, calibrated probabilities and the domain stand beside the values that they are of.
TEST(Maps, SayHowFarTheyCanBeTrusted) {
  Model model = sample_model();
  model.tasks[0].trust = Trust{.error = {0.04, {0}}, .quantile = 1.5};
  model.tasks[1].trust = Trust{.error = {}, .least_probability = 0.04};
  model.tasks[2].trust = Trust{.error = {}, .slope = 2, .offset = -1};
  // One projection, the middle of the CDF: an early pixel lies at 1, a late one at 0.
  LinearBase middle{{kFeatures}, {0.0F}, std::vector<float>(kFeatures, 0.0F)};
  middle.weights[kMiddle] = 1.0F;
  model.domain = Domain{middle, {{1.0, {0.0}}}, 0.5};
  const MapResult result = map_image(sample(2, 3), model, {}, {});
  for (std::size_t p = 0; p < 6; ++p) {
    const bool late = p % 3 == 0;
    const double li = static_cast<double>(map_of(result, "li_content").values[p]);
    EXPECT_NEAR(static_cast<double>(map_of(result, "li_content_low").values[p]), li - 0.3, 1e-6);
    EXPECT_NEAR(static_cast<double>(map_of(result, "li_content_high").values[p]), li + 0.3, 1e-6);
    // Margins 0, 0, 3 give probabilities .045, .045, .91.
    EXPECT_EQ(map_of(result, "count_Ni_set_size").values[p], 3.0F);
    const double margin = 2 * (late ? -2.0 : 2.0) - 1;
    EXPECT_NEAR(static_cast<double>(map_of(result, "probability_oxygen_vacancy").values[p]), 1 / (1 + std::exp(-margin)),
                1e-6);
    EXPECT_EQ(map_of(result, "in_domain").values[p], late ? 1.0F : 0.0F);
    EXPECT_NEAR(static_cast<double>(map_of(result, "domain_distance").values[p]), late ? 0 : 2, 0.2);
  }
  EXPECT_THAT(result.notes, Contains(HasSubstr("4 of 6 pixels are unlike")));
  // A gated term is added after the trees: a function times the edge's gate, which opens with its noise.
  const float before = map_of(result, "li_content").values[0];
  model.tasks[0].gated = GatedTerm{{{kFeatures}, {1.0F}, std::vector<float>(kFeatures, 0.0F)}, {0.5}};
  const MapResult with = map_image(sample(2, 3), model, {}, {});
  const double noise = noise_of(std::span(&map_of(with, "snr_O_K").values[0], 1));
  EXPECT_GT(noise, 0);
  EXPECT_NEAR(static_cast<double>(map_of(with, "li_content").values[0] - before), noise / (noise + 0.5), 1e-6);
  // A projection is a gate up to 4: here it is 1 in one task and 9 in another, its function 0.25.
  const std::vector<float> flat(2 * kFeatures, 0.0F);
  for (const float projection : {1.0F, 9.0F}) {
    model.tasks[0].gated = GatedTerm{{{kFeatures}, {projection, 0.25F}, flat}, {}, 1};
    const MapResult moved = map_image(sample(2, 3), model, {}, {});
    EXPECT_NEAR(static_cast<double>(map_of(moved, "li_content").values[0] - before),
                0.25 * std::min(4.0, static_cast<double>(projection)), 1e-6);
  }
  model.tasks[1].trust->least_probability = 0.5;
  EXPECT_EQ(map_of(map_image(sample(2, 3), model, {}, {}), "count_Ni_set_size").values[1], 1.0F);
}

// The stumps look at the middle of the CDF, which is near 1 in early pixels and near 0 in late ones.
TEST(Maps, HoldWhatTheTreesSayOfEachPixel) {
  const MapResult result = map_image(sample(4, 5), sample_model(), {}, {});
  const float e3 = std::exp(3.0F), e2 = std::exp(2.0F);
  for (std::size_t p = 0; p < 20; ++p) {
    const bool late = p % 3 == 0;
    EXPECT_EQ(map_of(result, "li_content").values[p], late ? 0.75F : 0.25F) << p;
    EXPECT_EQ(map_of(result, "count_Ni").values[p], late ? 5.0F : 2.0F) << p;
    EXPECT_NEAR(map_of(result, "probability_count_Ni_2").values[p], (late ? 1 : e3) / (e3 + 2), 1e-6) << p;
    EXPECT_NEAR(map_of(result, "probability_oxygen_vacancy").values[p], (late ? 1 : e2) / (e2 + 1), 1e-6) << p;
    EXPECT_NEAR(map_of(result, "r_O_K").values[p], 3.0, 0.01) << p;  // the noise-free law behind the sample
    EXPECT_GT(map_of(result, "snr_O_K").values[p], 10.0) << p;
    EXPECT_EQ(result.status[p], PixelStatus::ok) << p;
  }
}

TEST(Maps, FailedPixelIsNaNInEveryMapAndSpoilsNoOther) {
  MemoryImage image = sample(3, 4);
  blank(image, 5);
  image.counts()[7 * kChannels + 50] = std::numeric_limits<float>::infinity();
  std::vector<std::uint8_t> mask(12, 0);
  mask[2] = 1;
  const MapResult clean = map_image(sample(3, 4), sample_model(), {}, {});
  const MapResult result = map_image(image, sample_model(), mask, {});
  EXPECT_EQ(result.status[2], PixelStatus::masked);
  EXPECT_TRUE(failed(result.status[5]));
  EXPECT_EQ(result.status[7], PixelStatus::not_finite);
  for (std::size_t m = 0; m < result.maps.size(); ++m) {
    for (std::size_t p = 0; p < 12; ++p) {
      const float value = result.maps[m].values[p];
      if (p == 2 || p == 5 || p == 7) {
        EXPECT_TRUE(std::isnan(value)) << result.maps[m].name << " " << p;
      } else {
        EXPECT_EQ(value, clean.maps[m].values[p]) << result.maps[m].name << " " << p;
      }
    }
  }
  EXPECT_EQ(total(result), 12U);
  EXPECT_EQ(result.status_counts[1], 1U);
}

TEST(Maps, AreTheSameBitsForAnyNumberOfThreadsAndAnyMemory) {
  MemoryImage image = sample(50, 61);
  for (std::uint64_t p = 0; p < image.pixels(); p += 7) blank(image, p);
  const Model model = sample_model();
  const MapResult one = map_image(image, model, {}, {.threads = 1});
  EXPECT_TRUE(same(one, map_image(image, model, {}, {.threads = 2})));
  EXPECT_TRUE(same(one, map_image(image, model, {}, {.threads = 7})));
  EXPECT_TRUE(same(one, map_image(image, model, {}, {.threads = 2, .memory_bytes = 400'000})));
  EXPECT_EQ(total(one), image.pixels());
}

TEST(Maps, LineScanAndSingleSpectrumAreMapsToo) {
  const MemoryImage line = sample({navigation("x", "nm", 0.4, 9)});
  const MapResult scan = map_image(line, sample_model(), {}, {});
  EXPECT_EQ(scan.rows, 1U);
  EXPECT_EQ(scan.columns, 9U);
  EXPECT_EQ(map_of(scan, "li_content").values[3], 0.75F);
  EXPECT_EQ(map_axes(line).first.size, 1U);
  EXPECT_EQ(map_axes(line).second.scale, 0.4);
  const MapResult one = map_image(sample(std::vector<Axis>{}), sample_model(), {}, {});
  EXPECT_EQ(one.rows, 1U);
  EXPECT_EQ(one.columns, 1U);
  EXPECT_EQ(map_of(one, "li_content").values[0], 0.75F);
}

TEST(Maps, SeveralOutputsAreNumbered) {
  Model model = sample_model();
  model.tasks = {{"content",
                  "",
                  {},
                  false,
                  stumps("reg:squarederror", kFeatures, 2, {{kMiddle, 0.5, 1, 2, 0}, {kMiddle, 0.5, 3, 4, 1}})}};
  const MapResult result = map_image(sample(1, 2), model, {}, {});
  EXPECT_EQ(map_of(result, "content_0").values[0], 1.0F);
  EXPECT_EQ(map_of(result, "content_1").values[0], 3.0F);
  EXPECT_EQ(map_of(result, "content_1").values[1], 4.0F);
}

TEST(Maps, BestIterationIsUsedWhereAskedForAndToldWhereNot) {
  Model model = sample_model();
  const std::vector<Stump> two{{kMiddle, 0.5, 1, 1, 0}, {kMiddle, 0.5, 10, 10, 0}};
  model.tasks = {{"t", "", {}, false, stumps("reg:squarederror", kFeatures, 1, two, 0)}};
  const MapResult all = map_image(sample(1, 2), model, {}, {});
  EXPECT_EQ(map_of(all, "t").values[1], 11.0F);
  EXPECT_THAT(all.notes, Contains(HasSubstr("iteration 0")));
  model.tasks[0].best_rounds = true;
  const MapResult best = map_image(sample(1, 2), model, {}, {});
  EXPECT_EQ(map_of(best, "t").values[1], 1.0F);
  EXPECT_THAT(best.notes, IsEmpty());
}

TEST(Maps, SayWhenMostPixelsFail) {
  MemoryImage image = sample(1, 5);
  for (std::uint64_t p = 0; p < 4; ++p) blank(image, p);
  EXPECT_THAT(map_image(image, sample_model(), {}, {}).notes, Contains(HasSubstr("4 of 5 pixels")));
}

TEST(Maps, RefuseWhatDoesNotFit) {
  const auto kind_of = [](const Image& image, const Model& model, RunContext context) {
    try {
      map_image(image, model, {}, context);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::usage;
  };
  const MemoryImage image = sample(2, 2);
  Model model = sample_model();
  model.edges[0].grid.count = kFeatures + 1;
  EXPECT_EQ(kind_of(image, model, {}), ErrorKind::mismatch);  // boosters take another number of features
  model = sample_model();
  model.edges[0].grid.stop_ev = 700;
  EXPECT_EQ(kind_of(image, model, {}), ErrorKind::mismatch);  // off the axis
  model = sample_model();
  model.tasks[1].classes = {1, 2};
  EXPECT_EQ(kind_of(image, model, {}), ErrorKind::input);
  model = sample_model();
  model.tasks[0].name = "status";
  EXPECT_EQ(kind_of(image, model, {}), ErrorKind::input);
  EXPECT_EQ(kind_of(image, sample_model(), {.memory_bytes = 20}), ErrorKind::resources);
  const std::atomic<bool> stop{true};
  EXPECT_EQ(kind_of(image, sample_model(), {.interrupted = &stop}), ErrorKind::interrupted);
}

// What --keep edges writes: the counts without their background, negative ones kept.
TEST(Maps, NetEdgeIsWhatLiesAboveTheBackground) {
  MemoryImage image = sample(2, 3);
  blank(image, 4);
  const Model model = sample_model();
  const MapResult result = map_image(image, model, {}, {});
  const std::unique_ptr<Image> net = net_edge(image, model, result, 0);
  EXPECT_EQ(net->info().title, "edge_O_K");
  EXPECT_EQ(net->info().axes.back().offset, 490.0);
  EXPECT_EQ(net->channels(), 160U);  // 490:570 in steps of 0.5 eV
  std::vector<float> spectra(6 * 160);
  net->read({0, 6}, {0, 160}, std::as_writable_bytes(std::span(spectra)));
  for (std::size_t c = 0; c < 160; ++c) {
    const double energy = 490 + 0.5 * static_cast<double>(c);
    const double wanted = energy >= 530 && energy < 550 ? 400 : 0;
    EXPECT_NEAR(spectra[160 + c], wanted, 1.0) << energy;  // 0.2 % of the background: the fit of noise-free counts
    EXPECT_TRUE(std::isnan(spectra[4 * 160 + c]));
  }
}

TEST(Maps, SpreadIsOverThePixelsWithAValue) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const MapSpread spread = spread_of({"m", "", {3, nan, 1, 2, nan, 10}});
  EXPECT_EQ(spread.values, 4U);
  EXPECT_EQ(spread.minimum, 1);
  EXPECT_EQ(spread.median, 2.5);
  EXPECT_EQ(spread.maximum, 10);
  EXPECT_EQ(spread_of({"m", "", {nan}}).values, 0U);
}

TEST(Ranked, IsWhatSortingPutsThere) {
  std::mt19937 random(4);
  std::normal_distribution<float> values(0, 1), narrow(3, 1e-4F);
  std::uniform_int_distribution<int> classes(0, 4);
  const std::vector<std::function<float()>> kinds{[&] { return values(random); }, [&] { return narrow(random); },
                                                  [&] { return static_cast<float>(classes(random)); },
                                                  [&] { return std::exp2(20 * values(random)); }};
  for (const auto& kind : kinds) {
    for (const std::size_t count : {1, 2, 99, 3000}) {
      std::vector<float> some, sorted;
      for (std::size_t i = 0; i < count; ++i) some.push_back(kind());
      some.insert(some.begin(), {NAN, INFINITY});
      some.push_back(-INFINITY);
      std::ranges::copy_if(some, std::back_inserter(sorted), [](float v) { return std::isfinite(v); });
      std::ranges::sort(sorted);
      const Ranked ranked(some);
      ASSERT_EQ(ranked.size(), count);
      EXPECT_EQ(ranked.least(), sorted.front());
      EXPECT_EQ(ranked.most(), sorted.back());
      for (std::size_t i = 0; i < count; i += 1 + count / 20) EXPECT_EQ(ranked.at(i), sorted[i]) << i << " of " << count;
    }
  }
  EXPECT_EQ(Ranked(std::vector<float>{NAN}).size(), 0u);
}

}  // namespace
}  // namespace elver::test
