#pragma once
#include <array>
#include <string_view>

namespace elver {

/// The words of a recipe, in the order of their enumerations.
inline constexpr std::array<std::string_view, 2> kKinds{"cdf", "raw"};
inline constexpr std::array<std::string_view, 3> kSums{"inclusive", "exclusive", "trapezoid"};
inline constexpr std::array<std::string_view, 4> kDivisors{"last", "max", "area", "none"};

}  // namespace elver
