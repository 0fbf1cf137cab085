#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace elver {

/// A GPU as the CUDA back end sees it.
struct DeviceInfo {
  int number = 0;                  ///< what RunContext::device takes
  std::string name;
  std::string compute_capability;  ///< "9.0"
  int multiprocessors = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t shared_bytes = 0;  ///< shared memory of a block, at most
};

struct DeviceList {
  std::vector<DeviceInfo> devices;
  std::string why_none;  ///< in words; "" where there is one
  std::string versions;  ///< of CUDA's runtime and the driver; "" where CUDA is not compiled
};

/// Never throws: no device is an answer.
DeviceList list_devices();

}  // namespace elver
