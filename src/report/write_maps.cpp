#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>

#include "elver/error.hpp"
#include "elver/report.hpp"
#include "report/map_files.hpp"
#include "report/run_json.hpp"
#include "types/arena.hpp"
#include "types/stopwatch.hpp"

namespace elver {
namespace {

void write_files(report::MapFiles& files, const Image& image, const Model& model, const MapResult& result,
                 const RunRecord& record, const std::string& record_json, const RunContext& context) {
  files.add(image, result, record_json, context);
  for (std::size_t e = 0; record.keep_edges && e < model.edges.size(); ++e) {
    const std::unique_ptr<Image> net = net_edge(image, model, result, e);
    const std::unique_ptr<Image> written = on_one_axis(*net);
    SignalHeader spectra = header_of(*written);
    spectra.record_json = record_json;
    files.add(spectra, *written, context);
  }
  files.commit();
}

using PictureFiles = std::vector<std::pair<const Map*, std::filesystem::path>>;  ///< of no map: of the status

PictureFiles stage_pictures(OutputSet& out, const MapResult& result, Pictures which) {
  PictureFiles pictures;
  if (which == Pictures::none) return pictures;
  for (const Map& map : result.maps) {
    if (which == Pictures::all || map.of_task) pictures.emplace_back(&map, out.stage(report::picture_name(map.name)));
  }
  pictures.emplace_back(nullptr, out.stage("status.png"));
  return pictures;
}

void draw(const PictureFiles& pictures, const Image& image, const MapResult& result, const RunContext& context) {
  const std::pair<Axis, Axis> axes = map_axes(image);
  std::span<const float> in_domain;
  for (const Map& map : result.maps) {
    if (map.name == "in_domain") in_domain = map.values;
  }
  oneapi::tbb::parallel_for(std::size_t{0}, pictures.size(), [&](std::size_t i) {
    context.check_interrupt();
    const auto& [map, path] = pictures[i];
    if (map == nullptr) return draw_status(result.status, axes.first, axes.second, path);
    const bool marked = map->of_task && map->name != "in_domain";
    draw_map(*map, result.status, axes.first, axes.second, path, marked ? in_domain : std::span<const float>());
  });
}

/// What is known of the pixels from the preparation is shown beside the maps.
void add_preparation(MapResult& result, const PreparationRecord& preparation) {
  for (const PixelMap& map : preparation.maps) {
    result.maps.push_back(report::shown(map));
  }
  result.notes.insert(result.notes.begin(), preparation.notes.begin(), preparation.notes.end());
}

}  // namespace

Pictures pictures_named(std::string_view name) {
  if (name == "none") return Pictures::none;
  if (name == "tasks") return Pictures::tasks;
  if (name == "all") return Pictures::all;
  throw Error(ErrorKind::usage, "--pictures " + std::string(name), "no such choice", "Choose tasks, all or none");
}

std::string write_maps(OutputSet& out, const Image& image, const Model& model, MapResult& result,
                       const RunRecord& record, const RunContext& context) {
  const Stopwatch watch;
  add_preparation(result, record.preparation);
  nlohmann::ordered_json run = run_record_json(image, model, result, record);
  if (context.progress != nullptr) context.progress->begin("write", 1, "files");
  report::MapFiles files(out, record.formats);
  const PictureFiles pictures = stage_pictures(out, result, record.pictures);
  in_arena(context, [&] {
    oneapi::tbb::parallel_invoke([&] { draw(pictures, image, result, context); },
                                 [&] { write_files(files, image, model, result, record, dumped(run, -1), context); });
  });
  context.check_interrupt();
  if (context.progress != nullptr) context.progress->end();
  report::supersede_earlier(out, "run.json");
  result.seconds.write += watch.seconds();
  result.seconds.total += watch.seconds();
  run["seconds"] = seconds_json(result.seconds);
  run["files"] = out.names();
  run["files"].push_back("run.json");
  const std::string text = dumped(run, 2) + "\n";
  out.write_text("run.json", text);
  return text;
}

}  // namespace elver
