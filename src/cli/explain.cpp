#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/explain.hpp"

namespace elver::cli {
namespace {

struct Options {
  InputOptions input;
  RunOptions run;
  std::string model, pixel = "0,0", out;
};

void print(const Explanation& x) {
  std::printf("%-24s %10s %10s", "output", "margin", "bias");
  for (const ExplainedEdge& view : x.edges) std::printf(" %10s", view.edge.name.c_str());
  std::printf("\n");
  for (const OutputExplanation& o : x.outputs) {
    if (!o.predicted) continue;
    std::printf("%-24s %10.4g %10.4g", o.output.c_str(), o.margin, o.bias);
    std::size_t first = 0;
    for (const ExplainedEdge& view : x.edges) {
      double sum = 0;
      for (std::size_t i = first; i < first + view.edge.grid.count; ++i) sum += o.trees[i] + o.linear[i];
      std::printf(" %+10.4g", sum);
      first += view.edge.grid.count;
    }
    std::printf("\n");
  }
}

void explain(const Options& options) {
  unsigned long long row = 0, column = 0;
  char rest = 0;
  if (std::sscanf(options.pixel.c_str(), "%llu,%llu%c", &row, &column, &rest) != 2)
    throw Error(ErrorKind::usage, "malformed --pixel " + options.pixel, "it is not ROW,COLUMN", "Example: --pixel 0,12");
  const Run run(options.run);
  const Model model = load_model(options.model);
  PreparationRecord record;
  const std::unique_ptr<Image> image = open_input(options.input, run.context(), &record, &model);
  const Explanation found = explain_pixel(*image, model, row, column);
  if (!options.out.empty()) write_explanation(found, options.out);
  if (options.run.json) {
    std::fputs(explanation_json(found).c_str(), stdout);
  } else if (!options.run.quiet) {
    print_preparation(record);
    print(found);
    if (!options.out.empty()) std::printf("written: %s, a picture of each task and explanation.csv\n", options.out.c_str());
  }
  print_notes(record.notes, options.run);
}

}  // namespace

void add_explain(CLI::App& program) {
  CLI::App* command = program.add_subcommand("explain", "Which energies moved what a model says of one pixel");
  const auto options = std::make_shared<Options>();
  add_input(*command, options->input);
  command->add_option("--model", options->model, "Model file, NAME.elver")->required();
  command->add_option("--pixel", options->pixel, "ROW,COLUMN, from 0, after --bin")->capture_default_str();
  command->add_option("--out", options->out, "Folder for explanation.csv, explanation.json and a picture of each task");
  add_run(*command, options->run);
  command->footer(
      "What trees add is exact TreeSHAP, by XGBoost; a linear part is explained against the model's reference spectra. Bias and\n"
      "contributions sum to the margin: the value itself for li_content, log-odds for defects, a class's score for counts.\n"
      "Example: elver explain cathode.hspy --model samples/nmc.elver --pixel 12,30 --out why");
  command->callback([options] { explain(*options); });
}

}  // namespace elver::cli
