#pragma once
#include <atomic>
#include <cstdint>
#include <string_view>

namespace elver {

/// Told how far long work has come. Called from one thread at a time; the default does nothing.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void begin(std::string_view /*stage*/, std::uint64_t /*total*/, std::string_view /*unit*/) {}
  virtual void advance(std::uint64_t /*items*/) {}
  virtual void end() {}
};

/// What computes the pixels. `automatic`: a GPU where there is one and the work fits it, else the CPU.
enum class Backend : std::uint8_t { automatic, cpu, cuda };

/// What walks the trees: elver, or XGBoost's own predictor (loaded at run time), to compare with and for boosters that
/// elver itself does not run.
enum class ForestEngine : std::uint8_t { own, xgboost };

/// What every long piece of work is given: how much of the machine it may use, whom to tell, when to stop.
struct RunContext {
  unsigned threads = 0;            ///< 0: all cores
  std::uint64_t memory_bytes = 0;  ///< 0: no limit asked for
  Progress* progress = nullptr;    ///< may be null
  const std::atomic<bool>* interrupted = nullptr;  ///< may be null; set by a signal handler

  Backend backend = Backend::automatic;
  ForestEngine forest = ForestEngine::own;
  int device = -1;  ///< number of the GPU; -1: all that there are

  /// Throws Error{interrupted} once the flag is set.
  void check_interrupt() const;
  unsigned thread_count() const;
};

}  // namespace elver
