#include <benchmark/benchmark.h>

#include <cstring>

#include "io/strided_image.hpp"

// Reading tiles of counts out of memory, as the tile loop does: every order in the file against a plain copy.
namespace elver {
namespace {

constexpr std::uint64_t kRows = 128, kColumns = 128, kChannels = 2048, kTile = 4096;

enum class Order { energy_major, pixel_major };

template <class Number>
StridedImage cube(NumberType type, Order order, bool swapped) {
  ImageInfo info;
  info.type = type;
  info.axes = {{"y", "nm", 1, 0, kRows, AxisRole::navigation},
               {"x", "nm", 1, 0, kColumns, AxisRole::navigation},
               {"Energy loss", "eV", 0.5, 0, kChannels, AxisRole::energy}};
  const auto values = std::make_shared<std::vector<Number>>(kRows * kColumns * kChannels, Number{1});
  constexpr auto kBytes = static_cast<std::ptrdiff_t>(sizeof(Number));
  StridedLayout layout{{std::as_bytes(std::span(*values)), values}, 0, {}, swapped};
  layout.strides = order == Order::energy_major
                       ? std::vector<std::ptrdiff_t>{kBytes * kColumns, kBytes, kBytes * kRows * kColumns}
                       : std::vector<std::ptrdiff_t>{kBytes * kColumns * kChannels, kBytes * kChannels, kBytes};
  return {std::move(info), std::move(layout)};
}

template <class Number>
void read_tiles(benchmark::State& state, NumberType type, Order order, bool swapped) {
  const StridedImage image = cube<Number>(type, order, swapped);
  std::vector<float> tile(kTile * kChannels);
  std::uint64_t first = 0;
  for (auto _ : state) {
    image.read_tile({first, first + kTile}, {0, kChannels}, tile);
    benchmark::DoNotOptimize(tile.data());
    first = (first + kTile) % image.pixels();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * tile.size() * sizeof(float)));
}

constexpr auto read_floats = read_tiles<float>;
constexpr auto read_shorts = read_tiles<std::uint16_t>;
constexpr auto read_doubles = read_tiles<double>;

void copy(benchmark::State& state) {
  const std::vector<float> from(kTile * kChannels, 1.0F);
  std::vector<float> tile(kTile * kChannels);
  for (auto _ : state) {
    std::memcpy(tile.data(), from.data(), tile.size() * sizeof(float));
    benchmark::DoNotOptimize(tile.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * tile.size() * sizeof(float)));
}

BENCHMARK(copy);
BENCHMARK_CAPTURE(read_floats, energy_major_f32, NumberType::f32, Order::energy_major, false);
BENCHMARK_CAPTURE(read_floats, energy_major_f32_swapped, NumberType::f32, Order::energy_major, true);
BENCHMARK_CAPTURE(read_shorts, energy_major_u16, NumberType::u16, Order::energy_major, false);
BENCHMARK_CAPTURE(read_floats, pixel_major_f32, NumberType::f32, Order::pixel_major, false);
BENCHMARK_CAPTURE(read_shorts, pixel_major_u16, NumberType::u16, Order::pixel_major, false);
BENCHMARK_CAPTURE(read_doubles, pixel_major_f64_swapped, NumberType::f64, Order::pixel_major, true);

}  // namespace
}  // namespace elver
