#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "elver/energy.hpp"
#include "io/values.hpp"

namespace elver {
namespace {

/// Random numbers that a pixel and a channel have for themselves (splitmix64, Steele, Lea and Flood, OOPSLA 2014).
class Chance {
 public:
  Chance(std::uint64_t pixel, std::uint64_t channel) : state_(mixed(mixed(pixel + kStep) ^ (channel + 1))) {}
  std::uint64_t next() { return mixed(state_ += kStep); }
  double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }

 private:
  static constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15ULL;
  static std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

/// How many of `count` electrons go over, each with the chance eighths/8: binomial; beyond 2^16, where nobody can tell
/// the difference, normal.
std::uint64_t going_over(std::uint64_t count, unsigned eighths, Chance& chance) {
  if (count > (1U << 16)) {
    const double share = eighths / 8.0, n = static_cast<double>(count);
    const double z = std::sqrt(-2 * std::log(chance.uniform())) * std::cos(2 * std::numbers::pi * chance.uniform());
    return static_cast<std::uint64_t>(std::round(n * share + std::sqrt(n * share * (1 - share)) * z));
  }
  std::uint64_t over = 0;
  for (std::uint64_t left = count; left > 0;) {
    // Bit i of the three words is a number from 0 to 7; `less` has the bits where it is below `eighths`.
    const std::uint64_t a = chance.next(), b = chance.next(), c = chance.next();
    const std::uint64_t ones = ~std::uint64_t{0};
    const std::uint64_t ka = eighths & 4U ? ones : 0, kb = eighths & 2U ? ones : 0, kc = eighths & 1U ? ones : 0;
    const std::uint64_t less = (~a & ka) | (~(a ^ ka) & ((~b & kb) | (~(b ^ kb) & (~c & kc))));
    const std::uint64_t some = left < 64 ? left : 64;
    over += static_cast<std::uint64_t>(std::popcount(some < 64 ? less & ((std::uint64_t{1} << some) - 1) : less));
    left -= some;
  }
  return over;
}

/// The part of a value that goes to the neighbour.
double part_over(double value, unsigned eighths, std::uint64_t pixel, std::uint64_t channel) {
  if (value >= 1 && value < 1e15 && value == std::floor(value)) {
    Chance chance(pixel, channel);
    return static_cast<double>(going_over(static_cast<std::uint64_t>(value), eighths, chance));
  }
  return value * eighths / 8.0;
}

ImageInfo described(const Image& image) {
  ImageInfo info = image.info();
  if (image.eighths().empty() || info.axes.back().size < 4) return info;
  info.type = type_of_sum(info.type);
  info.axes.back().offset += info.axes.back().scale;
  info.axes.back().size -= 2;
  return info;
}

class OneAxis : public Image {
 public:
  explicit OneAxis(const Image& image) : Image(described(image)), image_(image), dealt_(!image.eighths().empty()) {}

  void stay_within(std::uint64_t bytes) const override { image_.stay_within(bytes); }

  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    if (!dealt_) return image_.read(pixels, channels, out);
    const std::size_t row = channels.size() * bytes_of(info().type);
    std::vector<double> tile(channels.size() + 2);
    std::vector<double> sums(channels.size());
    for (std::uint64_t p = pixels.first; p < pixels.last; ++p) {
      deal(p, channels, tile, sums);
      std::byte* const to = out.data() + (p - pixels.first) * row;
      switch (info().type) {
        case NumberType::u32:
          store<std::uint32_t>(sums, to);
          break;
        case NumberType::i32:
          store<std::int32_t>(sums, to);
          break;
        case NumberType::f32:
          store<float>(sums, to);
          break;
        default:
          store<double>(sums, to);
      }
    }
  }

  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    if (!dealt_) return image_.read_tile(pixels, channels, out);
    std::vector<double> tile(channels.size() + 2);
    std::vector<double> sums(channels.size());
    for (std::uint64_t p = pixels.first; p < pixels.last; ++p) {
      deal(p, channels, tile, sums);
      for (std::size_t c = 0; c < sums.size(); ++c) {
        out[c * pixels.size() + (p - pixels.first)] = static_cast<float>(sums[c]);
      }
    }
  }

 private:
  /// One pixel's counts in these channels, which are those of the image behind and one: `tile` holds one more on
  /// either side.
  void deal(std::uint64_t pixel, ChannelRange channels, std::vector<double>& tile, std::vector<double>& sums) const {
    const std::size_t bytes = bytes_of(image_.info().type);
    std::vector<std::byte> stored(tile.size() * bytes);
    image_.read({pixel, pixel + 1}, {channels.first, channels.last + 2}, stored);
    values::with_stored({image_.info().type, false, false}, [&]<class Source>() {
      for (std::size_t t = 0; t < tile.size(); ++t) tile[t] = static_cast<double>(Source::load(stored.data() + t * bytes));
    });
    const int eighths = image_.eighths()[pixel];
    const auto size = static_cast<unsigned>(std::abs(eighths));
    const std::ptrdiff_t to = eighths > 0 ? -1 : 1;  // positive: the counts lie below their channel
    for (std::size_t c = 0; c < sums.size(); ++c) sums[c] = tile[c + 1];
    if (size == 0) return;
    for (std::size_t t = 0; t < tile.size(); ++t) {
      const double over = part_over(tile[t], size, pixel, channels.first + t);
      const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(t) - 1, at = from + to;
      if (from >= 0 && from < std::ssize(sums)) sums[static_cast<std::size_t>(from)] -= over;
      if (at >= 0 && at < std::ssize(sums)) sums[static_cast<std::size_t>(at)] += over;
    }
  }

  template <class Number>
  static void store(const std::vector<double>& sums, std::byte* to) {
    for (const double sum : sums) {
      const auto number = static_cast<Number>(sum);
      std::memcpy(to, &number, sizeof number);
      to += sizeof number;
    }
  }

  const Image& image_;
  bool dealt_;
};

}  // namespace

std::unique_ptr<Image> on_one_axis(const Image& image) { return std::make_unique<OneAxis>(image); }

}  // namespace elver
