#include <algorithm>
#include <array>

#include "bench/case.hpp"
#include "elver/error.hpp"
#include "elver/maps.hpp"
#include "engine/cuda.hpp"
#include "engine/device_loop.hpp"
#include "maps/device_maps.hpp"
#include "types/stopwatch.hpp"

namespace elver::bench {
namespace {

constexpr std::size_t kTilePixels = 32768;

/// Tiles that take turns, so that no cache holds the next one's counts; the plan's channels of the image's first pixels.
class DeviceKernels {
 public:
  DeviceKernels(const Case& what, int device)
      : forest_(engine::pack_device_forest(what.boosters, engine::Missing::never)),
        edges_(engine::pack_device_edges(what.model, what.image.energy(), forest_.codes)) {
    job_.forest = &forest_;
    job_.edges = &edges_;
    job_.rows = edges_.rows;
    job_.tile_pixels = std::min<std::uint64_t>(kTilePixels, what.image.pixels());
    engine::choose_wire(what.image, job_);
    pipeline_ = std::make_unique<cuda::Pipeline>(job_, device);
    tile_ = std::min<std::size_t>(pipeline_->tile_pixels(), job_.tile_pixels);
    const std::size_t number = bytes_of(job_.type);
    for (std::size_t slot = 0; slot < cuda::Pipeline::kSlots; ++slot) {
      const std::uint64_t first = std::min<std::uint64_t>(slot * tile_, what.image.pixels() - tile_);
      std::span<std::byte> to = pipeline_->counts(slot);
      for (const ChannelRange& window : edges_.windows) {
        const PixelRange pixels{first, first + tile_};
        const std::size_t values = window.size() * tile_;
        if (job_.pixel_major) {
          what.image.read(pixels, window, to.first(values * number));
        } else if (job_.type == what.image.info().type) {
          what.image.read_channels(pixels, window, to.first(values * number));
        } else {
          what.image.read_tile(pixels, window, {reinterpret_cast<float*>(to.data()), values});
        }
        to = to.subspan(values * number);
      }
    }
  }

  cuda::TileResult run() {
    slot_ = (slot_ + 1) % cuda::Pipeline::kSlots;
    pipeline_->start(slot_, tile_, tile_);
    return pipeline_->finish(slot_);
  }

  std::size_t tile_pixels() const { return tile_; }
  double counts_bytes() const { return static_cast<double>(edges_.rows * bytes_of(job_.type)); }
  double codes_bytes() const { return static_cast<double>(forest_.codes.rows.size()); }

 private:
  engine::DeviceForest forest_;
  engine::DeviceEdges edges_;
  cuda::Job job_;
  std::unique_ptr<cuda::Pipeline> pipeline_;
  std::size_t tile_ = 0, slot_ = 0;
};

}  // namespace

void add_device_rows(const Case& what, int device, const std::vector<BenchScope>& scopes, Steps& steps,
                     BenchParity& parity) {
  RunContext context = what.context;
  context.backend = Backend::cpu;
  const MapResult plain = map_image(what.image, what.model, {}, context);
  context.backend = Backend::cuda;
  context.device = device;
  parity.map_values += compare_maps(plain, map_image(what.image, what.model, {}, context), "from the GPU");

  const auto wanted = [&](BenchScope scope) { return std::ranges::find(scopes, scope) != scopes.end(); };
  const std::string on = what.machine.gpu;
  if (wanted(BenchScope::device)) {
    const auto kernels = std::make_shared<DeviceKernels>(what, device);
    const auto meter = [&](const char* stage, BenchScope scope, double bytes, bool trees) {
      return &steps.add({stage, scope, "elver", on, kernels->tile_pixels(), {}, bytes, trees ? what.nodes_a_pixel : 0,
                         trees ? what.visits_a_pixel : 0});
    };
    Meter* const edges = meter("K1", BenchScope::kernel, kernels->counts_bytes() + kernels->codes_bytes(), false);
    Meter* const trees = meter("K2", BenchScope::kernel, kernels->codes_bytes(), true);
    Meter* const both = meter("K1 and K2", BenchScope::device, kernels->counts_bytes() + 2 * kernels->codes_bytes(), true);
    for (std::size_t i = 0; i < cuda::Pipeline::kSlots; ++i) kernels->run();  // warms up
    steps.once.push_back([=] {
      const cuda::TileResult done = kernels->run();
      edges->seconds.push_back(done.edges_seconds);
      trees->seconds.push_back(done.forest_seconds);
      both->seconds.push_back(done.edges_seconds + done.forest_seconds);
    });
  }
  if (!wanted(BenchScope::host_to_host)) return;
  const engine::DeviceForest forest = engine::pack_device_forest(what.boosters, engine::Missing::never);
  const engine::DeviceEdges edges = engine::pack_device_edges(what.model, what.image.energy(), forest.codes);
  cuda::Job job;
  job.edges = &edges;
  engine::choose_wire(what.image, job);
  const auto bytes = static_cast<double>(edges.rows * bytes_of(job.type));
  BenchRow row{"map", BenchScope::host_to_host, "elver", on, what.image.pixels(), {}, bytes, what.nodes_a_pixel,
               what.visits_a_pixel};
  row.limit_by = "link";
  row.limit_mpx_s = what.machine.link_bytes_s.median / bytes * 1e-6;
  Meter* const host = &steps.add(std::move(row));
  steps.once.push_back([=, &what] {
    const Stopwatch watch;
    map_image(what.image, what.model, {}, context);
    host->seconds.push_back(watch.seconds());
  });
}

}  // namespace elver::bench
