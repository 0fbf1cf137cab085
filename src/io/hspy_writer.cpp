#include <oneapi/tbb/parallel_for.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/chunk_pack.hpp"
#include "io/hdf5_image.hpp"
#include "io/hspy_header.hpp"
#include "types/arena.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kChunkBytes = 1'000'000;   // as HyperSpy: fits HDF5's chunk cache
constexpr std::uint64_t kBlockBytes = 16'000'000;  // what is held while an image streams through

/// How a data set is cut: chunks (1, .., 1, k, all, .., all), so that each is a run of whole spectra in C order.
struct Cut {
  std::vector<hsize_t> dims, chunk;
  std::size_t split = 0;           ///< the axis that is cut in pieces of k
  std::uint64_t pixels = 1;        ///< in all
  std::uint64_t inner_pixels = 1;  ///< for one step on the split axis
  std::uint64_t pixel_bytes = 1;
  std::uint64_t chunk_bytes() const { return chunk[split] * inner_pixels * pixel_bytes; }
  bool whole_chunks() const { return pixels > 1 && chunk.back() == dims.back(); }
};

Cut make_cut(const SignalHeader& header) {
  Cut cut;
  cut.pixel_bytes = bytes_of(header.type);
  for (const Axis& axis : header.axes) {
    cut.dims.push_back(axis.size);
    (axis.role == AxisRole::energy ? cut.pixel_bytes : cut.pixels) *= axis.size;
  }
  cut.chunk = cut.dims;
  if (cut.pixel_bytes > kBlockBytes) cut.chunk.back() = kBlockBytes / bytes_of(header.type);
  const std::size_t navigation = cut.dims.size() - (header.axes.back().role == AxisRole::energy ? 1 : 0);
  if (navigation == 0) return cut;
  cut.split = navigation - 1;
  while (cut.split > 0 && cut.inner_pixels * cut.dims[cut.split] * cut.pixel_bytes <= kChunkBytes) {
    cut.inner_pixels *= cut.dims[cut.split--];
  }
  std::fill_n(cut.chunk.begin(), cut.split, 1);
  cut.chunk[cut.split] =
      std::clamp<hsize_t>(kChunkBytes / (cut.inner_pixels * cut.pixel_bytes), 1, cut.dims[cut.split]);
  return cut;
}

/// A name beside, that no other writer uses.
fs::path hidden(const fs::path& path) {
  static std::atomic<unsigned> count{0};
  return path.parent_path() /
         text(".%s.%d-%u.partial", path.filename().c_str(), static_cast<int>(::getpid()), count.fetch_add(1));
}

}  // namespace

struct HspyWriter::Impl {
  /// The hidden file; gone with the writer, whatever happens, unless it was renamed.
  struct Partial {
    fs::path path;
    ~Partial() {
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  };
  fs::path path;
  Partial partial;
  hdf5::Handle file;  // closed before the hidden file is removed
  std::set<std::string> names;
  /// Maps that wait for others, so that all their chunks are packed side by side.
  struct Waiting {
    SignalHeader header;
    Cut cut;
    std::vector<std::byte> values;
  };
  std::vector<Waiting> waiting;
  std::uint64_t waiting_bytes = 0;
  RunContext waiting_context;  ///< of the last of them

  explicit Impl(const fs::path& to) : path(to), partial{hidden(to)} {
    if (path.filename().empty() || fs::is_directory(path)) refuse("it is a folder", "Name a file");
    run([&] {
      file = hdf5::create_file(partial.path.string());
      hdf5::set_attribute(file.get(), "file_format", "HyperSpy");
      hdf5::set_attribute(file.get(), "file_format_version", "3.3");
      hdf5::create_group(file.get(), "Experiments");
    });
  }
  ~Impl() {
    if (file) hdf5::give_up(file.get());
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[noreturn]] void refuse(const std::string& why, const std::string& todo) const {
    throw Error(ErrorKind::output, "cannot write " + path.string(), why, todo);
  }

  /// Errors speak of the file that was asked for, not of the hidden one.
  template <class Work>
  void run(const Work& work) {
    try {
      const auto held = hdf5::lock();
      work();
    } catch (const Error& error) {
      std::string what = error.what();
      const std::string name = partial.path.string();
      const std::size_t at = what.find(name);
      if (error.kind() != ErrorKind::output || at == std::string::npos) throw;
      const std::size_t why = what.find('(', at + name.size());
      const std::size_t end = what.rfind("). ");
      refuse(what.substr(why + 1, end - why - 1), what.substr(end + 3));
    }
  }

  std::string group_name(const std::string& title) {
    std::string name = title.substr(0, title.find('\0'));
    std::replace(name.begin(), name.end(), '/', '-');
    if (name.empty() || name == ".") name = "__unnamed__";
    const std::string first = name;
    for (int i = 2; !names.insert(name).second; ++i) name = first + text(" (%d)", i);
    return name;
  }

  void add_map(const SignalHeader& header, std::span<const std::byte> values, const RunContext& context) {
    check_writable(header);
    if (!file) refuse("it is complete already", "Open another file");
    waiting_context = context;
    waiting_context.progress = nullptr;
    const Cut cut = make_cut(header);
    if (values.size() > kBlockBytes || cut.split != 0 || !cut.whole_chunks()) {
      write_waiting();
      const std::uint64_t pixel_bytes = cut.pixel_bytes;
      return add(header, waiting_context, [&](PixelRange range) { return values.data() + range.first * pixel_bytes; });
    }
    waiting.push_back({header, cut, {values.begin(), values.end()}});
    waiting_bytes += values.size();
    if (waiting_bytes >= kBlockBytes) write_waiting();
  }

  void write_waiting() {
    struct Part {
      std::size_t map, chunk;
    };
    std::vector<Part> parts;
    std::vector<std::vector<PackedChunk>> chunks(waiting.size());
    for (std::size_t m = 0; m < waiting.size(); ++m) {
      const std::size_t bytes = waiting[m].cut.chunk_bytes();
      chunks[m].resize((waiting[m].values.size() + bytes - 1) / bytes);
      for (std::size_t i = 0; i < chunks[m].size(); ++i) parts.push_back({m, i});
    }
    in_arena(waiting_context, [&] {
      oneapi::tbb::parallel_for(std::size_t{0}, parts.size(), [&](std::size_t i) {
        waiting_context.check_interrupt();
        const Waiting& map = waiting[parts[i].map];
        chunks[parts[i].map][parts[i].chunk] = packed(map.values, map.cut, parts[i].chunk, bytes_of(map.header.type));
      });
    });
    for (std::size_t m = 0; m < waiting.size(); ++m) {
      const hdf5::Handle group = create(waiting[m].header);
      const hdf5::Handle dataset = create_data(group.get(), waiting[m].header, waiting[m].cut);
      put(dataset.get(), waiting[m].cut, std::vector<hsize_t>(waiting[m].cut.dims.size(), 0), chunks[m]);
    }
    waiting.clear();
    waiting_bytes = 0;
  }

  /// `block(first, last)` gives the values of these pixels, in C order, until it is called again. Its chunks are packed
  /// side by side.
  void add(const SignalHeader& header, const RunContext& context, const std::function<const void*(PixelRange)>& block) {
    check_writable(header);
    if (!file) refuse("it is complete already", "Open another file");
    const Cut cut = make_cut(header);
    const hdf5::Handle group = create(header);
    const hdf5::Handle dataset = create_data(group.get(), header, cut);
    const hdf5::Handle type(H5Dget_type(dataset.get()));
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
        const PixelRange pixels{(outer * steps + at) * cut.inner_pixels,
                                (outer * steps + at + size) * cut.inner_pixels};
        const void* const values = block(pixels);
        if (!one_pixel) {
          start[cut.split] = at;
          count[cut.split] = size;
        }
        if (cut.whole_chunks()) {
          write_chunks(dataset.get(), cut, start,
                       {static_cast<const std::byte*>(values), pixels.size() * cut.pixel_bytes}, bytes_of(header.type),
                       context);
        } else {
          run([&] { write_block(dataset.get(), type.get(), start, count, values); });
        }
        if (context.progress != nullptr) context.progress->advance(pixels.size());
      }
    }
    run([&] {
      if (H5Dflush(dataset.get()) < 0) hdf5::fail_write(dataset.get());
    });
  }

  hdf5::Handle create(const SignalHeader& header) {
    hdf5::Handle group;
    run([&] {
      group = hdf5::create_group(file.get(), "Experiments/" + group_name(header.title));
      write_axes(group.get(), header);
      write_metadata(group.get(), header);
    });
    return group;
  }

  hdf5::Handle create_data(hid_t group, const SignalHeader& header, const Cut& cut) {
    hdf5::Handle dataset;
    run([&] {
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
      dataset =
          hdf5::Handle(H5Dcreate2(group, "data", type.get(), space.get(), H5P_DEFAULT, creation.get(), access.get()));
      if (!dataset) hdf5::fail_write(group);
    });
    return dataset;
  }

  static PackedChunk packed(std::span<const std::byte> values, const Cut& cut, std::size_t chunk,
                            std::size_t value_bytes) {
    const std::size_t bytes = cut.chunk_bytes(), first = chunk * bytes;
    return pack_chunk(values.subspan(first, std::min(bytes, values.size() - first)), value_bytes, bytes);
  }

  void put(hid_t dataset, const Cut& cut, std::vector<hsize_t> start, const std::vector<PackedChunk>& chunks) {
    run([&] {
      for (const PackedChunk& chunk : chunks) {
        if (H5Dwrite_chunk(dataset, H5P_DEFAULT, chunk.skipped, start.data(), chunk.bytes.size(), chunk.bytes.data()) <
            0) {
          hdf5::fail_write(dataset);
        }
        start[cut.split] += cut.chunk[cut.split];
      }
    });
  }

  void write_chunks(hid_t dataset, const Cut& cut, std::vector<hsize_t> start, std::span<const std::byte> values,
                    std::size_t value_bytes, const RunContext& context) {
    std::vector<PackedChunk> chunks((values.size() + cut.chunk_bytes() - 1) / cut.chunk_bytes());
    in_arena(context, [&] {
      oneapi::tbb::parallel_for(std::size_t{0}, chunks.size(),
                                [&](std::size_t i) { chunks[i] = packed(values, cut, i, value_bytes); });
    });
    put(dataset, cut, std::move(start), chunks);
  }

  static void write_block(hid_t dataset, hid_t type, const std::vector<hsize_t>& start,
                          const std::vector<hsize_t>& count, const void* values) {
    const hdf5::Handle space(H5Dget_space(dataset));
    const hdf5::Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
    if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0 ||
        H5Dwrite(dataset, type, memory.get(), space.get(), H5P_DEFAULT, values) < 0) {
      hdf5::fail_write(dataset);
    }
  }
};

HspyWriter::HspyWriter(const fs::path& path) : impl_(std::make_unique<Impl>(path)) {}
HspyWriter::~HspyWriter() = default;
HspyWriter::HspyWriter(HspyWriter&&) noexcept = default;
HspyWriter& HspyWriter::operator=(HspyWriter&&) noexcept = default;

void HspyWriter::add(const SignalHeader& header, std::span<const std::byte> values, const RunContext& context) {
  std::uint64_t bytes = bytes_of(header.type);
  for (const Axis& axis : header.axes) bytes *= axis.size;
  if (bytes != values.size()) {
    throw Error(ErrorKind::output, "cannot write signal \"" + header.title + "\"",
                text("%zu bytes for axes that make %llu", values.size(), static_cast<unsigned long long>(bytes)));
  }
  impl_->add_map(header, values, context);
}

void HspyWriter::add(const SignalHeader& header, const Image& image, const RunContext& context) {
  if (header.type != image.info().type || header.axes.size() != image.info().axes.size()) {
    throw Error(ErrorKind::output, "cannot write signal \"" + header.title + "\"",
                "its header is not that of the image");
  }
  impl_->write_waiting();
  const ChannelRange all{0, image.channels()};
  std::vector<std::byte> buffer;
  if (context.memory_bytes > 0) image.stay_within(context.memory_bytes / 4);
  if (context.progress != nullptr) context.progress->begin("writing", image.pixels(), "pixels");
  impl_->add(header, context, [&](PixelRange range) {
    buffer.resize(range.size() * all.size() * bytes_of(header.type));
    image.read(range, all, buffer);
    return buffer.data();
  });
  if (context.progress != nullptr) context.progress->end();
}

void HspyWriter::commit() {
  impl_->write_waiting();
  impl_->run([&] { hdf5::close_file(std::move(impl_->file)); });
  std::error_code error;
  fs::rename(impl_->partial.path, impl_->path, error);
  if (error) impl_->refuse(error.message(), "Check the folder, its permissions and the space left");
}

}  // namespace elver
