#pragma once
#include "elver/engine.hpp"
#include "types/stopwatch.hpp"

namespace elver::engine {

/// An image that notes how long its reads take.
class TimedImage : public Image {
 public:
  explicit TimedImage(const Image& image) : Image(image.info()), image_(image) {}
  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    const Stopwatch watch;
    image_.read(pixels, channels, out);
    seconds_.add(watch.seconds());
  }
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    const Stopwatch watch;
    image_.read_tile(pixels, channels, out);
    seconds_.add(watch.seconds());
  }
  void stay_within(std::uint64_t bytes) const override { image_.stay_within(bytes); }
  double seconds() const { return seconds_.value(); }

 private:
  const Image& image_;
  mutable SharedSeconds seconds_;
};

}  // namespace elver::engine
