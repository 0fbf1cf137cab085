#include "bench/made_image.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "elver/error.hpp"
#include "io/strided_image.hpp"
#include "types/text.hpp"

namespace elver::bench {
namespace {

/// Pixel p shows spectrum_of(p).
class RepeatedImage : public Image {
 public:
  /// `values`: [channel][kSpectra], of the info's type.
  RepeatedImage(ImageInfo info, std::vector<std::byte> values) : Image(std::move(info)), values_(std::move(values)) {}

  bool channels_first() const override { return true; }
  void read_channels(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    copy(pixels, channels, out, 1, pixels.size());
  }
  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    copy(pixels, channels, out, channels.size(), 1);
  }
  void read_tile(PixelRange, ChannelRange, std::span<float>) const override {
    throw Error(ErrorKind::usage, "a made image", "it is copied to memory or to a file before it is used");
  }

 private:
  void copy(PixelRange pixels, ChannelRange channels, std::span<std::byte> out, std::size_t pixel_step, std::size_t channel_step) const {
    const auto as = [&]<class Number>(Number) {  // all are numbers of 2 or of 4 bytes
      const auto* const values = reinterpret_cast<const Number*>(values_.data());
      auto* const to = reinterpret_cast<Number*>(out.data());
      for (std::uint64_t p = pixels.first; p < pixels.last; ++p) {
        const std::size_t spectrum = spectrum_of(p), place = (p - pixels.first) * pixel_step;
        for (std::size_t c = channels.first; c < channels.last; ++c)
          to[place + (c - channels.first) * channel_step] = values[c * kSpectra + spectrum];
      }
    };
    bytes_of(info().type) == 2 ? as(std::uint16_t{}) : as(std::uint32_t{});
  }

  std::vector<std::byte> values_;
};

/// One edge's counts above the background, of height 1 at most: its reference, and past that a fall as E^-3.
double edge_shape(const Model& model, const Edge& edge, double energy_ev) {
  for (const ReferenceSpectrum& reference : model.references) {
    if (reference.edge != edge.name || reference.energy_ev.size() < 2) continue;
    const std::vector<float>& x = reference.energy_ev;
    if (energy_ev < static_cast<double>(x.front())) return 0;
    const double last = static_cast<double>(x.back());
    if (energy_ev >= last) return static_cast<double>(reference.intensity.back()) * std::pow(energy_ev / last, -3.0);
    const auto above = std::ranges::upper_bound(x, static_cast<float>(energy_ev));
    const auto i = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(above - x.begin(), 1, std::ssize(x) - 1));
    const double share = (energy_ev - static_cast<double>(x[i - 1])) / static_cast<double>(x[i] - x[i - 1]);
    return (1 - share) * static_cast<double>(reference.intensity[i - 1]) +
           share * static_cast<double>(reference.intensity[i]);
  }
  const double onset = edge.grid.start_ev + 0.1 * (edge.grid.stop_ev - edge.grid.start_ev);
  return energy_ev < onset ? 0 : std::pow(energy_ev / onset, -3.0);
}

template <class Number>
void put(std::vector<std::byte>& values, std::size_t at, double count) {
  const auto number = static_cast<Number>(std::min(count, static_cast<double>(std::numeric_limits<std::uint16_t>::max())));
  std::memcpy(values.data() + at * sizeof(Number), &number, sizeof number);
}

std::vector<std::byte> made_counts(const Model& model, const EnergyAxis& axis, NumberType type) {
  std::vector<std::vector<double>> shapes;  // [edge][channel]
  std::vector<double> energy(axis.size);
  for (std::size_t c = 0; c < axis.size; ++c) energy[c] = axis.energy(static_cast<double>(c));
  for (const Edge& edge : model.edges) {
    std::vector<double>& shape = shapes.emplace_back();
    for (const double e : energy) shape.push_back(edge_shape(model, edge, e));
  }
  std::vector<std::byte> values(axis.size * kSpectra * bytes_of(type));
  std::mt19937_64 random(1);
  const double first = model.edges.front().fit.stop_ev;
  for (std::size_t p = 0; p < kSpectra; ++p) {
    // 64 rows of 64: waves of a different length for each of what changes.
    const double x = static_cast<double>(p % 64) / 64, y = static_cast<double>(p / 64) / 64;
    const auto wave = [&](double a, double b, double phase) { return 0.5 + 0.5 * std::sin(6.283 * (a * x + b * y) + phase); };
    const double level = 300.0 + 1200.0 * wave(1.0, 0.5, 0.3), r = 2.6 + 0.8 * wave(0.7, 1.1, 1.0);
    std::vector<double> height;
    for (std::size_t e = 0; e < model.edges.size(); ++e) {
      const auto k = static_cast<double>(e);
      height.push_back(level * (0.3 + 0.9 * wave(1.3 + 0.4 * k, 0.9 + 0.3 * k, k)));
    }
    for (std::size_t c = 0; c < axis.size; ++c) {
      double mean = level * std::pow(energy[c] / first, -r);
      for (std::size_t e = 0; e < shapes.size(); ++e) {
        const double fall = std::pow(first / model.edges[e].fit.stop_ev, r);
        mean += height[e] * fall * shapes[e][c];
      }
      const auto count = static_cast<double>(std::poisson_distribution<int>(mean)(random));
      const std::size_t at = c * kSpectra + p;
      if (type == NumberType::u16) put<std::uint16_t>(values, at, count);
      if (type == NumberType::i32) put<std::int32_t>(values, at, count);
      if (type == NumberType::f32) put<float>(values, at, count);
    }
  }
  return values;
}

}  // namespace

std::size_t spectrum_of(std::uint64_t pixel) {
  for (int round = 0; round < 2; ++round) pixel = (pixel ^ (pixel >> 31)) * 0xBF58476D1CE4E5B9U;  // as splitmix64 mixes
  return static_cast<std::size_t>(pixel >> 32) % kSpectra;
}

std::unique_ptr<Image> made_image(const Model& model, const BenchJob& job) {
  if (job.counts != NumberType::u16 && job.counts != NumberType::i32 && job.counts != NumberType::f32) {
    throw Error(ErrorKind::usage, "counts of type " + std::string(name_of(job.counts)), "elver bench makes none of it",
                "Choose uint16, int32 or float32");
  }
  if (model.edges.empty()) throw Error(ErrorKind::mismatch, "model \"" + model.name + "\"", "it has no edge");
  double low = model.edges.front().fit.start_ev, high = model.edges.front().grid.stop_ev;
  for (const Edge& edge : model.edges) {
    low = std::min(low, edge.fit.start_ev);
    high = std::max(high, edge.grid.stop_ev);
  }
  EnergyAxis axis;
  axis.size = job.channels;
  axis.dispersion_ev = (high - low + 20.0) / static_cast<double>(job.channels);
  axis.offset_ev = low - 10.0;
  ImageInfo info;
  info.id = "0";
  info.title = "made for a bench";
  info.kind = ImageKind::spectrum_image;
  info.type = job.counts;
  info.axes = {{"y", "nm", 1.0, 0.0, job.rows, AxisRole::navigation},
               {"x", "nm", 1.0, 0.0, job.columns, AxisRole::navigation},
               {"Energy loss", "eV", axis.dispersion_ev, axis.offset_ev, axis.size, AxisRole::energy}};
  info.signal_type = "EELS";
  info.selected = true;
  return std::make_unique<RepeatedImage>(std::move(info), made_counts(model, axis, job.counts));
}

std::unique_ptr<Image> in_memory(const Image& image, const RunContext& context) {
  const std::size_t number = bytes_of(image.info().type), channels = image.channels(), pixels = image.pixels();
  const auto values = std::make_shared<std::vector<std::byte>>(number * channels * pixels);
  StridedLayout layout;
  std::ptrdiff_t pixel_stride = 0, channel_stride = 0;
  if (image.channels_first()) {
    for (std::size_t c = 0; c < channels; ++c) {
      context.check_interrupt();
      image.read_channels({0, pixels}, {c, c + 1}, std::span(*values).subspan(c * pixels * number, pixels * number));
    }
    pixel_stride = static_cast<std::ptrdiff_t>(number);
    channel_stride = static_cast<std::ptrdiff_t>(number * pixels);
  } else {
    constexpr std::uint64_t kAtOnce = 1024;
    for (std::uint64_t first = 0; first < pixels; first += kAtOnce) {
      context.check_interrupt();
      const PixelRange some{first, std::min<std::uint64_t>(pixels, first + kAtOnce)};
      image.read(some, {0, channels},
                 std::span(*values).subspan(first * channels * number, some.size() * channels * number));
    }
    pixel_stride = static_cast<std::ptrdiff_t>(number * channels);
    channel_stride = static_cast<std::ptrdiff_t>(number);
  }
  const std::vector<Axis>& axes = image.info().axes;
  layout.strides.assign(axes.size(), 0);
  std::ptrdiff_t stride = pixel_stride;
  for (std::size_t a = axes.size(); a-- > 0;) {
    if (axes[a].role == AxisRole::energy) {
      layout.strides[a] = channel_stride;
    } else {
      layout.strides[a] = stride;
      stride *= static_cast<std::ptrdiff_t>(axes[a].size);
    }
  }
  layout.bytes.span = *values;
  layout.bytes.owner = values;
  return std::make_unique<StridedImage>(image.info(), std::move(layout));
}

}  // namespace elver::bench
