#include <cuda_runtime.h>

#include "engine/devices.hpp"

namespace elver {

std::string cuda_summary() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) return std::string("compiled; no device (") + cudaGetErrorString(status) + ")";
  std::string out = "compiled; " + std::to_string(count) + " device(s)";
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, i) == cudaSuccess) out += std::string("; ") + properties.name;
  }
  return out;
}

}  // namespace elver
