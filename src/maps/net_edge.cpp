#include <algorithm>
#include <limits>
#include <memory>

#include "background/fitters.hpp"
#include "elver/maps.hpp"

namespace elver {
namespace {

ImageInfo described(const Image& image, const Edge& edge, ChannelRange channels) {
  ImageInfo info = image.info();
  info.title = "edge_" + edge.name;
  info.type = NumberType::f32;
  info.signal_type = "EELS";
  info.axes.back().offset = image.energy().energy(static_cast<double>(channels.first));
  info.axes.back().size = channels.size();
  info.refusal.clear();
  return info;
}

/// Fits and subtracts when it is read, so the spectra of a large image never lie in memory together.
class NetEdge : public Image {
 public:
  NetEdge(const Image& image, const Model& model, const MapResult& result, const Edge& edge, ChannelRange channels)
      : Image(described(image, edge, channels)),
        image_(image),
        result_(result),
        channels_(channels),
        fitters_(image, edge.fit, {edge.grid.start_ev, edge.grid.stop_ev}, model.background) {}

  std::span<const std::int8_t> eighths() const override { return image_.eighths(); }

  void stay_within(std::uint64_t bytes) const override { image_.stay_within(bytes); }

  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    const std::size_t count = pixels.size();
    deal(pixels, channels,
         [&](std::size_t channel, std::size_t pixel, float net) { out[channel * count + pixel] = net; });
  }

  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    auto* const spectra = reinterpret_cast<float*>(out.data());
    deal(pixels, channels,
         [&](std::size_t channel, std::size_t pixel, float net) { spectra[pixel * channels.size() + channel] = net; });
  }

 private:
  /// Hands out every net value of these pixels and channels (counted from the first of each).
  template <class Put>
  void deal(PixelRange pixels, ChannelRange channels, Put&& put) const {
    constexpr std::uint64_t kTile = 16 * kBlock;
    const ChannelRange net_channels = together(channels_, fitters_.channels());
    std::vector<float> counts;
    for (std::uint64_t start = pixels.first; start < pixels.last; start += kTile) {
      const PixelRange part{start, std::min(pixels.last, start + kTile)};
      counts.resize(part.size() * net_channels.size());
      image_.read_tile(part, net_channels, counts);
      const TileView tile{counts.data(), static_cast<std::size_t>(part.size()), net_channels};
      fitters_.fit(part, tile, net_channels, [&](std::size_t place, const EdgeFit&, const float* net) {
        const std::uint64_t pixel = part.first + place;
        const bool lost = failed(result_.status[pixel]);
        for (std::size_t c = channels.first; c < channels.last; ++c) {
          put(c - channels.first, pixel - pixels.first,
              lost ? std::numeric_limits<float>::quiet_NaN()
                   : net[(c + channels_.first - net_channels.first) * kBlock]);
        }
      });
    }
  }

  const Image& image_;
  const MapResult& result_;
  ChannelRange channels_;
  Fitters fitters_;
};

}  // namespace

std::unique_ptr<Image> net_edge(const Image& image, const Model& model, const MapResult& result, std::size_t edge) {
  const Edge& which = model.edges.at(edge);
  const EnergyAxis axis = image.energy();
  const ChannelRange channels{axis.channels(which.fit).first,
                              axis.channels({which.grid.start_ev, which.grid.stop_ev}).last};
  return std::make_unique<NetEdge>(image, model, result, which, channels);
}

}  // namespace elver
