#include <cmath>

#include "elver/report.hpp"
#include "elver/version.hpp"
#include "energy/calibration_json.hpp"
#include "report/map_files.hpp"
#include "report/run_json.hpp"

namespace elver {
namespace {

using Json = nlohmann::ordered_json;

Json window_json(const EnergyAxis& axis, EnergyWindow window) {
  const ChannelRange channels = axis.channels(window);
  return {{"ev", {window.start_ev, window.stop_ev}}, {"channels", {channels.first, channels.last}}};
}

Json record_json(const Image& image, const DetectJob& job, const Detection& detection, const DetectRecord& record) {
  Json status;
  for (std::size_t code = 0; code < status_count; ++code) {
    status[std::string(name_of(static_cast<PixelStatus>(code)))] = detection.maps.status_counts[code];
  }
  const EnergyAxis axis = image.energy();
  Json energy_axis{{"offset_ev", axis.offset_ev}, {"dispersion_ev", axis.dispersion_ev}, {"marks", Json::array()}};
  if (record.preparation.calibration) energy_axis.update(energy::calibration_json(*record.preparation.calibration));
  const double not_one = detection.tests > 0 ? static_cast<double>(detection.tests) : 1.0;
  return {{"elver", version()},
          {"command", record.command_line},
          {"input", {{"file", record.input.string()}, {"dataset", image.info().id}, {"title", image.info().title}}},
          {"edge", job.windows.edge},
          {"windows", {{"fit", window_json(axis, job.windows.fit)}, {"signal", window_json(axis, job.windows.signal)}}},
          {"preparation", Json::parse(preparation_json(record.preparation))},
          {"energy_axis", energy_axis},
          {"fdr", job.false_discovery_rate},
          {"rows", detection.maps.rows},
          {"columns", detection.maps.columns},
          {"n", detection.tests},
          {"found", detection.found},
          {"share", static_cast<double>(detection.found) / not_one},
          {"p_threshold", detection.p_threshold},
          {"phi", detection.phi},
          {"phi_freedom", detection.phi_freedom},
          {"misfit", detection.misfit},
          {"minimum_counts", job.minimum_counts},
          {"status", status},
          {"notes", detection.maps.notes}};
}

}  // namespace

std::string write_detection(OutputSet& out, const Image& image, const DetectJob& job, const Detection& detection,
                            const DetectRecord& record, const RunContext& context) {
  Json json = record_json(image, job, detection, record);
  MapResult result = detection.maps;
  for (const PixelMap& map : record.preparation.maps) result.maps.push_back(report::shown(map));
  report::MapFiles files(out, record.formats);
  files.add(image, result, dumped(json, -1), context);
  files.commit();
  const auto [row, column] = map_axes(image);
  for (const Map& map : result.maps) {
    context.check_interrupt();
    draw_map(map, result.status, row, column, out.stage(report::picture_name(map.name)));
  }
  draw_status(detection.maps.status, row, column, out.stage("status.png"));
  report::supersede_earlier(out, "detect.json");
  json["files"] = out.names();
  json["files"].push_back("detect.json");
  const std::string text = dumped(json, 2) + "\n";
  out.write_text("detect.json", text);
  return text;
}

}  // namespace elver
