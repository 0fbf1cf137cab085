#pragma once
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "elver/image.hpp"

namespace elver::test {

/// Spectra held in memory, float32, [pixel][channel], on these axes (energy last).
class CountsImage : public Image {
 public:
  CountsImage(std::vector<Axis> navigation, const EnergyAxis& energy)
      : Image(described(std::move(navigation), energy)), values(pixels() * channels(), 0.0f) {}
  float& at(std::uint64_t pixel, std::size_t channel) { return values[pixel * channels() + channel]; }

  void read(PixelRange range, ChannelRange some, std::span<std::byte> out) const override {
    for (std::uint64_t p = range.first; p < range.last; ++p) {
      std::memcpy(out.data() + (p - range.first) * some.size() * sizeof(float),
                  values.data() + p * channels() + some.first, some.size() * sizeof(float));
    }
  }
  void read_tile(PixelRange range, ChannelRange some, std::span<float> out) const override {
    for (std::uint64_t p = range.first; p < range.last; ++p) {
      for (std::size_t c = some.first; c < some.last; ++c) {
        out[(c - some.first) * range.size() + p - range.first] = values[p * channels() + c];
      }
    }
  }

 private:
  static ImageInfo described(std::vector<Axis> axes, const EnergyAxis& energy) {
    ImageInfo info;
    info.title = "counts";
    info.kind = axes.empty() ? ImageKind::spectrum : ImageKind::spectrum_image;
    axes.push_back({"Energy loss", "eV", energy.dispersion_ev, energy.offset_ev, energy.size, AxisRole::energy});
    info.axes = std::move(axes);
    info.signal_type = "EELS";
    return info;
  }

 public:
  std::vector<float> values;
};

/// A row of pixels.
inline std::vector<Axis> pixel_row(std::uint64_t pixels) {
  return {{"x", "nm", 1.0, 0.0, pixels, AxisRole::navigation}};
}

}  // namespace elver::test
