#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>

#include "elver/image.hpp"

namespace elver {

/// What Nion Swift's properties of a data item say: title, axes with their calibrations in the order of the array, beam
/// energy. `shape`: of the array.
ImageInfo swift_info(const nlohmann::json& properties, std::span<const std::uint64_t> shape);

}  // namespace elver
