#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <map>
#include <set>
#include <stdexcept>

#include "elver/error.hpp"
#include "io/dm_tags.hpp"
#include "io/reader.hpp"
#include "io/strided_image.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using dm::Step;
using dm::Value;

constexpr std::size_t kMostDimensions = 8;
constexpr std::size_t kMostImages = 4096;

struct Calibration {
  double origin = 0.0;
  double scale = 1.0;
  std::string units;
};

/// What the tags say of one image, as far as elver cares. Dimensions in DM's order: the fastest first.
struct Draft {
  std::string title, format, signal;
  std::map<std::uint64_t, std::int64_t> sizes;
  std::array<Calibration, kMostDimensions> calibrations;
  std::optional<Value> data;
  std::int64_t type = 0;
  bool order_swapped = false, orsay = false, orsay_eels = false, swift_eels = false;
  std::optional<double> voltage, convergence, collection, integration, exposure, frames, pixel_time, sample_time_us;
};

bool is(std::span<const Step> path, std::initializer_list<std::string_view> names) {
  return std::ranges::equal(path, names, [](const Step& step, std::string_view name) { return step.name == name; });
}
bool starts(std::span<const Step> path, std::initializer_list<std::string_view> names) {
  return path.size() >= names.size() && is(path.first(names.size()), names);
}

void note(std::optional<double>& place, const Value& value) {
  if (const auto number = value.number(); number && std::isfinite(*number) && !place) place = number;
}

/// Tags of the instrument, below ImageTags.
void note_instrument(Draft& draft, std::span<const Step> path, const Value& value) {
  if (path.size() == 2 && path[0].name == "Microscope Info" && path[1].name == "Voltage") note(draft.voltage, value);
  if (path.size() == 2 && path[0].name == "DigiScan" && path[1].name == "Sample Time")
    note(draft.sample_time_us, value);
  if (is(path, {"SI", "Acquisition", "Pixel time (s)"})) note(draft.pixel_time, value);
  if (!starts(path, {"EELS"}) || path.size() > 3) return;
  // The newer places are EELS/Acquisition and EELS/Experimental Conditions, the older ones EELS itself.
  const std::string_view name = path.back().name;
  if (path.size() == 2 || path[1].name == "Experimental Conditions") {
    if (name == "Convergence semi-angle (mrad)") note(draft.convergence, value);
    if (name == "Collection semi-angle (mrad)") note(draft.collection, value);
  }
  if (path.size() == 2 || path[1].name == "Acquisition") {
    if (name == "Integration time (s)") note(draft.integration, value);
    if (name == "Exposure (s)") note(draft.exposure, value);
    if (name == "Number of frames") note(draft.frames, value);
  }
}

/// The same as Nion Swift writes it: its own tags, in SI units.
void note_swift(Draft& draft, std::span<const Step> path, const Value& value) {
  const auto milli = [&](std::optional<double>& place) {
    if (const auto number = value.number(); number && std::isfinite(*number) && !place) place = 1000 * *number;
  };
  if (is(path, {"instrument", "high_tension"}) || is(path, {"hardware_source", "autostem", "high_tension_v"}) ||
      is(path, {"hardware_source", "autostem", "high_tension"})) {
    note(draft.voltage, value);
  }
  if (is(path, {"instrument", "convergence_angle"})) milli(draft.convergence);
  if (is(path, {"instrument", "collection_angle"})) milli(draft.collection);
  if (is(path, {"hardware_source", "exposure"})) note(draft.exposure, value);
  if (is(path, {"hardware_source", "signal_type"})) draft.swift_eels = value.text() == "eels" || value.text() == "EELS";
}

void note_data(Draft& draft, std::span<const Step> path, const Value& value) {
  if (is(path, {"Data"})) {
    draft.data = value;
  } else if (is(path, {"DataType"})) {
    draft.type = value.integer().value_or(-1);
  } else if (starts(path, {"Dimensions"}) && path.size() == 2) {
    if (path[1].index >= kMostDimensions) throw std::runtime_error("an image has more than 8 dimensions");
    const auto size = value.integer();
    if (!size || *size <= 0) {
      throw std::runtime_error(
          text("an image has a dimension of size %lld", static_cast<long long>(size.value_or(-1))));
    }
    draft.sizes[path[1].index] = *size;
  } else if (starts(path, {"Calibrations", "Dimension"}) && path.size() == 4 && path[2].index < kMostDimensions) {
    Calibration& calibration = draft.calibrations[path[2].index];
    if (path[3].name == "Origin") calibration.origin = value.number().value_or(calibration.origin);
    if (path[3].name == "Scale") calibration.scale = value.number().value_or(calibration.scale);
    if (path[3].name == "Units") calibration.units = value.text().value_or("");
  }
}

void note_tags(Draft& draft, std::span<const Step> path, const Value& value) {
  if (starts(path, {"Meta Data"}) && path.size() == 2) {
    if (path[1].name == "Format") draft.format = value.text().value_or("");
    if (path[1].name == "Signal") draft.signal = value.text().value_or("");
    if (path[1].name == "Data Order Swapped") {
      const std::string written = value.text().value_or("");
      draft.order_swapped = value.number().value_or(0.0) != 0 || written == "1" || written == "true";
    }
  }
  if (starts(path, {"spim"})) {
    draft.orsay = true;
    draft.orsay_eels |= path.size() > 1 && path[1].name == "eels";
  }
  // A stack made of other images keeps their tags below.
  if (starts(path, {"source", "Tags at creation"})) path = path.subspan(2);
  note_instrument(draft, path, value);
  note_swift(draft, path, value);
}

class Collector {
 public:
  std::map<std::uint64_t, Draft> drafts;
  std::set<std::int64_t> thumbnails;

  void operator()(std::span<const Step> path, const Value& value) {
    if (path.size() == 3 && path[0].name == "Thumbnails" && path[2].name == "ImageIndex") {
      if (const auto index = value.integer(); index && thumbnails.size() < kMostImages) thumbnails.insert(*index);
    }
    if (path.size() < 3 || path[0].name != "ImageList" || !path[1].name.empty()) return;
    const auto rest = path.subspan(3);
    const std::string_view part = path[2].name;
    if (part != "Name" && part != "ImageData" && part != "ImageTags") return;
    Draft& draft = drafts[path[1].index];
    if (drafts.size() > kMostImages) throw std::runtime_error("it lists more than 4096 images");
    if (part == "Name" && rest.empty()) draft.title = value.text().value_or("");
    if (part == "ImageData") note_data(draft, rest, value);
    if (part == "ImageTags") note_tags(draft, rest, value);
  }
};

struct PixelType {
  NumberType type = NumberType::u8;
  std::string refusal;
};

PixelType pixel_type(const Draft& draft) {
  const std::uint64_t stored = draft.data->is_array ? draft.data->code : 0;
  switch (draft.type) {
    case 1:
      return {NumberType::i16, ""};
    case 2:
      return {NumberType::f32, ""};
    case 6:
      return {NumberType::u8, ""};
    case 7:
      return {NumberType::i32, ""};
    case 9:
      return {NumberType::i8, ""};
    case 10:
      return {NumberType::u16, ""};
    case 11:
      return {NumberType::u32, ""};
    case 12:
      return {NumberType::f64, ""};
    case 14:
      return {NumberType::boolean, ""};
    case 3:
      return {NumberType::c64, "its pixels are complex numbers"};
    case 13:
      return {NumberType::c128, "its pixels are complex numbers"};
    case 5:
    case 27:
      return {NumberType::c64, "its pixels are packed complex numbers"};
    case 28:
      return {NumberType::c128, "its pixels are packed complex numbers"};
    case 8:
    case 23:
      return {NumberType::rgb, "its pixels are colours"};
    default:
      break;
  }
  // 64-bit integers have had several numbers; how they are stored tells.
  if (stored == static_cast<std::uint64_t>(dm::Code::i64)) return {NumberType::i64, ""};
  if (stored == static_cast<std::uint64_t>(dm::Code::u64)) return {NumberType::u64, ""};
  return {NumberType::u8, text("its pixels are of the unknown type %lld", static_cast<long long>(draft.type))};
}

/// The axis that holds the energy where no unit says so, in C order: the slowest of a cube as Gatan has long written
/// it, the fastest when the order is swapped and in line scans.
std::optional<std::size_t> energy_by_order(const Draft& draft, std::size_t axes) {
  const bool eels = draft.signal == "EELS" || draft.orsay_eels;
  const bool spectra = draft.format == "Spectrum image" || draft.format == "Spectrum" || draft.orsay ||
                       (eels && draft.format.empty() && axes != 2);
  if (!spectra) return std::nullopt;
  return axes >= 3 && !draft.order_swapped ? 0 : axes - 1;
}

void name_axes(ImageInfo& info) {
  constexpr std::array kNames{"x", "y", "z", "t"};
  std::size_t used = 0;
  bool found = false;
  for (std::size_t i = 0; i < info.axes.size(); ++i) {  // the energy axis is the first with such a unit
    if (!found && is_energy_unit(info.axes[i].units)) {
      info.axes[i].name = info.signal_type == "EELS" ? "Energy loss" : "Energy";
      found = true;
    }
  }
  for (std::size_t i = info.axes.size(); i-- > 0;) {
    if (info.axes[i].name.empty()) info.axes[i].name = used < kNames.size() ? kNames[used] : text("axis%zu", used);
    used += info.axes[i].name.starts_with("Energy") ? 0 : 1;
  }
}

std::unique_ptr<Image> make_image(const Draft& draft, const Bytes& bytes, std::string id, const OpenOptions& options,
                                  bool only_image) {
  const PixelType pixel = pixel_type(draft);
  ImageInfo info;
  info.id = std::move(id);
  info.title = draft.title;
  info.type = pixel.type;
  info.refusal = pixel.refusal;
  info.signal_type = draft.signal == "EELS" || draft.orsay_eels || draft.swift_eels ? "EELS" : "";
  if (draft.voltage) info.beam_energy_kev = kilovolts(*draft.voltage);
  info.convergence_mrad = draft.convergence;
  info.collection_mrad = draft.collection;
  info.dwell_s = draft.integration;
  if (!info.dwell_s && draft.exposure) info.dwell_s = *draft.exposure * draft.frames.value_or(1.0);
  if (!info.dwell_s) info.dwell_s = draft.pixel_time;
  if (!info.dwell_s && info.signal_type.empty() && draft.sample_time_us) info.dwell_s = *draft.sample_time_us * 1e-6;

  std::vector<std::uint64_t> sizes;
  for (const auto& [index, size] : draft.sizes) sizes.push_back(static_cast<std::uint64_t>(size));
  const std::size_t value_bytes = bytes_of(info.type);
  const auto values = checked_product(sizes);
  std::uint64_t wanted = 0;
  const auto check = [&](bool good) {
    if (good) return;
    throw std::runtime_error("the dimensions of image " + info.id + " do not fit its " +
                             text("%zu bytes of values", draft.data->bytes.size()));
  };
  check(values && !__builtin_mul_overflow(*values, value_bytes, &wanted) &&
        (!info.refusal.empty() || wanted == draft.data->bytes.size()));
  std::vector<std::ptrdiff_t> strides;
  std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(value_bytes);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Calibration& calibration = draft.calibrations[i];
    Axis axis;
    axis.units = calibration.units;
    axis.scale = calibration.scale;
    axis.offset = 0.0 - calibration.origin * calibration.scale;  // 0, not -0, at the origin
    axis.size = sizes[i];
    info.axes.insert(info.axes.begin(), axis);
    strides.insert(strides.begin(), stride);
    check(!__builtin_mul_overflow(stride, static_cast<std::ptrdiff_t>(sizes[i]), &stride));  // of a refused one, of any size
  }
  name_axes(info);
  StridedLayout layout{
      bytes, draft.data->offset, {}, draft.data->little != (std::endian::native == std::endian::little)};
  for (const std::size_t place : arrange_axes(info, energy_by_order(draft, sizes.size()), options, only_image)) {
    layout.strides.push_back(strides[place]);
  }
  return std::make_unique<StridedImage>(std::move(info), std::move(layout));
}

bool recognises(const std::filesystem::path& /*path*/, std::span<const std::byte> head) {
  return dm::read_header(head).has_value();
}

File read(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  Collector found;
  dm::walk(bytes.span, std::ref(found));
  std::vector<const Draft*> drafts;
  for (const auto& [index, draft] : found.drafts) {
    const bool thumbnail = found.thumbnails.contains(static_cast<std::int64_t>(index));
    if (!thumbnail && draft.data && !draft.sizes.empty()) drafts.push_back(&draft);
  }
  File file{path, dm::read_header(bytes.span)->version == 4 ? "dm4" : "dm3", {}};
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    file.images.push_back(make_image(*drafts[i], bytes, std::to_string(i), options, drafts.size() == 1));
  }
  return file;
}

}  // namespace

const Reader dm_reader{{"dm", "Gatan DigitalMicrograph 3 and 4", ".dm3 .dm4",
                        "every image; axes, units; beam energy, angles, dwell time, stage"},
                       recognises,
                       read,
                       "The file is damaged or was cut short: copy it again from its source"};

}  // namespace elver
