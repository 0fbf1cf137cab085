#include "elver/train.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <map>
#include <set>

#include "elver/error.hpp"
#include "library_fixture.hpp"
#include "support.hpp"
#include "train/dataset.hpp"
#include "train/tasks.hpp"
#include "train/xgboost_api.hpp"

#define ELVER_NEEDS_XGBOOST() \
  if (!xgboost::available()) GTEST_SKIP() << xgboost::library().problem

namespace elver {
namespace {

const std::filesystem::path kLibrary = test::shared_data("nmc-feff10/library.h5");

TrainOptions quick() {
  TrainOptions options;
  options.rounds = 40;
  options.samples = 400;
  options.learning_rate = 0.2;
  options.draws = 1;
  return options;
}

TEST(HoldOut, TakesAQuarterAndKeepsCopiesTogether) {
  std::mt19937_64 random(1);
  std::vector<Structure> structures;
  for (int i = 0; i < 100; ++i) {
    structures.push_back(test::chain(static_cast<std::size_t>(1 + i % 9), random));
    structures.push_back(structures.back());  // a copy, moved and with its atoms in another order
    for (Atom& atom : structures.back().atoms) atom.fractional[0] += 0.3;
    std::reverse(structures.back().atoms.begin(), structures.back().atoms.end());
  }
  const std::vector<std::uint8_t> held = train::hold_out(structures, 5);
  std::size_t count = 0;
  for (std::size_t i = 0; i < structures.size(); i += 2) {
    EXPECT_EQ(held[i], held[i + 1]) << i;
    count += held[i];
  }
  EXPECT_NEAR(static_cast<double>(count), 25, 3);  // chains that happen to be the same count once
  EXPECT_EQ(held, train::hold_out(structures, 5));
  EXPECT_NE(held, train::hold_out(structures, 6));
}

/// Which structure a specimen of the pool was made of.
std::vector<std::size_t> origins(const Library& library, const train::Pool& pool) {
  std::vector<std::size_t> out(pool.specimens.size());
  for (std::size_t s = 0; s < pool.averages.size(); ++s) {
    if (pool.averages[s]) out[*pool.averages[s]] = s;
  }
  const Subshell& oxygen = library.subshells[library.find("O_K").value()];
  for (std::size_t i = 0; i < pool.neighbourhoods.size(); ++i) {
    if (pool.neighbourhoods[i]) out[*pool.neighbourhoods[i]] = oxygen.sites[i].structure;
  }
  return out;
}

void expect_no_leak(const Library& library, const std::vector<std::uint8_t>& held, const train::Pool& pool,
                    const std::vector<train::TaskGroup>& groups) {
  const std::vector<std::size_t> classes = symmetry_classes(library.structures);
  const std::vector<std::size_t> origin = origins(library, pool);
  for (const train::TaskGroup& group : groups) {
    std::set<std::size_t> trained, tested;
    for (const train::Example& e : group.training) {
      for (const train::Part& part : e.parts) trained.insert(classes[origin[part.specimen]]);
    }
    for (const train::Example& e : group.held_out) {
      for (const train::Part& part : e.parts) {
        tested.insert(classes[origin[part.specimen]]);
        EXPECT_EQ(held[origin[part.specimen]], 1);
      }
    }
    for (const std::size_t c : tested) EXPECT_FALSE(trained.contains(c)) << group.name;
  }
}

TEST(Tasks, MixWhatBelongsTogetherAndAverageTheLabels) {
  const Library library = test::synthetic_library(4);
  const train::Pool pool = train::make_pool(library);
  const std::vector<std::uint8_t> held = train::hold_out(library.structures, 1);
  const std::vector<train::TaskGroup> groups = train::make_tasks(library, pool, held, 500, 1);
  ASSERT_EQ(groups.front().name, "li_content");
  expect_no_leak(library, held, pool, groups);
  const std::vector<std::size_t> origin = origins(library, pool);
  std::size_t mixtures = 0;
  for (const train::Example& e : groups.front().training) {
    double label = 0;
    double total = 0;
    for (const train::Part& part : e.parts) {
      label += part.weight * library.structures[origin[part.specimen]].lithiation;
      total += part.weight;
    }
    EXPECT_NEAR(total, 1, 1e-9);
    EXPECT_NEAR(label, static_cast<double>(e.labels[0]), 1e-5);
    mixtures += e.parts.size() > 1 ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(mixtures), 0.7 * 500, 4 * std::sqrt(500 * 0.7 * 0.3));  // four standard errors
}

TEST(Tasks, OfTheNmcLibraryDoNotLeakAndAreBalanced) {
  ELVER_NEEDS(kLibrary);
  const Library library = load_library(kLibrary);
  const train::Pool pool = train::make_pool(library);
  const std::vector<std::uint8_t> held = train::hold_out(library.structures, 1);
  const std::vector<train::TaskGroup> groups = train::make_tasks(library, pool, held, 1000, 1);
  ASSERT_EQ(groups.size(), 4U);
  expect_no_leak(library, held, pool, groups);
  for (const train::TaskGroup& group : groups) {
    if (!group.tasks.front().binary) continue;
    std::array<double, 2> weight{};
    for (const train::Example& e : group.training) weight[e.labels[0] > 0.5F ? 1 : 0] += static_cast<double>(e.weight);
    EXPECT_NEAR(weight[0], weight[1], 1e-3 * weight[1]) << group.name;
  }
  for (const train::Example& e : groups[1].training) {
    EXPECT_EQ(e.labels[1] + e.labels[2] + e.labels[3], 3.0F);  // Ni, Mn, Co: whole numbers, mixed or not
  }
}

TEST(SimulatedFeatures, DoNotDependOnThreadsOrOnOtherRows) {
  const Library library = test::synthetic_library(1);
  const train::Pool pool = train::make_pool(library);
  const Model skeleton = train::make_skeleton(library, "test");
  std::vector<train::Example> examples;
  for (std::size_t i = 0; i < 90; ++i) examples.push_back({{{i % 11, 1.0}}, {0}, 1});
  RunContext one, three;
  one.threads = 1;
  three.threads = 3;
  const std::vector<float> a = train::simulate_features(skeleton, library, pool, examples, {}, 4, one, "");
  EXPECT_EQ(a, train::simulate_features(skeleton, library, pool, examples, {}, 4, three, ""));
  EXPECT_NE(a, train::simulate_features(skeleton, library, pool, examples, {}, 5, one, ""));
  examples.resize(40);
  const std::vector<float> fewer = train::simulate_features(skeleton, library, pool, examples, {}, 4, one, "");
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), a.begin()));
}

TEST(Train, LearnsWhatTheSpectraSay) {
  ELVER_NEEDS_XGBOOST();
  RunContext context;
  context.threads = 2;
  const TrainedModel trained = train_model(test::synthetic_library(6), quick(), context);
  ASSERT_EQ(trained.report.scores.size(), 1U);  // the library has neither neighbourhoods nor defects
  const TaskScore& li = trained.report.scores.front();
  EXPECT_EQ(li.task, "li_content");
  ASSERT_EQ(li.figures.size(), 4U);
  EXPECT_LT(li.figures[0].value, 0.4 * li.guess);       // a peak that goes from 2 to 1 cannot be missed
  EXPECT_LT(li.figures[0].value, li.figures[3].value);  // and noise does not help
  EXPECT_EQ(trained.model.tasks.size(), 1U);
  EXPECT_EQ(trained.model.references.size(), trained.model.edges.size());
}

TEST(Train, GivesTheSameModelWhateverTheThreads) {
  ELVER_NEEDS_XGBOOST();
  const Library library = test::synthetic_library(4);
  TrainOptions options = quick();
  options.rounds = 5;
  RunContext one, three;
  one.threads = 1;
  three.threads = 3;
  const TrainedModel a = train_model(library, options, one);
  const TrainedModel b = train_model(library, options, three);
  EXPECT_EQ(a.model.tasks[0].booster.bytes(), b.model.tasks[0].booster.bytes());
  EXPECT_EQ(a.model.training_json, b.model.training_json);
  options.seed = 2;
  EXPECT_NE(train_model(library, options, one).model.tasks[0].booster.bytes(), a.model.tasks[0].booster.bytes());
}

TEST(Train, StopsWhenAsked) {
  ELVER_NEEDS_XGBOOST();
  const std::atomic<bool> stop{true};
  RunContext context;
  context.interrupted = &stop;
  try {
    static_cast<void>(train_model(test::synthetic_library(2), quick(), context));
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
}

TEST(Train, RefusesALibraryWithoutItsEdges) {
  ELVER_NEEDS_XGBOOST();
  Library library = test::synthetic_library(2);
  for (Subshell& s : library.subshells) s.name = "Xx_" + s.name;
  EXPECT_THROW(static_cast<void>(train_model(library, quick(), {})), Error);
}

TEST(TrainCommand, WritesAModelThatLoads) {
  ELVER_NEEDS_XGBOOST();
  const test::TempDir dir;
  test::write_library(test::synthetic_library(3), dir / "library.h5");
  const test::Ran ran = test::run_elver({"train", (dir / "library.h5").string(), "--out", (dir / "m.elver").string(),
                                         "--samples", "60", "--rounds", "3", "--threads", "1", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::HasSubstr("\"li_content\""));
  const Model model = load_model(dir / "m.elver");
  ASSERT_EQ(model.tasks.size(), 1U);
  EXPECT_EQ(model.tasks[0].booster.feature_count(), model.feature_count());
}

TEST(TrainCommand, SaysWhatIsMissing) {
  const test::TempDir dir;
  test::write_library(test::synthetic_library(1), dir / "library.h5");
  setenv("ELVER_XGBOOST_LIBRARY", "/nowhere/libxgboost.so", 1);
  const test::Ran ran = test::run_elver({"train", (dir / "library.h5").string(), "--out", (dir / "m.elver").string()});
  unsetenv("ELVER_XGBOOST_LIBRARY");
  EXPECT_EQ(ran.code, 6);
  EXPECT_THAT(ran.err, testing::HasSubstr("XGBoost"));
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1);
  EXPECT_FALSE(std::filesystem::exists(dir / "m.elver"));
  std::ofstream(dir / "broken.h5") << "broken";
  EXPECT_EQ(test::run_elver({"train", (dir / "broken.h5").string(), "--out", (dir / "m.elver").string()}).code, 3);
  EXPECT_EQ(test::run_elver({"train", (dir / "library.h5").string(), "--out", (dir / "no" / "m.elver").string()}).code,
            5);
}

}  // namespace
}  // namespace elver
