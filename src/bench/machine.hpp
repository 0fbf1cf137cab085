#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "elver/bench.hpp"

namespace elver::bench {

RunSpread spread_of(std::vector<double> values);

/// Asks `count` nodes of the 64 pixels whose codes lie in `codes` (kCompareRows rows of 64 bytes), as the forest does: one
/// compare of all the bytes that a register holds, its answers kept. `answers`: 64 bytes a node.
inline constexpr std::size_t kCompareRows = 16;
void compare_nodes(const std::uint8_t* codes, std::uint8_t least, std::size_t count, std::uint8_t* answers);
/// The kind of vector registers that the kernels use here: "AVX3_ZEN4".
std::string vector_registers();

/// Bytes a second that all threads together copy, and nodes a second that they ask.
RunSpread measure_copies(const RunContext& context, std::size_t runs);
RunSpread measure_compares(const RunContext& context, std::size_t runs);

std::string cpu_name();
unsigned cores();
std::uint64_t memory_of_machine();
/// YYYY-MM-DD, UTC.
std::string today();

/// Resident memory at its highest since the last reset; 0 where the system does not say.
void reset_peak_memory();
std::uint64_t peak_memory();

}  // namespace elver::bench
