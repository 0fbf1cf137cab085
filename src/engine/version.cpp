#include "elver/version.hpp"

#include "engine/devices.hpp"

namespace elver {

std::string version() { return ELVER_VERSION; }

std::string build_summary() {
  const std::string xgboost = ELVER_XGBOOST_LIBRARY;
  return "CUDA: " + cuda_summary() +
         "\nXGBoost (to train and to check): " + (xgboost.empty() ? "looked for as libxgboost.so when needed" : xgboost);
}

}  // namespace elver
