#include "io/hdf5_chunks.hpp"

#include <fcntl.h>
#include <libdeflate.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "io/hdf5.hpp"
#include "types/reads_for.hpp"

namespace elver {
namespace {

/// Byte 0 of every value, then byte 1 of every value, ...: back to values.
void unshuffle(std::span<const std::byte> from, std::size_t value_bytes, std::span<std::byte> out) {
  const std::size_t count = from.size() / value_bytes;
  const auto put = [&]<std::size_t kBytes>(std::integral_constant<std::size_t, kBytes>) {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t b = 0; b < kBytes; ++b) out[i * kBytes + b] = from[b * count + i];
    }
  };
  if (value_bytes == 2) return put(std::integral_constant<std::size_t, 2>{});
  if (value_bytes == 4) return put(std::integral_constant<std::size_t, 4>{});
  put(std::integral_constant<std::size_t, 8>{});
}

/// False where `bytes` are not what zlib makes of just as many as `out` holds.
bool inflate(std::span<const std::byte> bytes, std::span<std::byte> out) {
  thread_local const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> unpacker(
      ::libdeflate_alloc_decompressor(), &::libdeflate_free_decompressor);
  if (!unpacker) throw Error(ErrorKind::resources, "not enough memory", "a chunk cannot be unpacked");
  return ::libdeflate_zlib_decompress(unpacker.get(), bytes.data(), bytes.size(), out.data(), out.size(), nullptr) ==
         LIBDEFLATE_SUCCESS;
}

class ChunkStretch : public Stretch {
 public:
  ChunkStretch(const ChunkLayout& layout, hid_t dataset, const PixelBlock& pixels,
               std::span<const ChannelRange> channels)
      : layout_(layout), dataset_(dataset), rank_(layout.dims.size()) {
    inner_ = rank_ == 0 ? 0 : rank_ - 1;
    if (inner_ == layout_.energy_place && inner_ > 0) --inner_;
    find_chunks(pixels, channels);
    for (Chunk& chunk : chunks_) fetch(chunk);
  }

  std::size_t parts() const override { return chunks_.size(); }

  void unpack(std::size_t part) override {
    Chunk& chunk = chunks_[part];
    if (!chunk.stored) return;
    std::vector<std::byte> bytes = std::move(chunk.bytes);
    if (layout_.deflated && (chunk.skipped & deflate_bit()) == 0) {
      std::vector<std::byte> out(layout_.chunk_bytes);
      if (!inflate(bytes, out)) hdf5::fail_read(dataset_, "a chunk of its values is damaged");
      bytes = std::move(out);
    }
    if (bytes.size() != layout_.chunk_bytes) hdf5::fail_read(dataset_, "a chunk of its values has the wrong size");
    if (layout_.shuffled && layout_.value_bytes > 1 && (chunk.skipped & 1U) == 0) {
      chunk.bytes.resize(bytes.size());
      unshuffle(bytes, layout_.value_bytes, chunk.bytes);
    } else {
      chunk.bytes = std::move(bytes);
    }
  }

  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    const std::uint64_t columns = layout_.energy_place == rank_ || rank_ > 1 ? layout_.dims[inner_] : 1;
    for (std::uint64_t pixel = pixels.first; pixel < pixels.last;) {
      const std::uint64_t run = std::min(columns - pixel % columns, pixels.last - pixel);
      read_run(pixel, run, channels, out.data() + (pixel - pixels.first), pixels.size());
      pixel += run;
    }
  }

 private:
  struct Chunk {
    std::vector<hsize_t> start;    ///< its first value
    std::vector<std::byte> bytes;  ///< as stored, then unpacked
    std::uint32_t skipped = 0;     ///< the filters that it went past, a bit each
    bool stored = true;            ///< false: never written
  };
  std::uint32_t deflate_bit() const { return layout_.shuffled ? 2U : 1U; }

  /// The first pixel of a row, and the row of a pixel, in the axes but the energy's.
  std::vector<hsize_t> place_of(std::uint64_t pixel) const {
    std::vector<hsize_t> place(rank_, 0);
    for (std::size_t i = rank_; i-- > 0;) {
      if (i == layout_.energy_place) continue;
      place[i] = pixel % layout_.dims[i];
      pixel /= layout_.dims[i];
    }
    return place;
  }

  /// Where a chunk stands among all, counted in C order.
  std::uint64_t number_of(const std::vector<hsize_t>& place) const {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < rank_; ++i) {
      number = number * ((layout_.dims[i] + layout_.chunk[i] - 1) / layout_.chunk[i]) + place[i] / layout_.chunk[i];
    }
    return number;
  }

  void find_chunks(const PixelBlock& pixels, std::span<const ChannelRange> channels) {
    const bool spectra = layout_.energy_place < rank_;
    const std::uint64_t columns = spectra && rank_ == 1 ? 1 : layout_.dims[inner_];
    std::vector<std::uint64_t> numbers;
    const auto add = [&](std::vector<hsize_t> place) {
      const auto along_columns = [&] {
        if (spectra && rank_ == 1) return numbers.push_back(number_of(place));
        const hsize_t step = layout_.chunk[inner_];
        for (hsize_t x = pixels.first_column / step * step; x < pixels.last_column; x += step) {
          place[inner_] = x;
          numbers.push_back(number_of(place));
        }
      };
      if (!spectra) return along_columns();
      const hsize_t step = layout_.chunk[layout_.energy_place];
      for (const ChannelRange& window : channels) {
        for (hsize_t c = window.first / step * step; c < window.last; c += step) {
          place[layout_.energy_place] = c;
          along_columns();
        }
      }
    };
    for (std::uint64_t row = pixels.first_row; row < pixels.last_row; ++row) {
      std::vector<hsize_t> place = place_of(row * columns);
      // Rows of one chunk name it once.
      const bool again = row > pixels.first_row && rank_ > 1 && same_chunks(place_of((row - 1) * columns), place);
      if (!again) add(std::move(place));
    }
    std::ranges::sort(numbers);
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    numbers_ = std::move(numbers);
    chunks_.resize(numbers_.size());
    for (std::size_t k = 0; k < numbers_.size(); ++k) {
      std::uint64_t rest = numbers_[k];
      chunks_[k].start.resize(rank_);
      for (std::size_t i = rank_; i-- > 0;) {
        const std::uint64_t along = (layout_.dims[i] + layout_.chunk[i] - 1) / layout_.chunk[i];
        chunks_[k].start[i] = rest % along * layout_.chunk[i];
        rest /= along;
      }
    }
  }

  bool same_chunks(const std::vector<hsize_t>& a, const std::vector<hsize_t>& b) const {
    for (std::size_t i = 0; i < rank_; ++i) {
      if (a[i] / layout_.chunk[i] != b[i] / layout_.chunk[i]) return false;
    }
    return true;
  }

  void fetch(Chunk& chunk) const {
    check_reading();
    const auto held = hdf5::lock();  // for one chunk at a time: others may read meanwhile
    hsize_t size = 0;
    haddr_t place = HADDR_UNDEF;
    unsigned skipped = 0;
    if (H5Dget_chunk_info_by_coord(dataset_, chunk.start.data(), &skipped, &place, &size) < 0 || size == 0) {
      return fill(chunk);
    }
    // No chunk that is worth packing grows by it.
    if (size > layout_.chunk_bytes + layout_.chunk_bytes / 8 + 4096) {
      hdf5::fail_read(dataset_, "a chunk of its values has the wrong size");
    }
    await(place, size);
    chunk.bytes.resize(size);
    if (H5Dread_chunk(dataset_, H5P_DEFAULT, chunk.start.data(), &chunk.skipped, chunk.bytes.data()) < 0) {
      hdf5::fail_read(dataset_, "");
    }
  }

  /// HDF5 would read a long chunk at one go: its pieces are waited for one by one before. Only a hint of where they are.
  void await(haddr_t first, hsize_t size) const {
    const hdf5::Handle file(H5Iget_file_id(dataset_));
    void* handle = nullptr;
    if (size <= kReadPiece || H5Fget_vfd_handle(file.get(), H5P_DEFAULT, &handle) < 0) return;
    const int descriptor = *static_cast<const int*>(handle);
    ::posix_fadvise(descriptor, static_cast<off_t>(first), static_cast<off_t>(size), POSIX_FADV_WILLNEED);
    for (haddr_t at = first; at < first + size; at += kReadPiece) {
      check_reading();
      std::byte one;
      if (::pread(descriptor, &one, 1, static_cast<off_t>(at)) != 1) return;  // HDF5 will say why
    }
  }

  /// What was never written has the data set's fill value.
  void fill(Chunk& chunk) const {
    chunk.stored = false;
    const hdf5::Handle creation(H5Dget_create_plist(dataset_));
    const hdf5::Handle type(H5Dget_type(dataset_));
    std::vector<std::byte> value(layout_.value_bytes);
    if (H5Pget_fill_value(creation.get(), type.get(), value.data()) < 0) std::ranges::fill(value, std::byte{0});
    chunk.bytes.resize(layout_.chunk_bytes);
    for (std::size_t i = 0; i < chunk.bytes.size(); i += value.size()) {
      std::ranges::copy(value, chunk.bytes.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  /// Pixels of one row.
  void read_run(std::uint64_t pixel, std::uint64_t count, ChannelRange channels, float* out,
                std::size_t out_channel) const {
    const bool spectra = layout_.energy_place < rank_;
    const bool one_pixel = spectra && rank_ == 1;
    std::vector<hsize_t> place = place_of(pixel);
    const hsize_t first = one_pixel ? 0 : place[inner_], columns = one_pixel ? 1 : layout_.chunk[inner_];
    const hsize_t depth = spectra ? layout_.chunk[layout_.energy_place] : 1;
    std::vector<std::ptrdiff_t> stride(rank_, static_cast<std::ptrdiff_t>(layout_.value_bytes));
    for (std::size_t i = rank_ - 1; i-- > 0;)
      stride[i] = stride[i + 1] * static_cast<std::ptrdiff_t>(layout_.chunk[i + 1]);
    for (hsize_t x = first; x < first + count;) {
      const hsize_t next_x = std::min(first + count, one_pixel ? 1 : (x / columns + 1) * columns);
      if (!one_pixel) place[inner_] = x;
      for (hsize_t c = channels.first; c < channels.last;) {
        const hsize_t next_c = std::min<hsize_t>(channels.last, spectra ? (c / depth + 1) * depth : channels.last);
        if (spectra) place[layout_.energy_place] = c;
        const auto found = std::ranges::lower_bound(numbers_, number_of(place));
        const Chunk& chunk = chunks_[static_cast<std::size_t>(found - numbers_.begin())];
        std::ptrdiff_t at = 0;
        for (std::size_t i = 0; i < rank_; ++i)
          at += static_cast<std::ptrdiff_t>(place[i] % layout_.chunk[i]) * stride[i];
        values::with_stored(layout_.format, [&]<class Source>() {
          values::copy_block<float, Source>(chunk.bytes.data() + at, next_x - x, one_pixel ? 0 : stride[inner_],
                                            next_c - c, spectra ? stride[layout_.energy_place] : 0,
                                            out + (c - channels.first) * out_channel + (x - first), 1, out_channel);
        });
        c = next_c;
      }
      x = next_x;
    }
  }

  const ChunkLayout& layout_;
  hid_t dataset_;
  std::size_t rank_, inner_ = 0;        ///< of the axes; the axis that a row of pixels runs along
  std::vector<std::uint64_t> numbers_;  ///< ascending, of chunks_
  std::vector<Chunk> chunks_;
};

}  // namespace

std::optional<values::Format> stored_format(hid_t type, NumberType number) {
  const bool real = number == NumberType::f32 || number == NumberType::f64;
  const std::size_t bytes = bytes_of(number);
  if (H5Tget_size(type) != bytes || H5Tget_precision(type) != 8 * bytes || H5Tget_offset(type) != 0) return {};
  if (H5Tget_class(type) != (real ? H5T_FLOAT : H5T_INTEGER)) return {};
  if (real && H5Tequal(type, bytes == 4 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE) <= 0 &&
      H5Tequal(type, bytes == 4 ? H5T_IEEE_F32BE : H5T_IEEE_F64BE) <= 0) {
    return {};
  }
  const bool little = H5Tget_order(type) == H5T_ORDER_LE;
  if (!little && H5Tget_order(type) != H5T_ORDER_BE) return {};
  return values::Format{number, bytes > 1 && little != (std::endian::native == std::endian::little), false};
}

std::optional<ChunkLayout> chunk_layout(hid_t dataset, NumberType type, const std::vector<hsize_t>& dims,
                                        std::size_t energy_place) {
  const auto held = hdf5::lock();
  const hdf5::Handle creation(H5Dget_create_plist(dataset));
  const hdf5::Handle stored(H5Dget_type(dataset));
  if (dims.empty() || H5Pget_layout(creation.get()) != H5D_CHUNKED) return {};
  ChunkLayout out;
  out.dims = dims;
  out.energy_place = energy_place;
  out.chunk.resize(dims.size());
  if (H5Pget_chunk(creation.get(), static_cast<int>(dims.size()), out.chunk.data()) != static_cast<int>(dims.size()))
    return {};
  const std::optional<values::Format> format = stored_format(stored.get(), type);
  if (!format) return {};
  out.format = *format;
  out.value_bytes = out.chunk_bytes = bytes_of(type);
  for (const hsize_t n : out.chunk) out.chunk_bytes *= n;
  const int filters = H5Pget_nfilters(creation.get());
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, client[16];
    std::size_t values = 16;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &values, client, 0, nullptr, nullptr);
    if (filter == H5Z_FILTER_SHUFFLE && i == 0) {
      if (values != 1 || client[0] != out.value_bytes) return {};
      out.shuffled = true;
    } else if (filter == H5Z_FILTER_DEFLATE && i + 1 == filters) {
      out.deflated = true;
    } else {
      return {};
    }
  }
  return out;
}

Grain grain_of(const ChunkLayout& layout) {
  // Rows run over all axes but the innermost of the pixels; a chunk takes whole ones of those within.
  Grain grain;
  bool innermost = true;
  std::uint64_t rows_within = 1;
  for (std::size_t i = layout.dims.size(); i-- > 0;) {
    if (i == layout.energy_place) continue;
    if (innermost) {
      grain.columns = layout.chunk[i];
    } else {
      if (layout.chunk[i] > 1) grain.rows = rows_within * layout.chunk[i];
      rows_within *= layout.dims[i];
    }
    innermost = false;
  }
  return grain;
}

std::unique_ptr<Stretch> chunk_stretch(const ChunkLayout& layout, hid_t dataset, const PixelBlock& pixels,
                                       std::span<const ChannelRange> channels) {
  return std::make_unique<ChunkStretch>(layout, dataset, pixels, channels);
}

}  // namespace elver
