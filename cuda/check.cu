#include "check.hpp"

#include "types/text.hpp"

namespace elver::cuda {
namespace {

const char* remedy(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return "Free memory on the device, lower --memory, or use --backend cpu";
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
      return "See what elver devices lists, or use --backend cpu";
    default:
      return "Try again, with --backend cpu if it stays so; elver devices shows the device and its driver";
  }
}

}  // namespace

void check(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // it is told here, not by the next call
  if (error == cudaErrorMemoryAllocation) {
    throw OutOfMemory(ErrorKind::resources, text("CUDA call %s failed", call), cudaGetErrorString(error), remedy(error));
  }
  throw Error(ErrorKind::resources, text("CUDA call %s failed", call), cudaGetErrorString(error), remedy(error));
}

void too_many_features(std::size_t code_rows, std::size_t shared_limit) {
  throw Error(ErrorKind::resources, "the forests do not fit the device",
              text("%zu rows of codes, and a block has %zu bytes of shared memory", code_rows, shared_limit),
              "Use --backend cpu");
}

void too_many_points(std::size_t points, std::size_t shared_limit) {
  throw Error(ErrorKind::resources, "an edge does not fit the device",
              text("%zu points or channels of its windows, and a block has %zu bytes of shared memory", points,
                   shared_limit),
              "Use --backend cpu");
}

}  // namespace elver::cuda
