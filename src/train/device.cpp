#include "train/device.hpp"

#include "elver/error.hpp"
#include "forest/xgboost_api.hpp"
#include "types/dynamic_library.hpp"
#include "types/text.hpp"

namespace elver::train {
namespace {

/// Asked of the driver, for elver itself may be built without CUDA and its XGBoost with it.
void count_devices(Gpus& out) {
  static const DynamicLibrary driver("ELVER_CUDA_DRIVER", "", "libcuda.so.1");
  out.problem = driver.problem();
  if (!out.problem.empty()) return;
  int (*cuInit)(unsigned flags) = nullptr;
  int (*cuDeviceGetCount)(int* count) = nullptr;
  if (!driver.resolve(cuInit, "cuInit") || !driver.resolve(cuDeviceGetCount, "cuDeviceGetCount")) {
    out.problem = driver.path() + " is no CUDA driver";
    return;
  }
  int code = cuInit(0);
  if (code == 0) code = cuDeviceGetCount(&out.devices);
  if (code != 0) out.devices = 0;
  if (out.devices == 0)
    out.problem = code == 0 ? "the CUDA driver lists none" : text("the CUDA driver fails with error %d", code);
}

}  // namespace

Gpus find_gpus() {
  Gpus out;
  out.xgboost_major = xgboost::library().version[0];
  out.build_info = xgboost::library().build_info;
  count_devices(out);
  return out;
}

Backend training_device(Backend wanted, const Gpus& gpus) {
  if (wanted == Backend::cpu) return wanted;
  const std::string lacking = !xgboost::built_with_cuda(gpus.build_info) ? "this XGBoost was built without CUDA"
                              : gpus.xgboost_major < 2                   ? "this XGBoost is older than 2.0"
                              : gpus.devices < 1                         ? "there is no GPU: " + gpus.problem
                                                                         : "";
  if (lacking.empty()) return Backend::cuda;
  if (wanted == Backend::automatic) return Backend::cpu;
  throw Error(ErrorKind::resources, "cannot train on a GPU", lacking, "Train with --device cpu");
}

}  // namespace elver::train
