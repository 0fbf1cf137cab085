#include "elver/run_context.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "elver/error.hpp"
#include "types/reads_for.hpp"

namespace elver {

void RunContext::check_interrupt() const {
  if (interrupted != nullptr && interrupted->load(std::memory_order_relaxed)) {
    throw Error(ErrorKind::interrupted, "interrupted", "asked to stop", "Nothing was written");
  }
}

unsigned RunContext::thread_count() const {
  return threads > 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
}

namespace {
thread_local const RunContext* reading = nullptr;
}  // namespace

ReadsFor::ReadsFor(const RunContext& context) : before_(std::exchange(reading, &context)) {}
ReadsFor::~ReadsFor() { reading = before_; }

void check_reading() {
  if (reading != nullptr) reading->check_interrupt();
}

}  // namespace elver
