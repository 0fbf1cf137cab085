#pragma once
#include <cstdint>
#include <string>

#include "elver/run_context.hpp"

namespace elver {

/// Bytes of memory that this process holds now, as `ps` and GNU time count them; 0 where the system does not say.
std::uint64_t resident_bytes();

/// What is left for the work of a program that shall stay under `asked` bytes and holds `held`: less what the heap keeps in
/// between and what forests and fonts take. Throws Error{resources} where that is too little for any work.
std::uint64_t memory_for_work(std::uint64_t asked, std::uint64_t held);

/// The context with `needed` bytes less, if its memory is limited. Throws Error{resources} where less than `least` would be
/// left: "not enough memory (WHAT 120 MiB, and 72 are left ...)".
RunContext less_memory(const RunContext& context, std::uint64_t needed, std::uint64_t least, const std::string& what);

}  // namespace elver
