#include <algorithm>
#include <cstring>

#include "bench/case.hpp"
#include "bench/machine.hpp"
#include "elver/error.hpp"
#include "elver/maps.hpp"
#include "elver/report.hpp"
#include "types/stopwatch.hpp"
#include "types/text.hpp"

namespace elver::bench {

std::uint64_t compare_maps(const MapResult& a, const MapResult& b, const std::string& what) {
  std::uint64_t compared = 0, different = a.status == b.status ? 0 : 1;
  for (std::size_t m = 0; m < a.maps.size(); ++m) {
    compared += a.maps[m].values.size();
    for (std::size_t p = 0; p < a.maps[m].values.size(); ++p) {
      const float x = a.maps[m].values[p], y = b.maps[m].values[p];
      different += std::memcmp(&x, &y, sizeof x) != 0 && (x == x || y == y) ? 1U : 0U;  // one NaN is as good as another
    }
  }
  if (different > 0) {
    throw Error(ErrorKind::mismatch, "nothing is timed",
                text("%llu of %llu values of maps %s differ from those from memory on the CPU",
                     static_cast<unsigned long long>(different), static_cast<unsigned long long>(compared), what.c_str()),
                "Please report it with the model");
  }
  return compared;
}

void add_map_rows(const Case& what, const std::vector<BenchScope>& scopes, Steps& steps, BenchParity& parity) {
  RunContext context = what.context;
  context.backend = Backend::cpu;
  const auto wanted = [&](BenchScope scope) { return std::ranges::find(scopes, scope) != scopes.end(); };
  const MapResult first = map_image(what.image, what.model, {}, context);
  const bool by_xgboost = context.forest == ForestEngine::xgboost;
  if (by_xgboost && std::ranges::all_of(what.model.tasks, [](const Task& task) { return task.booster.has_trees(); })) {
    RunContext own = context;
    own.forest = ForestEngine::own;
    parity.map_values += compare_maps(map_image(what.image, what.model, {}, own), first, "by XGBoost");
  }
  const double bytes = static_cast<double>(bytes_of(what.image.info().type) * what.plan_channels.size()) +
                       4.0 * static_cast<double>(first.maps.size()) + 1.0;
  const auto meter = [&](BenchScope scope, const char* stage = "map") {
    BenchRow row{stage, scope, by_xgboost ? "elver and " + first.forest : "elver", "CPU", what.image.pixels(), {}, bytes, what.nodes_a_pixel, what.visits_a_pixel};
    const double memory = what.memory_limit_mpx_s(bytes), compares = what.compare_limit_mpx_s();
    row.limit_by = memory < compares || compares == 0 ? "memory" : "compares";
    row.limit_mpx_s = row.limit_by == "memory" ? memory : compares;
    return &steps.add(std::move(row));
  };
  if (wanted(BenchScope::host_to_host)) {
    Meter* const host = meter(BenchScope::host_to_host);
    steps.once.push_back([=, &what] {
      const Stopwatch watch;
      map_image(what.image, what.model, {}, context);
      host->seconds.push_back(watch.seconds());
    });
  }
  if (!wanted(BenchScope::file_to_maps)) return;
  MapJob job;
  job.open = what.open;
  job.out = what.scratch / "maps";
  job.record.command_line = "elver bench";
  job.record.pictures = Pictures::none;
  job.preparation.counts = Counts::look;  // as elver map
  const auto add_file = [&](const std::filesystem::path& path, const char* stage) {
    job.input = path;
    const MapRun run = run_map(job, what.model, context);
    parity.map_values += compare_maps(first, run.result, "from the file");
    Meter* const file = meter(BenchScope::file_to_maps, stage);
    steps.once.push_back([=, &what] {
      const Stopwatch watch;
      run_map(job, what.model, context);
      file->seconds.push_back(watch.seconds());
    });
  };
  add_file(what.file, "map");
  if (!what.pixel_major.empty()) add_file(what.pixel_major, "map, spectra");
}

}  // namespace elver::bench
