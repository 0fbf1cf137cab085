#pragma once
#include <nlohmann/json.hpp>

#include "elver/prepare.hpp"

namespace elver {

/// "preparation" of a record that stands in a file; an empty object where there is none.
nlohmann::ordered_json earlier_preparation(const std::string& record_json);

}  // namespace elver
