#include "elver/bench.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "bench/machine.hpp"
#include "bench/made_model.hpp"
#include "bench/measure.hpp"
#include "elver/error.hpp"
#include "elver/version.hpp"
#include "engine/cuda.hpp"
#include "engine/device_loop.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace bench;

/// Trees that are trained for each value of a sweep over depth or features; they are run again and again until there
/// are as many as asked for, so that a sweep takes minutes.
constexpr std::uint64_t kSweptTrees = 600;

/// What a sweep goes over if nothing is said.
std::vector<std::uint64_t> usual_values(const std::string& over, std::uint64_t trees) {
  if (over == "size") return {64, 128, 256, 512, 1024};
  if (over == "channels") return {1000, 1500, 3000};
  if (over == "features") return {100, 300, 600};
  if (over == "depth") return {2, 4, 6, 8, 10};
  return {trees / 3, trees, trees * 5 / 2};
}

}  // namespace

std::string_view name_of(BenchScope scope) {
  switch (scope) {
    case BenchScope::kernel:
      return "kernel";
    case BenchScope::device:
      return "device";
    case BenchScope::host_to_host:
      return "host to host";
    case BenchScope::file_to_maps:
      return "file to maps";
  }
  return "";
}

BenchJob::Sweep parse_sweep(const std::string& word) {
  BenchJob::Sweep out;
  const std::size_t equals = word.find('=');
  out.over = word.substr(0, equals);
  bool good = false;
  for (const char* known : {"size", "channels", "features", "trees", "depth"}) good = good || out.over == known;
  for (std::size_t at = equals; good && at != word.npos;) {
    const std::size_t end = std::min(word.find(',', at + 1), word.size());
    std::uint64_t value = 0;
    const auto [rest, code] = std::from_chars(word.data() + at + 1, word.data() + end, value);
    good = code == std::errc{} && rest == word.data() + end && value > 0 && value <= 1'000'000;
    out.values.push_back(value);
    at = end < word.size() ? end : word.npos;
  }
  if (!good) {
    throw Error(ErrorKind::usage, "--sweep " + word, "not something to sweep over",
                "Choose size, channels, features, trees or depth, with values if you like: size=64,128");
  }
  std::ranges::sort(out.values);
  return out;
}

BenchReport run_bench(const BenchJob& job, const Model* given, const RunContext& context) {
  if ((given == nullptr) == job.library.empty()) {
    throw Error(ErrorKind::usage, "elver bench", "it needs a model, or a library to train one on",
                "Give --model or --library");
  }
  std::optional<Library> library;
  if (!job.library.empty()) library = load_library(job.library);
  const auto refuse = [](const std::string& what, const std::string& why, const std::string& todo) {
    throw Error(ErrorKind::usage, what, why, todo);
  };
  for (const BenchJob::Sweep& sweep : job.sweeps) {
    if (!library && (sweep.over == "features" || sweep.over == "depth")) {
      refuse("--sweep " + sweep.over, "a model's trees are what they are", "Give --library in place of --model");
    }
    if (!job.input.empty() && (sweep.over == "size" || sweep.over == "channels" || sweep.over == "features")) {
      refuse("--sweep " + sweep.over, "a file is what it is", "Leave FILE out");
    }
  }
  BenchReport out;
  out.elver = version();
  out.date = today();
  const std::vector<int> devices = engine::devices_to_use(context, "");
  MachineLimits& machine = out.machine;
  machine.cpu = cpu_name();
  machine.cores = cores();
  machine.threads = context.thread_count();
  machine.vector_registers = vector_registers();
  if (context.progress != nullptr) context.progress->begin("what the machine can do", 2, "limits");
  machine.copy_bytes_s = measure_copies(context, job.runs);
  machine.compares_s = measure_compares(context, job.runs);
  const DeviceList found = list_devices();
  machine.gpu_versions = found.versions;
  machine.why_no_gpu = context.backend == Backend::cpu ? "not asked for" : found.why_none;
  for (const int device : devices) {
    for (const DeviceInfo& d : found.devices) {
      if (d.number == device && machine.gpu.empty()) machine.gpu = d.name;
    }
  }
  if (!devices.empty()) {
    machine.link_bytes_s =
        spread_of(cuda::copy_rates(devices.front(), std::size_t{64} << 20, static_cast<int>(job.runs)));
  } else {
    out.skipped.push_back("GPU: " + machine.why_no_gpu);
  }
  if (context.progress != nullptr) context.progress->end();

  const std::uint64_t wanted_trees = job.trees > 0 ? job.trees : library ? 1800 : trees_of(*given);
  const TrainedTrees main_trees{job.depth, wanted_trees};
  const std::uint64_t swept_trees = std::min(wanted_trees, kSweptTrees);
  const auto values_of = [&](const BenchJob::Sweep& sweep) {
    return sweep.values.empty() ? usual_values(sweep.over, wanted_trees) : sweep.values;
  };
  // All that is trained on the same features is trained together: simulating them takes the longest.
  std::map<std::uint64_t, std::vector<TrainedTrees>> asked_for{{job.features, {main_trees}}};
  for (const BenchJob::Sweep& sweep : job.sweeps) {
    for (const std::uint64_t value : values_of(sweep)) {
      if (sweep.over == "trees") asked_for[job.features].push_back({job.depth, value});
      if (sweep.over == "depth") asked_for[job.features].push_back({value, swept_trees});
      if (sweep.over == "features") asked_for[value].push_back({job.depth, swept_trees});
    }
  }
  std::map<std::uint64_t, std::vector<Model>> trained_on;
  for (const auto& [features, trees] : asked_for) {
    if (library) trained_on.emplace(features, trained_models(*library, features, trees, context));
  }
  const auto model_of = [&](std::uint64_t features, const TrainedTrees& trees) {
    if (!library) return repeated_model(*given, trees.count);
    const auto place = std::ranges::find(asked_for.at(features), trees) - asked_for.at(features).begin();
    return trained_on.at(features)[static_cast<std::size_t>(place)];
  };
  const auto words = [&](const Model& model, std::uint64_t trained) {
    if (library) {
      return text("trained by XGBoost on %s%s", job.library.filename().string().c_str(),
                  trees_of(model) > trained
                      ? text(", %llu of them again and again", static_cast<unsigned long long>(trained)).c_str()
                      : "");
    }
    return text("those of model %s%s", given->name.c_str(),
                trees_of(model) > trees_of(*given) ? ", again and again" : "");
  };
  const auto measured = [&](const Model& model, const BenchJob& asked, std::uint64_t trained = ~std::uint64_t{0}) {
    return bench::measure(asked, model, words(model, trained), machine, devices, context, out.skipped);
  };
  const auto measured_swept = [&](std::uint64_t features, std::uint64_t depth, const BenchJob& asked) {
    const Model few = model_of(features, {depth, swept_trees});
    return measured(repeated_model(few, wanted_trees), asked, trees_of(few));
  };
  const Model main = model_of(job.features, main_trees);
  if (!job.keep_model.empty()) save_model(main, job.keep_model);
  out.main = measured(main, job);
  for (const BenchJob::Sweep& asked : job.sweeps) {
    BenchSweep sweep{asked.over, values_of(asked), {}};
    for (const std::uint64_t value : sweep.values) {
      BenchJob image = job;
      if (asked.over == "size") image.rows = image.columns = value;
      if (asked.over == "channels") image.channels = value;
      sweep.results.push_back(asked.over == "trees"      ? measured(model_of(job.features, {job.depth, value}), image)
                              : asked.over == "features" ? measured_swept(value, job.depth, image)
                              : asked.over == "depth"    ? measured_swept(job.features, value, image)
                                                         : measured(main, image));
    }
    out.sweeps.push_back(std::move(sweep));
  }
  std::ranges::sort(out.skipped);
  out.skipped.erase(std::unique(out.skipped.begin(), out.skipped.end()), out.skipped.end());
  return out;
}

}  // namespace elver
