#include <gtest/gtest.h>

#include <array>

#include "contract.hpp"
#include "counts_image.hpp"
#include "elver/devices.hpp"
#include "elver/engine.hpp"
#include "elver/maps.hpp"
#include "elver/predict.hpp"
#include "engine/device_loop.hpp"
#include "spectra.hpp"
#include "train/forest_check.hpp"

// Contracts: CUDA gives the plain CPU path's bits. One body for two machines: linked with the kernels that run on the
// processor (cuda_on_host/), and with the library's own, for a GPU.
namespace elver::test {
namespace {

#ifdef ELVER_XGBOOST_ON_HOST  // where device memory is host memory, a libxgboost that takes it for that
const int xgboost_on_host = setenv("ELVER_XGBOOST_LIBRARY", ELVER_XGBOOST_ON_HOST, 0);
#endif

class CudaContract : public ::testing::Test {
 protected:
  void SetUp() override {
    const DeviceList found = list_devices();
    if (found.devices.empty()) GTEST_SKIP() << "no GPU: " << found.why_none;
  }
};

std::string device_name() { return "CUDA on " + list_devices().devices.front().name; }

void expect_same(const MapResult& wanted, const MapResult& found, const std::string& what) {
  EXPECT_EQ(wanted.status, found.status) << what;
  ASSERT_EQ(wanted.maps.size(), found.maps.size());
  for (std::size_t m = 0; m < wanted.maps.size(); ++m) {
    EXPECT_TRUE(same_bits(wanted.maps[m].values, found.maps[m].values)) << what << ", map " << wanted.maps[m].name;
  }
  held("maps", device_name(), what, wanted.maps.size() * wanted.status.size());
}

void expect_same_maps(const Image& image, const Model& model, const std::string& what, bool masked = true) {
  std::vector<std::uint8_t> mask;
  for (std::uint64_t p = 0; masked && p < image.pixels(); ++p) mask.push_back(p % 13 == 2 ? 1 : 0);
  const MapResult plain = map_image(image, model, mask, {.threads = 1, .backend = Backend::cpu});
  const MapResult found = map_image(image, model, mask, {.threads = 1, .backend = Backend::cuda});
  EXPECT_NE(found.computed_on, "CPU");
  expect_same(plain, found, what);
}

template <class Number>
void expect_same_maps(NumberType type) {
  const Model model = model_of(2, 24, {{.trees = 12, .depth = 4}});
  for (const Order order : {Order::energy_major, Order::pixel_major}) {
    for (const std::uint64_t pixels : {1, 31, 33, 1025}) {  // 1025: a full tile and one pixel
      const auto image = spectra<Number>(type, order, pixels, true, 60, 2);
      expect_same_maps(*image, model, std::string(name_of(type)) + ", " + std::to_string(pixels) + " pixels, order " +
                                          std::to_string(static_cast<int>(order)), pixels > 1);
    }
  }
}

// Maps of every number type that counts come in, both orders in memory, pixels that end in the middle of a warp.
TEST_F(CudaContract, MapsOfBytes) { expect_same_maps<std::uint8_t>(NumberType::u8); }
TEST_F(CudaContract, MapsOfUnsignedShorts) { expect_same_maps<std::uint16_t>(NumberType::u16); }
TEST_F(CudaContract, MapsOfShorts) { expect_same_maps<std::int16_t>(NumberType::i16); }
TEST_F(CudaContract, MapsOfIntegers) { expect_same_maps<std::int32_t>(NumberType::i32); }
TEST_F(CudaContract, MapsOfFloats) { expect_same_maps<float>(NumberType::f32); }
TEST_F(CudaContract, MapsOfDoubles) { expect_same_maps<double>(NumberType::f64); }
// A type that no kernel reads goes as float32.
TEST_F(CudaContract, MapsOfLongIntegers) { expect_same_maps<std::int64_t>(NumberType::i64); }

TEST_F(CudaContract, MapsOfOneEdgeToEight) {
  const auto image = spectra<float>(NumberType::f32, Order::energy_major, 97);
  for (std::size_t edges = 1; edges <= 8; ++edges) {
    expect_same_maps(*image, model_of(edges, 17 + edges, {{.trees = 9, .depth = 5}, {.trees = 8, .depth = 3, .outputs = 2, .seed = 2}}),
                     std::to_string(edges) + " edges");
  }
}

TEST_F(CudaContract, MapsByEveryFeatureRule) {
  const auto image = spectra<std::uint16_t>(NumberType::u16, Order::energy_major, 65, true, 60, 2);
  Model model = model_of(2, 20, {{.trees = 9, .depth = 5}});
  for (const FeatureKind kind : {FeatureKind::cdf, FeatureKind::raw}) {
    for (const CdfSum sum : {CdfSum::inclusive, CdfSum::exclusive, CdfSum::trapezoid}) {
      for (const Divisor divisor : {Divisor::last, Divisor::max, Divisor::area, Divisor::none}) {
        for (const bool clip : {false, true}) {
          model.features = {kind, sum, divisor, clip};
          expect_same_maps(*image, model, "rule");
        }
      }
    }
  }
}

// Points closer and wider than channels, points that lie on channels, a variance of counts that is given, other limits.
TEST_F(CudaContract, MapsOfOtherGridsAndLimits) {
  const auto image = spectra<float>(NumberType::f32, Order::pixel_major, 65, true, 60, 2);
  for (const std::size_t points : {14, 40, 60}) {
    Model model = model_of(2, points, {{.trees = 9, .depth = 5}});
    expect_same_maps(*image, model, std::to_string(points) + " points");
    model.background.phi = 2.5;
    model.background.minimum_counts = 3000;
    model.background.r_minimum = 2.5;
    model.background.r_maximum = 3.2;
    model.background.r_standard_errors = 0;
    expect_same_maps(*image, model, std::to_string(points) + " points, other limits");
  }
}

// What maps do not show: every number of every fit, and the features themselves.
void expect_same_fits(std::uint64_t pixels, std::size_t edge_count) {
  SCOPED_TRACE(std::to_string(pixels) + " pixels, " + std::to_string(edge_count) + " edges");
  const auto image = spectra<std::uint16_t>(NumberType::u16, Order::energy_major, pixels, true, 60, edge_count);
  const Model model = model_of(edge_count, 30, {{.trees = 9, .depth = 5}});
  const Plan plan(model, image->energy());
  std::vector<float> counts(plan.channels().size() * pixels);
  image->read_tile({0, pixels}, plan.channels(), counts);
  TileFeatures wanted;
  plan.extract({counts.data(), pixels, plan.channels()}, {}, wanted);

  const engine::BoosterRounds run{&model.tasks[0].booster, 0};
  const engine::DeviceForest forest = engine::pack_device_forest({&run, 1}, engine::Missing::never);
  const engine::DeviceEdges edges = engine::pack_device_edges(model, image->energy(), forest.codes);
  cuda::Job job;
  job.forest = &forest;
  job.edges = &edges;
  job.rows = edges.rows;
  job.all_fits = job.features = true;
  engine::choose_wire(*image, job);
  const std::array<int, 1> devices{0};
  engine::for_each_device_tile(*image, job, devices, {}, {.threads = 1}, "", [&](PixelRange range, const cuda::TileResult& tile) {
    for (std::size_t p = 0; p < tile.rows; ++p) {
      for (std::size_t e = 0; e < edge_count; ++e) {
        const EdgeFit &a = wanted.fits[e * pixels + range.first + p], &b = tile.fits[e * tile.stride + p];
        EXPECT_EQ(a.status, b.status) << p;
        for (std::size_t i = 0; i < 8; ++i) {
          EXPECT_TRUE(same_bits(&a.A + i, &b.A + i, 1))
              << "number " << i << " of the fit of pixel " << p << ", edge " << e << ": " << (&a.A)[i] << " and " << (&b.A)[i];
        }
      }
      if (failed(tile.status[p])) continue;
      for (std::size_t f = 0; f < edges.feature_count; ++f) {
        const float a = wanted.features[(range.first + p) * edges.feature_count + f];
        EXPECT_TRUE(same_bits(&a, &tile.features[f * tile.stride + p], 1)) << "pixel " << p << ", feature " << f;
      }
    }
  });
  held("fits and features", device_name(), std::to_string(pixels) + " pixels, " + std::to_string(edge_count) + " edges",
       pixels * (edge_count * 8 + edges.feature_count));
}

TEST_F(CudaContract, FitsAndFeatures) {
  for (const std::uint64_t pixels : {1, 31, 33, 130}) expect_same_fits(pixels, 3);
  for (const std::size_t edges : {1, 2, 5, 8}) expect_same_fits(33, edges);
}

// Trees on linear bases between trees without one, intervals, and the domain, whose projections have no trees at all.
TEST_F(CudaContract, MapsOnLinearBases) {
  for (const std::uint64_t pixels : {1, 33, 1025}) {
    const auto image = spectra<std::uint16_t>(NumberType::u16, Order::energy_major, pixels, true, 60, 3);
    Model model = model_of(3, 25, {{.trees = 9, .depth = 5}, {.trees = 8, .depth = 3, .outputs = 2, .seed = 2}, {.trees = 7}});
    model.tasks[0].base = random_base(model, 1, 1);
    model.tasks[1].base = random_base(model, 2, 2);
    model.tasks[1].gated = GatedTerm{random_base(model, 12, 4), {0.01, 0.03, 0.2}, 2};
    model.tasks[2].gated = GatedTerm{random_base(model, 2, 5), {}, 1};  // on a booster's own base score
    model.tasks[0].trust = Trust{.error = {0.1, {1, 2, 3}}, .quantile = 1.5};
    model.domain = Domain{random_base(model, 9, 3), std::vector<NoiseVariance>(9, {0.5, {1, 0, 2}}), 1.2};
    expect_same_maps(*image, model, std::to_string(pixels) + " pixels", pixels > 1);
  }
}

void expect_same_predictions(const Booster& booster, std::size_t rows, const std::string& what, bool best = false) {
  const std::size_t width = booster.feature_count();
  CountsImage image(pixel_row(rows), {0, 1, width});
  image.values = trying_rows(booster, rows, 5);
  const PredictOptions options{.margin = true, .best_rounds = best};
  const Prediction plain = predict(booster, image, options, {.threads = 1, .backend = Backend::cpu});
  const Prediction found = predict(booster, image, options, {.threads = 1, .backend = Backend::cuda});
  EXPECT_TRUE(same_bits(plain.values, found.values)) << what;
  held("margins", device_name(), what, plain.values.size());
}

// Every depth template, deeper trees, NaN features, rows that end in the middle of a lane's four.
TEST_F(CudaContract, MarginsOfEveryDepth) {
  for (std::size_t depth = 1; depth <= 10; ++depth) {
    const Booster booster = random_booster({.trees = 11, .depth = depth, .seed = static_cast<std::uint32_t>(depth)});
    for (const std::size_t rows : {1, 2, 31, 33, 128, 129}) {
      expect_same_predictions(booster, rows, "depth " + std::to_string(depth) + ", " + std::to_string(rows) + " rows");
    }
  }
}

// Trees as deep as they like: grown leaf by leaf, of more leaves than a byte counts, chains.
TEST_F(CudaContract, MarginsOfLargeTrees) {
  for (const std::size_t leaves : {100, 255, 600}) {
    RandomBooster wanted{.features = 5, .trees = 5, .depth = 99, .leaves = leaves};
    expect_same_predictions(random_booster(wanted), 129, std::to_string(leaves) + " leaves");
    wanted.categorical = wanted.vector_leaves = true;
    wanted.outputs = 3;
    expect_same_predictions(random_booster(wanted), 33, std::to_string(leaves) + " leaves, vectors, categories");
  }
  expect_same_predictions(random_booster({.trees = 2, .depth = 256, .leaf_chance = 1}), 33, "chain of depth 256");
}

TEST_F(CudaContract, MarginsOfCategoriesVectorsWeightsAndOddThresholds) {
  expect_same_predictions(random_booster({.categorical = true}), 200, "categorical");
  expect_same_predictions(random_booster({.outputs = 3, .vector_leaves = true}), 200, "vector leaves");
  expect_same_predictions(random_booster({.dart = true}), 200, "dart");
  expect_same_predictions(random_booster({.odd_thresholds = true}), 200, "odd thresholds");
  expect_same_predictions(random_booster({.features = 3, .trees = 200, .thresholds = 700}), 200, "more than 254 thresholds");
  expect_same_predictions(random_booster({.trees = 60, .depth = 3, .outputs = 20}), 200, "more outputs than warps");
}

/// On the processor XGBoost's bits are elver's; a GPU of its own sums leaves before it adds them to what they begin with.
void expect_near(const std::vector<float>& wanted, const std::vector<float>& found, const std::string& what) {
#ifdef ELVER_XGBOOST_ON_HOST
  EXPECT_TRUE(same_bits(wanted, found)) << what;
#else
  ASSERT_EQ(wanted.size(), found.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i]) && std::isnan(found[i])) continue;
    ASSERT_NEAR(wanted[i], found[i], 1e-5F * std::fmax(1.0F, std::fabs(wanted[i]))) << what;
  }
#endif
}

// XGBoost's predictor reads the features that the kernels left in device memory: failed and masked pixels, linear bases,
// tiles that end anywhere.
TEST_F(CudaContract, XgboostWalksTheTreesOfMaps) {
  if (!xgboost::available()) GTEST_SKIP() << "needs XGBoost: " << xgboost::library().problem;
  for (const std::uint64_t pixels : {1, 33, 2049}) {
    const auto image = spectra<std::uint16_t>(NumberType::u16, Order::energy_major, pixels, true, 60, 3);
    Model model = model_of(3, 25, {{.trees = 9, .depth = 5}, {.trees = 8, .depth = 3, .outputs = 2, .seed = 2}, {.trees = 7}});
    model.tasks[1].base = random_base(model, 2, 2);
    model.tasks[1].gated = GatedTerm{random_base(model, 12, 4), {0.01, 0.03, 0.2}, 2};
    model.domain = Domain{random_base(model, 9, 3), std::vector<NoiseVariance>(9, {0.5, {1, 0, 2}}), 1.2};
    std::vector<std::uint8_t> mask;
    for (std::uint64_t p = 0; p < pixels; ++p) mask.push_back(p % 13 == 2 ? 1 : 0);
    const MapResult wanted = map_image(*image, model, mask, {.threads = 1, .backend = Backend::cpu});
    const MapResult found =
        map_image(*image, model, mask, {.threads = 1, .backend = Backend::cuda, .forest = ForestEngine::xgboost});
    EXPECT_NE(found.computed_on, "CPU");
    EXPECT_EQ(found.forest, xgboost::name());
    EXPECT_EQ(wanted.status, found.status);
    for (std::size_t m = 0; m < wanted.maps.size(); ++m)
      expect_near(wanted.maps[m].values, found.maps[m].values, wanted.maps[m].name + ", " + std::to_string(pixels));
  }
}

TEST_F(CudaContract, XgboostWalksTheTreesOfRows) {
  if (!xgboost::available()) GTEST_SKIP() << "needs XGBoost: " << xgboost::library().problem;
  const Booster booster = random_booster({.trees = 30, .depth = 12, .outputs = 2});
  for (const std::size_t rows : {1, 33, 3000}) {
    CountsImage image(pixel_row(rows), {0, 1, booster.feature_count()});
    image.values = trying_rows(booster, rows, 5);
    const RunContext on_device{.threads = 1, .backend = Backend::cuda, .forest = ForestEngine::xgboost};
    const Prediction wanted = predict(booster, image, {.margin = true}, {.threads = 1, .backend = Backend::cpu});
    expect_near(wanted.values, predict(booster, image, {.margin = true}, on_device).values, std::to_string(rows) + " rows");
  }
  // What XGBoost runs on the CPU only is refused on a GPU, and goes to the CPU where nobody insists.
  const Booster dart = random_booster({.dart = true});
  CountsImage image(pixel_row(3), {0, 1, dart.feature_count()});
  image.values = trying_rows(dart, 3, 5);
  EXPECT_THROW(predict(dart, image, {}, {.threads = 1, .backend = Backend::cuda, .forest = ForestEngine::xgboost}), Error);
  EXPECT_EQ(predict(dart, image, {}, {.threads = 1, .forest = ForestEngine::xgboost}).values,
            predict(dart, image, {}, {.threads = 1, .backend = Backend::cpu}).values);
}

}  // namespace
}  // namespace elver::test
