#pragma once
#include <nlohmann/json.hpp>

#include "elver/prepare.hpp"

namespace elver {

/// "preparation" of a record that stands in a file; an empty object where there is none.
nlohmann::ordered_json earlier_preparation(const std::string& record_json);

/// A member of a record, which may be anything: "" for what is no text, 1 for what is no whole number from 1 on.
std::string word_of(const nlohmann::ordered_json& object, const char* key);
std::uint64_t count_of(const nlohmann::ordered_json& object, const char* key);

}  // namespace elver
