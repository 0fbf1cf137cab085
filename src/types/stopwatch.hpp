#pragma once
#include <atomic>
#include <chrono>

namespace elver {

/// Seconds since it was made, or since the last lap.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  double lap() {
    const Clock::time_point now = Clock::now();
    const double passed = std::chrono::duration<double>(now - start_).count();
    start_ = now;
    return passed;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

/// Seconds that many threads add to.
class SharedSeconds {
 public:
  void add(double seconds) { nanoseconds_.fetch_add(static_cast<long long>(seconds * 1e9), std::memory_order_relaxed); }
  double value() const { return static_cast<double>(nanoseconds_.load()) * 1e-9; }

 private:
  std::atomic<long long> nanoseconds_{0};
};

}  // namespace elver
