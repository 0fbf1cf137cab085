#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "elver/image.hpp"
#include "elver/io.hpp"
#include "elver/library.hpp"
#include "elver/model.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// How much of the way is timed; never mixed in one figure.
enum class BenchScope : std::uint8_t {
  kernel,        ///< one stage, from memory to memory, in the layout that the stages hand on
  device,        ///< both steps on a GPU, from device memory to device memory
  host_to_host,  ///< from counts in memory to maps in memory
  file_to_maps   ///< from a file in the page cache to a committed folder of maps, by run_map
};
std::string_view name_of(BenchScope scope);

/// Least, median and largest of the runs.
struct RunSpread {
  std::uint64_t runs = 0;
  double minimum = 0, median = 0, maximum = 0;
};

/// A rate, and what it could be.
struct BenchRow {
  std::string stage;   ///< "background", "features", "rank", "K1" (all three), "K2" (trees), "forest" (rank and trees), ...
  BenchScope scope = BenchScope::kernel;
  std::string engine;  ///< "elver", or a peer with its version
  std::string on;      ///< "CPU", or the GPU's name
  std::uint64_t pixels = 0;
  RunSpread mpx_s;                ///< million pixels a second
  double bytes_a_pixel = 0;       ///< that the stage must move, read and written; 0: not counted
  double nodes_a_pixel = 0;       ///< inner nodes that are compared; 0: none
  double visits_a_pixel = 0;      ///< of them on the pixel's way from roots to leaves
  std::string limit_by = {};      ///< what the least of the limits is; "" without one
  double limit_mpx_s = 0;
  double share_of_limit() const { return limit_mpx_s > 0 ? mpx_s.median / limit_mpx_s : 0; }
};

/// What the machine itself can do.
struct MachineLimits {
  std::string cpu, vector_registers;  ///< "AVX3_ZEN4", ...: the kind that the kernels use
  unsigned cores = 0, threads = 0;
  RunSpread copy_bytes_s;      ///< copied by all threads together, from memory to memory
  RunSpread compares_s;        ///< nodes a second: 64 bytes compared and their 64 answers kept, all threads, within the first-level cache
  RunSpread link_bytes_s;      ///< from pinned memory to the GPU; 0 runs without one
  std::string gpu, gpu_versions, why_no_gpu;
};

/// What is run: facts of the model and of the image.
struct BenchCase {
  std::string model;  ///< where its trees come from, in words
  std::uint64_t tasks = 0, outputs = 0, trees = 0, features = 0, features_used = 0, code_rows = 0, most_thresholds = 0;
  std::uint64_t most_depth = 0;
  double mean_depth = 0, mean_inner_nodes = 0;
  std::string image;  ///< in words
  std::uint64_t rows = 0, columns = 0, channels = 0, plan_channels = 0;
  std::string counts;  ///< number type
  std::string order;   ///< "energy-major" or "pixel-major"
};

/// Answers that were compared before anything was timed: all of them equal, or nothing is timed.
struct BenchParity {
  std::uint64_t pixels = 0;
  std::uint64_t margins = 0;   ///< of the engine, bit for bit Booster::margins'
  std::uint64_t xgboost = 0;   ///< margins that were bit for bit XGBoost's own as well
  std::uint64_t map_values = 0;  ///< of file and GPU, bit for bit those of the CPU from memory
};

struct BenchResult {
  BenchCase what;
  BenchParity parity;
  std::vector<BenchRow> rows;
  std::uint64_t peak_bytes = 0;  ///< of resident memory while file to maps ran; 0: not known
  std::uint64_t file_bytes = 0;
};

struct BenchSweep {
  std::string over;  ///< "size", "channels", "features", "trees", "depth"
  std::vector<std::uint64_t> values;
  std::vector<BenchResult> results;  ///< one a value
};

struct BenchReport {
  std::string elver, date;  ///< UTC, YYYY-MM-DD
  MachineLimits machine;
  BenchResult main;
  std::vector<BenchSweep> sweeps;
  std::vector<std::string> skipped;  ///< what was left out, and why
};

struct BenchJob {
  std::filesystem::path input;    ///< a spectrum image; "" makes one of the model's references
  OpenOptions open;
  std::filesystem::path library;  ///< trees are trained on it where given (needs XGBoost); else the model's own are used
  std::filesystem::path keep_model;  ///< where to leave the model that was made; "" nowhere
  std::uint64_t rows = 256, columns = 256, channels = 1500;  ///< of an image that is made
  NumberType counts = NumberType::u16;                       ///< u16, i32 or f32
  std::uint64_t trees = 0, depth = 6, features = 600;  ///< trees 0: those of the model, or 1800 trained ones
  std::uint64_t runs = 20;
  std::vector<BenchScope> scopes{BenchScope::kernel, BenchScope::device, BenchScope::host_to_host, BenchScope::file_to_maps};
  struct Sweep {
    std::string over;
    std::vector<std::uint64_t> values;  ///< empty: the usual ones
  };
  std::vector<Sweep> sweeps;
};
/// "size" or "size=64,128". Throws Error{usage}.
BenchJob::Sweep parse_sweep(const std::string& text);

/// Measures. `model` may be null where the job names a library. Every run does each of the rows once, so that what
/// disturbs one disturbs all. Throws Error{mismatch} where answers differ, Error{usage} for sweeps that the model does
/// not allow, Error{resources} where a GPU is demanded and cannot be had.
BenchReport run_bench(const BenchJob& job, const Model* model, const RunContext& context);

/// The report as `elver bench --json` prints it and bench/results keeps it.
std::string bench_json(const BenchReport& report);
/// The report as tables for people.
std::string bench_table(const BenchReport& report);

}  // namespace elver
