#include "engine/devices.hpp"

namespace elver {

std::string cuda_summary() { return "not compiled (configure with the preset cuda)"; }

}  // namespace elver
