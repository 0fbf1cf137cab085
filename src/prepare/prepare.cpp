#include "elver/prepare.hpp"

#include <algorithm>
#include <cmath>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "prepare/record.hpp"
#include "types/median.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using Json = nlohmann::ordered_json;

/// What a file says of its binning; 1x1 where it says nothing.
Binning earlier_binning(const Json& earlier) {
  Binning bin;
  const auto found = earlier.find("bin");
  if (found == earlier.end() || !found->is_object()) return bin;
  bin.rows = count_of(*found, "rows");
  bin.columns = count_of(*found, "columns");
  return bin;
}

void pedestal_step(Prepared& prepared, double counts, const Json& earlier) {
  if (counts == 0) return;
  if (earlier.contains("pedestal")) {
    prepared.record.notes.push_back("a pedestal was taken off before this file was written: nothing more is");
    return;
  }
  prepared.image = off_pedestal(std::move(prepared.image), counts);
  prepared.record.pedestal = counts;
}

void bin_step(Prepared& prepared, Binning wanted, const Json& earlier) {
  if (wanted == Binning{}) return;
  const Binning before = earlier_binning(earlier);
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  if (wanted.rows % before.rows != 0 || wanted.columns % before.columns != 0) {
    throw Error(ErrorKind::mismatch, text("cannot bin %llux%llu", number(wanted.rows), number(wanted.columns)),
                text("the file was binned %llux%llu already, and --bin counts from the acquisition",
                     number(before.rows), number(before.columns)),
                "Choose multiples of it, or read the file as it was acquired");
  }
  prepared.record.bin = wanted;
  const Binning rest{wanted.rows / before.rows, wanted.columns / before.columns};
  if (rest == Binning{}) {
    prepared.record.notes.push_back(
        text("binned %llux%llu already: nothing summed", number(before.rows), number(before.columns)));
    return;
  }
  prepared.image = binned_image(std::move(prepared.image), rest);
}

void spike_step(Prepared& prepared, Spikes spikes, const Json& earlier, const RunContext& context) {
  if (spikes == Spikes::keep) return;
  PreparationRecord& record = prepared.record;
  if (earlier.contains("spikes")) {
    record.notes.push_back("spikes were replaced before this file was written: nothing is touched");
    return;
  }
  PixelMap map{"spikes", "values replaced", "Values replaced as spikes", {}};
  record.spikes.emplace();
  prepared.image = despiked_image(std::move(prepared.image), *record.spikes, map.values, context);
  record.maps.push_back(std::move(map));
}

/// True where the file says that this alignment was made. Where the zero loss lay is known of the image as it was
/// acquired, so no zero-loss image moves it twice. Throws Error{mismatch} where edges moved the pixels since.
bool aligned_already(const AlignRequest& request, const Json& earlier) {
  const auto found = earlier.find("align");
  if (found == earlier.end() || !found->is_object()) return false;
  const std::string by = word_of(*found, "by");
  if (request.by == AlignBy::edge)
    return by == "edge" && found->contains("edges") && (*found)["edges"] == Json(request.edges);
  if (by == "edge") {
    throw Error(ErrorKind::mismatch, "--align zlp " + request.zero_loss.string(),
                "this file's pixels were aligned by an edge, and the zero-loss image says where they lay before",
                "Give the image as it was acquired");
  }
  return by == "zlp";
}

/// The zero-loss image, its pixels summed as those of `image` were.
std::unique_ptr<Image> open_zero_loss(const AlignRequest& request, const Image& image, Binning bin) {
  OpenOptions open;
  open.dataset = request.zero_loss_dataset;
  std::unique_ptr<Image> zero_loss = open_image(request.zero_loss, open);
  if (zero_loss->pixels() != image.pixels()) zero_loss = binned_image(std::move(zero_loss), bin);
  if (zero_loss->rows() != image.rows() || zero_loss->columns() != image.columns()) {
    const auto size = [](const Image& i) {
      return text("%llu x %llu", static_cast<unsigned long long>(i.rows()),
                  static_cast<unsigned long long>(i.columns()));
    };
    throw Error(ErrorKind::mismatch, "--align zlp " + request.zero_loss.string(),
                "it has " + size(*zero_loss) + " pixels, the image has " + size(image),
                "Give the zero-loss image of the same acquisition");
  }
  return zero_loss;
}

/// An axis that shakes faster than the longer exposure is seen by the shorter one alone.
void note_exposures(const Image& zero_loss, const Image& image, PreparationRecord& record) {
  constexpr double kAlike = 10.0;
  const std::optional<double> its = zero_loss.info().dwell_s, own = image.info().dwell_s;
  if (!its || !own || !(*own > kAlike * *its)) return;
  record.notes.push_back(text(
      "the zero-loss image was exposed %g s a pixel and the image %g s: what shakes fast is in the one and not in the "
      "other; compare with --align edge",
      *its, *own));
}

void align_step(Prepared& prepared, const Preparation& options, const Json& earlier, const RunContext& context) {
  const AlignRequest& request = options.align;
  if (request.by == AlignBy::nothing) return;
  PreparationRecord& record = prepared.record;
  if (aligned_already(request, earlier)) {
    record.notes.push_back("the pixels were aligned so before this file was written: nothing is moved");
    return;
  }
  Alignment found;
  if (request.by == AlignBy::edge) {
    found = align_edges(*prepared.image, request.edges, context);
  } else {
    const Binning bin = options.bin == Binning{} ? earlier_binning(earlier) : options.bin;
    const std::unique_ptr<Image> zero_loss = open_zero_loss(request, *prepared.image, bin);
    found = align_zero_loss(*zero_loss, context);
    note_exposures(*zero_loss, *prepared.image, record);
    if (earlier.contains("calibration")) {  // the axis as a whole is right already
      const double median = upper_median(found.offset_ev);
      for (double& offset : found.offset_ev) offset -= median;
    }
  }
  const auto as_map = [](const std::vector<double>& values) {
    return std::vector<float>(values.begin(), values.end());
  };
  record.maps.push_back({"energy_offset", "eV", "Energy offset taken off", as_map(found.offset_ev)});
  record.maps.push_back({"energy_offset_error", "eV", "Standard error of the energy offset", as_map(found.error_ev)});
  if (2 * found.measured < prepared.image->pixels()) {
    record.notes.push_back(text("%llu of %llu pixels show nothing to align them by: they have their neighbours' offset",
                                static_cast<unsigned long long>(prepared.image->pixels() - found.measured),
                                static_cast<unsigned long long>(prepared.image->pixels())));
  }
  prepared.image = aligned_image(std::move(prepared.image), found.offset_ev);
  record.align = request;
  record.alignment = std::move(found);
}

/// How the axis of another file was put right, by the record in it.
std::pair<EnergyAxis, EnergyAxis> axis_correction(const std::filesystem::path& path) {
  const auto axis_of = [](const Json& calibration, const char* key) -> std::optional<EnergyAxis> {
    const auto found = calibration.find(key);
    if (found == calibration.end() || !found->is_object()) return std::nullopt;
    EnergyAxis axis;
    for (const auto& [name, value] : {std::pair{"offset_ev", &axis.offset_ev}, {"dispersion_ev", &axis.dispersion_ev}}) {
      if (!found->contains(name) || !(*found)[name].is_number()) return std::nullopt;
      *value = (*found)[name].get<double>();
    }
    const bool usable = std::isfinite(axis.offset_ev) && std::isfinite(axis.dispersion_ev) && axis.dispersion_ev > 0;
    return usable ? std::optional(axis) : std::nullopt;
  };
  for (const auto& image : open_file(path).images) {
    const Json earlier = earlier_preparation(image->info().record_json);
    const auto found = earlier.find("calibration");
    if (found == earlier.end() || !found->is_object()) continue;
    const auto before = axis_of(*found, "before"), after = axis_of(*found, "after");
    if (before && after) return {*before, *after};
  }
  throw Error(ErrorKind::mismatch, "--axis-from " + path.string(), "it does not say how its energy axis was put right",
              "Give a file that elver calibrate --out, or elver map, wrote with --mark or --auto-axis");
}

/// The axis as it is if it is wrong as the other file's was. A spectrometer's first channel is set by the voltage of the
/// drift tube, its dispersion by the lenses: from one acquisition to the next the shift and the gain stay.
EnergyAxis carried_over(const EnergyAxis& axis, const std::filesystem::path& from) {
  constexpr double kSameSetting = 0.005;  // relative; settings differ by far more, units' rounding by far less
  const auto [before, after] = axis_correction(from);
  if (std::abs(axis.dispersion_ev / before.dispersion_ev - 1) > kSameSetting) {
    throw Error(ErrorKind::mismatch, "--axis-from " + from.string(),
                text("its axis had %g eV a channel before it was put right, this one has %g: another setting of the "
                     "spectrometer",
                     before.dispersion_ev, axis.dispersion_ev),
                "Give a file of the same setting, or put the axis right with --mark");
  }
  return {axis.offset_ev + after.offset_ev - before.offset_ev,
          axis.dispersion_ev * (after.dispersion_ev / before.dispersion_ev), axis.size};
}

void carry_step(Prepared& prepared, const std::filesystem::path& from, const Json& earlier) {
  if (from.empty()) return;
  PreparationRecord& record = prepared.record;
  if (earlier.contains("calibration")) {
    record.notes.push_back("the energy axis was put right before this file was written: nothing is carried over");
    return;
  }
  const EnergyAxis axis = prepared.image->energy();
  record.calibration = Calibration{axis, carried_over(axis, from), {}, CalibrationMethod::carried};
  record.axis_from = from.string();
  prepared.image->set_energy(record.calibration->after);
}

void calibrate_step(Prepared& prepared, const Preparation& options, const RunContext& context) {
  if (options.marks.empty() && !options.references) return;
  Image& image = *prepared.image;
  const std::vector<double> spectrum = mean_spectrum(image, context);
  const EnergyAxis moved = image.energy();
  Calibration found = options.references ? auto_calibrate(moved, spectrum, *options.references)
                                         : calibrate(moved, spectrum, options.marks);
  image.set_energy(found.after);
  if (prepared.record.calibration) {  // told from the axis as it was, not as it was carried over
    found.before = prepared.record.calibration->before;
    for (MarkResidual& mark : found.marks) mark.found_ev = found.before.energy(moved.channel(mark.found_ev));
  }
  prepared.record.calibration = std::move(found);
}

}  // namespace

AlignRequest parse_align(const std::string& kind, const std::string& what) {
  AlignRequest out;
  if (kind == "zlp" && !what.empty()) {
    out.by = AlignBy::zero_loss;
    out.zero_loss = what;
    return out;
  }
  if (kind != "edge" || what.empty()) {
    throw Error(ErrorKind::usage, "--align " + kind + " " + what, "neither an edge nor a zero-loss image",
                "Write --align edge NAME or --align zlp FILE");
  }
  out.by = AlignBy::edge;
  for (std::size_t first = 0; first <= what.size();) {
    const std::size_t comma = std::min(what.find(',', first), what.size());
    out.edges.push_back(what.substr(first, comma - first));
    first = comma + 1;
  }
  return out;
}

const Image& as_written(const Image& image, std::unique_ptr<Image>& storage) {
  if (image.eighths().empty()) return image;
  storage = on_one_axis(image);
  return *storage;
}

Prepared prepare(std::unique_ptr<Image> image, const Preparation& options, const RunContext& context) {
  Prepared prepared{std::move(image), {}};
  if (context.memory_bytes > 0) prepared.image->stay_within(context.memory_bytes / 4);  // before anything is looked at
  prepared.record.earlier_json = prepared.image->info().record_json;
  const Json earlier = earlier_preparation(prepared.record.earlier_json);
  pedestal_step(prepared, options.pedestal, earlier);
  // Counts that were dealt out between channels scatter less for that; they were looked at before.
  if (options.counts == Counts::look && !earlier.contains("align"))
    prepared.record.notes = look_at_counts(*prepared.image, context);
  bin_step(prepared, options.bin, earlier);
  spike_step(prepared, options.spikes, earlier, context);
  align_step(prepared, options, earlier, context);
  carry_step(prepared, options.axis_from, earlier);
  calibrate_step(prepared, options, context);
  return prepared;
}

}  // namespace elver
