#pragma once
#include <boost/context/fiber.hpp>
#include <boost/context/stack_context.hpp>

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace cuda_on_host {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr std::size_t kStackBytes = 256 << 10;
#else
inline constexpr std::size_t kStackBytes = 64 << 10;
#endif

/// Tells AddressSanitizer which stack is being switched to; without it, nothing.
class Switches {
 public:
  /// From the scheduler to the thread and back.
  class Visit {
   public:
    explicit Visit(Switches& s) : s_(s) { s_.start(&s_.scheduler_fake_, s_.bottom_); }
    ~Visit() { finish(s_.scheduler_fake_, nullptr, nullptr); }

   private:
    Switches& s_;
  };
  /// From the thread to the scheduler and back.
  class Leave {
   public:
    explicit Leave(Switches& s) : s_(s) { s_.start(&s_.thread_fake_, s_.scheduler_bottom_, s_.scheduler_size_); }
    ~Leave() { finish(s_.thread_fake_, nullptr, nullptr); }

   private:
    Switches& s_;
  };
  /// From the first to the last moment of the thread, on its own stack.
  class Life {
   public:
    explicit Life(Switches& s) : s_(s) { finish(nullptr, &s_.scheduler_bottom_, &s_.scheduler_size_); }
    ~Life() { s_.start(nullptr, s_.scheduler_bottom_, s_.scheduler_size_); }

   private:
    Switches& s_;
  };

 private:
  void start([[maybe_unused]] void** fake, [[maybe_unused]] const void* bottom,
             [[maybe_unused]] std::size_t size = kStackBytes) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(fake, bottom, size);
#endif
  }
  static void finish([[maybe_unused]] void* fake, [[maybe_unused]] const void** bottom,
                     [[maybe_unused]] std::size_t* size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, bottom, size);
#endif
  }

 public:
  void on_stack(const void* bottom) { bottom_ = bottom; }

 private:
  const void* bottom_ = nullptr;
  void *scheduler_fake_ = nullptr, *thread_fake_ = nullptr;
  const void* scheduler_bottom_ = nullptr;
  std::size_t scheduler_size_ = 0;
};

/// Stacks of fibers, used again and again; a page that must not be touched lies below each.
class StackPool {
 public:
  explicit StackPool(Switches& switches) : switches_(&switches) {}
  boost::context::stack_context allocate() {
    std::vector<char*>& free = pool();
    if (free.empty()) grow(free);
    char* const bottom = free.back();
    free.pop_back();
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(bottom, kStackBytes);  // frames that never returned left their marks
#endif
    switches_->on_stack(bottom);
    boost::context::stack_context stack;
    stack.size = kStackBytes;
    stack.sp = bottom + kStackBytes;
    return stack;
  }
  void deallocate(boost::context::stack_context& stack) noexcept {
    pool().push_back(static_cast<char*>(stack.sp) - kStackBytes);
  }

 private:
  static std::vector<char*>& pool() {
    static thread_local std::vector<char*> free;  // never unmapped: it serves until the test ends
    return free;
  }
  Switches* switches_;
  static void grow(std::vector<char*>& free) {
    constexpr std::size_t kCount = 64, kPage = 4096, kStride = kStackBytes + kPage;
    void* const region = mmap(nullptr, kCount * kStride, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) throw std::bad_alloc();
    for (std::size_t i = 0; i < kCount; ++i) {
      char* const bottom = static_cast<char*>(region) + i * kStride;
      mprotect(bottom, kPage, PROT_NONE);
      free.push_back(bottom + kPage);
    }
  }
};

}  // namespace cuda_on_host
