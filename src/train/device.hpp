#pragma once
#include <string>

#include "elver/run_context.hpp"

namespace elver::train {

/// What training on a GPU needs: an XGBoost with CUDA that knows the parameter `device` (2.0 and newer), and a device.
struct Gpus {
  int xgboost_major = 0;
  std::string build_info;  ///< of the XGBoost at hand, xgboost::Library::build_info
  int devices = 0;         ///< that the CUDA driver lists
  std::string problem;     ///< of the driver, where it lists none
};
Gpus find_gpus();

/// What trains: `wanted`, or, where that is `automatic`, CUDA where there is what it needs. Throws Error{resources}
/// where CUDA is wanted and one of the two is missing.
Backend training_device(Backend wanted, const Gpus& gpus);

}  // namespace elver::train
