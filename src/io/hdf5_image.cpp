#include "io/hdf5_image.hpp"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <span>
#include <type_traits>

#include "elver/error.hpp"
#include "types/reads_for.hpp"

namespace elver {
namespace {

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

/// One axis of a rectangle as it comes from the data set: how many, and how far apart they go in the output.
struct Run {
  std::size_t count = 1, step = 0;
};

/// Axes that go to places that follow each other evenly are one; axes of one element are none. At least two are left.
std::vector<Run> joined(const std::vector<Run>& runs) {
  std::vector<Run> out;
  for (const Run& run : runs) {
    if (run.count == 1) continue;
    if (!out.empty() && out.back().step == run.count * run.step) {
      out.back() = {out.back().count * run.count, run.step};
    } else {
      out.push_back(run);
    }
  }
  while (out.size() < 2) out.insert(out.begin(), Run{});
  return out;
}

/// A rectangle, in C order, to its places. In blocks, so that both sides stay in the first-level cache.
template <class Number, class Out>
void arrange(const Number* from, std::span<const Run> runs, Out* out) {
  const Run rows = runs[0];
  std::size_t inner = 1;
  for (const Run& run : runs.subspan(1)) inner *= run.count;
  if (runs.size() > 2) {
    for (std::size_t i = 0; i < rows.count; ++i) arrange(from + i * inner, runs.subspan(1), out + i * rows.step);
    return;
  }
  constexpr std::size_t kBlock = 16;
  const Run columns = runs[1];
  for (std::size_t r0 = 0; r0 < rows.count; r0 += kBlock) {
    const std::size_t r1 = std::min(rows.count, r0 + kBlock);
    for (std::size_t c0 = 0; c0 < columns.count; c0 += kBlock) {
      const std::size_t c1 = std::min(columns.count, c0 + kBlock);
      for (std::size_t r = r0; r < r1; ++r) {
        for (std::size_t c = c0; c < c1; ++c)
          out[r * rows.step + c * columns.step] = static_cast<Out>(from[r * inner + c]);
      }
    }
  }
}

/// The data set as bytes of its file; null where it does not lie there in one piece, or not all of it.
std::unique_ptr<const StridedImage> mapped(hid_t dataset, const ImageInfo& info, const std::vector<hsize_t>& dims,
                                           const std::vector<std::size_t>& places) {
  const hdf5::Handle creation(H5Dget_create_plist(dataset));
  const hdf5::Handle type(H5Dget_type(dataset));
  const std::optional<values::Format> format = stored_format(type.get(), info.type);
  if (!format || H5Pget_layout(creation.get()) != H5D_CONTIGUOUS || H5Pget_external_count(creation.get()) != 0)
    return nullptr;
  const haddr_t first = H5Dget_offset(dataset);
  std::string name(static_cast<std::size_t>(std::max<ssize_t>(0, H5Fget_name(dataset, nullptr, 0))), '\0');
  if (first == HADDR_UNDEF || H5Fget_name(dataset, name.data(), name.size() + 1) <= 0) return nullptr;
  StridedLayout layout;
  layout.first = first;
  layout.swapped = format->swapped;
  std::vector<std::ptrdiff_t> strides(dims.size(), static_cast<std::ptrdiff_t>(bytes_of(info.type)));
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * static_cast<std::ptrdiff_t>(dims[i]);
  for (const std::size_t place : places) layout.strides.push_back(strides[place]);
  layout.bytes = map_file(name);
  const std::uint64_t size = layout.bytes.span.size(), bytes = H5Dget_storage_size(dataset);
  std::uint64_t wanted = bytes_of(info.type);
  for (const hsize_t n : dims) wanted *= n;
  if (bytes != wanted || first > size || bytes > size - first) return nullptr;
  return std::make_unique<const StridedImage>(info, std::move(layout));
}

}  // namespace

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
  const hdf5::Handle file(H5Iget_file_id(dataset));
  const auto most = static_cast<double>(hdf5::most_unpacked(file.get()));
  const double wanted = std::max(bytes, std::min({2 * row * bytes, memory / 4, most, 1024.0 * 1024 * 1024}));
  return {static_cast<std::size_t>(wanted), static_cast<std::size_t>(wanted / bytes), std::move(chunk)};
}

Hdf5Image::Hdf5Image(ImageInfo info, hid_t location, const std::string& path, std::vector<std::size_t> places)
    : Image(std::move(info)), path_(path), places_(std::move(places)) {
  const std::vector<Axis>& axes = this->info().axes;
  assert(places_.size() == axes.size());
  for (const Axis& axis : axes) {
    if (axis.role == AxisRole::navigation) navigation_.push_back(axis.size);
  }
  if (!this->info().refusal.empty()) return;
  std::vector<hsize_t> dims;
  {
    const hdf5::Handle dataset = hdf5::open_dataset(location, path);
    dims = hdf5::shape(dataset.get());
    rank_ = dims.size();
    cache_ = cache_for(dataset.get(), dims, navigation_.empty() ? rank_ : places_.front());
  }
  dataset_ = hdf5::open_dataset(location, path, cache_.bytes, cache_.chunks);
  const auto held = hdf5::lock();
  file_ = hdf5::Handle(H5Iget_file_id(location));  // not that of the data set, which a link may have led to
  // Chunks are unpacked here where pixels lie in the order of the data set.
  const bool has_energy = navigation_.size() < places_.size();
  const bool in_order = std::is_sorted(places_.begin(), places_.end() - (has_energy ? 1 : 0));
  if (in_order && rank_ == places_.size())
    chunks_ = chunk_layout(dataset_.get(), this->info().type, dims, has_energy ? places_.back() : rank_);
  plain_ = mapped(dataset_.get(), this->info(), dims, places_);
}

Grain Hdf5Image::grain() const { return chunks_ ? grain_of(*chunks_) : plain_ ? plain_->grain() : Grain{}; }

std::unique_ptr<Stretch> Hdf5Image::stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const {
  if (plain_) return plain_->stretch(pixels, channels);
  if (!chunks_ || pixels.size() == 0 || channels.empty()) return Image::stretch(pixels, channels);
  check({0, 0}, channels.front(), 0);
  return chunk_stretch(*chunks_, dataset_.get(), pixels, channels);
}

void Hdf5Image::stay_within(std::uint64_t bytes) const {
  if (plain_) return plain_->stay_within(bytes);
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
  std::vector<hsize_t> start(rank_, 0), count(rank_, 1);
  for (std::size_t i = 0; i < navigation_.size(); ++i) {
    start[places_[i]] = box.start[i];
    count[places_[i]] = box.count[i];
  }
  if (navigation_.size() < places_.size()) {
    start[places_.back()] = channels.first;
    count[places_.back()] = channels.size();
  }
  // A row of chunks at a time, along the outermost axis on which there is more than one value.
  const auto axis = static_cast<std::size_t>(std::ranges::find_if(count, [](hsize_t n) { return n > 1; }) - count.begin());
  const bool chunked = !cache_.chunk.empty() && axis < rank_;
  const hsize_t step = chunked ? cache_.chunk[axis] : 0, last = chunked ? start[axis] + count[axis] : 0;
  do {
    if (chunked) count[axis] = std::min(last, (start[axis] / step + 1) * step) - start[axis];
    check_reading();
    const auto held = hdf5::lock();
    const hdf5::Handle space(H5Dget_space(dataset_.get()));
    const hdf5::Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
    if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0 ||
        H5Dread(dataset_.get(), memory_type(info().type), memory.get(), space.get(), H5P_DEFAULT, out) < 0) {
      hdf5::fail_read(dataset_.get(), "");
    }
    std::size_t bytes = bytes_of(info().type);
    for (const hsize_t n : count) bytes *= n;
    out += bytes;
    if (chunked) start[axis] += count[axis];
  } while (chunked && start[axis] < last);
}

/// Reads a box and puts pixel p, channel c of it at out[p * pixel_step + c * channel_step].
template <class Out>
void Hdf5Image::read_arranged(const Box& box, ChannelRange channels, Out* out, std::size_t pixel_step,
                              std::size_t channel_step) const {
  std::vector<std::byte> buffer(box.pixels * channels.size() * bytes_of(info().type));
  read_box(box, channels, buffer.data());
  std::vector<Run> runs(rank_);
  std::size_t step = pixel_step;
  for (std::size_t i = navigation_.size(); i-- > 0; step *= box.count[i]) runs[places_[i]] = {box.count[i], step};
  if (navigation_.size() < places_.size()) runs[places_.back()] = {channels.size(), channel_step};
  runs = joined(runs);
  with_number(info().type, [&]<class Number>(Number) {
    if constexpr (std::is_same_v<Out, std::byte>) {
      std::vector<Number> turned(box.pixels * channels.size());
      arrange(reinterpret_cast<const Number*>(buffer.data()), std::span<const Run>(runs), turned.data());
      std::memcpy(out, turned.data(), buffer.size());
    } else {
      arrange(reinterpret_cast<const Number*>(buffer.data()), std::span<const Run>(runs), out);
    }
  });
}

void Hdf5Image::read_channels(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const {
  if (plain_) return plain_->read_channels(pixels, channels, out);
  Image::read_channels(pixels, channels, out);
}

void Hdf5Image::read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const {
  if (plain_) return plain_->read(pixels, channels, out);
  const std::size_t size = bytes_of(info().type);
  check(pixels, channels, out.size() / size);
  if (channels.size() == 0) return;
  const bool as_stored = std::ranges::is_sorted(places_);
  for (const Box& box : boxes(pixels)) {
    std::byte* const target = out.data() + (box.first - pixels.first) * channels.size() * size;
    if (as_stored) {
      read_box(box, channels, target);
    } else {
      read_arranged(box, channels, target, channels.size(), 1);
    }
  }
}

void Hdf5Image::read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const {
  if (plain_) return plain_->read_tile(pixels, channels, out);
  check(pixels, channels, out.size());
  if (channels.size() == 0) return;
  for (const Box& box : boxes(pixels)) {
    read_arranged(box, channels, out.data() + (box.first - pixels.first), 1, pixels.size());
  }
}

}  // namespace elver
