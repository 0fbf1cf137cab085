#include <cstring>

#include "elver/io.hpp"
#include "elver/predict.hpp"
#include "forest/xgboost_api.hpp"
#include "forest_support.hpp"

// elver predict and elver check, as a user runs them.
namespace elver {
namespace {

using namespace elver::test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A .npy of float32 as its shape in the header's words, and its values.
struct Npy {
  std::string shape;
  std::vector<float> values;
};
Npy read_npy_file(const fs::path& path) {
  const std::string bytes = read_text(path);
  const std::size_t open = bytes.find('('), header = bytes.find('\n') + 1;
  Npy out{bytes.substr(open, bytes.find(')') + 1 - open), std::vector<float>((bytes.size() - header) / sizeof(float))};
  std::memcpy(out.values.data(), bytes.data() + header, out.values.size() * sizeof(float));
  return out;
}

void write_text_file(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

class PredictCommand : public ::testing::Test {
 protected:
  PredictCommand() {
    json best = document({stump(0.5F, 1, 2), leaf(4)});
    best["learner"]["attributes"]["best_iteration"] = "0";
    write_text_file(dir_ / "regression.json", best.dump());
    json classes = document({stump(0.5F, 1, -1), leaf(0)}, "[0E0,0E0]", "multi:softmax");
    model_of(classes)["tree_info"] = {0, 1};
    parameters_of(classes)["num_class"] = "2";
    classes["learner"]["objective"]["softmax_multiclass_param"] = {{"num_class", "2"}};
    write_text_file(dir_ / "softmax.json", classes.dump());
    classes["learner"]["objective"]["name"] = "multi:softprob";
    write_text_file(dir_ / "softprob.json", classes.dump());
    write_npy(dir_ / "x.npy", std::vector<float>{0, 0, 1, 0, kNan, 0}, 3, 2);
    write_npy(dir_ / "row.npy", std::vector<float>{1, 0});
    write_npy(dir_ / "wide.npy", std::vector<float>{1, 0, 0}, 1, 3);
  }
  Ran predict(const std::string& booster, const std::string& input, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"predict",
                                          "--booster",
                                          (dir_ / booster).string(),
                                          "--input",
                                          (dir_ / input).string(),
                                          "--out",
                                          (dir_ / "y.npy").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_elver(arguments);
  }
  Npy result() const { return read_npy_file(dir_ / "y.npy"); }
  TempDir dir_;
};

TEST_F(PredictCommand, GivesWhatXgboostsPredictGivesAndInItsShape) {
  ASSERT_EQ(predict("regression.json", "x.npy").code, 0);
  EXPECT_EQ(result().shape, "(3,)");
  EXPECT_THAT(result().values, ElementsAre(5, 6, 6));
  ASSERT_EQ(predict("softprob.json", "x.npy").code, 0);
  EXPECT_EQ(result().shape, "(3, 2)");
  EXPECT_NEAR(result().values[0], 1 / (1 + std::exp(-1.0)), 2e-7);
  ASSERT_EQ(predict("softprob.json", "x.npy", {"--margin"}).code, 0);
  EXPECT_THAT(result().values, ElementsAre(1, 0, -1, 0, -1, 0));
  ASSERT_EQ(predict("softmax.json", "x.npy").code, 0);
  EXPECT_EQ(result().shape, "(3,)") << "classes, not probabilities";
  EXPECT_THAT(result().values, ElementsAre(0, 1, 1));
  ASSERT_EQ(predict("softmax.json", "x.npy", {"--margin"}).code, 0);
  EXPECT_EQ(result().shape, "(3, 2)");
  ASSERT_EQ(predict("regression.json", "row.npy").code, 0);
  EXPECT_THAT(result().values, ElementsAre(6)) << "a single row";
}

TEST_F(PredictCommand, SaysWhenABestIterationIsNotUsedAndStopsThereWhenAsked) {
  const Ran all = predict("regression.json", "x.npy", {"--json"});
  EXPECT_THAT(all.err, HasSubstr("best_iteration 0"));
  const json report = json::parse(all.out);
  EXPECT_EQ(report["rounds_used"], 2);
  EXPECT_EQ(report["best_iteration"], 0);
  EXPECT_EQ(report["rows"], 3);
  const Ran best = predict("regression.json", "x.npy", {"--best-iteration", "--json"});
  EXPECT_EQ(best.err, "");
  EXPECT_EQ(json::parse(best.out)["rounds_used"], 1);
  EXPECT_THAT(result().values, ElementsAre(1, 2, 2));
  EXPECT_EQ(predict("regression.json", "x.npy", {"--quiet"}).err, "");
  EXPECT_EQ(predict("softprob.json", "x.npy", {"--best-iteration"}).code, 4) << "it has none";
}

TEST_F(PredictCommand, RefusesWhatDoesNotFitWithBothNumbersAndLeavesNothingBehind) {
  const Ran wide = predict("regression.json", "wide.npy");
  EXPECT_EQ(wide.code, 4);
  EXPECT_THAT(wide.err, HasSubstr("3 features a row in the input, 2 in the booster"));
  write_text_file(dir_ / "cut.json", read_text(dir_ / "regression.json").substr(0, 200));
  EXPECT_EQ(predict("cut.json", "x.npy").code, 3);
  EXPECT_EQ(predict("absent.json", "x.npy").code, 3);
  EXPECT_EQ(predict("regression.json", "absent.npy").code, 3);
  json linear = document({leaf(1)});
  linear["learner"]["gradient_booster"] = {{"name", "gblinear"}, {"model", {{"weights", {1.0, 2.0, 0.5}}}}};
  write_text_file(dir_ / "linear.json", linear.dump());
  const Ran ran = predict("linear.json", "x.npy");
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, HasSubstr("--forest xgboost"));
  EXPECT_FALSE(fs::exists(dir_ / "y.npy"));
}

TEST_F(PredictCommand, ResultsDoNotDependOnThreads) {
  std::vector<float> x(10000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) / 7.0F;
  write_npy(dir_ / "many.npy", x, 5000, 2);
  ASSERT_EQ(predict("softprob.json", "many.npy", {"--threads", "1"}).code, 0);
  const Npy one = result();
  ASSERT_EQ(predict("softprob.json", "many.npy", {"--threads", "3"}).code, 0);
  EXPECT_EQ(result().values, one.values);
}

// Rows come and predictions go in pieces: neither has to fit into --memory.
TEST_F(PredictCommand, NeitherRowsNorPredictionsNeedFitIntoMemory) {
  std::vector<float> x(200000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 11) / 11.0F;
  write_npy(dir_ / "long.npy", x, 100000, 2);
  for (const char* booster : {"softprob.json", "softmax.json", "regression.json"}) {
    ASSERT_EQ(predict(booster, "long.npy", {"--quiet"}).code, 0);
    const Npy all = result();
    RunContext little;
    little.memory_bytes = 128 << 10;  // of 800 kB
    little.threads = 2;
    write_predictions(Booster::load((dir_ / booster).string()), *open_image((dir_ / "long.npy").string()), {}, dir_ / "y.npy", little);
    EXPECT_EQ(result().shape, all.shape);
    EXPECT_EQ(result().values, all.values);
  }
}

TEST_F(PredictCommand, CheckComparesABoosterWithXgboost) {
  const std::string booster = (dir_ / "softprob.json").string();
  EXPECT_EQ(run_elver({"check"}).code, 2);
  if (!xgboost::available()) {
    const Ran ran = run_elver({"check", "--booster", booster});
    EXPECT_EQ(ran.code, 6);
    EXPECT_THAT(ran.err, HasSubstr("XGBoost"));
    GTEST_SKIP() << "needs XGBoost: " << xgboost::library().problem;
  }
  const Ran ran = run_elver({"check", "--booster", booster, "--rows", "500", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json task = json::parse(ran.out)["tasks"][0];
  EXPECT_EQ(task["random_rows"], 500);
  EXPECT_EQ(task["trees"], 2);
  EXPECT_EQ(task["different_rows"], 0);
}

TEST_F(PredictCommand, CheckWithoutXgboostSaysHowToGetIt) {
  ASSERT_EQ(setenv("ELVER_XGBOOST_LIBRARY", (dir_ / "absent.so").c_str(), 1), 0);
  const Ran ran = run_elver({"check", "--booster", (dir_ / "softprob.json").string()});
  unsetenv("ELVER_XGBOOST_LIBRARY");
  EXPECT_EQ(ran.code, 6);
  EXPECT_THAT(ran.err, HasSubstr("scripts/install-deps"));
}

}  // namespace
}  // namespace elver
