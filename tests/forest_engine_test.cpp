#include <cmath>
#include <cstring>
#include <random>

#include "counts_image.hpp"
#include "cuda/spectra.hpp"
#include "elver/maps.hpp"
#include "elver/predict.hpp"
#include "forest_support.hpp"
#include "train/forest_check.hpp"

// --forest own and --forest xgboost: the same bits for what both can run, and what only XGBoost runs.
namespace elver {
namespace {

using namespace elver::test;
using ::testing::HasSubstr;

#define NEEDS_XGBOOST() \
  if (!xgboost::available()) GTEST_SKIP() << "needs XGBoost: " << xgboost::library().problem

constexpr RunContext kOwn{.threads = 2, .backend = Backend::cpu};
constexpr RunContext kXgboost{.threads = 2, .backend = Backend::cpu, .forest = ForestEngine::xgboost};

std::string refusal(const std::function<void()>& call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    return error.what();
  }
  return "not refused";
}

struct Rows : CountsImage {
  Rows(const std::vector<float>& features, std::size_t width)
      : CountsImage(pixel_row(features.size() / width), {0, 1, width}) {
    values = features;
  }
};

/// 1300 rows are a full block of XGBoost's, and part of one; NaN, infinities, values at thresholds and next to them.
void expect_same_margins(const Booster& booster, const std::string& what) {
  const std::size_t rows = 1300;
  const Rows image(trying_rows(booster, rows, 5), booster.feature_count());
  const Prediction own = predict(booster, image, {.margin = true}, kOwn);
  const Prediction theirs = predict(booster, image, {.margin = true}, kXgboost);
  EXPECT_EQ(own.forest, "elver");
  EXPECT_EQ(theirs.forest, xgboost::name());
  EXPECT_TRUE(same_bits(own.values, theirs.values)) << what;
}

TEST(ForestEngine, MarginsOfEveryKindOfTreeAreTheSameBits) {
  NEEDS_XGBOOST();
  for (const std::size_t depth : {1, 4, 10, 12})
    expect_same_margins(random_booster({.trees = 30, .depth = depth}), "depth " + std::to_string(depth));
  expect_same_margins(random_booster({.outputs = 3}), "three outputs");
  expect_same_margins(random_booster({.dart = true}), "dart");
  expect_same_margins(random_booster({.odd_thresholds = true}), "odd thresholds");
  expect_same_margins(random_booster({.categorical = true}), "categorical");
}

// Linear bases, gated terms, intervals and the domain do not care who walks the trees; failed and masked pixels
// neither.
TEST(ForestEngine, MapsAreTheSameBits) {
  NEEDS_XGBOOST();
  for (const std::uint64_t pixels : {1, 65, 2100}) {
    const auto image = spectra<std::uint16_t>(NumberType::u16, Order::energy_major, pixels, true, 60, 3);
    Model model = model_of(
        3, 25,
        {{.trees = 9, .depth = 5}, {.trees = 8, .depth = 3, .outputs = 2, .seed = 2}, {.trees = 7}, {.dart = true}});
    model.tasks[0].base = random_base(model, 1, 1);
    model.tasks[1].base = random_base(model, 2, 2);
    model.tasks[1].gated = GatedTerm{random_base(model, 12, 4), {0.01, 0.03, 0.2}, 2};
    model.tasks[2].gated = GatedTerm{random_base(model, 2, 5), {}, 1};
    model.tasks[3].base = random_base(model, 1, 6);
    model.tasks[0].trust = Trust{.error = {0.1, {1, 2, 3}}, .quantile = 1.5};
    model.domain = Domain{random_base(model, 9, 3), std::vector<NoiseVariance>(9, {0.5, {1, 0, 2}}), 1.2};
    std::vector<std::uint8_t> mask;
    for (std::uint64_t p = 0; p < pixels; ++p) mask.push_back(p % 13 == 2 ? 1 : 0);
    const MapResult own = map_image(*image, model, mask, kOwn), theirs = map_image(*image, model, mask, kXgboost);
    EXPECT_EQ(theirs.forest, xgboost::name());
    EXPECT_EQ(own.status, theirs.status);
    ASSERT_EQ(own.maps.size(), theirs.maps.size());
    for (std::size_t m = 0; m < own.maps.size(); ++m)
      EXPECT_TRUE(same_bits(own.maps[m].values, theirs.maps[m].values))
          << own.maps[m].name << ", " << pixels << " pixels";
  }
}

/// Trained by XGBoost: 3 y = 2 x0 - x1 and noise, `classes` 0 for a regression.
xgboost::XgbBooster trained_linear(const std::vector<float>& x, std::size_t width, std::size_t classes) {
  const std::size_t rows = x.size() / width;
  std::vector<float> labels;
  for (std::size_t r = 0; r < rows; ++r) {
    const float y = 2 * x[r * width] - x[r * width + 1];
    labels.push_back(classes == 0 ? y : y < -0.5F ? 0.0F : y < 0.5F ? 1.0F : 2.0F);
  }
  xgboost::DMatrix matrix(x, rows, width);
  matrix.set_labels(labels);
  const std::array cached{&std::as_const(matrix)};
  xgboost::XgbBooster trained(cached);
  trained.set("booster", "gblinear");
  trained.set("nthread", "1");
  trained.set("updater", "coord_descent");
  if (classes > 0) {
    trained.set("objective", "multi:softprob");
    trained.set("num_class", std::to_string(classes));
  }
  for (int round = 0; round < 5; ++round) trained.update(round, matrix);
  return trained;
}

std::vector<float> normal_rows(std::size_t rows, std::size_t width) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> x(rows * width);
  for (float& value : x) value = normal(random);
  return x;
}

TEST(ForestEngine, LinearBoostersAreXgboostsAlone) {
  NEEDS_XGBOOST();
  const std::size_t width = 4;
  std::vector<float> x = normal_rows(1300, width);
  for (const std::size_t classes : {0, 3}) {
    const xgboost::XgbBooster trained = trained_linear(x, width, classes);
    for (const char* format : {"json", "ubj"}) {
      const Booster booster = Booster::parse(trained.save(format), "linear");
      EXPECT_FALSE(booster.has_trees());
      EXPECT_EQ(booster.output_count(), std::max<std::size_t>(classes, 1));
      std::vector<float> rows = x;
      rows[5] = kNan;  // missing counts nothing
      const Rows image(rows, width);
      const auto wanted = trained.predict(xgboost::DMatrix(rows, 1300, width), true);
      EXPECT_EQ(predict(booster, image, {.margin = true}, kXgboost).values, wanted.values);
      EXPECT_THAT(refusal([&] { predict(booster, image, {}, kOwn); }, ErrorKind::mismatch),
                  HasSubstr("--forest xgboost"));
      EXPECT_THAT(not_comparable(booster), HasSubstr("gblinear"));
    }
  }
}

// A linear booster beside trees in one model, written and read again; on a linear base XGBoost's own bias counts too.
TEST(ForestEngine, AModelWithALinearBoosterIsMappedByXgboost) {
  NEEDS_XGBOOST();
  const auto image = spectra<std::uint16_t>(NumberType::u16, Order::energy_major, 130, false, 60, 2);
  Model model = model_of(2, 12, {{.trees = 9, .depth = 5}});
  const std::size_t width = model.feature_count();
  const xgboost::XgbBooster trained = trained_linear(normal_rows(200, width), width, 0);
  model.tasks.push_back({"linear", "", {}, false, Booster::parse(trained.save("ubj"), "linear")});
  model.tasks.push_back(
      {"based", "", {}, false, Booster::parse(trained.save("ubj"), "linear"), random_base(model, 1, 1)});
  const TempDir dir;
  save_model(model, dir / "m.elver");
  const Model read = load_model(dir / "m.elver");
  EXPECT_THAT(refusal([&] { map_image(*image, read, {}, kOwn); }, ErrorKind::mismatch), HasSubstr("--forest xgboost"));
  const MapResult found = map_image(*image, read, {}, kXgboost);

  const Plan plan(model, image->energy());
  std::vector<float> counts(plan.channels().size() * 130);
  image->read_tile({0, 130}, plan.channels(), counts);
  TileFeatures tile;
  plan.extract({counts.data(), 130, plan.channels()}, {}, tile);
  std::size_t compared = 0;
  for (std::size_t p = 0; p < 130; ++p) {
    if (failed(tile.status[p])) continue;
    const auto row = std::span(tile.features).subspan(p * width, width);
    float base = 0;
    model.tasks[2].base.values(row, 1, {&base, 1});
    xgboost::DMatrix matrix(row, 1, width);
    EXPECT_EQ(found.maps[1].values[p], trained.predict(matrix, true).values[0]) << p;
    matrix.set_float("base_margin", {&base, 1});
    EXPECT_EQ(found.maps[2].values[p], trained.predict(matrix, true).values[0]) << p;
    ++compared;
  }
  EXPECT_GT(compared, 90u);
}

TEST(ForestEngine, ALinearBoosterMustHaveACoefficientAFeatureAndOutput) {
  json linear = document({leaf(1)});
  linear["learner"]["gradient_booster"] = {{"name", "gblinear"}, {"model", {{"weights", {1.0, 2.0, 0.5}}}}};
  const Booster booster = booster_of(linear);
  EXPECT_FALSE(booster.has_trees());
  EXPECT_EQ(booster.tree_count(), 0u);
  std::vector<float> out(1);
  EXPECT_THAT(refusal(
                  [&] {
                    booster.margins(std::vector<float>{1, 2}, 1, out);
                  },
                  ErrorKind::mismatch),
              HasSubstr("gblinear"));
  linear["learner"]["gradient_booster"]["model"]["weights"] = {1.0, 2.0};
  EXPECT_THAT(refusal_of(linear), HasSubstr("2 coefficients, not 3"));
  linear["learner"]["gradient_booster"]["model"].clear();
  EXPECT_THAT(refusal_of(linear), HasSubstr("0 coefficients"));
}

TEST(ForestEngine, SharedLinearModelsGiveWhatXgboostGave) {
  const fs::path folder = shared_data("xgboost-models");
  ELVER_NEEDS(folder);
  NEEDS_XGBOOST();
  for (const char* name : {"binary", "multiclass", "regression"}) {
    const std::string stem = (folder / "boosters-3.1.1/gblinear/gblinear_").string() + name;
    const Booster booster = Booster::load(stem + ".model.json");
    const json input = json::parse(read_text(stem + ".input.json")),
               expected = json::parse(read_text(stem + ".expected.json"));
    std::vector<float> x, margins;
    for (const auto& row : input["features"]) {
      for (const auto& value : row) x.push_back(value.is_null() ? kNan : static_cast<float>(value.get<double>()));
    }
    for (const auto& value : expected["predictions"].flatten()) margins.push_back(value.get<float>());
    const Rows image(x, booster.feature_count());
    // Another version and machine summed in another order: the last bits may differ.
    const std::vector<float> found = predict(booster, image, {.margin = true}, kXgboost).values;
    ASSERT_EQ(found.size(), margins.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], margins[i], 1e-6F * std::fmax(1.0F, std::fabs(margins[i])));
  }
}

TEST(ForestEngine, CommandsNameTheirEngineAndSayWhatIsMissing) {
  const TempDir dir;
  std::ofstream(dir / "b.json") << document({stump(0.5F, 1, 2), leaf(4)}).dump();
  write_npy(dir / "x.npy", std::vector<float>{0, 0, 1, 0, kNan, 0}, 3, 2);
  const auto run = [&](const std::string& out, const std::string& forest) {
    return run_elver({"predict", "--booster", (dir / "b.json").string(), "--input", (dir / "x.npy").string(), "--out",
                      (dir / out).string(), "--forest", forest, "--json"});
  };
  const Ran own = run("own.npy", "own");
  ASSERT_EQ(own.code, 0) << own.err;
  EXPECT_EQ(json::parse(own.out)["forest"], "elver");
  EXPECT_EQ(run("y.npy", "oneapi").code, 2);
  ASSERT_EQ(setenv("ELVER_XGBOOST_LIBRARY", (dir / "absent.so").c_str(), 1), 0);
  const Ran absent = run("absent.npy", "xgboost");
  unsetenv("ELVER_XGBOOST_LIBRARY");
  EXPECT_EQ(absent.code, 6);
  EXPECT_THAT(absent.err, HasSubstr("ELVER_XGBOOST_LIBRARY"));
  EXPECT_FALSE(fs::exists(dir / "absent.npy"));
  NEEDS_XGBOOST();
  const Ran theirs = run("theirs.npy", "xgboost");
  ASSERT_EQ(theirs.code, 0) << theirs.err;
  EXPECT_EQ(json::parse(theirs.out)["forest"], xgboost::name());
  EXPECT_EQ(read_text(dir / "own.npy"), read_text(dir / "theirs.npy"));
}

}  // namespace
}  // namespace elver
