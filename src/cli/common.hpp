#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elver/energy.hpp"
#include "elver/image.hpp"
#include "elver/io.hpp"
#include "elver/model.hpp"
#include "elver/prepare.hpp"
#include "elver/run_context.hpp"
#include "types/reads_for.hpp"

/// What the commands share: option groups (one a stage), the run context, printing. Every command is one library call.
namespace elver::cli {

/// FILE and the options of reading and of the energy axis.
struct InputOptions {
  std::string file;
  OpenOptions open;
  std::vector<std::string> marks;
  double pedestal = 0;
  std::string bin;
  std::vector<std::string> align;  ///< two words
  std::string align_dataset;
  bool spikes = false;
  bool auto_axis = false;
  std::string axis_from;   ///< a file whose axis was put right
  std::string axis_model;  ///< whose reference edges --auto-axis goes by
};
/// FILE and how to read it, for a command that does not compute energies; add_input adds what prepares it.
CLI::Option_group* add_file(CLI::App& command, InputOptions& options);
void add_input(CLI::App& command, InputOptions& options);
/// What the options ask to be done to the image; `model`: the command's own, for --auto-axis.
Preparation preparation_of(const InputOptions& options, const Model* model = nullptr);
/// The selected image, prepared as the options say; what was done goes into `record`. `model`: the command's own,
/// for --auto-axis.
std::unique_ptr<Image> open_input(const InputOptions& options, const RunContext& context,
                                  PreparationRecord* record = nullptr, const Model* model = nullptr);

/// --mask-counts, --mask-vacuum.
void add_mask(CLI::App& command, MaskOptions& options);

/// --format: the formats of the maps (map_formats).
void add_format(CLI::App& command, std::vector<std::string>& formats);

/// --threads, --memory, --quiet, --json: on every command that computes.
struct RunOptions {
  unsigned threads = 0;
  std::string memory;
  bool quiet = false;
  bool json = false;
  std::string backend = "auto", forest = "own";
  int device = -1;
};
void add_run(CLI::App& command, RunOptions& options);
/// --backend, --device: on the commands that a GPU can run.
void add_backend(CLI::App& command, RunOptions& options);
/// --forest: on those of them that run models.
void add_forest(CLI::App& command, RunOptions& options);

/// A RunContext that shows a progress bar on stderr when that is a terminal (not with --quiet), and stops on Ctrl-C.
class Run {
 public:
  explicit Run(const RunOptions& options);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  /// Its memory is what is left for the work, beside what the program holds when it is first asked for.
  const RunContext& context() const;
  std::uint64_t asked_bytes() const { return asked_bytes_; }  ///< of --memory; 0: no limit

 private:
  mutable RunContext context_;
  std::uint64_t asked_bytes_ = 0;
  std::unique_ptr<Progress> bar_;
  ReadsFor reads_{context_};  ///< what the command itself reads stops on Ctrl-C, too
};

/// Pictures of the maps that the preparation left, beside the file `out` that is about to be written; commit() after it.
class PicturesBeside {
 public:
  PicturesBeside(const std::string& out, const Image& image, const PreparationRecord& record);
  void commit();

 private:
  std::optional<OutputSet> set_;
};

/// What was done to the image, a line each, for people.
void print_preparation(const PreparationRecord& record);
/// Notes for the user, on stderr, a line each.
void print_notes(const std::vector<std::string>& notes, const RunOptions& options);

/// What was typed, words quoted where a shell needs it; main() sets it.
std::string& command_line();
std::string quoted_words(int argc, char** argv);

/// "490:520" in eV. Throws Error{usage}.
EnergyWindow parse_window(const std::string& text, const std::string& option);
/// "512M", "4G", "1073741824". Throws Error{usage}.
std::uint64_t parse_size(const std::string& text);

}  // namespace elver::cli
