#include "io/hdf5_image.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

std::vector<std::string> members(hid_t type) {
  std::vector<std::string> names;
  for (int i = 0; i < H5Tget_nmembers(type); ++i) {
    char* const name = H5Tget_member_name(type, static_cast<unsigned>(i));
    names.emplace_back(name != nullptr ? name : "");
    H5free_memory(name);
  }
  return names;
}

NumberType integer_type(hid_t type, std::string& refusal) {
  const bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
  switch (H5Tget_size(type)) {
    case 1:
      return is_signed ? NumberType::i8 : NumberType::u8;
    case 2:
      return is_signed ? NumberType::i16 : NumberType::u16;
    case 4:
      return is_signed ? NumberType::i32 : NumberType::u32;
    case 8:
      return is_signed ? NumberType::i64 : NumberType::u64;
    default:
      refusal = text("its values are integers of %zu bytes", H5Tget_size(type));
      return NumberType::i64;
  }
}

/// Calls `work` with a value of the C++ type.
template <class Work>
void with_number(NumberType type, const Work& work) {
  switch (type) {
    case NumberType::u8:
      return work(std::uint8_t{});
    case NumberType::u16:
      return work(std::uint16_t{});
    case NumberType::u32:
      return work(std::uint32_t{});
    case NumberType::u64:
      return work(std::uint64_t{});
    case NumberType::i8:
    case NumberType::boolean:
      return work(std::int8_t{});
    case NumberType::i16:
      return work(std::int16_t{});
    case NumberType::i32:
      return work(std::int32_t{});
    case NumberType::i64:
      return work(std::int64_t{});
    case NumberType::f32:
      return work(float{});
    case NumberType::f64:
      return work(double{});
    default:
      return;  // refused before
  }
}

/// A rectangle as it comes from the data set, [outer][channel][inner] with outer * inner pixels, to
/// out[pixel * pixel_step + channel * channel_step]. In blocks, so that both sides stay in the first-level cache.
template <class Number, class Out>
void arrange(const Number* from, std::size_t outer, std::size_t channels, std::size_t inner, Out* out,
             std::size_t pixel_step, std::size_t channel_step) {
  constexpr std::size_t kBlock = 16;
  const std::size_t pixels = outer * inner;
  for (std::size_t p0 = 0; p0 < pixels; p0 += kBlock) {
    const std::size_t p1 = std::min(pixels, p0 + kBlock);
    for (std::size_t c0 = 0; c0 < channels; c0 += kBlock) {
      const std::size_t c1 = std::min(channels, c0 + kBlock);
      for (std::size_t p = p0; p < p1; ++p) {
        const Number* const source = from + p / inner * channels * inner + p % inner;
        for (std::size_t c = c0; c < c1; ++c)
          out[p * pixel_step + c * channel_step] = static_cast<Out>(source[c * inner]);
      }
    }
  }
}

}  // namespace

hid_t memory_type(NumberType type) {
  const auto held = hdf5::lock();
  const std::array types{H5T_NATIVE_UINT8,  H5T_NATIVE_INT8,   H5T_NATIVE_UINT16, H5T_NATIVE_INT16,
                         H5T_NATIVE_UINT32, H5T_NATIVE_INT32,  H5T_NATIVE_UINT64, H5T_NATIVE_INT64,
                         H5T_NATIVE_FLOAT,  H5T_NATIVE_DOUBLE, H5T_NATIVE_INT8};  // in the order of NumberType
  const auto place = static_cast<std::size_t>(type);
  return place < types.size() ? types[place] : H5I_INVALID_HID;
}

NumberType number_type(hid_t dataset, std::string& refusal) {
  const auto held = hdf5::lock();
  const hdf5::Handle type(H5Dget_type(dataset));
  if (const std::string filter = hdf5::missing_filter(dataset); !filter.empty()) {
    refusal = "it is compressed with the filter " + filter + ", which is not at hand; save it with gzip";
  }
  const std::size_t size = H5Tget_size(type.get());
  switch (H5Tget_class(type.get())) {
    case H5T_INTEGER:
      return integer_type(type.get(), refusal);
    case H5T_FLOAT:
      return size <= 4 ? NumberType::f32 : NumberType::f64;
    case H5T_ENUM: {
      std::vector<std::string> names = members(type.get());
      std::sort(names.begin(), names.end());
      if (names == std::vector<std::string>{"FALSE", "TRUE"}) return NumberType::boolean;
      refusal = "its values are names";
      return NumberType::i8;
    }
    case H5T_COMPOUND: {
      const std::vector<std::string> names = members(type.get());
      if (names.size() == 2) {
        refusal = "its values are complex";
        return size <= 8 ? NumberType::c64 : NumberType::c128;
      }
      refusal = names.size() == 3 || names.size() == 4 ? "its values are colours (RGB)" : "its values are records";
      return NumberType::rgb;
    }
    case H5T_VLEN:
      refusal = "its values are ragged (spectra of different lengths)";
      return NumberType::f64;
    default:
      refusal = "its values are not numbers";
      return NumberType::u8;
  }
}

/// A rectangle of pixels that is a run in C order.
struct Hdf5Image::Box {
  std::vector<hsize_t> start, count;  ///< over the navigation axes
  std::uint64_t first = 0;            ///< its first pixel
  std::uint64_t pixels = 1;
};

/// Two rows of chunks: those that tiles in C order of the pixels come back to.
Hdf5Image::Cache Hdf5Image::cache_for(hid_t dataset, const std::vector<hsize_t>& dims, std::size_t first_navigation) {
  const auto held = hdf5::lock();
  const hdf5::Handle creation(H5Dget_create_plist(dataset));
  const hdf5::Handle type(H5Dget_type(dataset));
  if (H5Pget_layout(creation.get()) != H5D_CHUNKED || dims.empty()) return {};
  std::vector<hsize_t> chunk(dims.size());
  H5Pget_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
  double bytes = static_cast<double>(H5Tget_size(type.get()));
  double row = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    bytes *= static_cast<double>(chunk[i]);
    if (i != first_navigation) row *= static_cast<double>((dims[i] + chunk[i] - 1) / chunk[i]);
  }
  const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  const double wanted = std::max(bytes, std::min({2 * row * bytes, memory / 4, 1024.0 * 1024 * 1024}));
  return {static_cast<std::size_t>(wanted), static_cast<std::size_t>(wanted / bytes)};
}

Hdf5Image::Hdf5Image(ImageInfo info, hid_t location, const std::string& path, const std::vector<std::size_t>& order)
    : Image(std::move(info)), path_(path) {
  const std::vector<Axis>& axes = this->info().axes;
  assert(order.size() == axes.size());
  has_energy_ = !axes.empty() && axes.back().role == AxisRole::energy;
  for (const Axis& axis : axes) {
    if (axis.role == AxisRole::navigation) navigation_.push_back(axis.size);
  }
  energy_place_ = has_energy_ ? order.back() : axes.size();
  if (!this->info().refusal.empty()) return;
  std::vector<hsize_t> dims = navigation_;
  if (has_energy_) dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(energy_place_), axes.back().size);
  cache_ = cache_for(hdf5::open_dataset(location, path).get(), dims, has_energy_ && energy_place_ == 0 ? 1 : 0);
  dataset_ = hdf5::open_dataset(location, path, cache_.bytes, cache_.chunks);
  const auto held = hdf5::lock();
  file_ = hdf5::Handle(H5Iget_file_id(dataset_.get()));
  chunks_ = chunk_layout(dataset_.get(), this->info().type, dims, energy_place_);
}

Grain Hdf5Image::grain() const { return chunks_ ? grain_of(*chunks_) : Grain{}; }

std::unique_ptr<Stretch> Hdf5Image::stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const {
  if (!chunks_ || pixels.size() == 0 || channels.empty()) return Image::stretch(pixels, channels);
  check({0, 0}, channels.front(), 0);
  return chunk_stretch(*chunks_, dataset_.get(), pixels, channels);
}

void Hdf5Image::stay_within(std::uint64_t bytes) const {
  if (cache_.bytes <= bytes || cache_.chunks == 0) return;
  const auto held = hdf5::lock();
  const std::size_t chunk = cache_.bytes / cache_.chunks;
  cache_.chunks = std::max<std::size_t>(1, bytes / chunk);
  cache_.bytes = cache_.chunks * chunk;
  dataset_ = {};  // while it is open, its cache is everybody's
  dataset_ = hdf5::open_dataset(file_.get(), path_, cache_.bytes, cache_.chunks);
}

void Hdf5Image::check(PixelRange pixels, ChannelRange channels, std::size_t values) const {
  if (!info().refusal.empty()) {
    throw Error(ErrorKind::input, "cannot read image " + info().id + " \"" + info().title + "\"", info().refusal);
  }
  assert(pixels.first <= pixels.last && pixels.last <= this->pixels());
  assert(channels.first <= channels.last && channels.last <= this->channels());
  assert(values >= pixels.size() * channels.size());
  static_cast<void>(pixels), static_cast<void>(channels), static_cast<void>(values);
}

/// The largest rectangles that, one after the other, are the range: part of a row, whole rows, part of a row.
std::vector<Hdf5Image::Box> Hdf5Image::boxes(PixelRange pixels) const {
  std::vector<Box> out;
  const std::size_t n = navigation_.size();
  for (std::uint64_t at = pixels.first; at < pixels.last;) {
    Box box{std::vector<hsize_t>(n, 0), std::vector<hsize_t>(n, 1), at, 1};
    std::uint64_t rest = at;
    for (std::size_t i = n; i-- > 0; rest /= navigation_[i]) box.start[i] = rest % navigation_[i];
    // Whole inner axes as long as the range begins at their start and reaches their end.
    for (std::size_t i = n; i-- > 0;) {
      box.count[i] = std::min<std::uint64_t>(navigation_[i] - box.start[i], (pixels.last - at) / box.pixels);
      box.pixels *= box.count[i];
      if (box.start[i] != 0 || box.count[i] != navigation_[i] || at + 2 * box.pixels > pixels.last) break;
    }
    at += box.pixels;
    out.push_back(std::move(box));
  }
  return out;
}

void Hdf5Image::read_box(const Box& box, ChannelRange channels, std::byte* out) const {
  std::vector<hsize_t> start = box.start, count = box.count;
  if (has_energy_) {
    start.insert(start.begin() + static_cast<std::ptrdiff_t>(energy_place_), channels.first);
    count.insert(count.begin() + static_cast<std::ptrdiff_t>(energy_place_), channels.size());
  }
  const auto held = hdf5::lock();
  const hdf5::Handle space(H5Dget_space(dataset_.get()));
  const hdf5::Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
  if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0 ||
      H5Dread(dataset_.get(), memory_type(info().type), memory.get(), space.get(), H5P_DEFAULT, out) < 0) {
    hdf5::fail_read(dataset_.get(), "");
  }
}

void Hdf5Image::read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const {
  const std::size_t size = bytes_of(info().type);
  check(pixels, channels, out.size() / size);
  if (channels.size() == 0) return;
  std::vector<std::byte> buffer;
  for (const Box& box : boxes(pixels)) {
    std::byte* const target = out.data() + (box.first - pixels.first) * channels.size() * size;
    if (energy_place_ >= navigation_.size()) {
      read_box(box, channels, target);
      continue;
    }
    buffer.resize(box.pixels * channels.size() * size);
    read_box(box, channels, buffer.data());
    std::size_t inner = 1;
    for (std::size_t i = energy_place_; i < navigation_.size(); ++i) inner *= box.count[i];
    with_number(info().type, [&]<class Number>(Number) {
      std::vector<Number> turned(box.pixels * channels.size());
      arrange(reinterpret_cast<const Number*>(buffer.data()), box.pixels / inner, channels.size(), inner, turned.data(),
              channels.size(), 1);
      std::memcpy(target, turned.data(), buffer.size());
    });
  }
}

void Hdf5Image::read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const {
  check(pixels, channels, out.size());
  if (channels.size() == 0) return;
  std::vector<std::byte> buffer;
  for (const Box& box : boxes(pixels)) {
    buffer.resize(box.pixels * channels.size() * bytes_of(info().type));
    read_box(box, channels, buffer.data());
    std::size_t inner = 1;
    for (std::size_t i = energy_place_; i < navigation_.size(); ++i) inner *= box.count[i];
    with_number(info().type, [&]<class Number>(Number) {
      arrange(reinterpret_cast<const Number*>(buffer.data()), box.pixels / inner, channels.size(), inner,
              out.data() + (box.first - pixels.first), 1, pixels.size());
    });
  }
}

}  // namespace elver
