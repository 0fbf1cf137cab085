#include <array>
#include <charconv>
#include <cmath>

#include "elver/error.hpp"
#include "elver/report.hpp"
#include "elver/version.hpp"
#include "overlay/grid.hpp"
#include "report/map_files.hpp"
#include "report/run_json.hpp"

namespace elver {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }
Json number(const std::optional<double>& value) { return value ? number(*value) : Json(); }

/// The shortest number that is this float: 0.1, not the digits of its double.
Json threshold(double value) {
  if (!std::isfinite(value)) return Json();
  std::array<char, 32> digits{};
  const auto [end, code] = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<float>(value));
  double out = value;
  if (code == std::errc{}) std::from_chars(digits.data(), end, out);
  return Json(out);
}

Json interval(const OverlapAt& at) { return {number(at.odds_ratio_low), number(at.odds_ratio_high)}; }

Json curve_json(const std::vector<OverlapAt>& points, bool of_first) {
  Json out = Json::array();
  for (const OverlapAt& at : points) {
    out.push_back({{"threshold", threshold(of_first ? at.threshold_first : at.threshold_second)},
                   {"jaccard", number(at.jaccard)},
                   {"jaccard_by_chance", number(at.null_jaccard)},
                   {"odds_ratio", number(at.odds_ratio)},
                   {"odds_ratio_interval", interval(at)},
                   {"odds_ratio_interval_correlated", {number(at.correlated_low), number(at.correlated_high)}},
                   {"p_value", number(at.p_value)}});
  }
  return out;
}

/// The statistics of one pair, its maps called by their letters.
Json pair_json(const OverlayResult& result, const Overlap& overlap) {
  const std::string first = result.maps[overlap.first].name, second = result.maps[overlap.second].name;
  const OverlapAt& at = overlap.at;
  Json out{{"n", overlap.n},
           {"thresholds", {{first, threshold(at.threshold_first)}, {second, threshold(at.threshold_second)}}},
           {"jaccard", number(at.jaccard)},
           {"odds_ratio", number(at.odds_ratio)},
           {"odds_ratio_interval", interval(at)},
           {"p_value", number(at.p_value)},
           {"null",
            {{"kind", overlap.all_shifts ? "toroidal shifts of the mirrored map, all of them"
                                         : "toroidal shifts of the mirrored map, drawn"},
             {"draws", overlap.draws}}}};
  if (!overlap.note.empty()) out["note"] = overlap.note;
  out["odds_ratio_interval_correlated"] = {number(at.correlated_low), number(at.correlated_high)};
  out["alternative"] = "one-sided: the maps overlap by more than chance";
  out["jaccard_by_chance"] = number(at.null_jaccard);
  out["table"] = {{"both", at.table.both},
                  {"only_" + first, at.table.only_first},
                  {"only_" + second, at.table.only_second},
                  {"neither", at.table.neither}};
  out["rank_correlation"] = number(overlap.rank_correlation);
  out["rank_correlation_p_value"] = number(overlap.rank_correlation_p_value);
  out["independent_pixels"] = number(overlap.independent_pixels);
  out["curve"] = {{first, curve_json(overlap.by_first, true)}, {second, curve_json(overlap.by_second, false)}};
  return out;
}

Json axis_json(const Axis& axis) {
  return {
      {"name", axis.name}, {"units", axis.units}, {"scale", axis.scale}, {"offset", axis.offset}, {"size", axis.size}};
}

/// What says where map `m` lies with regard to the first.
std::string placed_by(const PlacedMap& map, FieldOfView field) {
  if (field == FieldOfView::same) return "same field, as told";
  if (!map.to_first) return "axes";
  return map.placed_by.empty() ? "given transform" : map.placed_by;
}

/// The one thing that placed all maps, else which placed which.
std::string field_of_view(std::span<const PlacedMap> maps, const OverlayResult& result, FieldOfView field) {
  std::string listed, first = placed_by(maps[1], field);
  bool one = true;
  for (std::size_t m = 1; m < maps.size(); ++m) {
    const std::string by = placed_by(maps[m], field);
    one = one && by == first;
    listed += (listed.empty() ? "" : ", ") + result.maps[m].name + " by " + by;
  }
  return one ? first : listed;
}

Json inputs_json(std::span<const PlacedMap> maps, const OverlayResult& result, FieldOfView field) {
  Json out;
  const std::vector<Affine> places = index_to_place(maps, field);
  for (std::size_t m = 0; m < maps.size(); ++m) {
    Json& input = out[result.maps[m].name];
    input = {{"source", maps[m].source},
             {"name", maps[m].map.name},
             {"rows", axis_json(maps[m].rows)},
             {"columns", axis_json(maps[m].columns)}};
    if (m == 0) continue;
    const Affine t = composed(places[m], inverse_of(own_places(maps[m])));
    input["placed_by"] = placed_by(maps[m], field);
    input["to_a"] = {{t.xx, t.xy, t.dx}, {t.yx, t.yy, t.dy}};
    input["to_a_units"] = {{"from", maps[m].columns.units}, {"to", maps[0].columns.units}};
  }
  return out;
}

Json overlay_json(std::span<const PlacedMap> maps, const OverlayOptions& options, const OverlayResult& result,
                  const OverlayRecord& record) {
  Json out;
  for (std::size_t m = 0; m < maps.size(); ++m)
    out[result.maps[m].name] = maps[m].source.empty() ? maps[m].map.name : maps[m].source;
  out["grid"] = {{"rows", result.rows.size}, {"columns", result.columns.size}};
  out.update(pair_json(result, result.overlaps.front()));
  for (std::size_t m = 2; m < maps.size(); ++m)
    out["thresholds"][result.maps[m].name] = threshold(result.thresholds[m]);
  for (const Overlap& overlap : result.overlaps) {
    if (maps.size() == 2) break;
    Json pair{{"first", result.maps[overlap.first].name}, {"second", result.maps[overlap.second].name}};
    pair.update(pair_json(result, overlap));
    out["pairs"].push_back(std::move(pair));
  }
  out["grid_axes"] = {{"rows", axis_json(result.rows)}, {"columns", axis_json(result.columns)}};
  out["field_of_view"] = field_of_view(maps, result, options.field);
  out["seed"] = options.seed;
  out["inputs"] = inputs_json(maps, result, options.field);
  out["notes"] = result.notes;
  out.update(Json::parse(record.more_json));
  out["elver"] = version();
  out["command"] = record.command_line;
  return out;
}

void write_maps(OutputSet& out, const OverlayResult& result, const std::vector<std::string>& formats, const std::string& record,
                const RunContext& context) {
  report::MapFiles files(out, formats, "overlay");
  SignalHeader header;
  header.axes = {result.rows, result.columns};
  header.map = true;
  header.record_json = record;
  for (const Map& map : result.maps) {
    header.title = map.name;
    header.quantity = map.title + (map.unit.empty() ? "" : " (" + map.unit + ")");
    files.add(header, std::as_bytes(std::span(map.values)), context);
  }
  MapResult table;
  table.rows = result.rows.size;
  table.columns = result.columns.size;
  table.maps = result.maps;
  files.add_table(table, result.rows, result.columns);
  files.commit();
}

}  // namespace

std::string write_overlay(OutputSet& out, std::span<const PlacedMap> maps, const OverlayOptions& options,
                          const OverlayResult& result, const OverlayRecord& record, const RunContext& context) {
  Json json = overlay_json(maps, options, result, record);
  write_maps(out, result, record.formats, dumped(json, -1), context);
  draw_overlay(result, record.colours, out.stage("overlay.png"));
  report::supersede_earlier(out, "overlay.json");
  json["files"] = out.names();
  json["files"].push_back("overlay.json");
  const std::string text = dumped(json, 2) + "\n";
  out.write_text("overlay.json", text);
  return text;
}

}  // namespace elver
