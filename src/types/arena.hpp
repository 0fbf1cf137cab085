#pragma once
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include "elver/run_context.hpp"

namespace elver {

/// Runs `work` with as many threads as the context says. More threads than cores are allowed: without the limit being
/// raised, TBB would ignore the wish and say so on stderr.
template <class Work>
void in_arena(const RunContext& context, const Work& work) {
  const unsigned threads = context.thread_count();
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
  oneapi::tbb::task_arena arena(static_cast<int>(threads));
  arena.execute(work);
}

}  // namespace elver
