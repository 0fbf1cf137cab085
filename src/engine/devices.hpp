#pragma once
#include <string>

namespace elver {

/// What the CUDA back end sees, in words: the devices, or why there are none.
std::string cuda_summary();

}  // namespace elver
