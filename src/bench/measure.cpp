#include "bench/measure.hpp"

#include <unistd.h>

#include <algorithm>

#include "bench/case.hpp"
#include "bench/machine.hpp"
#include "bench/made_image.hpp"
#include "elver/error.hpp"
#include "elver/report.hpp"
#include "engine/edge_pipelines.hpp"
#include "forest/forest.hpp"
#include "maps/device_maps.hpp"
#include "types/text.hpp"

namespace elver::bench {
namespace {

/// A folder that goes when it is done with.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "elver-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw Error(ErrorKind::output, "cannot make a folder in " + std::filesystem::temp_directory_path().string(),
                  "the system refused", "Set TMPDIR to one that can be written to");
    }
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Nodes that a row meets on its way through all trees.
std::uint64_t visits_of(const Booster::Forest& forest, std::size_t trees, std::span<const float> row) {
  std::uint64_t visits = 0;
  for (std::size_t t = 0; t < trees; ++t) {
    const forest::Node* const nodes = forest.nodes.data() + forest.trees[t].first_node;
    for (std::uint32_t i = 0; nodes[i].left != static_cast<std::int32_t>(i) - 1; ++visits) {
      const bool left = row[nodes[i].index()] < nodes[i].threshold;
      i = static_cast<std::uint32_t>(nodes[i].left) + (left ? 0 : 1);
    }
  }
  return visits;
}

/// What the model's trees are like; how many of their nodes pixels of the image meet.
void describe(const Image& image, Case& what, BenchCase& out) {
  const engine::ForestRunner runner(what.boosters, engine::Missing::never);
  const engine::CodeTable& codes = runner.packed().codes;
  out.tasks = what.model.tasks.size();
  out.outputs = runner.output_count();
  out.features = what.model.feature_count();
  out.code_rows = codes.rows.size();
  std::vector<std::uint8_t> used(out.features, 0);
  for (const engine::CodeRow& row : codes.rows) {
    used[row.feature] = 1;
    out.most_thresholds = std::max<std::uint64_t>(out.most_thresholds, row.count);
  }
  out.features_used = static_cast<std::uint64_t>(std::ranges::count(used, 1));
  double depth = 0;
  for (const engine::BoosterRounds& b : what.boosters) {
    const Booster::Forest& forest = b.booster->forest();
    for (std::size_t t = 0; t < b.tree_count(); ++t) {
      out.trees += 1;
      depth += forest.trees[t].depth;
      out.most_depth = std::max<std::uint64_t>(out.most_depth, forest.trees[t].depth);
      what.nodes_a_pixel += static_cast<double>(forest.trees[t].node_count - 1) / 2;
    }
  }
  const auto trees = static_cast<double>(std::max<std::uint64_t>(out.trees, 1));
  out.mean_depth = depth / trees;
  out.mean_inner_nodes = what.nodes_a_pixel / trees;
  out.rows = image.rows();
  out.columns = image.columns();
  out.channels = image.channels();
  out.plan_channels = what.plan_channels.size();
  out.counts = std::string(name_of(image.info().type));
  out.order = image.channels_first() ? "energy-major" : "pixel-major";

  constexpr std::uint64_t kWalked = 256;
  const Plan plan(what.model, image.energy());
  const PixelRange some{0, std::min(kWalked, image.pixels())};
  std::vector<float> counts(some.size() * plan.channels().size());
  image.read_tile(some, plan.channels(), counts);
  TileFeatures tile;
  plan.extract({counts.data(), static_cast<std::size_t>(some.size()), plan.channels()}, {}, tile);
  std::uint64_t visits = 0, walked = 0;
  for (std::size_t p = 0; p < tile.pixels; ++p) {
    if (failed(tile.status[p])) continue;
    ++walked;
    for (const engine::BoosterRounds& b : what.boosters) {
      visits += visits_of(b.booster->forest(), b.tree_count(),
                          std::span(tile.features).subspan(p * out.features, out.features));
    }
  }
  what.visits_a_pixel = walked > 0 ? static_cast<double>(visits) / static_cast<double>(walked) : 0;
}

std::uint64_t peak_of_map(const BenchJob& job, const std::filesystem::path& file, const OpenOptions& open, const Model& model,
                          const std::filesystem::path& scratch, const RunContext& context) {
  if (std::ranges::find(job.scopes, BenchScope::file_to_maps) == job.scopes.end()) return 0;
  MapJob map;
  map.input = file;
  map.open = open;
  map.out = scratch / "maps";
  map.record.command_line = "elver bench";
  map.record.pictures = Pictures::none;
  RunContext on_cpu = context;
  on_cpu.backend = Backend::cpu;
  reset_peak_memory();
  run_map(map, model, on_cpu);
  return peak_memory();
}

std::size_t rounds_of(const Task& task) {
  const auto best = task.booster.best_iteration();
  return task.best_rounds && best && *best + 1 < task.booster.round_count() ? *best + 1 : 0;
}

}  // namespace

double Case::memory_limit_mpx_s(double bytes) const { return 2 * machine.copy_bytes_s.median / bytes * 1e-6; }
double Case::compare_limit_mpx_s() const {
  return nodes_a_pixel > 0 ? 64 * machine.compares_s.median / nodes_a_pixel * 1e-6 : 0;
}

BenchResult measure(const BenchJob& job, const Model& model, const std::string& trees, const MachineLimits& machine,
                    const std::vector<int>& devices, const RunContext& context, std::vector<std::string>& skipped) {
  const Scratch scratch;
  RunContext quiet = context;
  quiet.progress = nullptr;
  BenchResult out;
  std::unique_ptr<Image> source;
  std::filesystem::path file = job.input;
  OpenOptions open = job.open;
  if (job.input.empty()) {
    source = made_image(model, job);
    out.what.image = text("Poisson counts of the model's reference spectra, %zu different ones again and again", kSpectra);
    file = scratch.path() / "counts.dm4";
    open = write_dm4(*source, Order::energy_major, file, context);
  } else {
    source = open_image(job.input, job.open);
    out.what.image = job.input.filename().string();
  }
  out.file_bytes = std::filesystem::file_size(file);
  out.peak_bytes = peak_of_map(job, file, open, model, scratch.path(), quiet);

  // Where the counts do not fit in memory, they are left in the file: then nothing is said of host to host.
  const std::uint64_t bytes = source->pixels() * source->channels() * bytes_of(source->info().type);
  std::vector<BenchScope> scopes = job.scopes;
  std::unique_ptr<Image> image;
  if (bytes <= memory_of_machine() / 3 && (context.memory_bytes == 0 || bytes <= context.memory_bytes / 2)) {
    image = in_memory(*source, context);
  } else {
    std::erase(scopes, BenchScope::host_to_host);
    image = open_image(file, open);
    skipped.push_back(text("host to host of %llu pixels: their counts do not fit in memory beside the rest",
                           static_cast<unsigned long long>(source->pixels())));
  }
  std::filesystem::path pixel_major;
  if (job.input.empty() && std::ranges::find(scopes, BenchScope::file_to_maps) != scopes.end()) {
    if (2 * bytes <= memory_of_machine() / 2) {
      pixel_major = scratch.path() / "spectra.dm4";
      write_dm4(*source, Order::pixel_major, pixel_major, context);
    } else {
      skipped.push_back(text("a pixel-major file of %llu pixels: the page cache does not hold it beside the other",
                             static_cast<unsigned long long>(source->pixels())));
    }
  }
  source.reset();

  Case what{model, *image, file, pixel_major, open, scratch.path(), machine, quiet, {}, {}, 0, 0};
  for (const Task& task : model.tasks) what.boosters.push_back({&task.booster, rounds_of(task)});
  what.plan_channels = engine::EdgePipelines(model, *image).channels();
  out.what.model = trees;
  describe(*image, what, out.what);

  Steps steps;
  const auto wanted = [&](BenchScope scope) { return std::ranges::find(scopes, scope) != scopes.end(); };
  if (wanted(BenchScope::kernel)) {
    add_edge_rows(what, steps);
    add_forest_rows(what, steps, out.parity, skipped);
  }
  if (wanted(BenchScope::host_to_host) || wanted(BenchScope::file_to_maps)) add_map_rows(what, scopes, steps, out.parity);
  for (const int device : devices) {
    const std::string why = context.forest == ForestEngine::xgboost
                                ? "XGBoost's trees are measured there by bench/peers/cupy_pipeline.py"
                                : why_not_on_devices(model, *image, context.forest);
    if (why.empty()) {
      add_device_rows(what, device, scopes, steps, out.parity);
    } else {
      skipped.push_back("GPU: " + why);
    }
    break;  // one is measured
  }
  if (context.progress != nullptr) context.progress->begin("measuring", job.runs, "runs");
  for (std::uint64_t run = 0; run < job.runs; ++run) {
    for (const auto& once : steps.once) {
      context.check_interrupt();
      once();
    }
    if (context.progress != nullptr) context.progress->advance(1);
  }
  if (context.progress != nullptr) context.progress->end();
  for (Meter& meter : steps.meters) {
    for (double& seconds : meter.seconds) seconds = static_cast<double>(meter.row.pixels) / seconds * 1e-6;
    meter.row.mpx_s = spread_of(meter.seconds);
    out.rows.push_back(std::move(meter.row));
  }
  return out;
}

}  // namespace elver::bench
