#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/phantom.hpp"
#include "types/text.hpp"

namespace elver::cli {
namespace {

using Json = nlohmann::ordered_json;

struct MakeOptions {
  std::string library, out;
  std::string drift;
  PhantomOptions phantom;
  RunOptions run;
};

struct ScoreOptions {
  std::string maps, phantom;
  bool json = false;
};

/// "smooth:3".
void parse_drift(const std::string& words, PhantomOptions& options) {
  const std::size_t colon = std::min(words.find(':'), words.size());
  options.drift = drift_named(words.substr(0, colon));
  const char *const from = words.data() + std::min(colon + 1, words.size()), *const end = words.data() + words.size();
  const auto [rest, code] = std::from_chars(from, end, options.drift_ev);
  if (code == std::errc{} && rest == end) return;
  throw Error(ErrorKind::usage, "--drift " + words, "it does not say how far", "Write for example smooth:3, in eV");
}

void make(const MakeOptions& options) {
  if (options.library.empty()) {
    throw Error(ErrorKind::usage, "no library", "a phantom is made of simulated spectra",
                "Give LIBRARY, or: elver phantom score");
  }
  if (std::filesystem::path(options.out).extension() != ".hspy") {
    throw Error(ErrorKind::usage, options.out.empty() ? "no --out" : "cannot write " + options.out,
                "elver writes HyperSpy files", "Name one with --out, ending in .hspy");
  }
  PhantomOptions wanted = options.phantom;
  if (!options.drift.empty()) parse_drift(options.drift, wanted);
  const Run run(options.run);
  const Library library = load_library(options.library);
  const Phantom phantom(library, wanted, run.context());
  phantom.write(options.out, run.context());

  const std::uintmax_t bytes = std::filesystem::file_size(options.out);
  if (options.run.json) {
    Json truth = Json::array();
    for (const Phantom::Truth& map : phantom.truth()) truth.push_back("truth_" + map.name);
    const Json out{{"out", options.out},
                   {"bytes", bytes},
                   {"rows", options.phantom.rows},
                   {"columns", options.phantom.columns},
                   {"channels", options.phantom.channels},
                   {"truth", truth},
                   {"oxygen_vacancy_pixels", phantom.pixels_with("oxygen_vacancy")},
                   {"antisite_pixels", phantom.pixels_with("antisite")},
                   {"structures", phantom.structures()},
                   {"held_out", phantom.held_out()}};
    std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else if (!options.run.quiet) {
    std::printf(
        "%s: %llu x %llu pixels, %zu with oxygen vacancies, %zu with antisites, %llu channels, %.2f MB; made of %zu "
        "structures%s\n",
        options.out.c_str(), static_cast<unsigned long long>(options.phantom.rows),
        static_cast<unsigned long long>(options.phantom.columns), phantom.pixels_with("oxygen_vacancy"),
        phantom.pixels_with("antisite"), static_cast<unsigned long long>(options.phantom.channels),
        static_cast<double>(bytes) / 1e6, phantom.structures(),
        phantom.held_out() ? " that training holds out" : ", some of which training uses: the library has too few");
  }
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

void score(const ScoreOptions& options) {
  const std::vector<MapScore> scores = score_maps(options.maps, options.phantom);
  if (options.json) {
    Json out = Json::object();
    for (const MapScore& s : scores) {
      out[s.map] = {
          {"measure", s.measure}, {"value", number(s.value)}, {"guess", number(s.guess)}, {"pixels", s.pixels}};
    }
    std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%-28s %-18s %8s %9s %8s\n", "map", "measure", "value", "guessing", "pixels");
  const auto shown = [](double value) { return std::isfinite(value) ? text("%.3f", value) : std::string("-"); };
  for (const MapScore& s : scores) {
    std::printf("%-28s %-18s %8s %9s %8llu\n", s.map.c_str(), s.measure.c_str(), shown(s.value).c_str(),
                shown(s.guess).c_str(), static_cast<unsigned long long>(s.pixels));
  }
}

void add_score(CLI::App& command) {
  CLI::App* child = command.add_subcommand("score", "How far maps are from a phantom's truth");
  const auto options = std::make_shared<ScoreOptions>();
  child->add_option("MAPS", options->maps, "maps.hspy, as elver map writes it")->required();
  child->add_option("PHANTOM", options->phantom, "The phantom that the maps were made of")->required();
  child->add_flag("--json", options->json, "Print the result as JSON");
  child->footer("Example: elver phantom score maps/maps.hspy samples/phantom.hspy");
  child->callback([options] { score(*options); });
}

}  // namespace

void add_phantom(CLI::App& program) {
  CLI::App* command = program.add_subcommand("phantom", "Make a spectrum image whose truth is known");
  const auto options = std::make_shared<MakeOptions>();
  PhantomOptions& phantom = options->phantom;
  command->add_option("LIBRARY", options->library, "Spectral library, HDF5 (structures/ and spectra/)");
  command->add_option("--out", options->out, "The .hspy file to write");
  CLI::Option_group* group = command->add_option_group("Image");
  group->add_option("--rows", phantom.rows, "Rows")->capture_default_str();
  group->add_option("--columns", phantom.columns, "Columns")->capture_default_str();
  group->add_option("--pixel-nm", phantom.pixel_nm, "Size of a pixel (nm)")->capture_default_str();
  group->add_option("--channels", phantom.channels, "Channels")->capture_default_str();
  group->add_option("--offset-ev", phantom.offset_ev, "Energy of channel 0 (eV)")->capture_default_str();
  group->add_option("--dispersion-ev", phantom.dispersion_ev, "Energy per channel (eV)")->capture_default_str();
  group->add_option("--dose", phantom.counts_per_channel, "Counts per channel just before O K, where t/lambda is 0.4")
      ->capture_default_str();
  group->add_option("--fwhm-ev", phantom.fwhm_ev, "Resolution, full width at half maximum (eV)")->capture_default_str();
  group->add_option("--continuum-power", phantom.continuum_power, "s: beyond its onset an edge falls as E^-s")
      ->capture_default_str();
  group->add_option("--background-power", phantom.background_power, "r: the background falls as E^-r")
      ->capture_default_str();
  group->add_option("--jump", phantom.jump_ratio, "Jump of O K over the background there")->capture_default_str();
  group->add_option("--drift", options->drift,
                    "The energy axis moves from pixel to pixel: smooth:EV (over so much in all), walk:EV (a step a "
                    "pixel) or rows:EV (a jump a row); the truth is truth_energy_offset");
  group->add_option("--seed", phantom.seed, "Seed of the structures chosen and of the noise")->capture_default_str();
  group->add_option("--split-seed", phantom.split_seed, "Seed of the training whose held-out structures are used")
      ->capture_default_str();
  add_run(*command, options->run);
  add_score(*command);
  command->footer("Example: elver phantom library.h5 --out phantom.hspy --rows 48 --columns 64 --dose 1000 --seed 1");
  command->callback([command, options] {
    if (command->get_subcommands().empty()) make(*options);
  });
}

}  // namespace elver::cli
