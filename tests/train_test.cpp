#include "elver/train.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include "elver/dataset.hpp"
#include "elver/error.hpp"
#include "forest/xgboost_api.hpp"
#include "library_fixture.hpp"
#include "support.hpp"
#include "train/device.hpp"

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
  options.folds = 2;
  options.search_samples = 150;
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
  const std::vector<train::Side> held = train::hold_out(structures, 5);
  std::size_t count = 0;
  for (std::size_t i = 0; i < structures.size(); i += 2) {
    EXPECT_EQ(held[i], held[i + 1]) << i;
    count += held[i] == train::Side::held_out ? 1 : 0;
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

void expect_no_leak(const Library& library, const std::vector<train::Side>& held, const train::Pool& pool,
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
        EXPECT_EQ(held[origin[part.specimen]], train::Side::held_out);
      }
    }
    for (const std::size_t c : tested) EXPECT_FALSE(trained.contains(c)) << group.name;
  }
}

TEST(Tasks, MixWhatBelongsTogetherAndAverageTheLabels) {
  const Library library = test::synthetic_library(4);
  const train::Pool pool = train::make_pool(library);
  const std::vector<train::Side> held = train::hold_out(library.structures, 1);
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
  const std::vector<train::Side> held = train::hold_out(library.structures, 1);
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

// The paper's rule: an absent edge is the line 0.1 with 2 % Poisson noise. Its steps of the CDF scatter by 2 % about the
// line's own; a map's pixel gets the line itself.
TEST(SimulatedFeatures, FeedAbsentEdgesWithTheLineAndTwoPercentNoise) {
  const Library library = test::synthetic_library(1);
  train::Pool pool = train::make_pool(library);
  const std::size_t mn = *library.find("Mn_L3");
  for (Specimen& specimen : pool.specimens) specimen.cross_section[mn].clear();
  const Model skeleton = train::make_skeleton(library, "test");
  ASSERT_EQ(skeleton.edges[1].name, "Mn_L");
  const std::size_t first = skeleton.edges[0].grid.count, points = skeleton.edges[1].grid.count, width = skeleton.feature_count();
  std::vector<train::Example> examples;
  for (std::size_t i = 0; i < 40; ++i) examples.push_back({{{i % 11, 1.0}}, {0}, 1});
  // Noise-free spectra, so that no background fit takes the continuum of the edges before for an edge.
  train::Exposure exposure{3e4, false, InstrumentRange::standard()};
  const auto line = [&](double noise) {
    exposure.absent_noise = noise;
    return train::simulate_features(skeleton, library, pool, examples, exposure, 4, {}, "");
  };
  const std::vector<float> noisy = line(0.02), exact = line(0);
  double squares = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    for (std::size_t k = 1; k < points; ++k) {
      const auto step = [&](const std::vector<float>& rows) {
        return static_cast<double>(rows[i * width + first + k] - rows[i * width + first + k - 1]);
      };
      EXPECT_NEAR(step(exact) * static_cast<double>(points), 1, 1e-3);  // float32 sums
      squares += std::pow(step(noisy) * static_cast<double>(points) - 1, 2);
    }
  }
  const auto n = static_cast<double>(examples.size() * (points - 1));
  EXPECT_NEAR(std::sqrt(squares / n), 0.02, 0.02 * 4 / std::sqrt(2 * n) + 2e-4);  // four standard errors, and the divisor's
}

TEST(Train, LearnsWhatTheSpectraSay) {
  ELVER_NEEDS_XGBOOST();
  RunContext context;
  context.threads = 2;
  const TrainedModel trained = train_model(test::synthetic_library(6), quick(), context);
  ASSERT_EQ(trained.report.scores.size(), 1U);  // the library has neither neighbourhoods nor defects
  const TaskScore& li = trained.report.scores.front();
  EXPECT_EQ(li.task, "li_content");
  ASSERT_EQ(trained.report.views.size(), 6U);
  ASSERT_EQ(li.figures.size(), 6U);
  EXPECT_LT(li.figures[0].value, 0.4 * li.guess);       // a peak that goes from 2 to 1 cannot be missed
  EXPECT_LT(li.figures[1].value, li.figures[4].value);  // and noise does not help
  ASSERT_EQ(li.contenders.size(), 3U);
  for (const Contender& c : li.contenders) EXPECT_LT(c.figures[0].value, li.guess) << c.name;
  ASSERT_TRUE(trained.model.tasks[0].trust && trained.model.domain);
  EXPECT_GT(trained.model.tasks[0].trust->quantile, 0);
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

// A search that was stopped after some trials goes on from its journal and ends with the same model.
TEST(Train, TakesTrialsFromItsJournal) {
  ELVER_NEEDS_XGBOOST();
  const test::TempDir dir;
  const Library library = test::synthetic_library(3);
  TrainOptions options = quick();
  options.rounds = 6;
  options.evaluations = 5;
  const TrainedModel whole = train_model(library, options, {});
  options.journal = dir / "search.journal";
  options.evaluations = 3;
  static_cast<void>(train_model(library, options, {}));
  std::ofstream(options.journal, std::ios::app) << "{\"key\": \"cut o";  // as a machine that fails leaves it
  options.evaluations = 5;
  const TrainedModel resumed = train_model(library, options, {});
  EXPECT_THAT(resumed.report.notes, testing::Contains(testing::HasSubstr("3 trials of an earlier search")));
  EXPECT_EQ(whole.model.tasks[0].booster.bytes(), resumed.model.tasks[0].booster.bytes());
  EXPECT_EQ(whole.model.tasks[0].base.weights, resumed.model.tasks[0].base.weights);
  options.seed = 2;  // another search takes none of them
  EXPECT_THAT(train_model(library, options, {}).report.notes, testing::Not(testing::Contains(testing::HasSubstr("journal"))));
}

// A final fit on all structures changes the model and none of the figures, which are of structures that were held out.
TEST(Train, FitsAllStructuresOnceTheFiguresAreKnown) {
  ELVER_NEEDS_XGBOOST();
  const Library library = test::synthetic_library(3);
  TrainOptions options = quick();
  options.rounds = 6;
  const TrainedModel part = train_model(library, options, {});
  options.final_fit = FinalFit::everything;
  const TrainedModel all = train_model(library, options, {});
  ASSERT_EQ(part.report.scores.size(), all.report.scores.size());
  for (std::size_t v = 0; v < part.report.views.size(); ++v) {
    EXPECT_EQ(part.report.scores[0].figures[v].value, all.report.scores[0].figures[v].value);
    EXPECT_EQ(part.report.inside[v], all.report.inside[v]);
  }
  EXPECT_NE(part.model.tasks[0].booster.bytes(), all.model.tasks[0].booster.bytes());
  EXPECT_EQ(part.model.tasks[0].trust->quantile, all.model.tasks[0].trust->quantile);
  EXPECT_THAT(all.model.training_json, testing::HasSubstr("all structures; the held-out figures"));
}

// A trial whose first folds are among the worst is given up, and the search ends with one that was not.
TEST(Train, PrunesBadTrials) {
  ELVER_NEEDS_XGBOOST();
  TrainOptions options = quick();
  options.rounds = 20;
  options.folds = 3;
  options.search_samples = 60;
  options.evaluations = 24;
  std::vector<BetterTrial> better;
  options.on_better = [&](const BetterTrial& trial) { better.push_back(trial); };
  const TrainedModel trained = train_model(test::synthetic_library(2), options, {});
  ASSERT_EQ(trained.report.searches.size(), 1U);
  EXPECT_EQ(trained.report.searches[0].trials, 24U);
  EXPECT_GE(trained.report.searches[0].pruned, 1U);  // by chance 70 % of the 12 that may be; a search does better
  EXPECT_LE(trained.report.searches[0].pruned, 12U);
  for (std::size_t i = 1; i < better.size(); ++i) EXPECT_LT(better[i].loss, better[i - 1].loss);
}

TEST(Dataset, FoldsShareNoStructure) {
  const Library library = test::synthetic_library(3);
  const Model skeleton = train::make_skeleton(library, "test");
  for (const std::size_t samples : {0, 60}) {
    train::DatasetOptions options;
    options.folds = 3;
    options.draws = 2;
    options.samples = samples;
    const train::Dataset data = make_dataset(library, skeleton, options, {});
    EXPECT_EQ(data.columns, skeleton.feature_count());
    ASSERT_EQ(data.features.size(), data.rows * data.columns);
    EXPECT_GT(data.rows, 50U);
    std::map<std::size_t, std::set<std::size_t>> folds;
    const std::vector<std::size_t> classes = symmetry_classes(library.structures);
    for (std::size_t i = 0; i < data.rows; ++i) folds[classes[data.structures[i]]].insert(data.folds[i]);
    for (const auto& [group, in] : folds) EXPECT_EQ(in.size(), 1U) << group;
  }
  train::DatasetOptions unknown;
  unknown.group = "colour";
  EXPECT_THROW(static_cast<void>(make_dataset(library, skeleton, unknown, {})), Error);
}

// Sites of equal shape and different strength: equal areas make the mean the shape itself, whatever the weights.
TEST(StructureAverage, OfEqualAreasForgetsTheStrengthOfASite) {
  Library library = test::synthetic_library(1);
  Subshell& oxygen = library.subshells[*library.find("O_K")];
  Site second = oxygen.sites[0];
  second.atom = 2;  // another oxygen
  ASSERT_EQ(library.structures[0].atoms[2].element, "O");
  oxygen.sites.push_back(second);
  oxygen.jump.push_back(3.0);
  for (std::size_t i = 0; i < oxygen.points; ++i)
    oxygen.cross_section.push_back((i < oxygen.points / 2 ? 1.0F : 5.0F) * oxygen.spectrum(0)[i]);
  const auto area = [&](const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) * oxygen.step_ev;
  };
  const auto of_site = [&](std::size_t i) {
    const auto values = oxygen.spectrum(i);
    return area({values.begin(), values.end()});
  };
  const auto plain = structure_average(library, 0), equal = structure_average(library, 0, SiteScale::equal_area);
  const std::size_t o = *library.find("O_K");
  // Two oxygen atoms a formula unit: the areas are the same, the shapes are not.
  EXPECT_NEAR(area(plain->cross_section[o]), of_site(0) + of_site(oxygen.sites.size() - 1), 1e-3);
  EXPECT_NEAR(area(equal->cross_section[o]), area(plain->cross_section[o]), 1e-3);
  const double scale = (of_site(0) + of_site(oxygen.sites.size() - 1)) / 2;
  for (const std::size_t i : {std::size_t{150}, oxygen.points - 1}) {
    const double wanted = scale * (static_cast<double>(oxygen.spectrum(0)[i]) / of_site(0) +
                                   static_cast<double>(oxygen.spectrum(oxygen.sites.size() - 1)[i]) /
                                       of_site(oxygen.sites.size() - 1));
    EXPECT_NEAR(static_cast<double>(equal->cross_section[o][i]), wanted, 1e-4 * wanted);  // float32 sums
  }
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
                                         "--samples", "60", "--fold-samples", "40", "--folds", "2", "--evals", "3", "--rounds", "3", "--threads", "1", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::HasSubstr("\"li_content\""));
  const Model model = load_model(dir / "m.elver");
  ASSERT_EQ(model.tasks.size(), 1U);
  EXPECT_EQ(model.tasks[0].booster.feature_count(), model.feature_count());
  EXPECT_FALSE(std::filesystem::exists(dir / "m.elver.journal"));
  // Its card says what it was trained on, so that it is scored on the rest.
  const test::Ran scored = test::run_elver({"evaluate", "--model", (dir / "m.elver").string(), (dir / "library.h5").string(),
                                            "--out", (dir / "scores").string(), "--draws", "1", "--json"});
  ASSERT_EQ(scored.code, 0) << scored.err;
  EXPECT_THAT(scored.out, testing::HasSubstr("\"training_set_known\": true"));
  EXPECT_TRUE(std::filesystem::exists(dir / "scores" / "evaluation.md"));
}

TEST(FeaturesCommand, WritesTheMatrixOfALibrary) {
  const test::TempDir dir;
  test::write_library(test::synthetic_library(2), dir / "library.h5");
  const test::Ran ran = test::run_elver({"features", "--library", (dir / "library.h5").string(), "--task", "li_content",
                                         "--draws", "2", "--folds", "2", "--out", (dir / "X.npy").string(), "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* name : {"X.npy", "X_labels.npy", "X_weights.npy", "X_groups.npy", "X_structures.npy"})
    EXPECT_TRUE(std::filesystem::exists(dir / name)) << name;
  EXPECT_THAT(ran.out, testing::HasSubstr("\"features\": 592"));
  EXPECT_EQ(test::run_elver({"features", "--out", (dir / "X.npy").string()}).code, 2);
}

// A GPU trains where there is one and XGBoost can use it; what is asked for and is not there is said, not done otherwise.
TEST(TrainingDevice, IsWhatThereIs) {
  using train::training_device;
  const std::string with = R"({"USE_CUDA":true})", without = R"({"USE_CUDA":false})";
  const auto refusal = [](const train::Gpus& gpus) -> std::string {
    EXPECT_EQ(training_device(Backend::cpu, gpus), Backend::cpu);
    EXPECT_EQ(training_device(Backend::automatic, gpus), Backend::cpu);
    try {
      static_cast<void>(training_device(Backend::cuda, gpus));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::resources);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal({3, without, 1, ""}), testing::HasSubstr("built without CUDA"));
  EXPECT_THAT(refusal({1, with, 1, ""}), testing::HasSubstr("older than 2.0"));
  EXPECT_THAT(refusal({3, with, 0, "the CUDA driver lists none"}), testing::HasSubstr("there is no GPU: the CUDA driver lists none"));
  EXPECT_EQ(training_device(Backend::automatic, {3, with, 1, ""}), Backend::cuda);
  EXPECT_EQ(training_device(Backend::cuda, {3, with, 2, ""}), Backend::cuda);
  EXPECT_EQ(training_device(Backend::cpu, {3, with, 2, ""}), Backend::cpu);
}

TEST(TrainCommand, RefusesAGpuThatIsNotThere) {
  if (!xgboost::available()) GTEST_SKIP() << "needs XGBoost: " << xgboost::library().problem;
  if (train::find_gpus().devices > 0) GTEST_SKIP() << "there is a GPU here";
  const test::TempDir dir;
  test::write_library(test::synthetic_library(1), dir / "library.h5");
  const std::string model = (dir / "m.elver").string();
  const test::Ran ran = test::run_elver({"train", (dir / "library.h5").string(), "--out", model, "--device", "cuda"});
  EXPECT_EQ(ran.code, 6);
  EXPECT_THAT(ran.err, testing::StartsWith("elver: error: cannot train on a GPU"));
  EXPECT_FALSE(std::filesystem::exists(model));
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
