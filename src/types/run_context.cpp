#include "elver/run_context.hpp"

#include <algorithm>
#include <thread>

#include "elver/error.hpp"

namespace elver {

void RunContext::check_interrupt() const {
  if (interrupted != nullptr && interrupted->load(std::memory_order_relaxed)) {
    throw Error(ErrorKind::interrupted, "interrupted", "asked to stop", "Nothing was written");
  }
}

unsigned RunContext::thread_count() const {
  return threads > 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace elver
