#include "cli/overlay_inputs.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include "elver/detect.hpp"
#include "elver/error.hpp"
#include "elver/maps.hpp"

namespace elver::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// "y0,x0,y1,x1".
ScanPlace::Outline parse_corners(const std::string& words, const std::string& option) {
  std::array<double, 4> v{};
  const char* at = words.data();
  const char* const end = words.data() + words.size();
  std::size_t read = 0;
  for (; read < v.size(); ++read) {
    const auto [rest, code] = std::from_chars(at, end, v[read]);
    const bool more = read + 1 < v.size();
    if (code != std::errc{} || (more ? rest == end || *rest != ',' : rest != end)) break;
    at = rest + (more ? 1 : 0);
  }
  if (read < v.size() || !(v[2] > v[0]) || !(v[3] > v[1])) {
    throw Error(ErrorKind::usage, option + " " + words, "not the corners of a field",
                "Write Y0,X0,Y1,X1: upper left, lower right, both fields in the same units");
  }
  return {v[0], v[1], v[2], v[3]};
}

/// True for a file without a title that holds a spectrum image for commands to use.
bool is_spectrum_image(const std::string& words, const OpenOptions& options) {
  std::error_code ignored;
  if (!fs::is_regular_file(words, ignored)) return false;
  const File file = open_file(words, options);
  return std::ranges::any_of(file.images, [](const auto& image) {
    return image->info().selected && !image->info().axes.empty() && image->info().axes.back().role == AxisRole::energy;
  });
}

PlacedMap placed(const Image& image, Map map, const std::string& source) {
  PlacedMap out;
  std::tie(out.rows, out.columns) = map_axes(image);
  out.map = std::move(map);
  out.source = source + ":" + out.map.name;
  return out;
}

Map taken(std::vector<Map>& maps, const std::string& name) {
  const auto at = std::ranges::find(maps, name, &Map::name);
  if (at != maps.end()) return std::move(*at);
  std::string names;
  for (const Map& map : maps) names += (names.empty() ? "" : ", ") + map.name;
  throw Error(ErrorKind::usage, "--map " + name, "the model makes " + names, "Choose one of these");
}

Json axis_json(const EnergyAxis& axis) {
  return {{"offset_ev", axis.offset_ev}, {"dispersion_ev", axis.dispersion_ev}, {"channels", axis.size}};
}

void detect_edge(const OverlayInputs& inputs, const Image& image, const std::string& words, OverlayMap& out,
                 const RunContext& context) {
  DetectJob job;
  job.false_discovery_rate = inputs.false_discovery_rate;
  job.windows.edge = inputs.edge;
  if (inputs.fit.empty() || inputs.signal.empty()) job.windows = default_windows(inputs.edge);
  if (!inputs.fit.empty()) job.windows.fit = parse_window(inputs.fit, "--fit");
  if (!inputs.signal.empty()) job.windows.signal = parse_window(inputs.signal, "--signal");
  if (inputs.mask.automatic) job.mask = make_mask(image, inputs.mask, context);
  Detection found = detect(image, job, context);
  const std::vector<float> present = taken(found.maps.maps, "present_" + job.windows.edge).values;
  Map signal = taken(found.maps.maps, "signal_" + job.windows.edge);
  for (std::size_t p = 0; p < present.size(); ++p) {
    if (!(present[p] > 0)) continue;
    const auto value = static_cast<double>(signal.values[p]);
    out.threshold = std::min(out.threshold.value_or(value), value);
  }
  if (!out.threshold) {  // nowhere present: a threshold of the values' own would find it all the same
    float most = 1;
    for (const float value : signal.values) most = std::isfinite(value) ? std::max(most, value) : most;
    out.threshold = static_cast<double>(std::nextafter(most, std::numeric_limits<float>::infinity()));
    found.maps.notes.push_back("no pixel of " + image.info().title + " has the edge " + job.windows.edge +
                               " at this false discovery rate");
  }
  out.computed = {{"edge", job.windows.edge},
                  {"fit_ev", {job.windows.fit.start_ev, job.windows.fit.stop_ev}},
                  {"signal_ev", {job.windows.signal.start_ev, job.windows.signal.stop_ev}},
                  {"fdr", job.false_discovery_rate},
                  {"n", found.tests},
                  {"found", found.found},
                  {"phi", found.phi},
                  {"misfit", found.misfit},
                  {"notes", found.maps.notes}};
  out.acquisition.map = placed(image, std::move(signal), words);
}

void map_model(const OverlayInputs& inputs, const Model& model, const Image& image, const std::string& words,
               OverlayMap& out, const RunContext& context) {
  std::vector<std::uint8_t> mask;
  if (inputs.mask.automatic) mask = make_mask(image, inputs.mask, context);
  MapResult result = map_image(image, model, mask, context);
  Json status;
  for (std::size_t code = 0; code < status_count; ++code)
    status[std::string(name_of(static_cast<PixelStatus>(code)))] = result.status_counts[code];
  out.computed = {{"model", {{"name", model.name}, {"file", inputs.model}, {"sha256", model.sha256}}},
                  {"map", inputs.map},
                  {"status", status},
                  {"notes", result.notes}};
  out.acquisition.map = placed(image, taken(result.maps, inputs.map), words);
}

void make_map(const OverlayInputs& inputs, std::size_t index, OverlayMap& out, const RunContext& context) {
  InputOptions file = inputs.each[index].file;
  file.file = inputs.words[index];
  const bool edge = !inputs.edge.empty() && (index == 0 || inputs.model.empty());
  if (!edge && (inputs.model.empty() || inputs.map.empty())) {
    throw Error(ErrorKind::usage, file.file + " holds a spectrum image", "nothing says what to make of it",
                "Give --edge for the first file, --model and --map for the others");
  }
  file.auto_axis = file.auto_axis || (inputs.auto_axis && !edge && file.marks.empty() && file.axis_from.empty());
  if (file.bin.empty()) file.bin = inputs.bin;
  file.spikes = file.spikes || inputs.spikes;
  std::optional<Model> model;
  if (!inputs.model.empty() && (!edge || file.auto_axis)) model = load_model(inputs.model);
  PreparationRecord preparation;
  const std::unique_ptr<Image> image = open_input(file, context, &preparation, model ? &*model : nullptr);
  if (edge) {
    std::unique_ptr<Image> storage;
    detect_edge(inputs, as_written(*image, storage), file.file, out, context);
  } else {
    map_model(inputs, *model, *image, file.file, out, context);
  }
  out.computed["preparation"] = Json::parse(preparation_json(preparation));
  for (const std::string& note : preparation.notes) out.computed["notes"].push_back(note);
  out.computed["energy_axis"] = axis_json(image->energy());
  out.acquisition.place = scan_place(file.file);
}

}  // namespace

void add_overlay_inputs(CLI::App& command, OverlayInputs& inputs) {
  command
      .add_option("MAPS", inputs.words,
                  "Two to four maps, each FILE.hspy:TITLE, or FILE.hspy where it holds one map; or spectrum images, of "
                  "which the maps are made")
      ->required()
      ->expected(2, static_cast<int>(kLargestOverlay));
  CLI::Option_group* make = command.add_option_group("Making maps of spectrum images");
  make->add_option("--edge", inputs.edge,
                   "Of the first file: the net signal of this edge, present as elver detect finds it");
  make->add_option("--fit", inputs.fit, "Energies of the edge's background fit, START:STOP in eV");
  make->add_option("--signal", inputs.signal, "Energies over which the edge's signal is summed, START:STOP in eV");
  make->add_option("--fdr", inputs.false_discovery_rate, "False discovery rate of the edge")->capture_default_str();
  make->add_option("--model", inputs.model, "Of the other files: what this model predicts");
  make->add_option("--map", inputs.map, "Which of its maps, for example probability_oxygen_vacancy")->needs("--model");
  make->add_flag("--auto-axis", inputs.auto_axis,
                 "Put the energy axes of the files that the model maps right by its edges");
  make->add_option("--bin", inputs.bin, "ROWSxCOLUMNS: sum so many pixels of every file into one");
  make->add_flag("--spikes", inputs.spikes, "Replace values that are X-rays' or cosmic rays', in every file");
  make->add_flag("--mask-vacuum", inputs.mask.automatic, "Leave out vacuum, found by the gap in the total counts");
  CLI::Option_group* place = command.add_option_group("Each file by its letter: where its field lies, how it is prepared");
  for (std::size_t m = 0; m < kLargestOverlay; ++m) {
    const std::string letter(1, static_cast<char>('a' + m));
    OverlayInput& input = inputs.each[m];
    place->add_option("--adf-" + letter, input.picture,
                      "Picture by which file " + letter + " is placed: its survey image, or one on its own pixels");
    place->add_option("--corners-" + letter, input.corners, "Its field: Y0,X0,Y1,X1 in units that all fields share");
    place
        ->add_option("--mark-" + letter, input.file.marks,
                     "FEATURE=ENERGY (eV) for its energy axis, as --mark elsewhere")
        ->allow_extra_args(false);
    place->add_flag("--auto-axis-" + letter, input.file.auto_axis, "Put its energy axis right by the model's edges");
    place->add_option("--axis-from-" + letter, input.file.axis_from,
                      "A file of the same spectrometer setting whose axis elver put right; --mark-" + letter +
                          " corrects what is left");
    place->add_option("--bin-" + letter, input.file.bin, "ROWSxCOLUMNS: sum so many of its pixels into one");
    place->add_flag("--spikes-" + letter, input.file.spikes, "Replace its values that are X-rays' or cosmic rays'");
    place->add_option("--align-" + letter, input.file.align, "Put every pixel's own energy axis right, as --align elsewhere")
        ->expected(2)
        ->type_name("edge NAME | zlp FILE");
    place->add_option("--align-dataset-" + letter, input.file.align_dataset, "Which image of the zero-loss file");
    place->add_option("--offset-ev-" + letter, input.file.open.offset_ev, "Energy of its channel 0 (eV)");
    place->add_option("--dispersion-ev-" + letter, input.file.open.dispersion_ev, "Its energy per channel (eV)");
    place->add_option("--dataset-" + letter, input.file.open.dataset, "Which image of its file, by id or title");
  }
}

std::vector<OverlayMap> overlay_maps(const OverlayInputs& inputs, const RunContext& context) {
  std::vector<OverlayMap> out(inputs.words.size());
  for (std::size_t m = 0; m < out.size(); ++m) {
    const OverlayInput& input = inputs.each[m];
    const std::string letter(1, static_cast<char>('a' + m));
    Acquisition& acquisition = out[m].acquisition;
    if (is_spectrum_image(inputs.words[m], input.file.open)) {
      make_map(inputs, m, out[m], context);
    } else {
      acquisition.map = read_placed_map(inputs.words[m]);
    }
    if (!input.corners.empty()) acquisition.corners = parse_corners(input.corners, "--corners-" + letter);
    if (!input.picture.empty()) {
      acquisition.picture = read_placed_map(input.picture);
      acquisition.picture_place = scan_place(input.picture);
    }
  }
  return out;
}

}  // namespace elver::cli
