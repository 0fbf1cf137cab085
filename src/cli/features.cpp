#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/engine.hpp"

namespace elver::cli {
namespace {

struct Options {
  InputOptions input;
  MaskOptions mask;
  RunOptions run;
  std::string model, out;
};

void features(const Options& options) {
  const Run run(options.run);
  PreparationRecord record;
  const Model model = load_model(options.model);
  const std::unique_ptr<Image> image = open_input(options.input, run.context(), &record, &model);
  std::vector<std::uint8_t> mask;
  if (options.mask.automatic || options.mask.minimum_counts >= 0) mask = make_mask(*image, options.mask, run.context());
  const auto counts = write_features(*image, model, mask, options.out, run.context());
  nlohmann::ordered_json json{{"file", options.input.file},
                              {"model", options.model},
                              {"out", options.out},
                              {"rows", image->pixels()},
                              {"features", model.feature_count()}};
  json["preparation"] = nlohmann::ordered_json::parse(preparation_json(record));
  json["notes"] = record.notes;
  std::string line;
  for (std::size_t code = 0; code < status_count; ++code) {
    const std::string name(name_of(static_cast<PixelStatus>(code)));
    json["status"][name] = counts[code];
    if (counts[code] > 0) line += (line.empty() ? "" : ", ") + name + " " + std::to_string(counts[code]);
  }
  if (options.run.json) {
    std::printf("%s\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else if (!options.run.quiet) {
    std::printf("%s: %llu rows of %zu features, float32 (%s)\n", options.out.c_str(),
                static_cast<unsigned long long>(image->pixels()), model.feature_count(), line.c_str());
  }
  print_notes(record.notes, options.run);
}

}  // namespace

void add_features(CLI::App& program) {
  CLI::App* command = program.add_subcommand("features", "Features of every pixel as a NumPy matrix, for other tools");
  const auto options = std::make_shared<Options>();
  add_input(*command, options->input);
  command->add_option("--model", options->model, "Model file, NAME.elver: its edges, background and feature rule")
      ->required();
  command->add_option("--out", options->out, "X.npy: float32, one row a pixel in C order; NaN where a pixel failed")
      ->required();
  add_mask(*command, options->mask);
  add_run(*command, options->run);
  command->footer("Example: elver features cathode.dm3 --model samples/nmc.elver --out X.npy");
  command->callback([options] { features(*options); });
}

}  // namespace elver::cli
