#pragma once
#include <cstddef>

#include "elver/run_context.hpp"

namespace elver {

/// The work that this thread reads files for, while it lives. Readers are not told of it: between the pieces of what they
/// read they ask check_reading, so that Ctrl-C waits for one piece and not for a block of a file on a slow drive.
class ReadsFor {
 public:
  explicit ReadsFor(const RunContext& context);  ///< `context` must outlive it
  ~ReadsFor();
  ReadsFor(const ReadsFor&) = delete;
  ReadsFor& operator=(const ReadsFor&) = delete;

 private:
  const RunContext* before_;
};

/// Throws Error{interrupted} once the work that this thread reads for is to stop.
void check_reading();

/// Bytes of a piece: what Linux asks a slow drive for at a time.
inline constexpr std::size_t kReadPiece = 128 << 10;

}  // namespace elver
