#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "elver/energy_axis.hpp"

namespace elver {

enum class NumberType : std::uint8_t { u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, boolean, c64, c128, rgb };
std::size_t bytes_of(NumberType type);
/// numpy's names: "uint8" ... "float64", "bool", "complex64", "complex128"; "rgb".
std::string_view name_of(NumberType type);

/// A type in which sums of values of this one are whole where the values are, and do not overflow soon.
NumberType type_of_sum(NumberType type);

enum class AxisRole : std::uint8_t { navigation, energy };
enum class ImageKind : std::uint8_t { spectrum_image, spectrum, image, stack };
/// "spectrum-image", "spectrum", "image", "stack".
std::string_view name_of(ImageKind kind);

/// A linear axis: element i lies at offset + i * scale, in `units`.
struct Axis {
  std::string name;
  std::string units;
  double scale = 1.0;
  double offset = 0.0;
  std::uint64_t size = 1;
  AxisRole role = AxisRole::navigation;
};

/// What a file says of one image. Axes are in C order with the energy axis last, whatever the order in the file.
struct ImageInfo {
  std::string id;  ///< what --dataset takes
  std::string title;
  ImageKind kind = ImageKind::image;
  NumberType type = NumberType::f32;
  std::vector<Axis> axes;
  std::string signal_type;  ///< "EELS" where the file says so, else ""
  std::string quantity;     ///< what the values are, or their unit, as the file says; else ""
  std::optional<double> beam_energy_kev;
  std::optional<double> convergence_mrad;  ///< semi-angle
  std::optional<double> collection_mrad;   ///< semi-angle
  std::optional<double> dwell_s;
  bool selected = false;    ///< the one that a command without --dataset uses
  std::string refusal;      ///< why its values cannot be read ("" if they can): complex, RGB
  std::string record_json;  ///< what an elver that wrote the file says it did (original_metadata/elver)
};

/// A value a pixel beside an image: what was found in it, or done to it. C order of the navigation axes; NaN where
/// none.
struct PixelMap {
  std::string name, unit, title;
  std::vector<float> values;
};

struct PixelRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t size() const { return last - first; }
};

/// Pixels of some rows and columns; a row is the innermost navigation axis.
struct PixelBlock {
  std::uint64_t first_row = 0, last_row = 0, first_column = 0, last_column = 0;
  std::uint64_t columns() const { return last_column - first_column; }
  std::uint64_t size() const { return (last_row - first_row) * columns(); }
};

/// What lies together in the file: blocks of so many rows and columns can be read without anything being read twice.
struct Grain {
  std::uint64_t rows = 1, columns = 1;
};

/// A block of pixels on its way from the file: made ahead of the work on it, gone (with what was kept for it) after.
/// Making one fetches the bytes; what there is to do before values can be read comes in parts, so that it can be dealt
/// out.
class Stretch {
 public:
  virtual ~Stretch() = default;
  virtual std::size_t parts() const { return 0; }
  /// Each part once, side by side if wanted, all of them before the first read_tile. Throws as Image::read.
  virtual void unpack(std::size_t /*part*/) {}
  /// As Image::read_tile, for pixels and channels of the stretch. Thread-safe.
  virtual void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const = 0;
};

/// One image of an open file: its description, and its values on demand. Values stay in the file (mapped, or
/// read chunk by chunk) until asked for. Pixels are counted in C order over the navigation axes.
/// Thread-safe: reads may run side by side.
class Image {
 public:
  virtual ~Image() = default;
  const ImageInfo& info() const { return info_; }
  std::uint64_t pixels() const;    ///< product of the navigation sizes; 1 for a single spectrum
  std::uint64_t channels() const;  ///< size of the energy axis; 1 where there is none
  std::uint64_t rows() const;      ///< 1 for a spectrum or a line scan
  std::uint64_t columns() const;
  /// Throws Error{mismatch} if the image has no energy axis, or one without a calibration in eV.
  EnergyAxis energy() const;
  /// Puts a corrected axis in the place of the file's. Throws Error{mismatch} if the image has no energy axis.
  void set_energy(const EnergyAxis& axis);
  /// Of an aligned image: by how many eighths of a channel (-3 to 4) each pixel's own axis lies below energy(); empty
  /// where every pixel's axis is energy(). Channel i of pixel p lies at energy().energy(i - eighths()[p] / 8.0).
  virtual std::span<const std::int8_t> eighths() const { return {}; }
  void select() { info_.selected = true; }                          ///< it is the one that commands use
  void refuse(std::string why) { info_.refusal = std::move(why); }  ///< its values are not to be read

  /// Values as they are, native byte order, [pixel][channel]; `out` holds pixels*channels*bytes_of(type).
  /// Throws Error{input} when the file cannot be read there.
  virtual void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const = 0;
  /// Counts as float32, [channel][pixel], the one layout of all computing; `out` holds channels*pixels.
  virtual void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const = 0;
  /// The cuts at which stretches should begin and end.
  virtual Grain grain() const { return {}; }
  /// These pixels and channels (ascending, apart) are read next. By default nothing is read before it is asked for.
  /// Throws as read. The image must outlive it.
  virtual std::unique_ptr<Stretch> stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const;
  /// Asks that what reading keeps for later (pages of a mapped file, unpacked chunks) stays within so many bytes; at
  /// least what a single read needs is kept. Not while others read.
  virtual void stay_within(std::uint64_t /*bytes*/) const {}
  /// True where a channel's pixels lie together in the file, so that read_channels copies and read transposes.
  virtual bool channels_first() const { return false; }
  /// Values as they are, like read, but [channel][pixel].
  virtual void read_channels(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const;

 protected:
  explicit Image(ImageInfo info) : info_(std::move(info)) {}
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

 private:
  ImageInfo info_;
};

}  // namespace elver
