#include <algorithm>
#include <cmath>
#include <cstring>

#include "elver/energy.hpp"
#include "elver/error.hpp"
#include "types/median.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// Whole channels and eighths of one that make up every pixel's offset from the median.
struct Shifts {
  double median_ev = 0;
  std::vector<std::int32_t> whole;
  std::vector<std::int8_t> eighths;
  std::int32_t least = 0, most = 0;  ///< of the whole ones, 0 among them
};

Shifts shifts_of(const Image& image, std::span<const double> offsets_ev) {
  const EnergyAxis axis = image.energy();
  Shifts out;
  if (offsets_ev.size() != image.pixels() || offsets_ev.empty()) {
    throw Error(
        ErrorKind::mismatch, "cannot align the image",
        text("%zu offsets for %llu pixels", offsets_ev.size(), static_cast<unsigned long long>(image.pixels())));
  }
  out.median_ev = upper_median(std::vector<double>(offsets_ev.begin(), offsets_ev.end()));
  for (const double offset : offsets_ev) {
    const double eighths = std::round(8.0 * (offset - out.median_ev) / axis.dispersion_ev);
    if (!(std::abs(eighths) < 8e6)) {
      throw Error(ErrorKind::mismatch, "cannot align the image", text("one pixel's offset is %g eV", offset));
    }
    const auto n = static_cast<std::int32_t>(eighths);
    const auto whole = static_cast<std::int32_t>(std::floor((n + 3) / 8.0));
    out.whole.push_back(whole);
    out.eighths.push_back(static_cast<std::int8_t>(n - 8 * whole));
    out.least = std::min(out.least, whole);
    out.most = std::max(out.most, whole);
  }
  return out;
}

ImageInfo described(const Image& image, const Shifts& shifts) {
  ImageInfo info = image.info();
  const EnergyAxis axis = image.energy();
  const auto lost = static_cast<std::uint64_t>(shifts.most) + static_cast<std::uint64_t>(-shifts.least);
  if (lost + 2 > axis.size) {
    throw Error(ErrorKind::mismatch, "cannot align the image",
                text("its pixels lie up to %g eV apart on an axis of %zu channels of %g eV",
                     static_cast<double>(lost) * std::abs(axis.dispersion_ev), axis.size, axis.dispersion_ev));
  }
  info.axes.back().offset = axis.energy(static_cast<double>(-shifts.least)) - shifts.median_ev;
  info.axes.back().size = axis.size - lost;
  return info;
}

/// Channel j of pixel p is channel j - least + whole[p] of the image behind.
class AlignedImage : public Image {
 public:
  AlignedImage(std::unique_ptr<Image> image, Shifts shifts)
      : Image(described(*image, shifts)), image_(std::move(image)), shifts_(std::move(shifts)) {}

  std::span<const std::int8_t> eighths() const override { return shifts_.eighths; }

  void stay_within(std::uint64_t bytes) const override { image_->stay_within(bytes); }

  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    const Reach reach = reach_of(pixels, channels);
    const std::size_t bytes = bytes_of(info().type);
    std::vector<std::byte> more(pixels.size() * reach.channels.size() * bytes);
    image_->read(pixels, reach.channels, more);
    for (std::uint64_t p = 0; p < pixels.size(); ++p) {
      const std::size_t skip = static_cast<std::size_t>(shifts_.whole[pixels.first + p] - reach.least);
      std::memcpy(out.data() + p * channels.size() * bytes, more.data() + (p * reach.channels.size() + skip) * bytes,
                  channels.size() * bytes);
    }
  }

  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    const Reach reach = reach_of(pixels, channels);
    const std::size_t count = pixels.size();
    if (reach.channels.size() == channels.size()) return image_->read_tile(pixels, reach.channels, out);
    std::vector<float> more(count * reach.channels.size());
    image_->read_tile(pixels, reach.channels, more);
    std::vector<std::size_t> at(count);
    for (std::size_t p = 0; p < count; ++p) {
      at[p] = static_cast<std::size_t>(shifts_.whole[pixels.first + p] - reach.least) * count + p;
    }
    for (std::size_t c = 0; c < channels.size(); ++c) {
      for (std::size_t p = 0; p < count; ++p) out[c * count + p] = more[c * count + at[p]];
    }
  }

 private:
  /// What of the image behind these pixels and channels lie in.
  struct Reach {
    std::int32_t least;
    ChannelRange channels;
  };
  Reach reach_of(PixelRange pixels, ChannelRange channels) const {
    if (pixels.size() == 0) return {0, channels};
    const auto [least, most] = std::minmax_element(shifts_.whole.begin() + static_cast<std::ptrdiff_t>(pixels.first),
                                                   shifts_.whole.begin() + static_cast<std::ptrdiff_t>(pixels.last));
    return {*least,
            {channels.first + static_cast<std::size_t>(*least - shifts_.least),
             channels.last + static_cast<std::size_t>(*most - shifts_.least)}};
  }

  std::unique_ptr<Image> image_;
  Shifts shifts_;
};

}  // namespace

std::unique_ptr<Image> aligned_image(std::unique_ptr<Image> image, std::span<const double> offsets_ev) {
  Shifts shifts = shifts_of(*image, offsets_ev);
  return std::make_unique<AlignedImage>(std::move(image), std::move(shifts));
}

}  // namespace elver
