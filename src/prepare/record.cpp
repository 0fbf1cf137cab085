#include "prepare/record.hpp"

#include <algorithm>

#include "energy/calibration_json.hpp"
#include "energy/coarse.hpp"
#include "types/median.hpp"

namespace elver {
namespace {

using Json = nlohmann::ordered_json;

Json axis_json(const EnergyAxis& axis) {
  return {{"offset_ev", axis.offset_ev}, {"dispersion_ev", axis.dispersion_ev}, {"channels", axis.size}};
}

Json alignment_json(const AlignRequest& request, const Alignment& found) {
  Json out{{"by", request.by == AlignBy::edge ? "edge" : "zlp"}};
  if (request.by == AlignBy::edge) out["edges"] = request.edges;
  if (request.by == AlignBy::zero_loss) {
    out["file"] = request.zero_loss.string();
    if (!request.zero_loss_dataset.empty()) out["dataset"] = request.zero_loss_dataset;
  }
  const auto [least, most] = std::ranges::minmax(found.offset_ev);
  out["offset_ev"] = {{"minimum", least}, {"median", upper_median(found.offset_ev)}, {"maximum", most}};
  out["median_standard_error_ev"] = upper_median(found.error_ev);
  out["pixels_measured"] = found.measured;
  out["median_standard_error_of_one_pixel_ev"] = found.own_error_ev;
  out["how"] = "whole channels moved, the rest in eighths of a channel";
  return out;
}

Json axis_record(const Calibration& found) {
  Json out{{"before", axis_json(found.before)}, {"after", axis_json(found.after)}};
  out.update(energy::calibration_json(found));
  return out;
}

}  // namespace

Json earlier_preparation(const std::string& record_json) {
  const Json record = Json::parse(record_json, nullptr, false);
  if (!record.is_object()) return Json::object();
  const auto found = record.find("preparation");
  return found != record.end() && found->is_object() ? *found : Json::object();
}

std::string word_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::uint64_t count_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  const bool counts = found != object.end() && found->is_number_unsigned();
  return counts ? std::max<std::uint64_t>(1, found->get<std::uint64_t>()) : 1;
}

std::string preparation_json(const PreparationRecord& record) {
  Json out = earlier_preparation(record.earlier_json);
  if (record.pedestal) out["pedestal"] = {{"counts", *record.pedestal}};
  if (record.bin) out["bin"] = {{"rows", record.bin->rows}, {"columns", record.bin->columns}};
  if (record.spikes) out["spikes"] = {{"values_replaced", record.spikes->values}, {"pixels", record.spikes->pixels}};
  if (record.align && record.alignment) out["align"] = alignment_json(*record.align, *record.alignment);
  // The same request again finds an axis that is right, and must not hide how it came to be.
  const bool moved = record.calibration && energy::farthest_ev(record.calibration->before, record.calibration->after) > 0;
  if (record.calibration && (moved || !out.contains("calibration"))) {
    out["calibration"] = axis_record(*record.calibration);
    if (!record.axis_from.empty()) out["calibration"]["carried_over_from"] = record.axis_from;
  }
  if (!record.notes.empty()) out["notes"] = record.notes;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace elver
