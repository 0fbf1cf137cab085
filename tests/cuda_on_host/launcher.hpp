#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <source_location>
#include <stdexcept>
#include <string>
#include <tuple>

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

/// Runs CUDA kernels on the processor, for tests: blocks one after another, the threads of a block as fibers that run
/// until they must wait for others. A program that a GPU would hang on, or would run differently each time, is a Misuse
/// or shows as bits that depend on Options::order.
namespace cuda_on_host {

using Where = std::source_location;
enum class Order : std::uint8_t { forward, reverse, random };
enum class Space : std::uint8_t { shared, global };

struct Misuse : std::logic_error {
  using std::logic_error::logic_error;
};

/// What one access in the source cost, over all warps: `cost` is wavefronts (shared) or 32-byte sectors (global).
struct Cost {
  std::uint64_t instructions = 0, lanes = 0, cost = 0;
};
/// File, line, column, space.
using Site = std::tuple<std::string, unsigned, unsigned, Space>;
struct Counts {
  std::map<Site, Cost> sites;
  std::uint64_t blocks = 0, barriers = 0;  ///< barriers: summed over blocks
};

struct Options {
  Order order = Order::forward;  ///< in which threads that can run do, and blocks too
  std::uint64_t seed = 1;        ///< of Order::random
  Counts* counts = nullptr;      ///< not null: counted pointers and barriers add up here
  int devices = 1;
  std::size_t device_bytes = std::size_t{1} << 32;  ///< of each device: more is cudaErrorMemoryAllocation
  bool lazy = true;       ///< work on a stream is done when somebody waits for it, never before
  std::string fail_call;  ///< the next call of this name fails with cudaErrorUnknown
};
/// Read at each launch. Set it while nothing runs.
extern Options options;

/// Held while a kernel or a copy runs: device memory is touched by one at a time.
extern std::recursive_mutex device_mutex;

/// Runs body() once for every thread of the grid. Throws Misuse, or what the kernel threw.
void run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& body);

// What runs inside a thread.
void* dynamic_shared();
void* static_shared(const void* tag, std::size_t bytes);
int wait_block(int term, Where where);  ///< the sum of every thread's term
/// One meeting of the lanes of `mask`: each brings a value and the lane that it wants to hear.
enum class Collective : std::uint8_t { sync, shuffle, ballot };
std::uint64_t wait_warp(Collective what, unsigned mask, std::uint64_t value, unsigned source, Where where);
unsigned lane_index();
void record(const void* address, std::size_t bytes, Space space, const Where& where);
/// Exactly `bytes`, aligned, filled with 0xFF: what nobody set reads as NaN, and a sanitizer sees the first byte past it.
void* allocate(std::size_t bytes);

}  // namespace cuda_on_host
