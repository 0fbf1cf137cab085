#include "elver/version.hpp"

#include "engine/cuda.hpp"

namespace elver {
namespace {

std::string cuda_summary() {
  const DeviceList found = list_devices();
  if (found.devices.empty()) return "no GPU (" + found.why_none + ")";
  std::string out;
  for (const DeviceInfo& device : found.devices) out += (out.empty() ? "" : ", ") + device.name;
  return out;
}

}  // namespace

DeviceList list_devices() { return cuda::devices(); }

std::string version() { return ELVER_VERSION; }

std::string build_summary() {
  const std::string xgboost = ELVER_XGBOOST_LIBRARY;
  return "CUDA: " + cuda_summary() +
         "\nXGBoost (to train and to check): " + (xgboost.empty() ? "looked for as libxgboost.so when needed" : xgboost);
}

}  // namespace elver
