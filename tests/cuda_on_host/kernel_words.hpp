#pragma once
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "cuda_on_host/launcher.hpp"

/// The words of CUDA C++ that elver's kernels use, in plain C++. What is not here does not compile in the tests: add it
/// only with a meaning that is the same on both machines.
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define __restrict__ __restrict

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

extern thread_local uint3 threadIdx, blockIdx;
extern thread_local dim3 blockDim, gridDim;

inline void __syncthreads(cuda_on_host::Where w = cuda_on_host::Where::current()) { cuda_on_host::wait_block(0, w); }
inline int __syncthreads_or(int term, cuda_on_host::Where w = cuda_on_host::Where::current()) {
  return cuda_on_host::wait_block(term != 0, w) != 0;
}
inline void __syncwarp(unsigned mask = ~0U, cuda_on_host::Where w = cuda_on_host::Where::current()) {
  cuda_on_host::wait_warp(cuda_on_host::Collective::sync, mask, 0, 0, w);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, cuda_on_host::Where w = cuda_on_host::Where::current()) {
  return static_cast<unsigned>(
      cuda_on_host::wait_warp(cuda_on_host::Collective::ballot, mask, predicate != 0, 0, w));
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from, cuda_on_host::Where w = cuda_on_host::Where::current()) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = cuda_on_host::wait_warp(cuda_on_host::Collective::shuffle, mask, bits, static_cast<unsigned>(from) % 32, w);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <class T>
T atomicAdd(T* at, std::type_identity_t<T> value) {  // fibers: nobody comes between
  const T old = *at;
  *at = old + value;
  return old;
}
inline unsigned atomicOr(unsigned* at, unsigned value) {
  const unsigned old = *at;
  *at = old | value;
  return old;
}
inline int __popc(unsigned value) { return std::popcount(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
