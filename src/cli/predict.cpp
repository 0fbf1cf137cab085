#include "elver/predict.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "types/stopwatch.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::string booster, input, out;
  PredictOptions predict;
  RunOptions run;
};

void predict_command(const Options& options) {
  const Run run(options.run);
  Stopwatch watch;
  const Booster booster = Booster::load(options.booster);
  const std::unique_ptr<Image> rows = open_image(options.input);
  const double opening = watch.lap();
  Prediction result = write_predictions(booster, *rows, options.predict, options.out, run.context());
  result.seconds.read += opening;
  result.seconds.total += opening;
  const std::optional<std::size_t> best = booster.best_iteration();
  if (best && !options.predict.best_rounds && !options.run.quiet) {
    std::fprintf(stderr,
                 "elver: note: %s has best_iteration %zu, and all %zu rounds are used, as XGBoost's C API does. "
                 "--best-iteration stops there\n",
                 options.booster.c_str(), *best, booster.round_count());
  }
  if (options.run.json) {
    const nlohmann::ordered_json report = {
        {"booster", options.booster},
        {"objective", booster.objective()},
        {"xgboost_version", booster.version()},
        {"input", options.input},
        {"out", options.out},
        {"rows", result.rows},
        {"features", booster.feature_count()},
        {"outputs", result.outputs},
        {"trees", booster.tree_count()},
        {"rounds", booster.round_count()},
        {"rounds_used", result.rounds},
        {"best_iteration", best ? nlohmann::ordered_json(*best) : nlohmann::ordered_json()},
        {"margin", options.predict.margin},
        {"forest", result.forest},
        {"threads", run.context().thread_count()},
        {"seconds",
         {{"read", result.seconds.read},
          {"background", result.seconds.background},
          {"features", result.seconds.features},
          {"rank", result.seconds.rank},
          {"trees", result.seconds.trees},
          {"write", result.seconds.write},
          {"total", result.seconds.total}}}};
    std::printf("%s\n", report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else if (!options.run.quiet) {
    std::printf("%s: %llu rows, %llu %s each, by %llu of %zu rounds of %s\n", options.out.c_str(),
                static_cast<unsigned long long>(result.rows), static_cast<unsigned long long>(result.outputs),
                result.outputs == 1 ? "value" : "values", static_cast<unsigned long long>(result.rounds),
                booster.round_count(), booster.objective().c_str());
  }
}

}  // namespace

void add_predict(CLI::App& program) {
  CLI::App* command = program.add_subcommand("predict", "Predictions of one XGBoost booster for rows of features");
  auto options = std::make_shared<Options>();
  command->add_option("--booster", options->booster, "Booster saved by XGBoost, JSON or UBJSON")->required();
  command->add_option("--input", options->input, "NumPy .npy, (rows, features), or (features) for one row")->required();
  command->add_option("--out", options->out, "NumPy .npy to write: float32, (rows) or (rows, outputs)")->required();
  command->add_flag("--margin", options->predict.margin, "Write the sums of leaves, without the objective's transform");
  command->add_flag("--best-iteration", options->predict.best_rounds, "Stop at the booster's best_iteration");
  add_run(*command, options->run);
  add_backend(*command, options->run);
  add_forest(*command, options->run);
  command->footer("Example: elver predict --booster li.json --input features.npy --out li.npy");
  command->callback([options] { predict_command(*options); });
}

}  // namespace elver::cli
