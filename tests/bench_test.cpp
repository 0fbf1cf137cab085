#include "elver/bench.hpp"

#include <gmock/gmock.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/machine.hpp"
#include "bench/made_image.hpp"
#include "bench/made_model.hpp"
#include "elver/error.hpp"
#include "elver/model.hpp"
#include "forest/xgboost_predictor.hpp"
#include "map_samples.hpp"
#include "support.hpp"

// elver bench: what is measured, on what, and what is held against it. How fast anything is, no test says.
namespace elver {
namespace {

using namespace elver::test;
using ::testing::Contains;
using ::testing::HasSubstr;

BenchJob small_job() {
  BenchJob job;
  job.rows = 8;
  job.columns = 9;
  job.channels = 200;
  job.runs = 2;
  return job;
}

std::vector<std::string> names_of(const BenchResult& result, const std::string& engine = "elver") {
  std::vector<std::string> out;
  for (const BenchRow& row : result.rows) {
    if (row.engine == engine) out.push_back(std::string(name_of(row.scope)) + ": " + row.stage);
  }
  return out;
}

const RunContext kOnCpu{.threads = 2, .backend = Backend::cpu};

TEST(Bench, MeasuresEveryStageAndScopeAndHoldsThemAgainstALimit) {
  const Model model = sample_model();
  const BenchReport report = run_bench(small_job(), &model, kOnCpu);
  EXPECT_THAT(names_of(report.main),
              ::testing::ElementsAre("kernel: background", "kernel: features", "kernel: rank", "kernel: K1", "kernel: K2",
                                     "kernel: forest", "kernel: predict", "host to host: map", "file to maps: map", "file to maps: map, spectra"));
  for (const BenchRow& row : report.main.rows) {
    SCOPED_TRACE(row.stage + " " + row.engine);
    EXPECT_EQ(row.mpx_s.runs, 2u);
    EXPECT_GT(row.mpx_s.minimum, 0);
    EXPECT_LE(row.mpx_s.minimum, row.mpx_s.median);
    EXPECT_LE(row.mpx_s.median, row.mpx_s.maximum);
    if (row.limit_by.empty()) continue;
    EXPECT_GT(row.limit_mpx_s, 0);
    EXPECT_DOUBLE_EQ(row.share_of_limit(), row.mpx_s.median / row.limit_mpx_s);
  }
  for (const std::string stage : {"background", "K1", "K2", "forest", "predict", "map"}) {
    EXPECT_TRUE(std::ranges::any_of(report.main.rows, [&](const BenchRow& row) { return row.stage == stage && !row.limit_by.empty(); })) << stage;
  }
  EXPECT_GT(report.machine.copy_bytes_s.median, 1e6);
  EXPECT_GT(report.machine.compares_s.median, 1e6);
  EXPECT_EQ(report.main.what.counts, "uint16");
  EXPECT_EQ(report.main.what.order, "energy-major");
  // Five stumps: each pixel meets every node, and all of them are inner ones.
  EXPECT_EQ(report.main.what.trees, 5u);
  EXPECT_DOUBLE_EQ(report.main.what.mean_inner_nodes, 1.0);
  for (const BenchRow& row : report.main.rows) {
    if (row.stage != "K2") continue;
    EXPECT_DOUBLE_EQ(row.visits_a_pixel, row.nodes_a_pixel);
  }
  // Nothing is timed before it was compared.
  EXPECT_EQ(report.main.parity.margins, 2048u * 5);
  EXPECT_GT(report.main.parity.map_values, 72u);
  EXPECT_GT(report.main.peak_bytes, report.main.file_bytes);
}

TEST(Bench, LeavesOutWhatItWasNotAskedFor) {
  const Model model = sample_model();
  BenchJob job = small_job();
  job.runs = 1;
  job.scopes = {BenchScope::file_to_maps};
  EXPECT_THAT(names_of(run_bench(job, &model, kOnCpu).main), ::testing::ElementsAre("file to maps: map", "file to maps: map, spectra"));
  EXPECT_THAT(run_bench(job, &model, kOnCpu).skipped, Contains("GPU: not asked for"));
}

TEST(Bench, MapsByXgboostsTreesAreTheSameAndSayWhose) {
  if (!xgboost::available()) GTEST_SKIP() << "needs XGBoost: " << xgboost::library().problem;
  const Model model = sample_model();
  BenchJob job = small_job();
  job.scopes = {BenchScope::host_to_host, BenchScope::file_to_maps};
  RunContext context = kOnCpu;
  context.forest = ForestEngine::xgboost;
  const BenchReport report = run_bench(job, &model, context);
  EXPECT_THAT(names_of(report.main, "elver and " + xgboost::name()),
              ::testing::ElementsAre("host to host: map", "file to maps: map", "file to maps: map, spectra"));
  EXPECT_GE(report.main.parity.map_values, 2 * 72U) << "with elver's trees, and from the file";
}

TEST(Bench, SweepsMeasureEachValueAndGoIntoTheJson) {
  const Model model = sample_model();
  BenchJob job = small_job();
  job.runs = 1;
  job.scopes = {BenchScope::host_to_host};
  job.sweeps = {parse_sweep("size=6,4"), parse_sweep("trees=5,11")};
  const BenchReport report = run_bench(job, &model, kOnCpu);
  ASSERT_EQ(report.sweeps.size(), 2u);
  EXPECT_EQ(report.sweeps[0].values, (std::vector<std::uint64_t>{4, 6}));
  EXPECT_EQ(report.sweeps[0].results[1].what.rows, 6u);
  EXPECT_EQ(report.sweeps[0].results[1].rows[0].pixels, 36u);
  EXPECT_EQ(report.sweeps[1].results[0].what.trees, 5u);
  EXPECT_EQ(report.sweeps[1].results[1].what.trees, 15u);  // whole models, as many as it takes
  const nlohmann::json json = nlohmann::json::parse(bench_json(report));
  EXPECT_EQ(json["sweeps"][1]["points"][1]["trees"]["count"], 15);
  EXPECT_EQ(json["rows"][0]["mpx_s"]["median"], report.main.rows[0].mpx_s.median);
  EXPECT_THAT(bench_table(report), HasSubstr("host to host"));
}

TEST(Bench, RefusesWhatItCannotDo) {
  const Model model = sample_model();
  BenchJob job = small_job();
  EXPECT_THROW(run_bench(job, nullptr, kOnCpu), Error);  // neither a model nor a library
  job.sweeps = {parse_sweep("depth")};
  EXPECT_THROW(run_bench(job, &model, kOnCpu), Error);  // a model's trees are as deep as they are
  for (const char* bad : {"", "colour", "size=", "size=4,", "size=4;5", "size=-1", "size=0"}) {
    EXPECT_THROW(parse_sweep(bad), Error) << bad;
  }
}

// The made image holds the same spectra whatever its size and number type, and a file of it holds what memory holds.
TEST(BenchImage, IsTheSameInMemoryAndInAFile) {
  const Model model = sample_model();
  BenchJob job = small_job();
  job.rows = 65;
  job.columns = 64;  // one row more than there are different spectra
  const std::unique_ptr<Image> made = bench::made_image(model, job);
  const std::unique_ptr<Image> memory = bench::in_memory(*made, {});
  const TempDir dir;
  const OpenOptions open = bench::write_dm4(*made, bench::Order::energy_major, dir / "counts.dm4", {});
  const std::unique_ptr<Image> file = open_image(dir / "counts.dm4", open);
  bench::write_dm4(*made, bench::Order::pixel_major, dir / "spectra.dm4", {});
  const std::unique_ptr<Image> spectra = open_image(dir / "spectra.dm4", open);
  EXPECT_TRUE(file->channels_first());
  EXPECT_FALSE(spectra->channels_first());
  job.counts = NumberType::f32;
  const std::unique_ptr<Image> floats = bench::in_memory(*bench::made_image(model, job), {});
  ASSERT_EQ(file->pixels(), 65u * 64);
  ASSERT_EQ(file->channels(), 200u);
  EXPECT_EQ(file->info().type, NumberType::u16);
  EXPECT_DOUBLE_EQ(file->energy().offset_ev, memory->energy().offset_ev);
  EXPECT_DOUBLE_EQ(file->energy().dispersion_ev, memory->energy().dispersion_ev);
  const auto tile = [](const Image& image, std::uint64_t first, std::uint64_t last) {
    std::vector<float> out((last - first) * 200);
    image.read_tile({first, last}, {0, 200}, out);
    return out;
  };
  const std::vector<float> all = tile(*memory, 0, 4160);
  EXPECT_EQ(tile(*file, 0, 4160), all);
  EXPECT_EQ(tile(*spectra, 0, 4160), all);
  EXPECT_EQ(tile(*floats, 0, 4160), all);
  std::map<std::size_t, std::uint64_t> shown;
  std::uint64_t again = 0;
  for (std::uint64_t p = 0; p < 4160; ++p) {
    const auto [before, is_new] = shown.emplace(bench::spectrum_of(p), p);
    if (is_new) continue;
    ++again;
    EXPECT_EQ(tile(*memory, p, p + 1), tile(*memory, before->second, before->second + 1));
  }
  EXPECT_NEAR(static_cast<double>(shown.size()) / 4096, 1 - std::exp(-4160.0 / 4096), 0.03);  // as drawn by chance
  EXPECT_GT(again, 0u);
  EXPECT_NE(tile(*memory, 0, 64), tile(*memory, 64, 128));
  EXPECT_GT(*std::ranges::max_element(all), 100.0F);
}

TEST(BenchImage, OfAFileKeepsItsOrder) {
  const MemoryImage sample_image = sample(3, 5);
  const std::unique_ptr<Image> memory = bench::in_memory(sample_image, {});
  EXPECT_FALSE(memory->channels_first());
  std::vector<float> a(15 * kChannels), b(a.size());
  sample_image.read_tile({0, 15}, {0, kChannels}, a);
  memory->read_tile({0, 15}, {0, kChannels}, b);
  EXPECT_EQ(a, b);
}

// The limit is measured with the forest's own comparison: a byte that is at least the node's.
TEST(BenchMachine, ComparesAsTheForestDoesOnEveryTarget) {
  alignas(64) std::uint8_t codes[64 * bench::kCompareRows];
  for (std::size_t i = 0; i < sizeof codes; ++i) codes[i] = static_cast<std::uint8_t>(i * 61 + i / 7);
  for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(bench::vector_registers());
    for (const int least : {0, 1, 127, 128, 255}) {
      alignas(64) std::uint8_t answers[64 * bench::kCompareRows] = {};
      bench::compare_nodes(codes, static_cast<std::uint8_t>(least), bench::kCompareRows, answers);
      std::uint64_t right = 0, bits = 0, bytes = 0;
      for (std::size_t i = 0; i < sizeof codes; ++i) right += codes[i] >= least ? 1U : 0U;
      std::uint64_t words[bench::kCompareRows];  // eight bytes a row where answers are bits
      std::memcpy(words, answers, sizeof words);
      for (const std::uint64_t word : words) bits += static_cast<std::uint64_t>(std::popcount(word));
      for (const std::uint8_t byte : answers) bytes += byte == 255 ? 1U : 0U;
      EXPECT_TRUE(right == bits || right == bytes) << least << ": " << right << ", " << bits << ", " << bytes;
    }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

TEST(BenchModel, TrainedTreesAreAsManyAndAsDeepAsAskedFor) {
  if (!xgboost::available()) GTEST_SKIP() << xgboost::library().problem;
  const auto path = shared_data("nmc-feff10/library.h5");
  ELVER_NEEDS(path);
  const Library library = load_library(path);
  const std::vector<bench::TrainedTrees> trees{{3, 6}, {3, 16}, {5, 6}};
  const std::vector<Model> models = bench::trained_models(library, 100, trees, {.threads = 2}, 200);
  ASSERT_EQ(models.size(), 3u);
  EXPECT_EQ(bench::trees_of(models[2]), 6u);
  EXPECT_EQ(models[2].tasks[0].booster.max_depth(), 5u);  // a regression on a hundred spectra and more uses what it may
  EXPECT_EQ(bench::trees_of(models[0]), 6u);
  EXPECT_EQ(bench::trees_of(models[1]), 18u);  // whole rounds
  EXPECT_EQ(models[0].feature_count(), 100u);
  for (const Task& task : models[1].tasks) {
    EXPECT_LE(task.booster.max_depth(), 3u);
    EXPECT_GE(task.booster.max_depth(), 2u);
  }
  // The shorter is the beginning of the longer.
  std::vector<float> row(100, 0.4F), first(1), same(1);
  models[0].tasks[0].booster.margins(row, 1, first);
  models[1].tasks[0].booster.margins(row, 1, same, 1);
  EXPECT_EQ(first, same);
}

TEST(BenchCommand, PrintsJsonAndRefusesInOneLine) {
  const std::string model = std::string(ELVER_SOURCE_DIR) + "/samples/nmc.elver";
  const Ran ran = run_elver({"bench", "--model", model, "--size", "8x8", "--runs", "1", "--scope", "kernel,host", "--json",
                             "--threads", "1", "--backend", "cpu"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const nlohmann::json json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["image"]["rows"], 8);
  std::size_t trees = 0;
  for (const Task& task : load_model(model).tasks) trees += task.booster.tree_count();
  EXPECT_EQ(json["trees"]["count"], trees);
  EXPECT_GT(json["trees"]["mean_inner_nodes"], 3.0);
  EXPECT_GT(json["parity"]["margins_equal"], 0);
  const Ran refused = run_elver({"bench"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--model or --library"));
}

}  // namespace
}  // namespace elver
