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
  Grain grain() const override { return image_.grain(); }
  bool channels_first() const override { return image_.channels_first(); }
  /// Fetching is done ahead: only unpacking and reading count.
  std::unique_ptr<Stretch> stretch(const PixelBlock& pixels, std::span<const ChannelRange> channels) const override {
    return std::make_unique<Timed>(image_.stretch(pixels, channels), seconds_);
  }
  double seconds() const { return seconds_.value(); }

 private:
  class Timed : public Stretch {
   public:
    Timed(std::unique_ptr<Stretch> stretch, SharedSeconds& seconds) : stretch_(std::move(stretch)), seconds_(seconds) {}
    std::size_t parts() const override { return stretch_->parts(); }
    void unpack(std::size_t part) override {
      const Stopwatch watch;
      stretch_->unpack(part);
      seconds_.add(watch.seconds());
    }
    void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
      const Stopwatch watch;
      stretch_->read_tile(pixels, channels, out);
      seconds_.add(watch.seconds());
    }

   private:
    std::unique_ptr<Stretch> stretch_;
    SharedSeconds& seconds_;
  };
  const Image& image_;
  mutable SharedSeconds seconds_;
};

/// What all threads spent on each stage of a loop that took `wall` seconds, as shares of these.
inline StageSeconds shared_out(StageSeconds spent, double wall) {
  const double all = spent.read + spent.background + spent.features + spent.rank + spent.trees + spent.write;
  const double share = all > 0 ? wall / all : 0.0;
  return {spent.read * share,
          spent.background * share,
          spent.features * share,
          spent.rank * share,
          spent.trees * share,
          spent.write * share,
          0.0};
}

}  // namespace elver::engine
