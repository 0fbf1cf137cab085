#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <memory>

namespace elver {

/// Memory that is about to be written all over: the system gives it in pages of 2 MiB where it has them, not in 512 times as
/// many.
inline void ask_for_large_pages([[maybe_unused]] void* start, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t kLargePage = 2 << 20;
  if (start != nullptr && std::align(kLargePage, kLargePage, start, bytes) != nullptr)
    ::madvise(start, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
}

}  // namespace elver
