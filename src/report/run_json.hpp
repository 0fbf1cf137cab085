#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "elver/report.hpp"

namespace elver {

/// What stands in run.json, without the seconds and the list of files, which are known last.
nlohmann::ordered_json run_record_json(const Image& image, const Model& model, const MapResult& result,
                                       const RunRecord& record);
nlohmann::ordered_json seconds_json(const StageSeconds& seconds);
/// Text of JSON that holds words from files, which may be in any encoding.
std::string dumped(const nlohmann::ordered_json& json, int indent);

}  // namespace elver
