#include <cmath>
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
  std::string library, out, final_fit = "training", device = "cpu";
  TrainOptions train;
  RunOptions run;
};

void print_figures(const char* name, const std::vector<Figure>& figures) {
  std::printf("  %-30s", name);
  for (const Figure& f : figures) std::printf(" %6.3f (%5.3f-%5.3f)", f.value, f.interval.low, f.interval.high);
  std::printf("\n");
}

void print_table(const TrainedModel& trained, const std::string& out) {
  const TrainReport& report = trained.report;
  std::printf("Figures on structures that the models never saw, with 95 %% intervals in which a structure is one trial\n");
  std::printf("%-32s", "");
  for (const std::string& view : report.views) std::printf(" %-20s", view.c_str());
  std::printf("\n");
  for (const TaskScore& s : report.scores) {
    std::printf("%s: %s, guessing %.3f; kept: %s (%s)\n", s.task.c_str(), s.measure.c_str(), s.guess, s.kept.c_str(),
                s.settings.c_str());
    for (const Contender& c : s.contenders) print_figures(c.name.c_str(), c.figures);
    std::printf("  (%zu structures in folds)\n", s.fold_structures);
    if (s.figures.empty()) continue;
    print_figures("the model, held out", s.figures);
    if (!std::isnan(s.coverage[0].value)) print_figures("its intervals or sets cover", s.coverage);
    std::printf("  (%zu structures, %zu specimens held out)\n", s.held_out_structures, s.held_out_specimens);
  }
  if (!report.inside.empty()) {
    std::printf("%-32s", "held-out spectra in the domain");
    for (const double share : report.inside) std::printf(" %-20.3f", share);
    std::printf("\n");
  }
  std::printf("clean: one aligned instrument, no noise; no noise, and counts per channel before O K: random instruments; "
              "foreign: instruments that the training did not see.\n");
  for (const std::string& note : report.notes) std::printf("note: %s\n", note.c_str());
  for (const SearchEffort& s : report.searches) {
    std::printf("%s: %zu trials, %zu of them pruned, in %.0f s\n", s.task.c_str(), s.trials, s.pruned, s.seconds);
  }
  std::printf("%s: %zu tasks, %zu features, %.2f MB; simulated in %.0f s, trained in %.0f s, evaluated in %.0f s\n",
              out.c_str(), trained.model.tasks.size(), trained.model.feature_count(),
              static_cast<double>(std::filesystem::file_size(out)) / 1e6, report.simulate_seconds,
              report.train_seconds, report.evaluate_seconds);
}

void print_json(const TrainedModel& trained, const std::string& out) {
  nlohmann::ordered_json searches = nlohmann::ordered_json::array();
  for (const SearchEffort& s : trained.report.searches)
    searches.push_back({{"task", s.task}, {"trials", s.trials}, {"pruned", s.pruned}, {"seconds", s.seconds}});
  nlohmann::ordered_json json{{"model", out},
                              {"bytes", std::filesystem::file_size(out)},
                              {"features", trained.model.feature_count()},
                              {"training", nlohmann::ordered_json::parse(trained.model.training_json)},
                              {"notes", trained.report.notes},
                              {"searches", searches},
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
  TrainOptions train = options.train;
  train.final_fit = options.final_fit == "all" ? FinalFit::everything : FinalFit::training_side;
  train.device = options.device == "cuda" ? Backend::cuda : options.device == "auto" ? Backend::automatic : Backend::cpu;
  if (train.evaluations > 0) train.journal = options.out + ".journal";
  if (!options.run.quiet && !options.run.json) {
    train.on_better = [](const BetterTrial& trial) {
      std::fprintf(stderr, "%s: trial %zu of %zu is the best so far: loss %.4f, %s\n", trial.task.c_str(), trial.number,
                   trial.of, trial.loss, trial.settings.c_str());
    };
  }
  const TrainedModel trained = train_model(load_library(options.library), train, run.context());
  save_model(trained.model, options.out);
  std::error_code ignored;
  if (!train.journal.empty()) std::filesystem::remove(train.journal, ignored);
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
  group->add_option("--task", options->train.tasks, "Only these tasks: li_content, count_Li, ... (repeat, or commas)")
      ->delimiter(',');
  group->add_option("--evals", options->train.evaluations,
                    "Trials of the search of hyper-parameters for each task; 0: the fixed ones below. Finished trials "
                    "stand in OUT.journal until the model is written: the same command goes on where it was stopped")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  group->add_option("--folds", options->train.folds, "Folds of the search, by structure")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  group->add_option("--hold-out", options->train.hold_out,
                    "Keep one in so many structures out of everything, for the final figures; 0: none")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  group->add_option("--final-fit", options->final_fit,
                    "training: the model never sees the held-out structures, and the figures are its own; all: when they "
                    "are known, it is trained once more, the same way, on all structures")
      ->check(CLI::IsMember({"training", "all"}))
      ->capture_default_str();
  group->add_option("--fold-samples", options->train.search_samples, "Training spectra for each group of tasks and fold")
      ->check(CLI::Range(8, 10'000'000))
      ->capture_default_str();
  group->add_option("--rounds", options->train.rounds, "Boosting rounds, the most of a search; half as many for a task of several classes")
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
  group->add_option("--device", options->device,
                    "What XGBoost trains on; auto: cuda where XGBoost has it and there is a GPU, else cpu. Each trains a model of its own")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
      ->capture_default_str();
  add_run(*command, options->run);
  command->footer("Example: elver train library.h5 --out nmc.elver --seed 1\n"
      "         elver train library.h5 --task li_content --evals 100 --folds 5 --out li.elver");
  command->callback([options] { train(*options); });
}

}  // namespace elver::cli
