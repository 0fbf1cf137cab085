#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/import.hpp"

namespace elver::cli {
namespace {

struct Options {
  std::vector<std::string> inputs, anchors;
  std::string file, out;
  ImportOptions import;
  std::string labels, reference, shifts_from;
  RunOptions run;
  bool json = false;
};

void run_import(const Options& options) {
  ImportOptions wanted = options.import;
  wanted.labels = options.labels;
  wanted.reference = options.reference;
  for (const std::string& anchor : options.anchors) {
    const std::size_t equals = anchor.find('=');
    double value = 0;
    if (equals == std::string::npos || std::sscanf(anchor.c_str() + equals + 1, "%lf", &value) != 1 || !(value > 0))
      throw Error(ErrorKind::usage, "malformed --anchor " + anchor, "it is not EDGE=ENERGY", "Example: --anchor O_K=528.5");
    wanted.anchor_ev[anchor.substr(0, equals)] = value;
  }
  if (!options.shifts_from.empty()) wanted.shift_ev = load_tables(options.shifts_from).shift_ev;
  const Run run(options.run);
  const ImportResult result = import_library({options.inputs.begin(), options.inputs.end()}, wanted, run.context());
  if (!result.tables.spectra.empty()) save_tables(result.tables, options.out);
  if (options.run.json) {
    std::fputs(import_json(result).c_str(), stdout);
  } else if (!options.run.quiet) {
    for (const FileReport& file : result.files) {
      std::printf("%-9s  %s", std::string(name_of(file.fate)).c_str(), file.file.c_str());
      if (!file.format.empty()) std::printf("  [%s%s%s]", file.format.c_str(), file.edge.empty() ? "" : ", ", file.edge.c_str());
      if (!file.structure.empty()) std::printf("  -> %s", file.structure.c_str());
      if (!file.reason.empty()) std::printf("  (%s)", file.reason.c_str());
      std::printf("\n");
    }
    if (!result.tables.spectra.empty()) {
      std::printf("written: %s, %zu spectra of %zu structures\n", options.out.c_str(), result.tables.spectra.size(),
                  result.tables.structures.size());
      if (options.labels.empty() && options.reference.empty())
        std::printf("no --labels, no --reference: vacancies and antisites are not known, every structure counts as pristine\n");
    }
  }
  if (result.tables.spectra.empty()) {
    throw Error(ErrorKind::input, "nothing to put into " + options.out, "none of the files gave a spectrum with its structure",
                "The table of files says why; give --labels");
  }
}

void show(const Options& options) {
  const LibraryTables tables = load_tables(options.file);
  const LibrarySummary s = summarise(tables);
  if (options.json) {
    nlohmann::ordered_json json{{"title", tables.title}, {"structures", tables.structures.size()}, {"spectra", tables.spectra.size()}};
    if (!tables.calibration.empty()) json["calibration"] = nlohmann::ordered_json::parse(tables.calibration, nullptr, false);
    for (const EdgeSummary& e : s.edges) {
      json["edges"][e.edge] = {{"spectra", e.spectra},         {"structures", e.structures},     {"from_ev", e.first_ev},
                               {"to_ev", e.last_ev},           {"median_onset_ev", e.median_onset_ev},
                               {"shift_to_experiment", e.shift_ev}, {"fewest_points", e.fewest_points}, {"most_points", e.most_points}};
    }
    json["compositions"] = s.compositions;
    json["defects"] = s.defects;
    json["codes"] = s.codes;
    json["lithiation"] = {s.lithiation_low, s.lithiation_high};
    for (const Structure& cell : tables.structures) {
      json["table"].push_back({{"id", cell.id}, {"composition", cell.composition}, {"lithiation", cell.lithiation},
                               {"defect", name_of(cell.defect)}, {"atoms", cell.atoms.size()}});
    }
    std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%s: %zu spectra of %zu structures, Li per formula unit %.2f to %.2f\n", tables.title.c_str(), tables.spectra.size(),
              tables.structures.size(), s.lithiation_low, s.lithiation_high);
  const auto list = [](const char* what, const std::map<std::string, std::size_t>& counts) {
    std::printf("%s:", what);
    for (const auto& [name, count] : counts) std::printf(" %s %zu;", name.c_str(), count);
    std::printf("\n");
  };
  list("compositions", s.compositions);
  list("defects", s.defects);
  list("codes", s.codes);
  std::printf("%-8s %8s %11s %18s %10s %10s %10s\n", "edge", "spectra", "structures", "energies (eV)", "points", "onset", "shift");
  for (const EdgeSummary& e : s.edges) {
    std::printf("%-8s %8zu %11zu %8.2f..%8.2f %4zu..%-4zu %10.2f %+10.2f\n", e.edge.c_str(), e.spectra, e.structures, e.first_ev, e.last_ev,
                e.fewest_points, e.most_points, e.median_onset_ev, e.shift_ev);
  }
}

void check(const Options& options) {
  const LibraryTables tables = load_tables(options.file);
  const std::vector<Finding> findings = check_tables(tables);
  std::map<std::string, std::size_t> counts{{"missing", 0}, {"duplicate", 0}, {"outlier", 0}};
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Finding& f : findings) {
    ++counts[std::string(name_of(f.kind))];
    nlohmann::ordered_json row{{"kind", name_of(f.kind)}, {"edge", f.edge}, {"structure", f.structure}, {"what", f.what}};
    if (f.atom >= 0) row["atom"] = f.atom;
    rows.push_back(std::move(row));
  }
  if (options.json) {
    const nlohmann::ordered_json json{{"counts", counts}, {"findings", rows}};
    std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  for (const Finding& f : findings) {
    std::printf("%-9s  %s %s", std::string(name_of(f.kind)).c_str(), f.edge.c_str(), f.structure.c_str());
    if (f.atom >= 0) std::printf(" atom %lld", f.atom);
    std::printf(": %s\n", f.what.c_str());
  }
  std::printf("%s: readable, %zu spectra; %zu missing, %zu duplicate, %zu outlying\n", options.file.c_str(), tables.spectra.size(),
              counts["missing"], counts["duplicate"], counts["outlier"]);
}

void merge(const Options& options) {
  LibraryTables all = load_tables(options.inputs.front());
  for (std::size_t i = 1; i < options.inputs.size(); ++i) {
    const LibraryTables more = load_tables(options.inputs[i]);
    for (const auto& [edge, shift] : more.shift_ev) {
      const auto own = all.shift_ev.find(edge);
      if (own == all.shift_ev.end() || std::abs(shift - own->second) < 0.005) continue;
      std::printf("%s of %s: its energies are moved by %+.2f eV, as its shift to experiment is another\n", edge.c_str(),
                  options.inputs[i].c_str(), shift - own->second);
    }
    all = merge_tables(std::move(all), more);
  }
  save_tables(all, options.out);
  std::printf("written: %s, %zu spectra of %zu structures\n", options.out.c_str(), all.spectra.size(), all.structures.size());
}

}  // namespace

void add_library(CLI::App& program) {
  CLI::App* const library = program.add_subcommand("library", "Libraries of simulated spectra: import, show, check, calibrate, merge");
  library->require_subcommand(1);
  library->footer("Example: elver library import runs --out library.h5");
  const auto options = std::make_shared<Options>();

  CLI::App* const import = library->add_subcommand("import", "One library from the output of FDMNES, FEFF, OCEAN, XSPECTRA, VASP and tables");
  import->add_option("DIR", options->inputs, "Folders, searched to their ends, or files")->required();
  import->add_option("--out", options->out, "Library to write, LIB.h5")->required();
  import->add_option("--labels", options->labels,
                     "CSV with a column file (the end of a path, or a folder) and any of structure, structure_file, formula, element, edge, "
                     "site (from 0), formal_state, composition, lithiation, defect_kind (pristine, ovac, antisite), defect_distance, n_Li, "
                     "n_Ni, n_Mn, n_Co, n_O");
  import->add_option("--reference", options->reference,
                     "Perfect cell, POSCAR or CIF, with all its Li: structures are held against its supercells, and sites of O without an "
                     "atom are vacancies, metals and Li in each other's place antisites; labels go before it");
  import->add_option("--title", options->import.title, "Title of the library")->capture_default_str();
  import->add_option("--anchor", options->anchors, "EDGE=ENERGY: where the median onset of an edge lies in experiment, eV; else where it "
                                                  "lies in layered oxides of Ni, Mn and Co, or the nominal edge");
  import->add_option("--shifts-from", options->shifts_from,
                     "Library of the same code and settings: energies are moved by its shifts, which keeps the chemistry between both");
  add_run(*import, options->run);
  import->footer(
      "Structures are taken from feff.inp, FDMNES's input, and POSCAR, CONTCAR or CIF beside the spectra or in a folder above. Tables\n"
      "beside a code's spectrum count only if the labels name them. Vacancies and antisites are known from the labels or a --reference. Every file is listed: imported, structure, left out, or refused, with the reason.\n"
      "Example: elver library import runs --labels labels.csv --out library.h5 --json");
  import->callback([options] { run_import(*options); });

  CLI::App* const show_command = library->add_subcommand("show", "What a library holds");
  show_command->add_option("LIBRARY", options->file, "Library, LIB.h5")->required();
  show_command->add_flag("--json", options->json, "As JSON, with a table of the structures");
  show_command->footer("Example: elver library show library.h5");
  show_command->callback([options] { show(*options); });

  CLI::App* const check_command = library->add_subcommand("check", "What is missing in a library, there twice, or apart from the rest");
  check_command->add_option("LIBRARY", options->file, "Library, LIB.h5")->required();
  check_command->add_flag("--json", options->json, "As JSON");
  check_command->footer("Example: elver library check library.h5 --json");
  check_command->callback([options] { check(*options); });

  add_library_calibrate(*library);

  CLI::App* const merge_command = library->add_subcommand("merge", "One library from several");
  merge_command->add_option("LIBRARY", options->inputs, "Libraries; what several have is taken from the first")->required()->expected(2, -1);
  merge_command->add_option("--out", options->out, "Library to write")->required();
  merge_command->footer("Example: elver library merge ours.h5 theirs.h5 --out both.h5");
  merge_command->callback([options] { merge(*options); });
}

}  // namespace elver::cli
