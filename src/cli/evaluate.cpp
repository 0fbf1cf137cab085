#include "elver/evaluate.hpp"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/io.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::string library, model, out, structures = "unseen";
  std::uint64_t seed = 1;
  ScoreOptions score;
  PaperOptions paper;
  bool quick = false;
  RunOptions run;
};

void score(const Options& options, const Run& run, OutputSet& out) {
  ScoreOptions wanted = options.score;
  wanted.seed = options.seed;
  wanted.structures = options.structures == "all" ? ScoredStructures::all : ScoredStructures::unseen;
  const ModelEvaluation found =
      evaluate_model(load_model(options.model), load_library(options.library), wanted, run.context());
  const std::string json = evaluation_json(found), table = evaluation_markdown(found);
  out.write_text("evaluation.json", json);
  out.write_text("evaluation.md", table);
  out.commit();
  if (options.run.json) {
    std::fputs(json.c_str(), stdout);
  } else if (!options.run.quiet) {
    std::printf("%s\nwritten: %s/evaluation.json, evaluation.md\n", table.c_str(), options.out.c_str());
  }
}

void make_figures(const Options& options, const Run& run, OutputSet& out) {
  PaperOptions wanted = options.paper;
  wanted.seed = options.seed;
  if (options.quick) {
    wanted.folds = std::min<std::size_t>(wanted.folds, 3);
    wanted.samples = std::min<std::size_t>(wanted.samples, 150);
    wanted.rounds = std::min<std::size_t>(wanted.rounds, 30);
    wanted.epochs = std::min<std::size_t>(wanted.epochs, 10);
  }
  const std::vector<FigureTable> tables = make_paper_figures(load_library(options.library), wanted, out, run.context());
  const std::size_t files = out.names().size();
  out.commit();
  if (options.run.json) {
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const FigureTable& t : tables)
      json.push_back({{"name", t.name}, {"title", t.title}, {"columns", t.columns}, {"rows", t.rows}, {"notes", t.notes}});
    std::printf("%s\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else if (!options.run.quiet) {
    for (const FigureTable& table : tables) std::printf("%s\n", figure_markdown(table).c_str());
    std::printf("written: %zu files in %s\n", files, options.out.c_str());
  }
}

void evaluate(const Options& options) {
  const Run run(options.run);
  OutputSet out(options.out);
  if (options.model.empty()) {
    make_figures(options, run, out);
  } else {
    score(options, run, out);
  }
}

void add_paper(CLI::App& command, Options& options) {
  CLI::Option_group* group = command.add_option_group("The paper's tables and figures (without --model)");
  std::string names;
  for (const std::string& name : paper_figures()) names += (names.empty() ? "" : ", ") + name;
  group->add_option("--only", options.paper.only, "Only these, or those that begin so, with commas: " + names)->delimiter(',');
  group->add_option("--folds", options.paper.folds, "Folds of the cross-validation, by structure")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  group->add_option("--samples", options.paper.samples, "Training spectra a fold; of local counts three times as many")
      ->check(CLI::Range(8, 1'000'000))
      ->capture_default_str();
  group->add_option("--rounds", options.paper.rounds, "Boosting rounds; twice as many trees a forest")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  group->add_option("--depth", options.paper.max_depth, "Depth of the trees")->check(CLI::Range(1, 16))->capture_default_str();
  group->add_option("--learning-rate", options.paper.learning_rate, "Shrinkage of every tree")
      ->check(CLI::Range(1e-4, 1.0))
      ->capture_default_str();
  group->add_option("--epochs", options.paper.epochs, "Epochs of the neural networks, at most")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  group->add_flag("--quick", options.quick, "A first look in a tenth of the time: at most 3 folds, 150 spectra, 30 rounds, 10 epochs");
}

}  // namespace

void add_evaluate(CLI::App& program) {
  CLI::App* command = program.add_subcommand(
      "evaluate", "The paper's tables and figures from a library; or, of a finished model, what it is worth on a library");
  const auto options = std::make_shared<Options>();
  command->add_option("LIBRARY", options->library, "Spectral library, HDF5 (structures/ and spectra/)")->required();
  command->add_option("--out", options->out, "Folder for the results")->required();
  command->add_option("--seed", options->seed, "Seed of folds, spectra, noise and boosters")->capture_default_str();
  add_paper(*command, *options);
  CLI::Option_group* group = command->add_option_group("A finished model");
  group->add_option("--model", options->model,
                    "Model file that is scored, on structures that it was not trained on: evaluation.json, evaluation.md");
  group->add_option("--structures", options->structures,
                    "unseen: without those (and their symmetry copies) that the model was trained on; all")
      ->check(CLI::IsMember({"unseen", "all"}))
      ->capture_default_str();
  group->add_option("--draws", options->score.draws, "Random instruments that every specimen is seen through")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_run(*command, options->run);
  command->footer("Example: elver evaluate library.h5 --out figures\n"
                  "         elver evaluate library.h5 --only fig3,table1 --quick --out figures\n"
                  "         elver evaluate --model samples/nmc.elver other-library.h5 --out scores");
  command->callback([options] { evaluate(*options); });
}

}  // namespace elver::cli
