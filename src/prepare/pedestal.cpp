#include <cmath>
#include <cstring>

#include "elver/error.hpp"
#include "elver/prepare.hpp"
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

  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    std::vector<float> tile(pixels.size() * channels.size());
    read_tile(pixels, channels, tile);
    const std::size_t n = pixels.size();
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t c = 0; c < channels.size(); ++c) {
        std::byte* const to = out.data() + (p * channels.size() + c) * bytes_of(info().type);
        const float value = tile[c * n + p];
        if (info().type == NumberType::i32) {
          const auto number = static_cast<std::int32_t>(value);
          std::memcpy(to, &number, sizeof number);
        } else if (info().type == NumberType::f32) {
          std::memcpy(to, &value, sizeof value);
        } else {
          const double number = static_cast<double>(value);
          std::memcpy(to, &number, sizeof number);
        }
      }
    }
  }

  void stay_within(std::uint64_t bytes) const override { image_->stay_within(bytes); }

 private:
  std::unique_ptr<Image> image_;
  double counts_;
};

}  // namespace

std::unique_ptr<Image> off_pedestal(std::unique_ptr<Image> image, double counts) {
  if (!std::isfinite(counts)) {
    throw Error(ErrorKind::usage, text("--pedestal %g", counts), "not a number of counts", "Give the counts of a channel without electrons");
  }
  const bool whole = image->info().type != NumberType::f32 && image->info().type != NumberType::f64;
  if (whole && counts != std::floor(counts)) {
    throw Error(ErrorKind::usage, text("--pedestal %g", counts), "the image's counts are whole numbers", "Give a whole number");
  }
  return std::make_unique<OffPedestal>(std::move(image), counts);
}

}  // namespace elver
