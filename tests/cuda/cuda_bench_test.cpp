#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "elver/bench.hpp"
#include "map_samples.hpp"

// elver bench on a device, here by the kernels on the processor: what a first GPU runs must not fail on something
// small.
namespace elver::test {
namespace {

using ::testing::HasSubstr;

TEST(CudaBench, MeasuresTheDeviceInEveryNumberTypeThatItMakesImagesOf) {
  const Model model = sample_model();
  struct Image {
    NumberType counts;
    std::uint64_t columns;
  };
  for (const Image& image : {Image{NumberType::u16, 72}, Image{NumberType::i32, 333}, Image{NumberType::f32, 1}}) {
    BenchJob job;
    job.rows = 1;
    job.columns = image.columns;
    job.channels = 200;
    job.runs = 1;
    job.counts = image.counts;
    job.scopes = {BenchScope::device, BenchScope::host_to_host};
    const BenchReport report = run_bench(job, &model, {.threads = 2, .backend = Backend::cuda});
    EXPECT_THAT(report.machine.gpu, HasSubstr("this processor"));
    EXPECT_EQ(report.machine.link_bytes_s.runs, 1U);
    EXPECT_GT(report.machine.link_bytes_s.minimum, 0);
    EXPECT_GT(report.main.parity.map_values, 0U);
    std::vector<std::string> rows;
    for (const BenchRow& row : report.main.rows) {
      if (row.on == "CPU") continue;
      rows.push_back(std::string(name_of(row.scope)) + ": " + row.stage);
      EXPECT_EQ(row.on, report.machine.gpu);
      EXPECT_GT(row.mpx_s.minimum, 0) << row.stage;
      EXPECT_GT(row.bytes_a_pixel, 0) << row.stage;
    }
    EXPECT_THAT(rows, ::testing::ElementsAre("kernel: K1", "kernel: K2", "device: K1 and K2", "host to host: map"));
    EXPECT_THAT(bench_table(report), HasSubstr(report.machine.gpu));
    EXPECT_EQ(nlohmann::json::parse(bench_json(report))["machine"]["gpu"], report.machine.gpu);
  }
}

}  // namespace
}  // namespace elver::test
