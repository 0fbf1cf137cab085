#pragma once
#include <cuda_runtime.h>

#include <cstddef>

#include "elver/error.hpp"

namespace elver::cuda {

/// Memory of the device, or pinned memory of the host, is short: a smaller tile may fit.
struct OutOfMemory : Error {
  using Error::Error;
};
/// Throws Error{resources} (OutOfMemory where it is that) that names the call, CUDA's own words and what to do.
void check(cudaError_t error, const char* call);
[[noreturn]] void too_many_features(std::size_t code_rows, std::size_t shared_limit);
[[noreturn]] void too_many_points(std::size_t points, std::size_t shared_limit);

}  // namespace elver::cuda
