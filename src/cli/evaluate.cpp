#include "elver/evaluate.hpp"

#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/io.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::string library, model, out, structures = "unseen";
  ScoreOptions score;
  RunOptions run;
};

void score(const Options& options) {
  const Run run(options.run);
  ScoreOptions wanted = options.score;
  wanted.structures = options.structures == "all" ? ScoredStructures::all : ScoredStructures::unseen;
  OutputSet out(options.out);
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

}  // namespace

void add_evaluate(CLI::App& program) {
  CLI::App* command = program.add_subcommand(
      "evaluate", "What a model is worth on a library: figures with n and intervals, on structures that it was not trained on");
  const auto options = std::make_shared<Options>();
  command->add_option("LIBRARY", options->library, "Spectral library, HDF5 (structures/ and spectra/)")->required();
  command->add_option("--out", options->out, "Folder for evaluation.json and evaluation.md")->required();
  CLI::Option_group* group = command->add_option_group("A finished model");
  group->add_option("--model", options->model, "Model file that is scored")->required();
  group->add_option("--structures", options->structures,
                    "unseen: without those (and their symmetry copies) that the model was trained on; all")
      ->check(CLI::IsMember({"unseen", "all"}))
      ->capture_default_str();
  group->add_option("--draws", options->score.draws, "Random instruments that every specimen is seen through")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--seed", options->score.seed, "Seed of instruments and noise")->capture_default_str();
  add_run(*command, options->run);
  command->footer("Example: elver evaluate --model samples/nmc.elver other-library.h5 --out scores");
  command->callback([options] { score(*options); });
}

}  // namespace elver::cli
