#include <cuda_runtime.h>

#include "engine/cuda.hpp"
#include "types/text.hpp"

namespace elver::cuda {

DeviceList devices() {
  DeviceList out;
  int runtime = 0, driver = 0, count = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  out.versions = text("CUDA runtime %d.%d, ", runtime / 1000, runtime % 1000 / 10);
  out.versions += driver == 0 ? "no driver" : text("driver for CUDA %d.%d", driver / 1000, driver % 1000 / 10);
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    out.why_none = driver == 0 ? "no NVIDIA driver is installed" : cudaGetErrorString(error);
    return out;
  }
  if (count == 0) out.why_none = "the driver shows no device";
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p{};
    const cudaError_t unknown = cudaGetDeviceProperties(&p, i);
    if (unknown != cudaSuccess) {
      cudaGetLastError();
      out.why_none = text("CUDA call cudaGetDeviceProperties failed for GPU %d (%s)", i, cudaGetErrorString(unknown));
      continue;
    }
    out.devices.push_back({i, p.name, text("%d.%d", p.major, p.minor), p.multiProcessorCount, p.totalGlobalMem, p.sharedMemPerBlockOptin});
  }
  if (!out.devices.empty()) out.why_none.clear();
  return out;
}

}  // namespace elver::cuda
