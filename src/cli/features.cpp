#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/dataset.hpp"
#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"

namespace elver::cli {
namespace {

struct Options {
  InputOptions input;
  MaskOptions mask;
  RunOptions run;
  std::string model, out, library, instrument = "random";
  train::DatasetOptions dataset;
  double counts = -1;
};

/// "X_labels.npy" beside "X.npy".
std::string beside(const std::string& npy, const std::string& what) {
  const std::filesystem::path path(npy);
  return (path.parent_path() / (path.stem().string() + "_" + what + ".npy")).string();
}

template <class Number>
void write_column(const std::string& path, const std::vector<Number>& values) {
  write_npy(path, std::vector<float>(values.begin(), values.end()));
}

/// The matrix that a training would learn from.
void library_features(Options options) {
  const Run run(options.run);
  const Library library = load_library(options.library);
  const Model model = options.model.empty() ? train::make_skeleton(library, "nmc") : load_model(options.model);
  if (options.counts >= 0) options.dataset.exposure.counts_per_channel = options.counts;
  if (options.counts == 0) {  // as many as the training has seen, without noise
    options.dataset.exposure.counts_per_channel = InstrumentRange{}.dose_high;
    options.dataset.exposure.noise = false;
  }
  if (options.instrument == "standard") options.dataset.exposure.instruments = InstrumentRange::standard();
  if (options.instrument == "foreign") options.dataset.exposure.instruments = InstrumentRange::foreign();
  const train::Dataset data = make_dataset(library, model, options.dataset, run.context());
  nlohmann::ordered_json tasks = nlohmann::ordered_json::array();
  std::vector<float> labels(data.rows * data.tasks.size());
  for (std::size_t t = 0; t < data.tasks.size(); ++t) {
    tasks.push_back(data.tasks[t].name);
    for (std::size_t i = 0; i < data.rows; ++i) labels[i * data.tasks.size() + t] = data.labels[t][i];
  }
  write_npy(options.out, data.features, data.rows, data.columns);
  write_npy(beside(options.out, "labels"), labels, data.rows, data.tasks.size());
  write_column(beside(options.out, "weights"), data.weights);
  write_column(beside(options.out, "groups"), data.folds);
  write_column(beside(options.out, "structures"), data.structures);
  const nlohmann::ordered_json json{{"library", options.library},
                                    {"out", options.out},
                                    {"rows", data.rows},
                                    {"features", data.columns},
                                    {"labels", tasks},
                                    {"groups", options.dataset.folds}};
  if (options.run.json) {
    std::printf("%s\n", json.dump(2).c_str());
  } else if (!options.run.quiet) {
    std::printf("%s: %zu rows of %zu features, float32; labels %s, weights, groups and structures beside it\n",
                options.out.c_str(), data.rows, data.columns, tasks.dump().c_str());
  }
}

void features(const Options& options) {
  if (!options.library.empty()) {
    if (!options.input.file.empty())
      throw Error(ErrorKind::usage, "FILE and --library", "features are made of one of them", "Leave one out");
    return library_features(options);
  }
  if (options.input.file.empty() || options.model.empty()) {
    throw Error(ErrorKind::usage, "features", "it needs FILE and --model, or --library",
                "See elver features --help");
  }
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
  command->get_option("FILE")->required(false);
  command->add_option("--model", options->model, "Model file, NAME.elver: its edges, background and feature rule; with --library the usual "
                      "ones if left out");
  command->add_option("--out", options->out, "X.npy: float32, one row a pixel in C order; NaN where a pixel failed")
      ->required();
  CLI::Option_group* group = command->add_option_group("Of a library in place of a file");
  train::DatasetOptions& data = options->dataset;
  group->add_option("--library", options->library,
                    "Spectral library: one row a simulated spectrum; X_labels.npy, X_weights.npy, X_groups.npy (folds: no "
                    "structure is in two) and X_structures.npy stand beside X.npy");
  group->add_option("--task", data.group, "li_content, local_counts, oxygen_vacancy or antisite")->capture_default_str();
  group->add_option("--draws", data.draws, "Instruments that each specimen is seen through")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  group->add_option("--samples", data.samples, "So many spectra instead, with mixtures as a training draws them");
  group->add_option("--folds", data.folds, "Groups to deal the structures to")->check(CLI::Range(2, 1000))->capture_default_str();
  group->add_option("--counts", options->counts, "Counts per channel before O K; 0: no noise; random if left out");
  group->add_option("--instrument", options->instrument,
                    "random, standard (0.8 eV, aligned, thin) or foreign (coarser and thicker than trainings see)")
      ->check(CLI::IsMember({"random", "standard", "foreign"}))
      ->capture_default_str();
  group->add_flag("--equal-area{1}", data.scale, "Scale each site's edge to equal area before sites are averaged");
  group->add_option("--seed", data.seed, "Seed of folds, mixtures, instruments and noise")->capture_default_str();
  add_mask(*command, options->mask);
  add_run(*command, options->run);
  command->footer("Example: elver features cathode.dm3 --model samples/nmc.elver --out X.npy\n"
      "         elver features --library library.h5 --task oxygen_vacancy --out X.npy");
  command->callback([options] { features(*options); });
}

}  // namespace elver::cli
