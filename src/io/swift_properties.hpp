#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "elver/image.hpp"

namespace elver {

/// The JSON object in a text that Python wrote: NaN and Infinity, which JSON has not and Python writes, are null. `what` is
/// its name in messages. Throws std::runtime_error.
nlohmann::json swift_json(std::string_view written, const std::string& what);

/// What Nion Swift's properties of a data item say: title, axes with their calibrations in the order of the array, beam
/// energy, angles. `shape`: of the array.
ImageInfo swift_info(const nlohmann::json& properties, std::span<const std::uint64_t> shape);

}  // namespace elver
