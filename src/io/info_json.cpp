#include <nlohmann/json.hpp>

#include "elver/io.hpp"

namespace elver {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<double>& number) { return number ? Json(*number) : Json(nullptr); }

Json describe(const ImageInfo& info) {
  Json shape = Json::array();
  Json axes = Json::array();
  for (const Axis& axis : info.axes) {
    shape.push_back(axis.size);
    axes.push_back({{"name", axis.name},
                    {"units", axis.units},
                    {"scale", axis.scale},
                    {"offset", axis.offset},
                    {"size", axis.size},
                    {"role", axis.role == AxisRole::energy ? "energy" : "navigation"}});
  }
  Json out{{"id", info.id},
           {"title", info.title},
           {"kind", name_of(info.kind)},
           {"dtype", name_of(info.type)},
           {"shape", shape},
           {"axes", axes},
           {"beam_energy_kev", number_or_null(info.beam_energy_kev)},
           {"convergence_mrad", number_or_null(info.convergence_mrad)},
           {"collection_mrad", number_or_null(info.collection_mrad)},
           {"dwell_s", number_or_null(info.dwell_s)},
           {"selected", info.selected}};
  if (!info.refusal.empty()) out["refusal"] = info.refusal;
  return out;
}

}  // namespace

std::string info_json(const File& file, const std::vector<std::string>& notes) {
  Json images = Json::array();
  for (const auto& image : file.images) images.push_back(describe(image->info()));
  const Json out{{"file", file.path.string()}, {"format", file.format}, {"images", images}, {"notes", notes}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace elver
