#include "io/hdf5_output.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>

#include "elver/error.hpp"
#include "io/chunk_pack.hpp"
#include "io/hdf5_image.hpp"
#include "io/hspy_header.hpp"
#include "io/writer.hpp"
#include "types/arena.hpp"

namespace elver {
namespace {

constexpr std::uint64_t kChunkBytes = 1'000'000;   // as HyperSpy: fits HDF5's chunk cache

/// How a data set is cut: chunks (1, .., 1, k, all, .., all), so that each is a run of whole spectra in C order.
struct Cut {
  std::vector<hsize_t> dims, chunk;
  std::size_t split = 0;           ///< the axis that is cut in pieces of k
  std::uint64_t pixels = 1;        ///< in all
  std::uint64_t inner_pixels = 1;  ///< for one step on the split axis
  std::uint64_t pixel_bytes = 1;
  bool whole_chunks() const { return pixels > 1 && chunk.back() == dims.back(); }
  std::uint64_t chunk_bytes() const { return chunk[split] * inner_pixels * pixel_bytes; }
};

Cut make_cut(const SignalHeader& header) {
  Cut cut;
  cut.pixels = pixels_of(header);
  cut.pixel_bytes = pixel_bytes_of(header);
  for (const Axis& axis : header.axes) cut.dims.push_back(axis.size);
  cut.chunk = cut.dims;
  if (cut.pixel_bytes > kBlockBytes) cut.chunk.back() = kBlockBytes / bytes_of(header.type);
  const std::size_t navigation = cut.dims.size() - (header.axes.back().role == AxisRole::energy ? 1 : 0);
  if (navigation == 0) return cut;
  cut.split = navigation - 1;
  while (cut.split > 0 && cut.inner_pixels * cut.dims[cut.split] * cut.pixel_bytes <= kChunkBytes) {
    cut.inner_pixels *= cut.dims[cut.split--];
  }
  std::fill_n(cut.chunk.begin(), cut.split, 1);
  // All of about one size: what the last one has too many is packed and stored, too.
  const hsize_t steps = cut.dims[cut.split], most = std::max<hsize_t>(1, kChunkBytes / (cut.inner_pixels * cut.pixel_bytes));
  const hsize_t pieces = (steps + most - 1) / most;
  cut.chunk[cut.split] = (steps + pieces - 1) / pieces;
  return cut;
}

hdf5::Handle create_array(hid_t file, const std::string& path, const SignalHeader& header, const Cut& cut) {
  const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_obj_track_times(creation.get(), false);
  H5Pset_chunk(creation.get(), static_cast<int>(cut.chunk.size()), cut.chunk.data());
  H5Pset_shuffle(creation.get());
  H5Pset_deflate(creation.get(), 1);
  H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
  const hdf5::Handle access(H5Pcreate(H5P_DATASET_ACCESS));
  H5Pset_chunk_cache(access.get(), 0, 0, 1.0);  // whole chunks are written: at once, so that a full disk is noticed
  const hdf5::Handle space(H5Screate_simple(static_cast<int>(cut.dims.size()), cut.dims.data(), nullptr));
  const hdf5::Handle type =
      header.type == NumberType::boolean ? hdf5::boolean_type() : hdf5::Handle(H5Tcopy(memory_type(header.type)));
  hdf5::Handle dataset(
      H5Dcreate2(file, path.c_str(), type.get(), space.get(), H5P_DEFAULT, creation.get(), access.get()));
  if (!dataset) hdf5::fail_write(file);
  return dataset;
}

std::size_t chunk_count(const Cut& cut, std::size_t bytes) {
  return (bytes + cut.chunk_bytes() - 1) / cut.chunk_bytes();
}

PackedChunk packed(const Cut& cut, std::span<const std::byte> values, std::size_t chunk, std::size_t value_bytes) {
  const std::size_t bytes = cut.chunk_bytes(), first = chunk * bytes;
  return pack_chunk(values.subspan(first, std::min(bytes, values.size() - first)), value_bytes, bytes);
}

std::vector<PackedChunk> packed(const Cut& cut, std::span<const std::byte> values, std::size_t value_bytes,
                                const RunContext& context) {
  std::vector<PackedChunk> chunks(chunk_count(cut, values.size()));
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(std::size_t{0}, chunks.size(),
                              [&](std::size_t i) { chunks[i] = packed(cut, values, i, value_bytes); });
  });
  return chunks;
}

void write_chunks(hid_t dataset, const std::vector<PackedChunk>& chunks, const Cut& cut, std::vector<hsize_t> start) {
  for (const PackedChunk& chunk : chunks) {
    if (H5Dwrite_chunk(dataset, H5P_DEFAULT, chunk.skipped, start.data(), chunk.bytes.size(), chunk.bytes.data()) < 0) {
      hdf5::fail_write(dataset);
    }
    start[cut.split] += cut.chunk[cut.split];
  }
}

void write_block(hid_t dataset, const std::vector<hsize_t>& start, const std::vector<hsize_t>& count,
                 const void* values) {
  const hdf5::Handle type(H5Dget_type(dataset));
  const hdf5::Handle space(H5Dget_space(dataset));
  const hdf5::Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
  if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0 ||
      H5Dwrite(dataset, type.get(), memory.get(), space.get(), H5P_DEFAULT, values) < 0) {
    hdf5::fail_write(dataset);
  }
}

}  // namespace

struct Hdf5Output::Waiting {
  hdf5::Handle dataset;
  Cut cut;
  std::vector<std::byte> values;
  std::size_t value_bytes;
};

Hdf5Output::Hdf5Output(const std::filesystem::path& path) : partial_(path) {
  guarded([&] { file_ = hdf5::create_file(partial_.hidden().string()); });
}

Hdf5Output::~Hdf5Output() {
  waiting_.clear();  // closes data sets while their file is there
  if (file_) hdf5::give_up(file_.get());
}

void Hdf5Output::run(const std::function<void(hid_t)>& work) {
  if (!file_) {
    throw Error(ErrorKind::output, "cannot write " + shown(partial_.target()).string(), "it is complete already",
                "Open another file");
  }
  guarded([&] { work(file_.get()); });
}

void Hdf5Output::guarded(const std::function<void()>& work) {
  try {
    const auto held = hdf5::lock();
    work();
  } catch (const Error& error) {
    std::string what = error.what();
    const std::string name = partial_.hidden().string();
    const std::size_t at = what.find(name);
    if (error.kind() != ErrorKind::output || at == std::string::npos) throw;
    const std::size_t why = what.find('(', at + name.size());
    const std::size_t end = what.rfind("). ");
    throw Error(ErrorKind::output, "cannot write " + shown(partial_.target()).string(),
                what.substr(why + 1, end - why - 1), what.substr(end + 3));
  }
}

void Hdf5Output::write_array(const std::string& group, const std::string& name, const SignalHeader& header,
                             const std::function<const std::byte*(PixelRange)>& block, const RunContext& context) {
  context.check_interrupt();
  const Cut cut = make_cut(header);
  hdf5::Handle dataset;
  run([&](hid_t file) { dataset = create_array(file, group + "/" + name, header, cut); });
  const std::uint64_t bytes = cut.pixels * cut.pixel_bytes;
  if (bytes <= kBlockBytes && cut.split == 0 && cut.whole_chunks()) {
    const std::byte* const values = block({0, cut.pixels});
    waiting_.push_back({std::move(dataset), cut, {values, values + bytes}, bytes_of(header.type)});
    waiting_bytes_ += bytes;
    threads_ = context.threads;
    if (context.progress != nullptr) context.progress->advance(cut.pixels);
    if (waiting_bytes_ >= kBlockBytes) write_waiting(context);
    return;
  }
  const bool one_pixel = cut.pixels == 1;
  const hsize_t steps = one_pixel ? 1 : cut.dims[cut.split];
  const hsize_t per_block =
      one_pixel ? 1 : cut.chunk[cut.split] * std::max<std::uint64_t>(1, kBlockBytes / cut.chunk_bytes());
  std::vector<hsize_t> start(cut.dims.size(), 0), count = cut.dims;
  for (std::uint64_t outer = 0; outer * steps * cut.inner_pixels < cut.pixels; ++outer) {
    std::uint64_t rest = outer;
    for (std::size_t i = cut.split; i-- > 0; rest /= cut.dims[i]) {
      start[i] = rest % cut.dims[i];
      count[i] = 1;
    }
    for (hsize_t at = 0; at < steps; at += per_block) {
      context.check_interrupt();
      const hsize_t size = std::min(per_block, steps - at);
      const PixelRange pixels{(outer * steps + at) * cut.inner_pixels, (outer * steps + at + size) * cut.inner_pixels};
      const std::byte* const values = block(pixels);
      if (!one_pixel) {
        start[cut.split] = at;
        count[cut.split] = size;
      }
      if (cut.whole_chunks()) {
        const auto chunks = packed(cut, {values, pixels.size() * cut.pixel_bytes}, bytes_of(header.type), context);
        run([&](hid_t) { write_chunks(dataset.get(), chunks, cut, start); });
      } else {
        run([&](hid_t) { write_block(dataset.get(), start, count, values); });
      }
      if (context.progress != nullptr) context.progress->advance(pixels.size());
    }
  }
  run([&](hid_t) {
    if (H5Dflush(dataset.get()) < 0) hdf5::fail_write(dataset.get());
  });
}

void Hdf5Output::write_waiting(const RunContext& context) {
  struct Part {
    std::size_t array, chunk;
  };
  std::vector<Part> parts;
  std::vector<std::vector<PackedChunk>> chunks(waiting_.size());
  for (std::size_t a = 0; a < waiting_.size(); ++a) {
    chunks[a].resize(chunk_count(waiting_[a].cut, waiting_[a].values.size()));
    for (std::size_t i = 0; i < chunks[a].size(); ++i) parts.push_back({a, i});
  }
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(std::size_t{0}, parts.size(), [&](std::size_t i) {
      context.check_interrupt();
      const Waiting& array = waiting_[parts[i].array];
      chunks[parts[i].array][parts[i].chunk] = packed(array.cut, array.values, parts[i].chunk, array.value_bytes);
    });
  });
  for (std::size_t a = 0; a < waiting_.size(); ++a) {
    run([&](hid_t) {
      write_chunks(waiting_[a].dataset.get(), chunks[a], waiting_[a].cut,
                   std::vector<hsize_t>(waiting_[a].cut.dims.size(), 0));
      waiting_[a].dataset = {};
    });
  }
  waiting_.clear();
  waiting_bytes_ = 0;
}

void Hdf5Output::commit() {
  write_waiting({.threads = threads_});
  run([&](hid_t) { hdf5::close_file(std::move(file_)); });
  partial_.commit();
}

}  // namespace elver
