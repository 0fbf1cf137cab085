#include "forest/xgboost_api.hpp"

#include <random>

#include "support.hpp"

namespace elver {
namespace {

/// XGBoost is optional: without it there is nothing to test, and the reason is said.
#define NEEDS_XGBOOST() \
  if (!xgboost::available()) GTEST_SKIP() << "needs XGBoost: " << xgboost::library().problem

struct Data {
  std::size_t rows = 400, columns = 4;
  std::vector<float> x, y;
};

Data make_data() {
  Data data;
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  for (std::size_t i = 0; i < data.rows; ++i) {
    for (std::size_t j = 0; j < data.columns; ++j) data.x.push_back(uniform(random));
    data.y.push_back(data.x[i * data.columns] > 0.0F ? 3.0F : -1.0F);
  }
  return data;
}

TEST(XgboostApi, TrainingLearnsAStepFunctionFromEitherKindOfMatrix) {
  NEEDS_XGBOOST();
  const Data data = make_data();
  xgboost::DMatrix plain(data.x, data.rows, data.columns);
  plain.set_labels(data.y);
  const xgboost::DMatrix quantile =
      xgboost::DMatrix::quantile(data.x, data.rows, data.columns, data.y, std::vector<float>(data.rows, 1.0F), 256);
  for (const xgboost::DMatrix* matrix : {&std::as_const(plain), &quantile}) {
    const std::array cached{matrix};
    xgboost::XgbBooster booster(cached);
    booster.set("max_depth", "2");
    booster.set("eta", "0.5");
    booster.set("nthread", "1");
    for (int round = 0; round < 20; ++round) booster.update(round, *matrix);
    const auto predicted = booster.predict(data.x, data.rows, data.columns, false);
    ASSERT_EQ(predicted.outputs, 1u);
    for (std::size_t i = 0; i < data.rows; ++i) EXPECT_NEAR(predicted.values[i], data.y[i], 0.02);
    const std::pair<const xgboost::DMatrix*, std::string> named[] = {{matrix, "train"}};
    EXPECT_NE(booster.evaluate(19, named).find("train-rmse:"), std::string::npos);
    booster.set_attribute("best_iteration", "7");
    EXPECT_EQ(booster.attribute("best_iteration"), "7");
    EXPECT_EQ(booster.attribute("absent"), "");
    EXPECT_GT(booster.save("json").size(), 100u);
    EXPECT_GT(booster.save("ubj").size(), 100u);
  }
}

// XGBuildInfo as XGBoost 3.2 writes it, as one without CUDA does, and as none does.
TEST(XgboostApi, BuildInfoSaysWhetherThereIsCuda) {
  EXPECT_TRUE(xgboost::built_with_cuda(R"({"BUILTIN_PREFETCH_PRESENT":true,"CUDA_VERSION":[12,8],"USE_CUDA":true,"USE_NCCL":true})"));
  EXPECT_FALSE(xgboost::built_with_cuda(R"({"USE_CUDA":false,"USE_OPENMP":true})"));
  for (const char* other : {"", "{}", "[true]", "USE_CUDA", R"({"USE_CUDA":null})", R"({"USE_CUDA":"OFF"})", "{\"USE_CUDA\":"})
    EXPECT_FALSE(xgboost::built_with_cuda(other)) << other;
  if (!xgboost::available() || xgboost::library().version < std::array{2, 0, 0}) return;
  EXPECT_NE(xgboost::library().build_info, "");
}

TEST(XgboostApi, AFailureIsOneSentenceWithoutAStackTrace) {
  NEEDS_XGBOOST();
  const Data data = make_data();
  xgboost::DMatrix matrix(data.x, data.rows, data.columns);
  try {
    matrix.set_float("no such field", data.y);
    FAIL() << "an unknown field must be refused";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("XGBoost says: "), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_EQ(message.find("Stack trace"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace elver
