#include "elver/explain.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "forest/xgboost_api.hpp"
#include "support.hpp"

namespace elver {
namespace {

const std::string kSamples = ELVER_SOURCE_DIR "/samples/";

#define ELVER_NEEDS_XGBOOST() \
  if (!xgboost::available()) GTEST_SKIP() << xgboost::library().problem

// What each energy adds, and the bias, sum to the margin that the maps are made from.
TEST(Explain, ContributionsSumToTheMargin) {
  ELVER_NEEDS_XGBOOST();
  const Model model = load_model(kSamples + "nmc.elver");
  bool products = false;  // of linear functions, which are shared out between their factors
  for (const Task& task : model.tasks) products = products || (task.gated && task.gated->projections > 0);
  EXPECT_TRUE(products);
  const std::unique_ptr<Image> image = open_image(kSamples + "phantom.hspy");
  for (const std::uint64_t pixel : {0U, 700U, 1535U}) {
    const Explanation x = explain_pixel(*image, model, pixel / image->columns(), pixel % image->columns());
    ASSERT_EQ(x.features.size(), model.feature_count());
    for (const OutputExplanation& o : x.outputs) {
      double sum = o.bias, size = std::abs(o.bias);
      for (std::size_t i = 0; i < o.trees.size(); ++i) {
        sum += o.trees[i] + o.linear[i];
        size += std::abs(o.trees[i]) + std::abs(o.linear[i]);
      }
      // Margins are sums of hundreds of float32 numbers, and the linear part's are larger than what is left of them.
      EXPECT_NEAR(sum, o.margin, 1e-3 + 2e-5 * size) << o.output << ", pixel " << pixel;
    }
  }
}

TEST(Explain, SaysWhichPixelThereIsNot) {
  ELVER_NEEDS_XGBOOST();
  const Model model = load_model(kSamples + "nmc.elver");
  const std::unique_ptr<Image> image = open_image(kSamples + "phantom.hspy");
  EXPECT_THROW(static_cast<void>(explain_pixel(*image, model, image->rows(), 0)), Error);
  EXPECT_THROW(static_cast<void>(explain_pixel(*image, model, 0, image->columns())), Error);
}

TEST(ExplainCommand, WritesTableAndPictures) {
  ELVER_NEEDS_XGBOOST();
  const test::TempDir dir;
  const test::Ran ran = test::run_elver({"explain", kSamples + "phantom.hspy", "--model", kSamples + "nmc.elver", "--pixel", "3,4",
                                         "--out", (dir / "why").string(), "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::HasSubstr("\"by_edge\""));
  const std::string csv = test::read_text(dir / "why" / "explanation.csv");
  EXPECT_EQ(static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')), 1 + load_model(kSamples + "nmc.elver").feature_count());
  EXPECT_TRUE(std::filesystem::exists(dir / "why" / "explanation_li_content.png"));
  EXPECT_EQ(test::run_elver({"explain", kSamples + "phantom.hspy", "--model", kSamples + "nmc.elver", "--pixel", "3"}).code, 2);
}

TEST(ExplainCommand, SaysThatXgboostIsMissing) {
  setenv("ELVER_XGBOOST_LIBRARY", "/nowhere/libxgboost.so", 1);
  const test::Ran ran = test::run_elver({"explain", kSamples + "phantom.hspy", "--model", kSamples + "nmc.elver"});
  unsetenv("ELVER_XGBOOST_LIBRARY");
  EXPECT_EQ(ran.code, 6);
  EXPECT_THAT(ran.err, testing::HasSubstr("XGBoost"));
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1);
}

}  // namespace
}  // namespace elver
