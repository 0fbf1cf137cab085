#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "elver/error.hpp"
#include "elver/version.hpp"
#include "energy/calibration_json.hpp"

namespace elver::cli {
namespace {

using nlohmann::json;

struct ConvertOptions {
  InputOptions input;
  RunOptions run;
  std::string out;
};

json describe(const EnergyAxis& axis) { return {{"offset_ev", axis.offset_ev}, {"dispersion_ev", axis.dispersion_ev}}; }

/// What was done, for the file: where the values are from, and how its energy axis came to be.
json record(const ConvertOptions& options, const Image& image, const PreparationRecord& preparation) {
  const std::optional<Calibration>& calibration = preparation.calibration;
  json out{{"program", "elver " + version()},
           {"command", "convert"},
           {"file", options.input.file},
           {"dataset", image.info().id}};
  json axis = json::object();
  if (options.input.open.offset_ev) axis["given_offset_ev"] = *options.input.open.offset_ev;
  if (options.input.open.dispersion_ev) axis["given_dispersion_ev"] = *options.input.open.dispersion_ev;
  if (calibration) {
    axis["before"] = describe(calibration->before);
    axis["after"] = describe(calibration->after);
    axis.update(json(energy::calibration_json(*calibration)));
  }
  if (!axis.empty()) out["energy_axis"] = axis;
  out["preparation"] = json::parse(preparation_json(preparation));
  return out;
}

std::string printable(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

void convert(const ConvertOptions& options) {
  static_cast<void>(format_to_write(options.out));
  const Run run(options.run);
  PreparationRecord preparation;
  const std::unique_ptr<Image> image = open_input(options.input, run.context(), &preparation);
  std::unique_ptr<Image> storage;
  const Image& written = as_written(*image, storage);
  const json done = record(options, *image, preparation);
  PicturesBeside pictures(options.out, written, preparation);
  std::vector<std::string> notes =
      write_image(options.out, written, printable(done, -1), preparation.maps, run.context());
  pictures.commit();

  std::string shape;
  json sizes = json::array();
  for (const Axis& axis : written.info().axes) {
    shape += (shape.empty() ? "" : " x ") + std::to_string(axis.size);
    sizes.push_back(axis.size);
  }
  const std::string kind(name_of(image->info().kind)), type(name_of(written.info().type));
  if (options.run.json) {
    json result = done;
    result["out"] = options.out;
    result["title"] = written.info().title;
    result["kind"] = kind;
    result["dtype"] = type;
    result["shape"] = sizes;
    std::printf("%s\n", printable(result, 2).c_str());
  } else if (!options.run.quiet) {
    std::printf("%s: %s \"%s\", %s, %s\n", options.out.c_str(), kind.c_str(), written.info().title.c_str(), shape.c_str(),
                type.c_str());
  }
  notes.insert(notes.begin(), preparation.notes.begin(), preparation.notes.end());
  print_notes(notes, options.run);
}

}  // namespace

void add_convert(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("convert", "Write an image of any file that elver reads in another format");
  auto options = std::make_shared<ConvertOptions>();
  add_input(*command, options->input);
  command->add_option("OUT", options->out, "The file to write; its ending says the format: .hspy, .nxs, .rpl, .npy, or .msa for a single spectrum")->required();
  add_run(*command, options->run);
  command->footer("Example: elver convert cathode.dm3 cathode.hspy");
  command->callback([options] { convert(*options); });
}

}  // namespace elver::cli
