#include "elver/image.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "elver/error.hpp"

namespace elver {
namespace {

struct TypeFacts {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<TypeFacts, 14> kTypes{{{"uint8", 1},
                                            {"int8", 1},
                                            {"uint16", 2},
                                            {"int16", 2},
                                            {"uint32", 4},
                                            {"int32", 4},
                                            {"uint64", 8},
                                            {"int64", 8},
                                            {"float32", 4},
                                            {"float64", 8},
                                            {"bool", 1},
                                            {"complex64", 8},
                                            {"complex128", 16},
                                            {"rgb", 4}}};
constexpr std::array<std::string_view, 4> kKinds{"spectrum-image", "spectrum", "image", "stack"};

}  // namespace

std::size_t bytes_of(NumberType type) { return kTypes[static_cast<std::size_t>(type)].bytes; }
std::string_view name_of(NumberType type) { return kTypes[static_cast<std::size_t>(type)].name; }
std::string_view name_of(ImageKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

NumberType type_of_sum(NumberType type) {
  switch (type) {
    case NumberType::u8:
    case NumberType::u16:
    case NumberType::u32:
    case NumberType::boolean:
      return NumberType::u32;
    case NumberType::i8:
    case NumberType::i16:
    case NumberType::i32:
      return NumberType::i32;
    case NumberType::f32:
      return NumberType::f32;
    default:
      return NumberType::f64;
  }
}

std::uint64_t Image::pixels() const {
  std::uint64_t n = 1;
  for (const Axis& axis : info_.axes) {
    if (axis.role == AxisRole::navigation) n *= axis.size;
  }
  return n;
}

std::uint64_t Image::channels() const {
  return !info_.axes.empty() && info_.axes.back().role == AxisRole::energy ? info_.axes.back().size : 1;
}

std::uint64_t Image::columns() const {
  std::uint64_t n = 1;
  for (const Axis& axis : info_.axes) {
    if (axis.role == AxisRole::navigation) n = axis.size;
  }
  return n;
}

std::uint64_t Image::rows() const {
  const std::uint64_t per_row = columns();
  return per_row == 0 ? 0 : pixels() / per_row;
}

EnergyAxis Image::energy() const {
  if (info_.axes.empty() || info_.axes.back().role != AxisRole::energy) {
    throw Error(ErrorKind::mismatch, "image \"" + info_.title + "\"", "it has no energy axis",
                "Say which axis is the energy with --energy-axis");
  }
  const Axis& axis = info_.axes.back();
  const bool bare = axis.units.empty() && axis.scale == 1.0 && axis.offset == 0.0;
  if (bare || (!axis.units.empty() && axis.units != "eV")) {
    throw Error(ErrorKind::mismatch, "image \"" + info_.title + "\"",
                bare ? "its energy axis has no calibration" : "its energy axis is in \"" + axis.units + "\", not in eV",
                "Give --offset-ev and --dispersion-ev");
  }
  return {axis.offset, axis.scale, static_cast<std::size_t>(axis.size)};
}

void Image::set_energy(const EnergyAxis& axis) {
  if (info_.axes.empty() || info_.axes.back().role != AxisRole::energy) static_cast<void>(energy());
  info_.axes.back().offset = axis.offset_ev;
  info_.axes.back().scale = axis.dispersion_ev;
  info_.axes.back().units = "eV";
}

namespace {

/// Reads when it is asked to.
class Through : public Stretch {
 public:
  explicit Through(const Image& image) : image_(image) {}
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    image_.read_tile(pixels, channels, out);
  }

 private:
  const Image& image_;
};

}  // namespace

std::unique_ptr<Stretch> Image::stretch(const PixelBlock& /*pixels*/,
                                        std::span<const ChannelRange> /*channels*/) const {
  return std::make_unique<Through>(*this);
}

void Image::read_channels(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const {
  const std::size_t count = pixels.size(), width = channels.size(), bytes = bytes_of(info_.type);
  std::vector<std::byte> spectra(count * width * bytes);
  read(pixels, channels, spectra);
  for (std::size_t p = 0; p < count; ++p) {
    for (std::size_t c = 0; c < width; ++c) {
      std::copy_n(spectra.data() + (p * width + c) * bytes, bytes, out.data() + (c * count + p) * bytes);
    }
  }
}

}  // namespace elver
