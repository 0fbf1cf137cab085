#pragma once
#include <cstdint>
#include <span>

#include "elver/overlay.hpp"
#include "overlay/shifts.hpp"

namespace elver {

/// Every number about two maps on one grid, (rows, columns) values each, NaN where there is none. Uses TBB as it is.
Overlap overlap_of(std::span<const float> first, std::span<const float> second, std::uint64_t rows,
                   std::uint64_t columns, float threshold_first, float threshold_second, const Shifts& shifts,
                   const RunContext& context);

/// Jaccard index, odds ratio and its interval.
OverlapAt measured(const PresenceTable& table);

}  // namespace elver
