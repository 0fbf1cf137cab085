#include "elver/phantom.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/version.hpp"
#include "library/instrument.hpp"
#include "phantom/casting.hpp"
#include "phantom/scene.hpp"
#include "train/random.hpp"
#include "types/arena.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kUsualThickness = 0.4;  ///< t/lambda at which counts_per_channel is meant
constexpr double kVacuum = 0.01;         ///< counts of vacuum: stray electrons
constexpr double kMostHeight = 20.0;     ///< of a spectrum over counts_per_channel: what a number type must hold
constexpr std::uint32_t kNoise = 8, kDrift = 9;

/// Core losses of a specimen of thickness t (in mean free paths), relative to the usual one: t exp(-t).
double brightness(double thickness) {
  if (thickness <= 0) return kVacuum;
  return thickness / kUsualThickness * std::exp(kUsualThickness - thickness);
}

void check(const PhantomOptions& options) {
  const auto refuse = [](const std::string& what, const std::string& why) { throw Error(ErrorKind::usage, what, why); };
  constexpr std::uint64_t kMost = 1 << 20;
  if (options.rows < 1 || options.columns < 1 || options.rows > kMost || options.columns > kMost) {
    refuse("a phantom cannot have this size",
           text("%llu rows, %llu columns", static_cast<unsigned long long>(options.rows),
                static_cast<unsigned long long>(options.columns)));
  }
  if (options.channels < 2 || options.channels > kMost || !(options.dispersion_ev > 0) || !(options.offset_ev > 0) ||
      !std::isfinite(options.offset_ev) || !std::isfinite(options.dispersion_ev)) {
    refuse("a phantom cannot have this energy axis",
           text("%llu channels of %g eV from %g eV", static_cast<unsigned long long>(options.channels),
                options.dispersion_ev, options.offset_ev));
  }
  if (!(options.counts_per_channel > 0) || options.counts_per_channel > 1e8) {
    refuse("a phantom cannot have this dose", text("%g counts per channel", options.counts_per_channel));
  }
  if (!(options.drift_ev >= 0 && options.drift_ev <= 10))
    refuse("the axis of a phantom cannot drift so", text("%g eV; 0 to 10 can be made", options.drift_ev));
  if (!(options.fwhm_ev >= 0 && options.fwhm_ev < 20) || !(std::abs(options.continuum_power) < 10) ||
      !(std::abs(options.background_power) < 10) || !(options.jump_ratio >= 0 && options.jump_ratio < 100) ||
      !(options.pixel_nm > 0) || !std::isfinite(options.pixel_nm)) {
    refuse("a phantom cannot be taken so", "resolution, powers, jump or pixel size out of range");
  }
}

/// By how much each pixel's energies lie too high, eV; the median is 0. Nothing where the axis stays.
std::vector<double> drift_of(const PhantomOptions& options) {
  std::vector<double> out;
  if (options.drift == Drift::none) return out;
  std::mt19937_64 random = train::random_stream(options.seed, kDrift, 0);
  std::normal_distribution<double> step(0.0, 1.0);
  const std::uint64_t pixels = options.rows * options.columns;
  double at = 0;
  for (std::uint64_t p = 0; p < pixels; ++p) {
    const double t = static_cast<double>(p) / static_cast<double>(pixels);
    if (options.drift == Drift::smooth) at = t * t + 0.1 * std::sin(11 * t);
    if (options.drift == Drift::walk || (options.drift == Drift::rows && p % options.columns == 0)) at += step(random);
    out.push_back(options.drift_ev * at);
  }
  std::vector<double> sorted = out;
  const auto middle = sorted.begin() + std::ssize(sorted) / 2;
  std::ranges::nth_element(sorted, middle);
  for (double& offset : out) offset -= *middle;
  return out;
}

/// As numbers that hold the brightest pixel.
NumberType counts_type(const PhantomOptions& options) {
  return options.counts_per_channel * kMostHeight < 65535 ? NumberType::u16 : NumberType::u32;
}

ImageInfo described(const PhantomOptions& options) {
  ImageInfo info;
  info.id = info.title = "phantom";
  info.kind = ImageKind::spectrum_image;
  info.type = counts_type(options);
  info.axes = {{"y", "nm", options.pixel_nm, 0.0, options.rows, AxisRole::navigation},
               {"x", "nm", options.pixel_nm, 0.0, options.columns, AxisRole::navigation},
               {"Energy loss", "eV", options.dispersion_ev, options.offset_ev, options.channels, AxisRole::energy}};
  info.signal_type = "EELS";
  info.selected = true;
  return info;
}

}  // namespace

Drift drift_named(std::string_view name) {
  if (name == "smooth") return Drift::smooth;
  if (name == "walk") return Drift::walk;
  if (name == "rows") return Drift::rows;
  throw Error(ErrorKind::usage, "--drift " + std::string(name), "no such way to drift", "Choose smooth, walk or rows");
}

struct Phantom::Impl {
  const Library& library;
  PhantomOptions options;
  std::vector<phantom::Place> scene;
  phantom::Cast cast;
  std::vector<double> drift;  ///< eV, one a pixel; empty where the axis stays
  std::vector<Truth> truth;

  Impl(const Library& from, const PhantomOptions& with, const RunContext& context)
      : library(from),
        options(with),
        scene(phantom::make_scene(with.rows, with.columns)),
        cast(phantom::make_cast(from, scene, with.seed, with.split_seed, context)),
        drift(drift_of(with)) {
    add("li_content", "Li per formula unit", [](const phantom::Pixel& p) { return p.li_content; });
    add("oxygen_vacancy", "1: yes", [](const phantom::Pixel& p) { return p.oxygen_vacancy; });
    constexpr const char* kElements[] = {"Li", "Ni", "Mn", "Co"};
    for (std::size_t e = 0; e < 4; ++e) {
      add(std::string("count_") + kElements[e], "atoms within 0.3 nm",
          [e](const phantom::Pixel& p) { return p.counts[e]; });
    }
    add("antisite", "1: yes", [](const phantom::Pixel& p) { return p.antisite; });
    Truth thickness{"thickness", "inelastic mean free paths", {}};
    for (std::size_t i = 0; i < scene.size(); ++i) {
      if (cast.pixels[i].parts.empty()) scene[i].thickness = 0;
      thickness.values.push_back(static_cast<float>(scene[i].thickness));
    }
    truth.push_back(std::move(thickness));
    if (!drift.empty()) truth.push_back({"energy_offset", "eV", std::vector<float>(drift.begin(), drift.end())});
  }

  template <class Value>
  void add(const std::string& name, const std::string& unit, Value&& value) {
    Truth out{name, unit, {}};
    for (const phantom::Pixel& pixel : cast.pixels) out.values.push_back(value(pixel));
    truth.push_back(std::move(out));
  }

  /// Counts of one pixel, all channels.
  std::vector<double> spectrum(std::uint64_t pixel) const {
    Instrument instrument;
    instrument.fwhm_ev = options.fwhm_ev;
    instrument.continuum_power = options.continuum_power;
    instrument.background_power = options.background_power;
    instrument.jump_ratio = options.jump_ratio;
    instrument.thickness = scene[pixel].thickness;
    instrument.counts_per_channel = options.counts_per_channel * brightness(instrument.thickness);
    if (!drift.empty()) instrument.shift_ev = drift[pixel];
    Specimen specimen;
    specimen.cross_section.resize(library.subshells.size());
    specimen.jump.resize(library.subshells.size(), 0.0);
    for (const train::Part& part : cast.pixels[pixel].parts)
      specimen.add(cast.pool.specimens[part.specimen], part.weight);
    const EnergyAxis axis{options.offset_ev, options.dispersion_ev, static_cast<std::size_t>(options.channels)};
    std::vector<double> counts = expected_counts(library, specimen, instrument, axis);
    std::mt19937_64 random = train::random_stream(options.seed, kNoise, pixel);
    add_poisson_noise(counts, random);
    return counts;
  }

  std::string record() const {
    nlohmann::ordered_json used = nlohmann::ordered_json::array();
    for (const std::size_t s : cast.structures) used.push_back(library.structures[s].id);
    const nlohmann::ordered_json out{
        {"program", "elver " + version()},
        {"command", "phantom"},
        {"library", {{"title", library.title}, {"sha256", library.sha256}}},
        {"rows", options.rows},
        {"columns", options.columns},
        {"counts_per_channel", options.counts_per_channel},
        {"fwhm_ev", options.fwhm_ev},
        {"continuum_power", options.continuum_power},
        {"background_power", options.background_power},
        {"jump_ratio", options.jump_ratio},
        {"drift_ev", options.drift == Drift::none ? 0.0 : options.drift_ev},
        {"seed", options.seed},
        {"split_seed", options.split_seed},
        {"noise", "Poisson"},
        {"held_out", cast.held_out},
        {"structures", used},
        {"truth",
         "li_content and oxygen_vacancy of the particle (averages of structures), counts and antisite of the "
         "flake (0.3 nm neighbourhoods), thickness of both; NaN elsewhere"}};
    return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }
};

namespace {

template <class Number>
void store(std::span<const double> counts, std::byte* out) {
  constexpr auto kMost = static_cast<double>(std::numeric_limits<Number>::max());
  for (const double value : counts) {
    const auto number = static_cast<Number>(std::min(value, kMost));
    std::memcpy(out, &number, sizeof number);
    out += sizeof number;
  }
}

}  // namespace

/// The spectra of a phantom, made as they are read.
class PhantomImage : public Image {
 public:
  PhantomImage(const PhantomOptions& options, std::function<std::vector<double>(std::uint64_t)> spectrum,
               const RunContext& context)
      : Image(described(options)), spectrum_(std::move(spectrum)), context_(context) {}

  void read(PixelRange pixels, ChannelRange range, std::span<std::byte> out) const override {
    const std::size_t bytes = range.size() * bytes_of(info().type);
    each(pixels, [&](std::uint64_t pixel, const std::vector<double>& counts) {
      std::byte* const to = out.data() + (pixel - pixels.first) * bytes;
      const auto part = std::span(counts).subspan(range.first, range.size());
      info().type == NumberType::u16 ? store<std::uint16_t>(part, to) : store<std::uint32_t>(part, to);
    });
  }

  void read_tile(PixelRange pixels, ChannelRange range, std::span<float> out) const override {
    each(pixels, [&](std::uint64_t pixel, const std::vector<double>& counts) {
      for (std::size_t c = range.first; c < range.last; ++c) {
        out[(c - range.first) * pixels.size() + (pixel - pixels.first)] = static_cast<float>(counts[c]);
      }
    });
  }

 private:
  template <class Take>
  void each(PixelRange pixels, const Take& take) const {
    in_arena(context_, [&] {
      oneapi::tbb::parallel_for(pixels.first, pixels.last, [&](std::uint64_t pixel) {
        context_.check_interrupt();
        take(pixel, spectrum_(pixel));
      });
    });
  }
  std::function<std::vector<double>(std::uint64_t)> spectrum_;
  RunContext context_;
};

Phantom::Phantom(const Library& library, const PhantomOptions& options, const RunContext& context) {
  check(options);
  impl_ = std::make_unique<const Impl>(library, options, context);
}
Phantom::~Phantom() = default;
const std::vector<Phantom::Truth>& Phantom::truth() const { return impl_->truth; }
std::size_t Phantom::pixels_with(std::string_view name) const {
  for (const Truth& truth : impl_->truth) {
    if (truth.name == name) return static_cast<std::size_t>(std::ranges::count(truth.values, 1.0F));
  }
  return 0;
}
std::size_t Phantom::structures() const { return impl_->cast.structures.size(); }
bool Phantom::held_out() const { return impl_->cast.held_out; }

std::unique_ptr<Image> Phantom::image(const RunContext& context) const {
  const Impl* impl = impl_.get();
  return std::make_unique<PhantomImage>(
      impl->options, [impl](std::uint64_t pixel) { return impl->spectrum(pixel); }, context);
}

void Phantom::write(const std::filesystem::path& path, const RunContext& context) const {
  const std::unique_ptr<Image> spectra = image(context);
  HspyWriter writer(path);
  SignalHeader header = header_of(*spectra);
  header.record_json = impl_->record();
  writer.add(header, *spectra, context);
  SignalHeader map;
  map.axes.assign(header.axes.begin(), header.axes.begin() + 2);
  map.map = true;
  for (const Truth& truth : impl_->truth) {
    map.title = "truth_" + truth.name;
    map.quantity = truth.unit;
    writer.add(map, std::as_bytes(std::span(truth.values)));
  }
  writer.commit();
}

}  // namespace elver
