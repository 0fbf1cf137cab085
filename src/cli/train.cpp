#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/train.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::string library, out;
  TrainOptions train;
  RunOptions run;
};

void print_table(const TrainedModel& trained, const std::string& out) {
  std::printf("Held-out figures, by structure: spectra of structures that the training never saw\n");
  std::printf("%-16s %-17s %9s", "task", "measure", "guessing");
  for (const double dose : trained.report.doses) {
    if (dose > 0) {
      std::printf("   %9.0f", dose);
    } else {
      std::printf("   %9s", "no noise");
    }
  }
  std::printf("   structures (specimens) held out / trained on (spectra)\n");
  for (const TaskScore& s : trained.report.scores) {
    std::printf("%-16s %-17s %9.3f", s.task.c_str(), s.measure.c_str(), s.guess);
    for (const Figure& f : s.figures) std::printf("   %9.3f", f.value);
    std::printf("   %zu (%zu) / %zu (%zu)\n%*s", s.held_out_structures, s.held_out_specimens, s.training_structures,
                s.training_spectra, 44, "95 % interval");
    for (const Figure& f : s.figures) std::printf(" %5.3f-%5.3f", f.interval.low, f.interval.high);
    std::printf("\n");
  }
  std::printf(
      "The numbers over the columns are counts per channel just before O K. In the intervals a held-out structure is "
      "one "
      "trial.\n");
  for (const std::string& note : trained.report.notes) std::printf("note: %s\n", note.c_str());
  std::printf("%s: %zu tasks, %zu features, %.2f MB; simulated in %.0f s, trained in %.0f s, evaluated in %.0f s\n",
              out.c_str(), trained.model.tasks.size(), trained.model.feature_count(),
              static_cast<double>(std::filesystem::file_size(out)) / 1e6, trained.report.simulate_seconds,
              trained.report.train_seconds, trained.report.evaluate_seconds);
}

void print_json(const TrainedModel& trained, const std::string& out) {
  nlohmann::ordered_json json{{"model", out},
                              {"bytes", std::filesystem::file_size(out)},
                              {"features", trained.model.feature_count()},
                              {"training", nlohmann::ordered_json::parse(trained.model.training_json)},
                              {"notes", trained.report.notes},
                              {"seconds",
                               {{"simulate", trained.report.simulate_seconds},
                                {"train", trained.report.train_seconds},
                                {"evaluate", trained.report.evaluate_seconds}}}};
  std::printf("%s\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

void train(const Options& options) {
  const std::filesystem::path folder = std::filesystem::absolute(options.out).parent_path();
  if (!std::filesystem::is_directory(folder)) {  // better now than after minutes of work
    throw Error(ErrorKind::output, "cannot write " + options.out, "there is no folder " + folder.string(),
                "Make it first");
  }
  if (options.train.name.empty() || options.train.name.find_first_of("/\\:*?\"<>|. ") != std::string::npos) {
    throw Error(ErrorKind::usage, "--name " + options.train.name, "a model's name is part of file names",
                "Use letters, digits and underscores, for example nmc");
  }
  const Run run(options.run);
  const TrainedModel trained = train_model(load_library(options.library), options.train, run.context());
  save_model(trained.model, options.out);
  if (options.run.json) {
    print_json(trained, options.out);
  } else if (!options.run.quiet) {
    print_table(trained, options.out);
  }
}

}  // namespace

void add_train(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("train", "Train a model on a library of simulated spectra, and say how good it is");
  const auto options = std::make_shared<Options>();
  command->add_option("LIBRARY", options->library, "Spectral library, HDF5 (structures/ and spectra/)")->required();
  command->add_option("--out", options->out, "Model file to write, for example nmc.elver")->required();
  CLI::Option_group* group = command->add_option_group("Training");
  group->add_option("--name", options->train.name, "Name of the model")->capture_default_str();
  group->add_option("--seed", options->train.seed, "Seed of the split, the spectra and the boosters")
      ->capture_default_str();
  group->add_option("--rounds", options->train.rounds, "Boosting rounds; half as many for a task of several classes")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  group->add_option("--depth", options->train.max_depth, "Depth of the trees; one less for a task of several classes")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  group->add_option("--learning-rate", options->train.learning_rate, "Shrinkage of every tree")
      ->check(CLI::Range(1e-4, 1.0))
      ->capture_default_str();
  group->add_option("--samples", options->train.samples, "Training spectra for each group of tasks")
      ->check(CLI::Range(8, 10'000'000))
      ->capture_default_str();
  add_run(*command, options->run);
  command->footer("Example: elver train library.h5 --out nmc.elver --seed 1");
  command->callback([options] { train(*options); });
}

}  // namespace elver::cli
