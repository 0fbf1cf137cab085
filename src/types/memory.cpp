#include "types/memory.hpp"

#include <unistd.h>

#include <fstream>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kBetween = 16 * kMiB;  // heap that is free but kept, forests as they are walked, fonts: 12 MiB measured
constexpr std::uint64_t kLeastWork = 8 * kMiB;

unsigned long long mebibytes(std::uint64_t bytes) { return (bytes + kMiB - 1) / kMiB; }

}  // namespace

std::uint64_t resident_bytes() {
  std::ifstream facts("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  if (!(facts >> all >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t memory_for_work(std::uint64_t asked, std::uint64_t held) {
  const std::uint64_t itself = held + kBetween;
  if (asked >= itself + kLeastWork) return asked - itself;
  throw Error(ErrorKind::resources, text("--memory %lluM is too little", mebibytes(asked)),
              text("elver itself takes %llu MiB, with what it has loaded", mebibytes(itself)),
              text("Give %lluM or more", mebibytes(itself + kLeastWork)));
}

RunContext less_memory(const RunContext& context, std::uint64_t needed, std::uint64_t least, const std::string& what) {
  RunContext left = context;
  if (context.memory_bytes == 0) return left;
  if (context.memory_bytes < needed + least) {
    throw Error(ErrorKind::resources, "not enough memory",
                text("%s %llu MiB, and %llu are left beside the program itself", what.c_str(), mebibytes(needed + least),
                     mebibytes(context.memory_bytes)),
                text("Raise --memory by %lluM", mebibytes(needed + least - context.memory_bytes)));
  }
  left.memory_bytes -= needed;
  return left;
}

}  // namespace elver
