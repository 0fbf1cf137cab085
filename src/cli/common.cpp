#include "cli/common.hpp"

#include <csignal>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "elver/error.hpp"
#include "elver/report.hpp"
#include "types/memory.hpp"
#include "types/text.hpp"

namespace elver::cli {
namespace {

std::atomic<bool> interrupted{false};

/// First Ctrl-C: asks the work to stop and clean up. The second one: at once.
extern "C" void on_interrupt(int signal) {
  if (interrupted.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

class Bar : public Progress {
 public:
  void begin(std::string_view stage, std::uint64_t total, std::string_view unit) override {
    stage_ = stage;
    unit_ = unit;
    total_ = total;
    done_ = 0;
    start_ = shown_ = Clock::now();
  }
  void advance(std::uint64_t items) override {
    done_ += items;
    const Clock::time_point now = Clock::now();
    if (now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = static_cast<double>(done_) / seconds;
    const double share = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1.0;
    const int filled = static_cast<int>(share * 24);
    std::fprintf(stderr, "\r\033[K%s [%-24s] %3.0f %%  %.3g %s/s  %.0f s left", stage_.c_str(),
                 std::string(static_cast<std::size_t>(filled), '#').c_str(), 100 * share, rate, unit_.c_str(),
                 rate > 0 ? static_cast<double>(total_ - done_) / rate : 0.0);
    drawn_ = true;
  }
  void end() override {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }
  ~Bar() override { end(); }

 private:
  using Clock = std::chrono::steady_clock;
  std::string stage_, unit_;
  std::uint64_t total_ = 0, done_ = 0;
  Clock::time_point start_, shown_;
  bool drawn_ = false;
};

}  // namespace

CLI::Option_group* add_file(CLI::App& command, InputOptions& options) {
  command.add_option("FILE", options.file, "Spectrum image, in any format that `elver formats` lists")->required();
  CLI::Option_group* group = command.add_option_group("Reading and energy axis");
  group->add_option("--dataset", options.open.dataset, "Which image of the file, by id or title (see: elver info FILE)");
  group->add_option("--energy-axis", options.open.energy_axis, "Which axis is the energy, by name or number in C order");
  group->add_option("--offset-ev", options.open.offset_ev, "Energy of channel 0 (eV), in place of the file's");
  group->add_option("--dispersion-ev", options.open.dispersion_ev, "Energy per channel (eV), in place of the file's");
  group->add_flag("--follow-links", options.open.follow_links, "Let an HDF5 file take values from other files that it names");
  return group;
}

void add_input(CLI::App& command, InputOptions& options) {
  CLI::Option_group* group = add_file(command, options);
  group->add_option("--mark", options.marks, "FEATURE=ENERGY (eV): put the axis right so that the feature, found in the mean "
                    "spectrum, lies there; for example --mark Mn_L3=642.0 --mark Ni_L3=855.0 (what is found: elver calibrate --help)")->allow_extra_args(false);
  CLI::Option* automatic = group->add_flag("--auto-axis", options.auto_axis, "Put offset and gain right by the model's reference edges, looked for "
                                           "in the mean spectrum; refused where they cannot be told");
  automatic->excludes(group->get_option("--mark"));
  group->add_option("--axis-from", options.axis_from, "A file of the same spectrometer setting whose axis elver put right: shift and gain are carried "
                    "over; --mark then corrects what is left")->excludes(automatic);
  group->add_option("--axis-model", options.axis_model, "The model that --auto-axis goes by (default: the command's --model)")->needs(automatic);
  group->add_option("--pedestal", options.pedestal, "Counts in every channel that are no electrons, to take off (Velox: 100 a frame)");
  group->add_option("--bin", options.bin, "ROWSxCOLUMNS: sum so many pixels into one, for example 2x2; what is left over at the end is dropped");
  group->add_flag("--spikes", options.spikes, "Replace values that are X-rays' or cosmic rays', up to three channels wide, told from lines by the neighbouring pixels");
  group->add_option("--align", options.align, "edge NAME or zlp FILE: put every pixel's own energy axis right, by an edge (O_K; several: Mn_L3,Ni_L3) "
                    "or by a zero-loss image of the same shape")->expected(2)->type_name("edge NAME | zlp FILE");
  group->add_option("--align-dataset", options.align_dataset, "Which image of the zero-loss file, by id or title");
}

namespace {

/// The edges that --auto-axis goes by.
std::vector<ReferenceSpectrum> reference_edges(const InputOptions& options, const Model* model) {
  if (!options.axis_model.empty()) return load_model(options.axis_model).references;
  if (model != nullptr) return model->references;
  throw Error(ErrorKind::usage, "--auto-axis needs a model", "it looks for a model's reference edges, and none was given",
              "Give one with --axis-model, for example --axis-model samples/nmc.elver");
}

}  // namespace

Preparation preparation_of(const InputOptions& options, const Model* model) {
  Preparation preparation;
  preparation.pedestal = options.pedestal;
  if (!options.bin.empty()) preparation.bin = parse_binning(options.bin);
  preparation.counts = Counts::look;
  preparation.spikes = options.spikes ? Spikes::replace : Spikes::keep;
  if (options.align.size() == 2) preparation.align = parse_align(options.align[0], options.align[1]);
  preparation.align.zero_loss_dataset = options.align_dataset;
  preparation.axis_from = options.axis_from;
  for (const std::string& mark : options.marks) preparation.marks.push_back(parse_mark(mark));
  if (options.auto_axis) preparation.references = reference_edges(options, model);
  return preparation;
}

std::unique_ptr<Image> open_input(const InputOptions& options, const RunContext& context, PreparationRecord* record,
                                  const Model* model) {
  Prepared prepared = prepare(open_image(options.file, options.open), preparation_of(options, model), context);
  if (record != nullptr) *record = std::move(prepared.record);
  return std::move(prepared.image);
}

void add_mask(CLI::App& command, MaskOptions& options) {
  CLI::Option_group* group = command.add_option_group("Mask");
  group->add_option("--mask-counts", options.minimum_counts, "Leave out pixels with fewer counts than this, summed over all channels");
  group->add_flag("--mask-vacuum", options.automatic, "Leave out vacuum, found by the gap in the pixels' total counts");
}

void add_format(CLI::App& command, std::vector<std::string>& formats) {
  command.add_option("--format", formats, "hspy (HyperSpy), nexus, tiff (a file a map, for Fiji and DigitalMicrograph), csv (a line a pixel); several: hspy,tiff (default: hspy)")
      ->delimiter(',');
}

void add_run(CLI::App& command, RunOptions& options) {
  CLI::Option_group* group = command.add_option_group("Running");
  group->add_option("--threads", options.threads, "Threads (default: all cores)")->check(CLI::Range(0, 1024));
  group->add_option("--memory", options.memory, "Memory to stay under, for example 512M or 4G");
  group->add_flag("--quiet", options.quiet, "Print nothing but errors");
  group->add_flag("--json", options.json, "Print the result as JSON");
}

void add_backend(CLI::App& command, RunOptions& options) {
  CLI::App* group = command.get_option_group("Running");
  group->add_option("--backend", options.backend, "auto (a GPU where there is one), cpu or cuda (default: auto)")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  group->add_option("--device", options.device, "Number of the GPU (default: all; see: elver devices)");
}

void add_forest(CLI::App& command, RunOptions& options) {
  command.get_option_group("Running")
      ->add_option("--forest", options.forest, "What walks the trees: own, or xgboost, XGBoost's own predictor, to compare with and for "
                   "linear boosters; it needs a libxgboost (default: own)")
      ->check(CLI::IsMember({"own", "xgboost"}));
}

Run::Run(const RunOptions& options) {
  if (options.forest == "xgboost") context_.forest = ForestEngine::xgboost;
  if (options.backend == "cpu") context_.backend = Backend::cpu;
  if (options.backend == "cuda") context_.backend = Backend::cuda;
  context_.device = options.device;
  context_.threads = options.threads;
  if (!options.memory.empty()) asked_bytes_ = parse_size(options.memory);
  context_.interrupted = &interrupted;
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  std::signal(SIGXFSZ, SIG_IGN);  // a file over the limit is a failed write, with its message
  if (!options.quiet && isatty(STDERR_FILENO) != 0) bar_ = std::make_unique<Bar>();
  context_.progress = bar_.get();
}

Run::~Run() = default;

const RunContext& Run::context() const {
  if (asked_bytes_ > 0 && context_.memory_bytes == 0)
    context_.memory_bytes = memory_for_work(asked_bytes_, resident_bytes());
  return context_;
}

PicturesBeside::PicturesBeside(const std::string& out, const Image& image, const PreparationRecord& record) {
  if (out.empty() || record.maps.empty()) return;
  const std::filesystem::path file(out);
  set_.emplace(file.has_parent_path() ? file.parent_path() : std::filesystem::path("."));
  draw_beside(*set_, file.stem().string(), image, record.maps);
}
void PicturesBeside::commit() {
  if (set_) set_->commit();
}

void print_preparation(const PreparationRecord& record) {
  if (record.bin) {
    std::printf("summed %llu x %llu pixels\n", static_cast<unsigned long long>(record.bin->rows),
                static_cast<unsigned long long>(record.bin->columns));
  }
  if (record.spikes) {
    std::printf("spikes: %llu values in %llu pixels replaced\n", static_cast<unsigned long long>(record.spikes->values),
                static_cast<unsigned long long>(record.spikes->pixels));
  }
  for (const PixelMap& map : record.maps) {
    if (map.name != "energy_offset") continue;
    const auto [least, most] = std::ranges::minmax(map.values);
    std::printf("pixels aligned: offsets from %.2f to %.2f eV taken off, %llu of %zu pixels measured, each to %.2g eV\n",
                static_cast<double>(least), static_cast<double>(most),
                static_cast<unsigned long long>(record.alignment->measured), map.values.size(),
                record.alignment->own_error_ev);
  }
}

void print_notes(const std::vector<std::string>& notes, const RunOptions& options) {
  if (options.quiet) return;
  for (const std::string& note : notes) std::fprintf(stderr, "elver: note: %s\n", note.c_str());
}

std::string& command_line() {
  static std::string line;
  return line;
}

std::string quoted_words(int argc, char** argv) {
  std::string out;
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    if (i > 0) out += ' ';
    if (!word.empty() && word.find_first_of(" \t\n'\"\\$`*?[]{}()<>|&;#~!") == std::string::npos) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

EnergyWindow parse_window(const std::string& value, const std::string& option) {
  EnergyWindow window;
  const char* const end = value.data() + value.size();
  const auto [middle, first] = std::from_chars(value.data(), end, window.start_ev);
  if (first == std::errc{} && middle != end && *middle == ':') {
    const auto [rest, second] = std::from_chars(middle + 1, end, window.stop_ev);
    if (second == std::errc{} && rest == end && std::isfinite(window.start_ev) && window.stop_ev > window.start_ev &&
        std::isfinite(window.stop_ev)) {
      return window;
    }
  }
  throw Error(ErrorKind::usage, option + " " + value, "not a window of energies", "Write START:STOP in eV, for example 490:520");
}

std::uint64_t parse_size(const std::string& value) {
  double number = 0;
  const char* const end = value.data() + value.size();
  const auto [rest, code] = std::from_chars(value.data(), end, number);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  double factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  if (unit == "K" || unit == "KiB") factor = 1024.0;
  if (unit == "M" || unit == "MiB") factor = 1024.0 * 1024.0;
  if (unit == "G" || unit == "GiB") factor = 1024.0 * 1024.0 * 1024.0;
  if (code != std::errc{} || factor == 0 || !(number > 0) || number * factor > 1e18) {
    throw Error(ErrorKind::usage, "--memory " + value, "not a size", "Write a number with K, M or G, for example 512M");
  }
  return static_cast<std::uint64_t>(number * factor);
}

}  // namespace elver::cli
