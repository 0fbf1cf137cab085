#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/version.hpp"
#include "energy/calibration_json.hpp"

namespace elver::cli {
namespace {

using Json = nlohmann::ordered_json;

struct CalibrateOptions {
  InputOptions input;
  RunOptions run;
  std::string out;
};

Json axis_json(const EnergyAxis& axis) {
  return {{"offset_ev", axis.offset_ev}, {"dispersion_ev", axis.dispersion_ev}, {"channels", axis.size}};
}

double gain(const Calibration& found) { return found.after.dispersion_ev / found.before.dispersion_ev; }

/// The axis as it was and is, and what it was put right by.
Json record_json(const Calibration& found) {
  Json residuals = Json::object();
  for (const MarkResidual& mark : found.marks) residuals[mark.feature] = mark.residual_ev;
  Json out{{"offset_ev", found.after.offset_ev},
           {"dispersion_ev", found.after.dispersion_ev},
           {"gain", gain(found)},
           {"residual_ev", residuals},
           {"before", axis_json(found.before)},
           {"after", axis_json(found.after)}};
  out.update(energy::calibration_json(found));
  return out;
}

/// What --json prints of --auto-axis: what it found, and no more.
Json found_json(const Json& record) {
  return {{"offset_ev", record["offset_ev"]},
          {"dispersion_ev", record["dispersion_ev"]},
          {"score", record["score"]},
          {"second_score", record["second_score"]},
          {"residual_ev", record["residual_ev"]}};
}

void print_table(const Calibration& found) {
  if (!found.marks.empty()) {
    const bool automatic = found.method == CalibrationMethod::automatic;
    if (automatic) std::printf("score %.1f, of the next best axis %.1f\n", found.score, found.second_score);
    std::printf("%-8s %12s %12s %14s\n", automatic ? "edge" : "mark", "wanted (eV)", "found (eV)", "residual (eV)");
    for (const MarkResidual& mark : found.marks) {
      std::printf("%-8s %12.2f %12.2f %+14.2f\n", mark.feature.c_str(), mark.wanted_ev, mark.found_ev,
                  mark.residual_ev);
    }
  }
  std::printf("%-11s %14s %14s\n", "", "before", "after");
  std::printf("%-11s %14.4f %14.4f eV\n", "offset", found.before.offset_ev, found.after.offset_ev);
  std::printf("%-11s %14.6f %14.6f eV per channel\n", "dispersion", found.before.dispersion_ev,
              found.after.dispersion_ev);
  std::printf("%-11s %14s %14.5f\n", "gain", "", gain(found));
}

void write(const CalibrateOptions& options, const Image& image, const Json& result,
           const PreparationRecord& preparation, const RunContext& context) {
  std::unique_ptr<Image> storage;
  const Image& written = as_written(image, storage);
  const Json record{{"program", "elver " + version()},
                    {"command", "calibrate"},
                    {"file", options.input.file},
                    {"dataset", image.info().id},
                    {"energy_axis", result},
                    {"preparation", result["preparation"]}};
  PicturesBeside pictures(options.out, written, preparation);
  const std::string record_json = record.dump(-1, ' ', false, Json::error_handler_t::replace);
  static_cast<void>(write_image(options.out, written, record_json, preparation.maps, context));
  pictures.commit();
}

void calibrate(const CalibrateOptions& options) {
  const InputOptions& input = options.input;
  if (input.marks.empty() && input.axis_from.empty() && !input.auto_axis && input.bin.empty() && input.align.empty() && !input.spikes && !input.open.offset_ev && !input.open.dispersion_ev) {
    throw Error(ErrorKind::usage, "nothing to calibrate by",
                "none of --mark, --auto-axis, --axis-from, --offset-ev, --dispersion-ev, --align, --bin and --spikes was given",
                "Say where a feature is wanted, for example --mark Mn_L3=642.0");
  }
  if (!options.out.empty()) static_cast<void>(format_to_write(options.out));
  const Run run(options.run);
  PreparationRecord record;
  const std::unique_ptr<Image> image = open_input(input, run.context(), &record);
  std::optional<Calibration> found = record.calibration;
  if (!found) {
    OpenOptions as_it_is = input.open;
    as_it_is.offset_ev.reset();
    as_it_is.dispersion_ev.reset();
    const std::unique_ptr<Image> plain = open_image(input.file, as_it_is);
    const bool in_ev = plain->info().axes.back().units == "eV";  // energy() refuses an axis without calibration
    found = Calibration{in_ev ? plain->energy() : image->energy(), image->energy(), {}};
  }
  Json result = record_json(*found);
  result["preparation"] = Json::parse(preparation_json(record));
  result["notes"] = record.notes;
  if (!options.out.empty()) write(options, *image, result, record, run.context());
  if (options.run.json) {
    if (found->method == CalibrationMethod::automatic) result = found_json(result);
    if (!options.out.empty()) result["out"] = options.out;
    std::printf("%s\n", result.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else if (!options.run.quiet) {
    print_preparation(record);
    print_table(*found);
    if (!options.out.empty()) std::printf("wrote %s\n", options.out.c_str());
  }
  print_notes(record.notes, options.run);
}

}  // namespace

void add_calibrate(CLI::App& program) {
  CLI::App* command = program.add_subcommand("calibrate", "Put the energy axis right by features of the mean spectrum");
  auto options = std::make_shared<CalibrateOptions>();
  add_input(*command, options->input);
  command->add_option("--model", options->input.axis_model, "The model whose reference edges --auto-axis goes by")
      ->needs("--auto-axis");
  command->add_option("--out", options->out, "The file to write, with the corrected axis: .hspy, or another that `elver convert` writes");
  add_run(*command, options->run);
  command->footer(
      "What the energy of a mark means: L3, L2, M5, M4: the maximum of the white line. O_K, F_K: the onset of the "
      "main\n"
      "rise, past the pre-peak of oxides. Other K and L edges: the onset of the first rise. An onset is where the "
      "tangent\n"
      "at the steepest ascent meets the lowest level before it. One mark moves the axis, two or more give offset and "
      "gain.\n"
      "--auto-axis goes by the maxima of the model's reference edges: each is placed by its whole shape. The score is "
      "the\n"
      "logarithm of the likelihood ratio to a spectrum without edges.\n"
      "Example: elver calibrate cathode.dm3 --mark Mn_L3=642.0 --mark O_K=532.0 --out calibrated.hspy\n"
      "         elver calibrate cathode.dm3 --model samples/nmc.elver --auto-axis");
  command->callback([options] { calibrate(*options); });
}

}  // namespace elver::cli
