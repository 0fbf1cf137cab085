#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/model.hpp"
#include "train/forest_check.hpp"
#include "types/text.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::string model, booster;
  InputOptions input;
  std::uint64_t random_rows = 4096;
  RunOptions run;
};

struct Compared {
  const Task* task = nullptr;
  std::string skipped;
  std::optional<ForestComparison> comparison;
  std::uint64_t random_rows = 0;
};

/// The boosters to compare: a model's, or one that stands alone.
Model boosters_of(const Options& options) {
  if (options.model.empty() == options.booster.empty()) {
    throw Error(ErrorKind::usage, "elver check", "it needs either --model or --booster", "Try: elver check --help");
  }
  if (!options.model.empty()) return load_model(options.model);
  Model model;
  model.name = options.booster;
  Task& task = model.tasks.emplace_back();
  task.name = options.booster;
  task.booster = Booster::load(options.booster);
  return model;
}

void compare_random(std::vector<Compared>& all, std::uint64_t rows, const RunContext& context) {
  constexpr std::uint64_t kAtOnce = 1024;
  if (context.progress != nullptr) context.progress->begin("random rows", rows * all.size(), "rows");
  for (Compared& one : all) {
    for (std::uint64_t first = 0; one.comparison && first < rows; first += kAtOnce) {
      context.check_interrupt();
      const std::uint64_t count = std::min(kAtOnce, rows - first);
      one.comparison->add(trying_rows(one.task->booster, count, first + 1), count);
      one.random_rows += count;
      if (context.progress != nullptr) context.progress->advance(count);
    }
  }
  if (context.progress != nullptr) context.progress->end();
}

/// The features that a map of the file would use, failed pixels (all missing) too.
void compare_real(std::vector<Compared>& all, const Model& model, const Options& options, const RunContext& context) {
  if (model.edges.empty()) {
    throw Error(ErrorKind::usage, "cannot compare on " + options.input.file, "a booster alone says nothing of edges",
                "Give --model");
  }
  const std::unique_ptr<Image> image = open_input(options.input, context, nullptr, &model);
  const Plans plan(model, *image);
  std::mutex mutex;
  for_each_tile(*image, plan.channels(), context, "real rows", [&](const Tile& tile) {
    TileFeatures features;
    plan.extract(tile, {}, features);
    const std::lock_guard lock(mutex);  // XGBoost has threads of its own
    for (Compared& one : all) {
      if (one.comparison) one.comparison->add(features.features, features.pixels);
    }
  });
}

void print(const std::vector<Compared>& all, const std::string& library, bool as_json) {
  nlohmann::ordered_json tasks = nlohmann::ordered_json::array();
  for (const Compared& one : all) {
    const Booster& booster = one.task->booster;
    const ForestCheck result = one.comparison ? one.comparison->result() : ForestCheck{};
    if (as_json) {
      nlohmann::ordered_json entry = {{"task", one.task->name},
                                      {"objective", booster.objective()},
                                      {"written_by", booster.version()},
                                      {"trees", booster.tree_count()},
                                      {"outputs", booster.output_count()},
                                      {"random_rows", one.random_rows},
                                      {"real_rows", result.rows - one.random_rows},
                                      {"different_rows", result.different_rows},
                                      {"largest_difference", result.largest_difference}};
      if (!one.skipped.empty()) entry["not_compared"] = one.skipped;
      tasks.push_back(std::move(entry));
    } else if (!one.skipped.empty()) {
      std::printf("%s: not compared: %s\n", one.task->name.c_str(), one.skipped.c_str());
    } else {
      std::printf("%s: %zu trees, %llu random rows, %llu real rows, %llu different\n", one.task->name.c_str(),
                  booster.tree_count(), static_cast<unsigned long long>(one.random_rows),
                  static_cast<unsigned long long>(result.rows - one.random_rows),
                  static_cast<unsigned long long>(result.different_rows));
    }
  }
  if (as_json) {
    const nlohmann::ordered_json report = {{"xgboost", library}, {"tasks", tasks}};
    std::printf("%s\n", report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  }
}

void check_command(const Options& options) {
  const Run run(options.run);
  const RunContext& context = run.context();
  const Model model = boosters_of(options);
  static_cast<void>(xgboost::functions());  // the reason, if it is not at hand
  std::vector<Compared> all(model.tasks.size());
  bool any = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].task = &model.tasks[i];
    all[i].skipped = not_comparable(model.tasks[i].booster);
    if (!all[i].skipped.empty()) continue;
    all[i].comparison.emplace(model.tasks[i].booster, context.thread_count());
    any = true;
  }
  compare_random(all, options.random_rows, context);
  if (!options.input.file.empty()) compare_real(all, model, options, context);
  const auto& version = xgboost::library().version;
  const std::string library = text("%d.%d.%d", version[0], version[1], version[2]);
  if (options.run.json || !options.run.quiet) print(all, library, options.run.json);
  if (!any) throw Error(ErrorKind::mismatch, "nothing was compared", all.empty() ? "there is no task" : all[0].skipped);
  for (const Compared& one : all) {
    if (!one.comparison || one.comparison->result().different_rows == 0) continue;
    const ForestCheck& result = one.comparison->result();
    throw Error(
        ErrorKind::mismatch, "margins of " + one.task->name + " differ from XGBoost's",
        text("%llu of %llu rows, by up to %g, with XGBoost %s", static_cast<unsigned long long>(result.different_rows),
             static_cast<unsigned long long>(result.rows), static_cast<double>(result.largest_difference),
             library.c_str()));
  }
}

}  // namespace

void add_check(CLI::App& program) {
  CLI::App* command = program.add_subcommand("check", "Compare forest margins with XGBoost's, bit for bit");
  auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "Model whose boosters to compare");
  command->add_option("--booster", options->booster, "One booster to compare, in place of a model");
  command->add_option("--rows", options->random_rows, "Random rows a booster")->capture_default_str();
  add_input(*command, options->input);
  command->get_option("FILE")->required(false)->description("Spectrum image whose pixels to compare on as well");
  add_run(*command, options->run);
  command->footer("Example: elver check --model samples/nmc.elver cathode.dm3");
  command->callback([options] { check_command(*options); });
}

}  // namespace elver::cli
