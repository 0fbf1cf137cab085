#include "report/run_json.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>

#include <cmath>
#include <utility>

#include "elver/version.hpp"
#include "energy/calibration_json.hpp"
#include "model/sha256.hpp"
#include "types/arena.hpp"

namespace elver {
namespace {

using Json = nlohmann::ordered_json;

/// Of larger inputs a sample is hashed: a second reading of all would take longer than the maps.
constexpr std::uintmax_t kLargestHashed = 16 << 20;

Json input_json(const Image& image, const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  Json out{{"file", path.string()}, {"dataset", image.info().id}, {"title", image.info().title}};
  out["bytes"] = error ? Json() : Json(size);
  const bool all = size <= kLargestHashed;
  out["sha256"] = error || !all ? Json() : Json(sha256_of_file(path));
  if (!error && !all) out["sha256_of_sample"] = {{"sha256", sampled_sha256_of_file(path)}, {"sample", kSampledBytes}};
  return out;
}

Json axis_json(const EnergyAxis& axis) {
  return {{"offset_ev", axis.offset_ev}, {"dispersion_ev", axis.dispersion_ev}, {"channels", axis.size}};
}

Json energy_json(const Image& image, const RunRecord& record) {
  const std::optional<Calibration>& calibration = record.preparation.calibration;
  const EnergyAxis after = image.energy();
  const EnergyAxis before = record.axis_in_file ? *record.axis_in_file
                            : calibration       ? calibration->before
                                                : after;
  Json out{{"before", axis_json(before)}, {"after", axis_json(after)}, {"marks", Json::array()}};
  if (calibration) out.update(energy::calibration_json(*calibration));
  return out;
}

Json window_json(const EnergyAxis& axis, EnergyWindow window) {
  const ChannelRange channels = axis.channels(window);
  return {{"ev", {window.start_ev, window.stop_ev}}, {"channels", {channels.first, channels.last}}};
}

Json windows_json(const Image& image, const Model& model) {
  const EnergyAxis axis = image.energy();
  Json out = Json::array();
  for (const Edge& edge : model.edges) {
    Json signal = window_json(axis, {edge.grid.start_ev, edge.grid.stop_ev});
    signal["grid_points"] = edge.grid.count;
    out.push_back({{"edge", edge.name}, {"fit", window_json(axis, edge.fit)}, {"signal", signal}});
  }
  return out;
}

Json axes_json(const Image& image) {
  Json out = Json::array();
  for (const Axis& axis : image.info().axes) {
    if (axis.role != AxisRole::navigation) continue;
    out.push_back({{"name", axis.name},
                   {"units", axis.units},
                   {"scale", axis.scale},
                   {"offset", axis.offset},
                   {"size", axis.size}});
  }
  return out;
}

Json options_json(const Model& model, const RunRecord& record) {
  return {{"background",
           {{"method", name_of(model.background.method)},
            {"minimum_counts", model.background.minimum_counts},
            {"r_minimum", model.background.r_minimum},
            {"r_maximum", model.background.r_maximum},
            {"phi", model.background.phi > 0 ? Json(model.background.phi) : Json("per pixel")}}},
          {"mask_counts", record.mask.minimum_counts >= 0 ? Json(record.mask.minimum_counts) : Json()},
          {"mask_vacuum", record.mask.automatic},
          {"memory_bytes", record.memory_bytes > 0 ? Json(record.memory_bytes) : Json()},
          {"keep_edges", record.keep_edges},
          {"format", record.formats},
          {"pictures", record.pictures == Pictures::all     ? "all"
                       : record.pictures == Pictures::tasks ? "tasks"
                                                            : "none"}};
}

/// Every map with its unit and, over the pixels that have a value, its spread.
Json maps_json(const MapResult& result) {
  std::vector<MapSpread> spreads(result.maps.size());
  oneapi::tbb::parallel_for(std::size_t{0}, spreads.size(), [&](std::size_t i) { spreads[i] = spread_of(result.maps[i]); });
  Json out = Json::array();
  for (std::size_t i = 0; i < spreads.size(); ++i) {
    const Map& map = result.maps[i];
    const MapSpread& spread = spreads[i];
    const auto number = [&](double value) { return spread.values > 0 ? Json(value) : Json(); };
    out.push_back({{"name", map.name},
                   {"unit", map.unit},
                   {"values", spread.values},
                   {"minimum", number(spread.minimum)},
                   {"median", number(spread.median)},
                   {"maximum", number(spread.maximum)}});
  }
  return out;
}

}  // namespace

nlohmann::ordered_json run_record_json(const Image& image, const Model& model, const MapResult& result,
                                       const RunRecord& record) {
  Json input, maps;
  RunContext context;
  context.threads = record.threads;
  in_arena(context, [&] {
    oneapi::tbb::parallel_invoke([&] { input = input_json(image, record.input); }, [&] { maps = maps_json(result); });
  });
  Json status;
  for (std::size_t code = 0; code < status_count; ++code) {
    status[std::string(name_of(static_cast<PixelStatus>(code)))] = result.status_counts[code];
  }
  return {{"elver", version()},
          {"command", record.command_line},
          {"input", std::move(input)},
          {"model",
           {{"name", model.name},
            {"file", record.model.string()},
            {"sha256", model.sha256.empty() ? Json() : Json(model.sha256)}}},
          {"rows", result.rows},
          {"columns", result.columns},
          {"axes", axes_json(image)},
          {"preparation", Json::parse(preparation_json(record.preparation))},
          {"energy_axis", energy_json(image, record)},
          {"windows", windows_json(image, model)},
          {"options", options_json(model, record)},
          {"threads", record.threads},
          {"computed_on", result.computed_on},
          {"forest", result.forest},
          {"status", status},
          {"maps", std::move(maps)},
          {"notes", result.notes}};
}

nlohmann::ordered_json seconds_json(const StageSeconds& seconds) {
  return {{"read", seconds.read},
          {"background", seconds.background},
          {"features", seconds.features},
          {"rank", seconds.rank},
          {"trees", seconds.trees},
          {"write", seconds.write},
          {"total", seconds.total}};
}

std::string dumped(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace elver
