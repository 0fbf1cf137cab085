#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <type_traits>

#include "elver/error.hpp"
#include "elver/prepare.hpp"
#include "io/values.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// The navigation axes that are rows and columns, from the last back; columns alone of a line scan.
ImageInfo described(const Image& image, Binning bin) {
  ImageInfo info = image.info();
  info.type = type_of_sum(info.type);
  std::vector<Axis*> axes;
  for (Axis& axis : info.axes) {
    if (axis.role == AxisRole::navigation) axes.push_back(&axis);
  }
  const auto shrink = [&](std::uint64_t by, std::size_t from_last, const char* what) {
    if (by == 1) return;
    if (axes.size() < from_last || axes[axes.size() - from_last]->size < by) {
      const std::uint64_t size = axes.size() < from_last ? 1 : axes[axes.size() - from_last]->size;
      throw Error(ErrorKind::mismatch, text("cannot sum %llu %s", static_cast<unsigned long long>(by), what),
                  text("the image has %llu", static_cast<unsigned long long>(size)), "Choose a smaller --bin");
    }
    Axis& axis = *axes[axes.size() - from_last];
    axis.offset += 0.5 * static_cast<double>(by - 1) * axis.scale;
    axis.scale *= static_cast<double>(by);
    axis.size /= by;
  };
  shrink(bin.columns, 1, "columns");
  shrink(bin.rows, 2, "rows");
  return info;
}

class BinnedImage : public Image {
 public:
  BinnedImage(std::unique_ptr<Image> image, Binning bin)
      : Image(described(*image, bin)), image_(std::move(image)), bin_(bin) {}

  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    const std::size_t count = pixels.size();
    std::vector<double> sums(channels.size());
    each(pixels, channels, sums, [&](std::size_t pixel) {
      for (std::size_t c = 0; c < sums.size(); ++c) out[c * count + pixel] = static_cast<float>(sums[c]);
    });
  }

  void stay_within(std::uint64_t bytes) const override { image_->stay_within(bytes); }

  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    std::vector<double> sums(channels.size());
    const std::size_t row = channels.size() * bytes_of(info().type);
    each(pixels, channels, sums, [&](std::size_t pixel) {
      std::byte* const to = out.data() + pixel * row;
      switch (info().type) {
        case NumberType::u32:
          return store<std::uint32_t>(sums, to);
        case NumberType::i32:
          return store<std::int32_t>(sums, to);
        case NumberType::f32:
          return store<float>(sums, to);
        default:
          return store<double>(sums, to);
      }
    });
  }

 private:
  template <class Number>
  static void store(const std::vector<double>& sums, std::byte* to) {
    constexpr auto kLeast = static_cast<double>(std::numeric_limits<Number>::lowest()),
                   kMost = static_cast<double>(std::numeric_limits<Number>::max());
    for (const double sum : sums) {  // what does not fit is the most that does
      const auto number = std::is_integral_v<Number> ? static_cast<Number>(std::clamp(sum, kLeast, kMost)) : static_cast<Number>(sum);
      std::memcpy(to, &number, sizeof number);
      to += sizeof number;
    }
  }

  /// Calls `take(pixel)` for each pixel, counted from the first, with its spectrum in `sums`. Whole rows of the
  /// pixels that it is made of are read at a time, as they are stored, and summed in double: sums of counts are exact
  /// to 2^53.
  template <class Take>
  void each(PixelRange pixels, ChannelRange channels, std::vector<double>& sums, Take&& take) const {
    const std::uint64_t width = columns(), height = rows_of_one();
    const NumberType type = image_->info().type;
    std::vector<std::byte> stored;
    for (std::uint64_t pixel = pixels.first; pixel < pixels.last;) {
      const std::uint64_t row = pixel / width, column = pixel % width;
      const std::uint64_t run = std::min({width - column, pixels.last - pixel, std::uint64_t{64}});
      const std::uint64_t across = run * bin_.columns;
      std::vector<double> block(run * channels.size(), 0.0);
      stored.resize(across * channels.size() * bytes_of(type));
      const std::uint64_t outer = row / height, inner = row % height;
      for (std::uint64_t r = 0; r < bin_.rows; ++r) {
        const std::uint64_t source_row = outer * (image_->rows() / outer_count()) + inner * bin_.rows + r;
        const std::uint64_t first = source_row * image_->columns() + column * bin_.columns;
        image_->read({first, first + across}, channels, stored);
        values::with_stored({type, false, false}, [&]<class Source>() {
          const std::byte* from = stored.data();
          for (std::uint64_t p = 0; p < across; ++p) {
            double* const sum = block.data() + p / bin_.columns * channels.size();
            for (std::size_t c = 0; c < channels.size(); ++c, from += bytes_of(type))
              sum[c] += static_cast<double>(Source::load(from));
          }
        });
      }
      for (std::uint64_t p = 0; p < run; ++p) {
        std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(p * channels.size()), channels.size(), sums.begin());
        take(pixel + p - pixels.first);
      }
      pixel += run;
    }
  }

  /// Rows are those of the last two navigation axes; what stands before them is a stack of such fields.
  std::uint64_t rows_of_one() const {
    std::uint64_t last = 1, before = 1;
    for (const Axis& axis : info().axes) {
      if (axis.role != AxisRole::navigation) continue;
      before = last;
      last = axis.size;
    }
    return before;
  }
  std::uint64_t outer_count() const { return std::max<std::uint64_t>(1, rows() / rows_of_one()); }

  std::unique_ptr<Image> image_;
  Binning bin_;
};

}  // namespace

Binning parse_binning(const std::string& value) {
  Binning bin;
  const char* const end = value.data() + value.size();
  const auto [middle, first] = std::from_chars(value.data(), end, bin.rows);
  if (first == std::errc{} && middle != end && *middle == 'x') {
    const auto [rest, second] = std::from_chars(middle + 1, end, bin.columns);
    if (second == std::errc{} && rest == end && bin.rows > 0 && bin.columns > 0) return bin;
  }
  throw Error(ErrorKind::usage, "--bin " + value, "not a number of rows and columns",
              "Write ROWSxCOLUMNS, for example 2x2");
}

std::unique_ptr<Image> binned_image(std::unique_ptr<Image> image, Binning bin) {
  if (bin == Binning{}) return image;
  return std::make_unique<BinnedImage>(std::move(image), bin);
}

}  // namespace elver
