#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "contract.hpp"
#include "engine/forest_runner.hpp"
#include "forest/forest.hpp"
#include "random_booster.hpp"
#include "simd_targets.hpp"
#include "train/forest_check.hpp"

// Contracts: whatever vector registers the machine has, the engine gives the plain path's bits.
namespace elver {
namespace {

using namespace elver::test;
using namespace elver::engine;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The kind that is chosen now, for the table of contracts. SCALAR is not compiled where EMU128 is, so it says nothing
/// new.
std::string target_name() {
  const std::int64_t target = hwy::SupportedTargets();
  return target == HWY_EMU128 ? "plain C++" : target == HWY_SCALAR ? "" : hwy::TargetName(target);
}

/// [row][feature] to [feature][row].
std::vector<float> turned(const std::vector<float>& rows, std::size_t count, std::size_t width) {
  std::vector<float> out(rows.size());
  for (std::size_t r = 0; r < count; ++r) {
    for (std::size_t f = 0; f < width; ++f) out[f * count + r] = rows[r * width + f];
  }
  return out;
}

std::string bits(float x) {
  std::uint32_t b = 0;
  std::memcpy(&b, &x, sizeof b);
  return std::to_string(x) + "/" + std::to_string(b);
}

/// The runner's margins of `rows` trying rows against Booster::margins, bit for bit, on every target.
void expect_same_margins(const std::vector<Booster>& boosters, std::size_t rows, std::size_t rounds = 0) {
  const std::vector<float> x = trying_rows(boosters[0], rows, 7);
  const std::size_t width = boosters[0].feature_count();
  const std::vector<float> by_feature = turned(x, rows, width);
  std::vector<BoosterRounds> runs;
  for (const Booster& booster : boosters) runs.push_back({&booster, rounds});
  const ForestRunner runner(runs, Missing::possible);
  ForestRunner::Workspace work(runner);
  for_every_target([&] {
    std::vector<float> out(runner.output_count() * rows, -1.0F);
    runner.run(by_feature.data(), rows, rows, work, out.data(), rows);
    for (std::size_t b = 0; b < boosters.size(); ++b) {
      const std::size_t outputs = boosters[b].output_count();
      std::vector<float> expected(rows * outputs);
      boosters[b].margins(x, rows, expected, rounds);
      std::size_t wrong = 0;
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t k = 0; k < outputs; ++k) {
          const float got = out[(runner.first_output(b) + k) * rows + r];
          if (std::memcmp(&got, &expected[r * outputs + k], sizeof got) == 0) continue;
          if (wrong++ == 0)
            ADD_FAILURE() << "row " << r << ": " << bits(got) << ", not " << bits(expected[r * outputs + k]);
        }
      }
      EXPECT_EQ(wrong, 0u);
    }
    held("margins", target_name(),
         std::to_string(rows) + " rows, depth " + std::to_string(boosters[0].max_depth()) + ", " +
             std::to_string(runner.output_count()) + " outputs, " + std::to_string(boosters[0].tree_count()) +
             " trees, " + std::to_string(rounds) + " rounds, " + boosters[0].objective(),
         out.size());
  });
}

TEST(Rank, IsTheNumberOfThresholdsNotAboveAndSoDecidesAsTheComparisonDoes) {
  const RandomBooster wanted{.features = 4, .trees = 60, .odd_thresholds = true, .seed = 3};
  const Booster booster = random_booster(wanted);
  const BoosterRounds run{&booster, 0};
  std::vector<std::vector<NodeCode>> places;
  const CodeTable table = make_codes({&run, 1}, Missing::never, places);
  const std::vector<float> x = trying_rows(booster, 200, 5);
  const Booster::Forest& forest = booster.forest();
  std::size_t compared = 0;
  for (const forest::Tree& tree : forest.trees) {
    for (std::uint32_t i = 0; i < tree.node_count; ++i) {
      const forest::Node& node = forest.nodes[tree.first_node + i];
      if (node.left == static_cast<std::int32_t>(i) - 1) continue;
      const NodeCode& place = places[0][tree.first_node + i];
      ASSERT_EQ(table.rows[place.row].feature, node.index());
      ASSERT_GE(place.code, 1);
      for (const float value : x) {
        if (std::isnan(value)) continue;
        ASSERT_EQ(code_of(table, place.row, value) >= place.code, !(value < node.threshold))
            << value << " against " << node.threshold;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 100000u);
}

TEST(Rank, EveryTargetGivesThePlainCode) {
  for (const std::size_t thresholds : {1, 5, 62, 63, 64, 127, 128, 191, 192, 254, 255, 300, 700}) {
    const RandomBooster wanted{
        .features = 3, .trees = 150, .thresholds = thresholds, .odd_thresholds = thresholds == 5};
    const Booster booster = random_booster(wanted);
    const BoosterRounds run{&booster, 0};
    std::vector<std::vector<NodeCode>> places;
    for (const Missing missing : {Missing::never, Missing::possible}) {
      const CodeTable table = make_codes({&run, 1}, missing, places);
      std::size_t most = 0;
      for (const CodeRow& row : table.rows) most = std::max<std::size_t>(most, row.count);
      EXPECT_LE(most, CodeTable::kMostThresholds);
      constexpr std::size_t kCount = 64 * 20;
      std::vector<float> x = turned(trying_rows(booster, kCount, 9), kCount, 3);
      if (missing == Missing::never) {
        for (float& value : x) value = std::isnan(value) ? 0.25F : value;
      }
      std::vector<std::uint8_t> codes(table.rows.size() * kForestBlock);
      for_every_target([&] {
        std::size_t wrong = 0;
        for (std::size_t first = 0; first < kCount; first += kForestBlock) {
          rank_rows(table, 0, table.rows.size(), x.data() + first, kCount, codes.data());
          for (std::size_t row = 0; row < table.rows.size(); ++row) {
            for (std::size_t p = 0; p < kForestBlock; ++p) {
              const float value = x[table.rows[row].feature * kCount + first + p];
              wrong += codes[row * kForestBlock + p] != code_of(table, row, value) ? 1 : 0;
            }
          }
        }
        EXPECT_EQ(wrong, 0u) << thresholds << " thresholds";
        held("rank codes", target_name(),
             std::to_string(thresholds) + " thresholds" + (missing == Missing::never ? "" : ", NaN possible"),
             kCount * table.rows.size());
      });
    }
  }
}

// A set of categories is ranked among the ends of its intervals: 500 of them here, and the last integers that single
// precision tells apart.
TEST(Rank, CategoriesOnEveryTarget) {
  std::vector<std::vector<int>> sets{{0}, {0, 1, 2}, {16777215}, {0, 16777214, 16777215}, {1, 1, 2, 2, 4}};
  std::vector<int> odd;
  for (int category = 1; category < 1000; category += 2) odd.push_back(category);
  sets.push_back(odd);
  std::vector<float> x{-INFINITY,   -1.0F,       -0.5F,         -0.0F,    1e-45F, 16777214.0F,
                       16777215.0F, 16777216.0F, 2147483648.0F, INFINITY, NAN};
  for (int i = 0; x.size() < 64 * 40; ++i) x.push_back(0.5F * static_cast<float>(i));
  for (const std::vector<int>& set : sets) {
    json tree = stump(0.0F, 1, 2, set.size() % 2 == 0);
    tree["split_type"] = {1, 0, 0};
    tree["categories"] = set;
    tree["categories_nodes"] = {0};
    tree["categories_segments"] = {0};
    tree["categories_sizes"] = {set.size()};
    const Booster booster = booster_of(document({tree}));
    const BoosterRounds run{&booster, 0};
    std::vector<std::vector<NodeCode>> places;
    const CodeTable table = make_codes({&run, 1}, Missing::possible, places);
    ASSERT_EQ(table.rows.size(), 1u);
    for_every_target([&] {
      std::size_t wrong = 0;
      std::vector<std::uint8_t> codes(kForestBlock);
      for (std::size_t first = 0; first < x.size(); first += kForestBlock) {
        rank_rows(table, 0, 1, x.data() + first, kForestBlock, codes.data());
        for (std::size_t p = 0; p < kForestBlock; ++p) wrong += codes[p] != code_of(table, 0, x[first + p]) ? 1 : 0;
      }
      EXPECT_EQ(wrong, 0u) << set.size() << " categories";
      held("rank codes", target_name(), std::to_string(set.size()) + " categories, NaN possible", x.size());
    });
    // In the forest a set looks at the feature's codes where it has few categories, and at its values where it has
    // many.
    const ForestRunner runner({&run, 1}, Missing::possible);
    EXPECT_EQ(runner.packed().codes.rows.back().of_codes, set.size() < 100);
    for_every_target([&] {
      ForestRunner::Workspace work(runner);
      std::vector<float> got(kForestBlock), expected(kForestBlock), rows(2 * kForestBlock), columns(2 * kForestBlock);
      std::size_t wrong = 0;
      for (std::size_t first = 0; first < x.size(); first += kForestBlock) {
        for (std::size_t p = 0; p < kForestBlock; ++p) rows[2 * p] = columns[p] = x[first + p];
        runner.run_block(columns.data(), kForestBlock, kForestBlock, work, got.data(), kForestBlock);
        booster.margins(rows, kForestBlock, expected);
        for (std::size_t p = 0; p < kForestBlock; ++p) wrong += std::memcmp(&got[p], &expected[p], 4) != 0 ? 1 : 0;
      }
      EXPECT_EQ(wrong, 0u) << set.size() << " categories";
      held("margins", target_name(), "a set of " + std::to_string(set.size()) + " categories", x.size());
    });
  }
}

// Thresholds as close as numbers are, a far one beside them.
TEST(Rank, NeighbouringThresholdsAreToldApart) {
  std::vector<json> trees;
  float t = 0.5F;
  for (int i = 0; i < 20; ++i, t = std::nextafter(t, 1.0F)) trees.push_back(stump(t, 1, 2));
  trees.push_back(stump(1e30F, 1, 2));
  expect_same_margins({booster_of(document(trees))}, 500);
}

TEST(Forest, EveryTargetAndDepthGivesThePlainMargins) {
  for (std::size_t depth = 1; depth <= 12; ++depth) {  // beyond 8: folded
    SCOPED_TRACE(depth);
    const RandomBooster wanted{.features = 20, .trees = 21, .depth = depth, .seed = static_cast<std::uint32_t>(depth)};
    expect_same_margins({random_booster(wanted)}, 333);
  }
}

std::vector<TreeForm> forms_of(const Booster& booster) {
  const BoosterRounds run{&booster, 0};
  std::vector<TreeForm> out;
  for (const TreeGroup& group : pack_forest({&run, 1}, Missing::possible).groups) out.push_back(group.form);
  return out;
}

// Deep trees: up to 256 leaves they are folded, beyond that walked. A chain is as lopsided as a tree can be: 255 and
// 256 levels, on whose upper ones one child has a single leaf.
TEST(Forest, LargeTreesOfEveryShape) {
  for (const std::size_t leaves : {65, 129, 256, 257, 1000}) {
    SCOPED_TRACE(leaves);
    const Booster booster = random_booster({.features = 20, .trees = 5, .depth = 99, .leaves = leaves, .seed = 3});
    EXPECT_EQ(forms_of(booster), std::vector(5, leaves <= 256 ? TreeForm::folded : TreeForm::walked));
    expect_same_margins({booster}, 333);
  }
  for (const std::size_t depth : {255, 256}) {
    SCOPED_TRACE(depth);
    const Booster chain = random_booster({.features = 3, .trees = 2, .depth = depth, .leaf_chance = 1, .seed = 4});
    EXPECT_EQ(forms_of(chain).front(), depth == 255 ? TreeForm::folded : TreeForm::walked);
    expect_same_margins({chain}, 65);
  }
}

TEST(Forest, LargeTreesOfEveryKind) {
  for (const std::size_t leaves : {250, 600}) {
    SCOPED_TRACE(leaves);
    const RandomBooster plain{.features = 5, .trees = 4, .depth = 16, .outputs = 3, .leaves = leaves, .seed = 8};
    RandomBooster vectors = plain, categories = plain, odd = plain, dart = plain;
    vectors.vector_leaves = categories.categorical = odd.odd_thresholds = dart.dart = true;
    for (const RandomBooster& wanted : {plain, vectors, categories, odd, dart})
      expect_same_margins({random_booster(wanted)}, 130);
  }
}

TEST(Forest, EveryNumberOfPixels) {
  const Booster booster = random_booster({.features = 9, .trees = 30});
  for (const std::size_t rows : {1, 2, 31, 32, 33, 63, 64, 65, 128, 1023, 1025}) expect_same_margins({booster}, rows);
}

TEST(Forest, EveryKindOfBooster) {
  expect_same_margins({random_booster({.outputs = 4, .seed = 5})}, 300);
  expect_same_margins({random_booster({.outputs = 3, .vector_leaves = true, .seed = 6})}, 300);
  expect_same_margins({random_booster({.depth = 9, .outputs = 2, .vector_leaves = true, .seed = 7})}, 300);
  expect_same_margins({random_booster({.dart = true, .seed = 8})}, 300);
  expect_same_margins({random_booster({.categorical = true, .seed = 9})}, 300);
  expect_same_margins({random_booster({.odd_thresholds = true, .seed = 10})}, 300);
  expect_same_margins({random_booster({.features = 2, .trees = 200, .thresholds = 900, .seed = 11})}, 300);
  expect_same_margins({booster_of(document({leaf(0.25F), stump(0.5F, 1, 2), leaf(-3.0F)}))}, 100);
  expect_same_margins({Booster()}, 3);
}

TEST(Forest, SeveralBoostersRunTogetherAndStopAtTheirRounds) {
  std::vector<Booster> boosters;
  boosters.push_back(random_booster({.outputs = 4, .seed = 5}));
  boosters.push_back(random_booster({.depth = 11, .seed = 6}));
  boosters.push_back(random_booster({.trees = 14, .depth = 11, .leaves = 300, .seed = 6}));
  boosters.push_back(random_booster({.depth = 3, .seed = 7}));
  expect_same_margins(boosters, 130);
  expect_same_margins(boosters, 130, 1);
  expect_same_margins(boosters, 130, 13);
}

// A linear base takes the place of the booster's base score: the runner's bits are LinearBase's and the trees', on
// every target, for booster with and without a base side by side, more outputs than one register pass takes, deep trees
// too.
TEST(LinearBase, IsWhatTheTreesAddToOnEveryTarget) {
  std::vector<Booster> boosters{random_booster({.outputs = 1, .seed = 1}), random_booster({.outputs = 11, .seed = 2}),
                                random_booster({.depth = 12, .outputs = 2, .seed = 3}), Booster::bare(6, 9),
                                random_booster({.seed = 4})};
  const std::size_t rows = 130, width = boosters[0].feature_count();
  std::vector<float> x = trying_rows(boosters[0], rows, 7);
  for (float& value : x) value = std::isfinite(value) ? value : 0.5F;
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<LinearBase> bases(boosters.size());
  std::vector<BoosterRounds> runs;
  for (std::size_t b = 0; b < boosters.size(); ++b) {
    if (b + 1 < boosters.size()) {  // the last has none
      bases[b].parts = {2, 3, 1};
      for (std::size_t k = 0; k < boosters[b].output_count(); ++k) bases[b].intercept.push_back(normal(random));
      for (std::size_t i = 0; i < boosters[b].output_count() * width; ++i) bases[b].weights.push_back(normal(random));
    }
    runs.push_back({&boosters[b], 0, &bases[b]});
  }
  const ForestRunner runner(runs, Missing::never);
  ForestRunner::Workspace work(runner);
  const std::vector<float> by_feature = turned(x, rows, width);
  for_every_target([&] {
    std::vector<float> out(runner.output_count() * rows, -1.0F);
    runner.run(by_feature.data(), rows, rows, work, out.data(), rows);
    for (std::size_t b = 0; b < boosters.size(); ++b) {
      const std::size_t outputs = boosters[b].output_count();
      std::vector<float> expected(rows * outputs);
      Task task;
      task.booster = boosters[b];
      task.base = bases[b];
      task_margins(task, x, {}, rows, expected);
      std::size_t wrong = 0;
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t k = 0; k < outputs; ++k) {
          const float got = out[(runner.first_output(b) + k) * rows + r];
          wrong += std::memcmp(&got, &expected[r * outputs + k], sizeof got) != 0 ? 1 : 0;
        }
      }
      EXPECT_EQ(wrong, 0U) << "booster " << b;
    }
  });
}

}  // namespace
}  // namespace elver
