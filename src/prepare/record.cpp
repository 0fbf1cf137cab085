#include "prepare/record.hpp"

#include <algorithm>

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
  std::vector<double> errors = found.error_ev, offsets = found.offset_ev;
  const auto median = [](std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  };
  out["offset_ev"] = {{"minimum", least}, {"median", median(offsets)}, {"maximum", most}};
  out["median_standard_error_ev"] = median(errors);
  out["pixels_measured"] = found.measured;
  out["median_standard_error_of_one_pixel_ev"] = found.own_error_ev;
  out["how"] = "whole channels moved, the rest in eighths of a channel";
  return out;
}

Json calibration_json(const Calibration& found) {
  Json marks = Json::array();
  for (const MarkResidual& mark : found.marks) {
    marks.push_back({{"feature", mark.feature},
                     {"wanted_ev", mark.wanted_ev},
                     {"found_ev", mark.found_ev},
                     {"residual_ev", mark.residual_ev}});
  }
  return {{"before", axis_json(found.before)}, {"after", axis_json(found.after)}, {"marks", marks}};
}

}  // namespace

Json earlier_preparation(const std::string& record_json) {
  const Json record = Json::parse(record_json, nullptr, false);
  if (!record.is_object()) return Json::object();
  const auto found = record.find("preparation");
  return found != record.end() && found->is_object() ? *found : Json::object();
}

std::string preparation_json(const PreparationRecord& record) {
  Json out = earlier_preparation(record.earlier_json);
  if (record.bin) out["bin"] = {{"rows", record.bin->rows}, {"columns", record.bin->columns}};
  if (record.spikes) out["spikes"] = {{"values_replaced", record.spikes->values}, {"pixels", record.spikes->pixels}};
  if (record.align && record.alignment) out["align"] = alignment_json(*record.align, *record.alignment);
  if (record.calibration) out["calibration"] = calibration_json(*record.calibration);
  if (!record.notes.empty()) out["notes"] = record.notes;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace elver
