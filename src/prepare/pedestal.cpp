#include <cmath>
#include <cstring>

#include "elver/error.hpp"
#include "elver/prepare.hpp"
#include "io/values.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

ImageInfo described(const Image& image) {
  ImageInfo info = image.info();
  switch (info.type) {  // less than a pedestal is a negative number
    case NumberType::u8:
    case NumberType::i8:
    case NumberType::u16:
    case NumberType::i16:
      info.type = NumberType::i32;
      break;
    case NumberType::f32:
      break;
    default:
      info.type = NumberType::f64;
  }
  return info;
}

class OffPedestal : public Image {
 public:
  OffPedestal(std::unique_ptr<Image> image, double counts)
      : Image(described(*image)), image_(std::move(image)), counts_(counts) {}

  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    image_->read_tile(pixels, channels, out);
    for (float& value : out.first(pixels.size() * channels.size()))
      value = static_cast<float>(static_cast<double>(value) - counts_);
  }

  /// Not by way of float32, which holds whole numbers to 2^24 only.
  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    std::vector<std::byte> stored(pixels.size() * channels.size() * bytes_of(image_->info().type));
    image_->read(pixels, channels, stored);
    values::with_stored({image_->info().type, false, false}, [&]<class Source>() {
      store_all(out, pixels.size() * channels.size(), [&](std::size_t i) {
        return static_cast<double>(Source::load(stored.data() + i * bytes_of(image_->info().type))) - counts_;
      });
    });
  }

  void stay_within(std::uint64_t bytes) const override { image_->stay_within(bytes); }

 private:
  template <class Value>
  void store_all(std::span<std::byte> out, std::size_t count, const Value& value) const {
    const auto store = [&]<class Number>(Number) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto number = static_cast<Number>(value(i));
        std::memcpy(out.data() + i * sizeof number, &number, sizeof number);
      }
    };
    if (info().type == NumberType::i32) return store(std::int32_t{});
    if (info().type == NumberType::f32) return store(float{});
    store(double{});
  }

  std::unique_ptr<Image> image_;
  double counts_;
};

}  // namespace

std::unique_ptr<Image> off_pedestal(std::unique_ptr<Image> image, double counts) {
  constexpr double kMost = 1e9;  // more would not fit the differences
  if (!(std::abs(counts) <= kMost)) {
    throw Error(ErrorKind::usage, text("--pedestal %g", counts), "not a number of counts", "Give the counts of a channel without electrons");
  }
  const bool whole = image->info().type != NumberType::f32 && image->info().type != NumberType::f64;
  if (whole && counts != std::floor(counts)) {
    throw Error(ErrorKind::usage, text("--pedestal %g", counts), "the image's counts are whole numbers", "Give a whole number");
  }
  return std::make_unique<OffPedestal>(std::move(image), counts);
}

}  // namespace elver
