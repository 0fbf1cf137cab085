#pragma once
#include <string>

namespace elver {

/// "0.1.0"
std::string version();
/// What this build can do, a line each: CUDA, XGBoost, HDF5, and why not where it cannot.
std::string build_summary();

}  // namespace elver
