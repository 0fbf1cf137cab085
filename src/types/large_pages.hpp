#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
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

/// The same for memory among other memory that will be written: the pages around its ends, too.
inline void ask_for_large_pages_around([[maybe_unused]] const void* start, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  constexpr std::uintptr_t kLargePage = 2 << 20;
  const auto first = reinterpret_cast<std::uintptr_t>(start), begin = first / kLargePage * kLargePage;
  const std::uintptr_t end = (first + bytes + kLargePage - 1) / kLargePage * kLargePage;
  if (bytes >= kLargePage / 4) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

}  // namespace elver
