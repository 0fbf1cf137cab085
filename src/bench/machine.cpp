#include "bench/machine.hpp"

#include <hwy/aligned_allocator.h>
#include <oneapi/tbb/parallel_for.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>
#include <thread>

#include "types/arena.hpp"
#include "types/stopwatch.hpp"

namespace elver::bench {
namespace {

/// Seconds of work(thread) on all threads at once.
template <class Work>
double on_all_threads(const RunContext& context, const Work& work) {
  double seconds = 0;
  in_arena(context, [&] {
    const Stopwatch watch;
    oneapi::tbb::parallel_for(0U, context.thread_count(), 1U, work, oneapi::tbb::simple_partitioner());
    seconds = watch.seconds();
  });
  return seconds;
}

std::string value_of(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t at = line.find(':');
    if (at == line.npos) continue;
    const std::size_t first = line.find_first_not_of(" \t", at + 1);
    return first == line.npos ? "" : line.substr(first);
  }
  return "";
}

}  // namespace

RunSpread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {values.size(), values.front(), median, values.back()};
}

RunSpread measure_copies(const RunContext& context, std::size_t runs) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;  // a thread: more than caches hold
  const unsigned threads = context.thread_count();
  std::vector<std::vector<std::uint8_t>> from(threads), to(threads);
  for (unsigned t = 0; t < threads; ++t) {
    from[t].assign(kBytes, static_cast<std::uint8_t>(t + 1));
    to[t].assign(kBytes, 0);
  }
  std::vector<double> rates;
  for (std::size_t run = 0; run < runs + 1; ++run) {
    context.check_interrupt();
    const double seconds =
        on_all_threads(context, [&](unsigned t) { std::memcpy(to[t].data(), from[t].data(), kBytes); });
    if (run > 0) rates.push_back(static_cast<double>(kBytes) * threads / seconds);
  }
  return spread_of(rates);
}

RunSpread measure_compares(const RunContext& context, std::size_t runs) {
  constexpr std::size_t kNodes = 256, kTimes = 20000;
  std::vector<double> rates;
  for (std::size_t run = 0; run < runs + 1; ++run) {
    context.check_interrupt();
    const double seconds = on_all_threads(context, [&](unsigned) {
      const auto codes = hwy::AllocateAligned<std::uint8_t>(64 * kCompareRows);
      const auto answers = hwy::AllocateAligned<std::uint8_t>(64 * kNodes);
      for (std::size_t i = 0; i < 64 * kCompareRows; ++i) codes[i] = static_cast<std::uint8_t>(i * 37);
      for (std::size_t i = 0; i < kTimes; ++i) {
        compare_nodes(codes.get(), static_cast<std::uint8_t>(i), kNodes, answers.get());
      }
    });
    if (run > 0) rates.push_back(static_cast<double>(kNodes * kTimes) * context.thread_count() / seconds);
  }
  return spread_of(rates);
}

std::string cpu_name() {
  for (const char* key : {"model name", "Model", "Hardware"}) {
    const std::string name = value_of("/proc/cpuinfo", key);
    if (!name.empty()) return name;
  }
  return "unknown processor";
}

unsigned cores() { return std::max(1U, std::thread::hardware_concurrency()); }

std::uint64_t memory_of_machine() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char out[16];
  std::strftime(out, sizeof out, "%Y-%m-%d", &utc);
  return out;
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

std::uint64_t peak_memory() {
  const std::string kilobytes = value_of("/proc/self/status", "VmHWM");
  return kilobytes.empty() ? 0 : std::strtoull(kilobytes.c_str(), nullptr, 10) * 1024;
}

}  // namespace elver::bench
