#pragma once
#include <cuda_runtime.h>

#include <cstddef>

/// All that a kernel file adds to plain CUDA C++, so that the tests can run the same file on the processor: shared
/// memory, launches, and pointers whose accesses the tests count. Under nvcc each is the plain thing.
namespace device {

#if defined(__CUDACC__)
/// The block's dynamic shared memory.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char device_dynamic_shared[];
  return reinterpret_cast<T*>(device_dynamic_shared);
}
/// N elements of static shared memory, told apart by a tag.
template <class Tag, class T, std::size_t N>
__device__ __forceinline__ T* static_shared() {
  __shared__ T array[N];
  return array;
}
template <class T>
using shared_ptr = T*;
template <class T>
using global_ptr = T*;
#else
template <class T>
T* dynamic_shared() {
  return static_cast<T*>(cuda_on_host::dynamic_shared());
}
template <class Tag, class T, std::size_t N>
T* static_shared() {
  static const char tag = 0;
  return static_cast<T*>(cuda_on_host::static_shared(&tag, N * sizeof(T)));
}
template <class T>
using shared_ptr = cuda_on_host::Counted<T, cuda_on_host::Space::shared>;
template <class T>
using global_ptr = cuda_on_host::Counted<T, cuda_on_host::Space::global>;
#endif

/// kernel<<<grid, block, shared_bytes, stream>>>(arguments...).
template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   const A&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...);
}

}  // namespace device
