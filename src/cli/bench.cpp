#include "elver/bench.hpp"

#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"

namespace elver::cli {
namespace {

struct Options {
  InputOptions input;
  RunOptions run;
  std::string model, library, keep_model, size = "256x256", counts = "uint16";
  std::vector<std::string> sweeps, scopes;
  BenchJob job;
};

NumberType counts_named(const std::string& name) {
  for (const NumberType type : {NumberType::u16, NumberType::i32, NumberType::f32}) {
    if (name_of(type) == name) return type;
  }
  throw Error(ErrorKind::usage, "--counts " + name, "elver bench makes none of it", "Choose uint16, int32 or float32");
}

BenchScope scope_named(const std::string& name) {
  if (name == "kernel") return BenchScope::kernel;
  if (name == "device") return BenchScope::device;
  return name == "host" ? BenchScope::host_to_host : BenchScope::file_to_maps;
}

void bench(const Options& options) {
  const Run run(options.run);
  BenchJob job = options.job;
  job.input = options.input.file;
  job.open = options.input.open;
  job.library = options.library;
  job.keep_model = options.keep_model;
  job.counts = counts_named(options.counts);
  const Binning size = parse_binning(options.size);
  job.rows = size.rows;
  job.columns = size.columns;
  for (const std::string& sweep : options.sweeps) job.sweeps.push_back(parse_sweep(sweep));
  if (!options.scopes.empty()) job.scopes.clear();
  for (const std::string& scope : options.scopes) job.scopes.push_back(scope_named(scope));
  std::optional<Model> model;
  if (!options.model.empty()) model = load_model(options.model);
  const BenchReport report = run_bench(job, model ? &*model : nullptr, run.context());
  if (options.run.json) {
    std::fputs(bench_json(report).c_str(), stdout);
  } else if (!options.run.quiet) {
    std::fputs(bench_table(report).c_str(), stdout);
  }
}

}  // namespace

void add_bench(CLI::App& program) {
  CLI::App* command = program.add_subcommand("bench", "Measure pixels a second, stage by stage, against what this machine allows");
  const auto options = std::make_shared<Options>();
  add_file(*command, options->input);
  command->get_option("FILE")->required(false)->description("Spectrum image to measure on; left out, one is made of the model's reference spectra");
  command->add_option("--model", options->model, "Model whose trees to run, NAME.elver");
  command->add_option("--library", options->library, "In place of --model: train trees on this library of simulated spectra (needs XGBoost)");
  CLI::Option_group* group = command->add_option_group("What is measured");
  group->add_option("--scope", options->scopes, "kernel, device, host, file: only these (default: all)")
      ->delimiter(',')->check(CLI::IsMember({"kernel", "device", "host", "file"}));
  group->add_option("--runs", options->job.runs, "Runs of each row")->check(CLI::Range(1, 10000))->capture_default_str();
  group->add_option("--size", options->size, "ROWSxCOLUMNS of an image that is made")->capture_default_str();
  group->add_option("--channels", options->job.channels, "Its channels")->check(CLI::Range(100, 20000))->capture_default_str();
  group->add_option("--counts", options->counts, "Its numbers: uint16, int32 or float32")->capture_default_str();
  group->add_option("--trees", options->job.trees, "Trees: trained ones 1800 if left out; a model's are taken again and again until there are so many");
  group->add_option("--depth", options->job.depth, "Depth of trained trees")->check(CLI::Range(1, 20))->capture_default_str();
  group->add_option("--features", options->job.features, "Features of trained trees")->check(CLI::Range(8, 20000))->capture_default_str();
  group->add_option("--sweep", options->sweeps, "size, channels, features, trees or depth, with values if you like (size=64,128): everything again for "
                    "each; features and depth need --library")->allow_extra_args(false);
  group->add_option("--keep-model", options->keep_model, "Where to leave the model that was trained");
  add_run(*command, options->run);
  add_backend(*command, options->run);
  add_forest(*command, options->run);
  command->footer("Answers are compared bit for bit before anything is timed. The files that it makes lie in TMPDIR.\n"
                  "Example: elver bench --model samples/nmc.elver --sweep size");
  command->callback([options] { bench(*options); });
}

}  // namespace elver::cli
