#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "check.hpp"
#include "engine/cuda.hpp"
#include "owners.hpp"
#include "stages.hpp"
#include "types/text.hpp"

namespace elver::cuda {
namespace {

/// Where the results of a tile lie in one block of memory, on the device as on the host, so that one copy brings them.
struct ResultLayout {
  std::size_t status, edge_status, A, r, snr, fits, features, count, valid, margins;
  std::size_t bytes = 0;

  ResultLayout(const Job& job, std::size_t stride) {
    const std::size_t edges = job.edges != nullptr ? job.edges->edges.size() : 0;
    const std::size_t features_made = job.edges != nullptr && job.features ? job.edges->feature_count : 0;
    status = take(edges > 0 ? stride : 0);
    edge_status = take(edges * stride);
    A = take(edges * stride * sizeof(float));
    r = take(edges * stride * sizeof(float));
    snr = take(edges * stride * sizeof(float));
    fits = take(job.all_fits ? edges * stride * sizeof(EdgeFit) : 0);
    features = take(features_made * stride * sizeof(float));
    count = take(edges > 0 ? sizeof(std::uint32_t) : 0);
    valid = take(edges > 0 ? stride * sizeof(std::uint32_t) : 0);
    margins = take(job.forest->output_count() * stride * sizeof(float));
  }

 private:
  std::size_t take(std::size_t size) {
    constexpr std::size_t kAligned = 256;
    return std::exchange(bytes, bytes + (size + kAligned - 1) / kAligned * kAligned);
  }
};
constexpr std::size_t stride_of(std::size_t rows) { return tiles_of(rows) * core::kTileRows; }

/// A tile on its way: a stream, and memory on both sides.
struct Slot {
  StreamOwner stream;
  EventOwner before, between, after;  ///< the two steps
  PinnedMemory counts_in, pixels_in, results_out;
  DeviceMemory raw, counts, pixels, codes, linear, features, results;
  std::size_t pixel_count = 0, rows = 0;

  void clear() {
    counts_in = {}, pixels_in = {}, results_out = {};
    raw = {}, counts = {}, pixels = {}, codes = {}, linear = {}, features = {}, results = {};
  }
  void allocate(const Job& job, std::size_t tile) {
    const std::size_t bytes = tile * job.rows * bytes_of(job.type), result = ResultLayout(job, tile).bytes;
    counts_in = PinnedMemory(bytes);
    pixels_in = PinnedMemory(tile * sizeof(std::uint32_t));
    results_out = PinnedMemory(result);
    if (job.pixel_major) raw = {bytes, stream.get()};
    counts = {bytes, stream.get()};
    pixels = {tile * sizeof(std::uint32_t), stream.get()};
    codes = {tile * std::max<std::size_t>(1, job.forest->codes.rows.size()), stream.get()};
    if (job.edges != nullptr) {
      linear = {tile * job.forest->linear_outputs.size() * job.edges->edges.size() * sizeof(float), stream.get()};
      if (job.features_stay && !job.features) features = {tile * job.edges->feature_count * sizeof(float), stream.get()};
    }
    results = {result, stream.get()};
    check(cudaMemsetAsync(results.as<void>(), 0, result, stream.get()), "cudaMemsetAsync");  // all of it is copied back
  }
};

}  // namespace

std::vector<double> copy_rates(int device, std::size_t bytes, int runs) {
  check(cudaSetDevice(device), "cudaSetDevice");
  const StreamOwner stream;
  const EventOwner before, after;
  const PinnedMemory from(bytes);
  const DeviceMemory to(bytes, stream.get());
  std::vector<double> out;
  for (int i = 0; i < runs; ++i) {
    before.record(stream.get());
    check(cudaMemcpyAsync(to.as<void>(), from.as<void>(), bytes, cudaMemcpyHostToDevice, stream.get()), "cudaMemcpyAsync");
    after.record(stream.get());
    check(cudaStreamSynchronize(stream.get()), "cudaStreamSynchronize");
    out.push_back(static_cast<double>(bytes) / before.seconds_to(after));
  }
  return out;
}

void copy_to_host(int device, const float* from, std::span<float> out) {
  check(cudaSetDevice(device), "cudaSetDevice");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");  // whose stream it was written on is not known here
  check(cudaMemcpy(out.data(), from, out.size_bytes(), cudaMemcpyDefault), "cudaMemcpy");
}

struct Pipeline::Impl {
  Impl(const Job& asked, int number);
  ~Impl();
  void upload();
  bool allocate();
  void compute(Slot& slot);
  template <class T>
  const T* keep(const std::vector<T>& values) {
    owned.emplace_back(values, stream.get());
    return owned.back().as<const T>();
  }

  Job job;
  int device;
  std::size_t shared_limit = 0, tile = 0;
  StreamOwner stream;  ///< of what all slots read
  std::vector<DeviceMemory> owned;
  ForestView forest{};
  LinearView linear{};
  CodeTableView table{};
  EdgesView edges{};
  std::vector<Slot> slots;
};

Pipeline::Impl::Impl(const Job& asked, int number)
    : job(asked), device((check(cudaSetDevice(number), "cudaSetDevice"), number)) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  shared_limit = properties.sharedMemPerBlockOptin;
  upload();
  slots.resize(kSlots);
  const std::size_t least = kSlots * (core::kTileRows * (job.rows * bytes_of(job.type) + sizeof(std::uint32_t)) +
                                      ResultLayout(job, core::kTileRows).bytes);
  std::size_t tiles = std::max<std::size_t>(tiles_of(job.tile_pixels), 1);
  if (job.memory_bytes > 0) tiles = std::min<std::size_t>(tiles, job.memory_bytes / least);
  for (; tiles > 0; tiles /= 2) {
    tile = tiles * core::kTileRows;
    if (allocate()) return;
  }
  throw Error(ErrorKind::resources, "not enough memory for a GPU",
              text("%u pixels need %zu bytes on the host and about as much on device %d", core::kTileRows, least, device),
              "Raise --memory, free memory on the device, or use --backend cpu");
}

Pipeline::Impl::~Impl() {
  cudaSetDevice(device);
  for (const Slot& slot : slots) cudaStreamSynchronize(slot.stream.get());
}

void Pipeline::Impl::upload() {
  const engine::DeviceForest& f = *job.forest;
  const engine::CodeTable& t = f.codes;
  const auto code_rows = static_cast<std::uint32_t>(t.rows.size());
  forest = {keep(f.base), keep(f.linear), keep(f.words), keep(f.nodes), keep(f.roots), keep(f.runs), keep(f.lists),
            static_cast<std::uint32_t>(f.lists.size() - 1), f.most_depth, code_rows};
  const auto linear_count = static_cast<std::uint32_t>(f.linear_outputs.size());
  linear = {keep(f.linear_outputs), forest.base, keep(f.weights), linear_count,
            linear_count > 0 ? static_cast<std::uint32_t>(f.weights.size() / linear_count) : 0};
  table = {keep(t.rows), keep(t.thresholds), keep(t.starts), keep(t.categories), code_rows};
  if (job.edges != nullptr) {
    const engine::DeviceEdges& e = *job.edges;
    edges = {keep(e.edges), keep(e.x), keep(e.series), keep(e.points), e.rule, static_cast<std::uint32_t>(e.edges.size()),
             static_cast<std::uint32_t>(std::max(e.most_fit, e.most_points))};
  }
  check(cudaStreamSynchronize(stream.get()), "cudaStreamSynchronize");
}

/// False where memory is short.
bool Pipeline::Impl::allocate() {
  try {
    for (Slot& slot : slots) slot.allocate(job, tile);
    return true;
  } catch (const OutOfMemory&) {
    for (Slot& slot : slots) {
      slot.clear();
      check(cudaStreamSynchronize(slot.stream.get()), "cudaStreamSynchronize");
    }
    return false;
  }
}

void Pipeline::Impl::compute(Slot& slot) {
  const cudaStream_t s = slot.stream.get();
  const std::size_t stride = stride_of(slot.rows);
  const ResultLayout at(job, stride);
  const DeviceMemory& out = slot.results;
  auto* const codes = slot.codes.as<std::uint8_t>();
  auto* const margins = out.as<float>(at.margins);
  RowsView rows{nullptr, nullptr, slot.rows};
  slot.before.record(s);
  if (job.edges == nullptr) {
    rank_rows(table, slot.counts.as<float>(), slot.pixel_count, slot.rows, codes, s);
  } else {
    const EdgeResults results{out.as<PixelStatus>(at.edge_status),
                              out.as<float>(at.A),
                              out.as<float>(at.r),
                              out.as<float>(at.snr),
                              job.all_fits ? out.as<EdgeFit>(at.fits) : nullptr,
                              job.features ? out.as<float>(at.features) : slot.features.as<float>(),
                              codes,
                              slot.linear.as<float>(),
                              stride};
    const CountsView counts{slot.counts.as<void>(), job.type, slot.pixel_count,
                            slot.rows == slot.pixel_count ? nullptr : slot.pixels.as<std::uint32_t>(), slot.rows};
    rows.valid = out.as<std::uint32_t>(at.valid);
    rows.count = out.as<std::uint32_t>(at.count);
    run_edges(edges, table, linear, counts, results, shared_limit, s);
    select_rows(results, edges.edge_count, slot.rows, out.as<PixelStatus>(at.status), out.as<std::uint32_t>(at.valid),
                out.as<std::uint32_t>(at.count), s);
    start_margins(linear, results, edges.edge_count, rows, stride, margins, s);
  }
  slot.between.record(s);
  run_forest(forest, codes, rows, stride, margins, shared_limit, s);
  slot.after.record(s);
}

Pipeline::Pipeline(const Job& job, int device) : impl_(std::make_unique<Impl>(job, device)) {}
Pipeline::~Pipeline() = default;

std::size_t Pipeline::tile_pixels() const { return impl_->tile; }
std::span<std::byte> Pipeline::counts(std::size_t slot) {
  const PinnedMemory& memory = impl_->slots[slot].counts_in;
  return {memory.as<std::byte>(), memory.bytes()};
}
std::span<std::uint32_t> Pipeline::pixels(std::size_t slot) {
  return {impl_->slots[slot].pixels_in.as<std::uint32_t>(), impl_->tile};
}

void Pipeline::start(std::size_t slot_number, std::size_t pixel_count, std::size_t rows) {
  check(cudaSetDevice(impl_->device), "cudaSetDevice");
  const Job& job = impl_->job;
  Slot& slot = impl_->slots[slot_number];
  const cudaStream_t s = slot.stream.get();
  slot.pixel_count = pixel_count;
  slot.rows = rows;
  if (rows == 0) return;
  const std::size_t number = bytes_of(job.type), bytes = pixel_count * job.rows * number;
  check(cudaMemcpyAsync((job.pixel_major ? slot.raw : slot.counts).as<void>(), slot.counts_in.as<void>(), bytes,
                        cudaMemcpyHostToDevice, s),
        "cudaMemcpyAsync");
  if (job.pixel_major) {
    std::size_t before = 0;
    for (const ChannelRange& window : job.edges->windows) {
      transpose(slot.raw.as<char>(before * pixel_count * number), pixel_count, window.size(), number,
                slot.counts.as<char>(before * pixel_count * number), pixel_count, s);
      before += window.size();
    }
  }
  if (rows != pixel_count) {
    check(cudaMemcpyAsync(slot.pixels.as<void>(), slot.pixels_in.as<void>(), rows * sizeof(std::uint32_t),
                          cudaMemcpyHostToDevice, s),
          "cudaMemcpyAsync");
  }
  impl_->compute(slot);
  check(cudaMemcpyAsync(slot.results_out.as<void>(), slot.results.as<void>(), ResultLayout(job, stride_of(rows)).bytes,
                        cudaMemcpyDeviceToHost, s),
        "cudaMemcpyAsync");
}

TileResult Pipeline::finish(std::size_t slot_number) {
  check(cudaSetDevice(impl_->device), "cudaSetDevice");
  const Job& job = impl_->job;
  const Slot& slot = impl_->slots[slot_number];
  check(cudaStreamSynchronize(slot.stream.get()), "cudaStreamSynchronize");
  TileResult out;
  out.rows = slot.rows;
  if (slot.rows == 0) return out;
  out.stride = stride_of(slot.rows);
  const ResultLayout at(job, out.stride);
  const PinnedMemory& from = slot.results_out;
  if (slot.rows != slot.pixel_count) out.pixel = slot.pixels_in.as<std::uint32_t>();
  out.margins = from.as<float>(at.margins);
  out.values = slot.rows;
  out.edges_seconds = slot.before.seconds_to(slot.between);
  out.forest_seconds = slot.between.seconds_to(slot.after);
  out.device = impl_->device;
  if (job.edges == nullptr) {
    out.device_features = slot.counts.as<float>();
    out.device_stride = slot.pixel_count;
    return out;
  }
  if (job.features_stay) {
    out.device_features = job.features ? slot.results.as<float>(at.features) : slot.features.as<float>();
    out.device_stride = out.stride;
  }
  out.status = from.as<PixelStatus>(at.status);
  out.edge_status = from.as<PixelStatus>(at.edge_status);
  out.A = from.as<float>(at.A);
  out.r = from.as<float>(at.r);
  out.snr = from.as<float>(at.snr);
  if (job.all_fits) out.fits = from.as<EdgeFit>(at.fits);
  if (job.features) out.features = from.as<float>(at.features);
  out.values = *from.as<std::uint32_t>(at.count);
  out.valid = from.as<std::uint32_t>(at.valid);
  return out;
}

}  // namespace elver::cuda
