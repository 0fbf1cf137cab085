#include "prepare/spikes.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "elver/error.hpp"
#include "types/arena.hpp"
#include "types/median.hpp"
#include "types/reads_for.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kSigmas = 8.0;       ///< above what neighbours say: in 10^10 values noise does not reach it
constexpr double kFlankSigmas = 4.0;  ///< of the values beside one that is a spike
constexpr double kExcess = 0.1;       ///< least share above: no gain or shape differs so much between neighbours
constexpr double kHalf = 0.5;         ///< of its height is left two channels beside a spike; a line is wider
constexpr double kBright = 0.2;       ///< of a pixel's counts: darker neighbours say nothing of it
constexpr double kFew = 100.0;        ///< electrons around, below which they are no measure of brightness
constexpr std::ptrdiff_t kBeside = 2, kNear = 4, kFar = 14;  ///< channels beside a spike; around it, for the level
constexpr std::ptrdiff_t kRows = 1, kColumns = 2;            ///< neighbours on either side
constexpr std::uint64_t kSegment = 128;                      ///< columns looked at together

/// Standard deviations of Poisson noise between counts and what was expected (Anscombe's root), one electron giving
/// `gain` counts.
double sigmas(double counts, double expected, double gain) {
  const auto root = [&](double x) { return std::sqrt(std::max(0.0, x / gain) + 0.375); };
  return 2 * (root(counts) - root(expected));
}

/// Some columns of three rows, and what is known of each pixel.
class Field {
 public:
  Field(const Image& image, std::uint64_t row, std::uint64_t first, std::uint64_t last)
      : channels_(static_cast<std::ptrdiff_t>(image.channels())),
        first_(static_cast<std::ptrdiff_t>(first > kColumns ? first - kColumns : 0)),
        columns_(static_cast<std::ptrdiff_t>(std::min(image.columns(), last + kColumns)) - first_) {
    const auto at = static_cast<std::ptrdiff_t>(row), rows = static_cast<std::ptrdiff_t>(image.rows());
    for (std::ptrdiff_t r = at - kRows; r <= at + kRows; ++r) {
      if (r < 0 || r >= rows) continue;
      if (r == at) own_ = std::ssize(counts_);
      const std::uint64_t pixel = static_cast<std::uint64_t>(r) * image.columns() + static_cast<std::uint64_t>(first_);
      counts_.emplace_back(static_cast<std::size_t>(columns_ * channels_));
      image.read_tile({pixel, pixel + static_cast<std::uint64_t>(columns_)}, {0, static_cast<std::size_t>(channels_)},
                      counts_.back());
      std::vector<double>& totals = totals_.emplace_back(static_cast<std::size_t>(columns_), 0.0);
      for (std::size_t i = 0; i < counts_.back().size(); ++i) {
        totals[i % static_cast<std::size_t>(columns_)] += static_cast<double>(counts_.back()[i]);
      }
    }
  }

  double at(std::ptrdiff_t row, std::ptrdiff_t column, std::ptrdiff_t channel) const {
    return static_cast<double>(
        counts_[static_cast<std::size_t>(row)][static_cast<std::size_t>(channel * columns_ + column)]);
  }
  double own(std::ptrdiff_t column, std::ptrdiff_t channel) const { return at(own_, column, channel); }

  /// Counts that one electron gives, from the differences of next channels: their median does not see spikes or edges.
  double gain(std::ptrdiff_t column) const {
    std::vector<double> ratios;
    bool whole = true;
    for (std::ptrdiff_t c = 0; c + 1 < channels_; ++c) {
      const double a = own(column, c), b = own(column, c + 1), sum = a + b;
      whole = whole && a == std::floor(a);
      if (sum > 0) ratios.push_back((a - b) * (a - b) / sum);
    }
    if (ratios.empty()) return 1.0;
    const double found = upper_median(std::move(ratios)) / 0.455;
    return whole ? std::max(1.0, found) : std::max(1e-6, found);
  }

  /// Does it stand out of its own spectrum, falling to less than half within two channels on both sides?
  bool stands_out(std::ptrdiff_t column, std::ptrdiff_t c, double gain) const {
    const double value = own(column, c), beside = std::max(own(column, c - kBeside), own(column, c + kBeside));
    if (!(value > beside) || sigmas(value, beside, gain) < kSigmas) return false;
    const double base = std::min(level(own_, column, c, -1), level(own_, column, c, 1));
    return beside - base < kHalf * (value - base);
  }

  /// What the neighbours say: their counts there, each brought to this pixel's level around.
  struct Expected {
    double most = 0, middle = 0;
    bool known = false;
  };
  Expected expected(std::ptrdiff_t column, std::ptrdiff_t c, double gain) const {
    const double here = around(own_, column, c), all = total_but(own_, column, c);
    std::vector<double> said;
    Expected out;
    for (std::ptrdiff_t r = 0; r < std::ssize(counts_); ++r) {
      for (std::ptrdiff_t q = std::max<std::ptrdiff_t>(0, column - kColumns);
           q <= std::min(columns_ - 1, column + kColumns); ++q) {
        if (r == own_ && q == column) continue;
        const double there = around(r, q, c), theirs = total_but(r, q, c);
        if (!(theirs >= kBright * all) || !(there >= kBright * here) || !(theirs > 0)) continue;
        // The levels around say it best, unless they are a few electrons; what a neighbour shows at most is by either.
        const double overall = all / theirs, local = there > 0 ? here / there : overall;
        const double ratio = std::min(here, there) * (kFar - kNear) > kFew * gain ? local : overall;
        const double largest = std::max(local, overall);
        said.push_back(at(r, q, c) * ratio);
        for (const std::ptrdiff_t d : {-1, 0, 1}) {  // lines may lie a channel off
          if (c + d >= 0 && c + d < channels_) out.most = std::max(out.most, at(r, q, c + d) * largest);
        }
      }
    }
    if (said.size() < 2) return out;
    out.middle = upper_median(std::move(said));
    out.known = std::isfinite(out.most);
    return out;
  }

  std::ptrdiff_t first() const { return first_; }
  std::ptrdiff_t channels() const { return channels_; }

 private:
  /// Mean of the channels from kNear to kFar to one side.
  double level(std::ptrdiff_t row, std::ptrdiff_t column, std::ptrdiff_t c, std::ptrdiff_t side) const {
    double sum = 0, n = 0;
    for (std::ptrdiff_t d = kNear; d <= kFar; ++d) {
      const std::ptrdiff_t k = c + side * d;
      if (k < 0 || k >= channels_) break;
      sum += at(row, column, k);
      n += 1;
    }
    return n > 0 ? sum / n : 0.0;
  }
  /// Counts of a pixel in all channels but those next to `c`, where a spike may be.
  double total_but(std::ptrdiff_t row, std::ptrdiff_t column, std::ptrdiff_t c) const {
    double total = totals_[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
    for (std::ptrdiff_t k = std::max<std::ptrdiff_t>(0, c - kNear); k <= std::min(channels_ - 1, c + kNear); ++k) {
      total -= at(row, column, k);
    }
    return total;
  }
  double around(std::ptrdiff_t row, std::ptrdiff_t column, std::ptrdiff_t c) const {
    return level(row, column, c, -1) + level(row, column, c, 1);
  }

  std::ptrdiff_t channels_, first_, columns_, own_ = 0;
  std::vector<std::vector<float>> counts_;
  std::vector<std::vector<double>> totals_;
};

/// The spikes of one pixel.
void look_at(const Field& field, std::ptrdiff_t column, std::uint64_t pixel, bool whole, std::vector<Spike>& out) {
  const double gain = field.gain(column);
  std::ptrdiff_t done = -1;
  for (std::ptrdiff_t c = kBeside; c + kBeside < field.channels(); ++c) {
    if (c <= done || !field.stands_out(column, c, gain)) continue;
    const auto is_spike = [&](std::ptrdiff_t k, double least) {
      const Field::Expected expected = field.expected(column, k, gain);
      const double value = field.own(column, k);
      if (!expected.known || value < (1 + kExcess) * expected.most || sigmas(value, expected.most, gain) < least)
        return false;
      const double instead = whole ? std::round(expected.middle) : expected.middle;
      out.push_back({pixel, static_cast<std::uint32_t>(k), static_cast<float>(value), static_cast<float>(instead)});
      return true;
    };
    std::ptrdiff_t before = c - 1;
    const std::size_t start = out.size();
    if (!is_spike(c, kSigmas)) continue;
    while (before > done && before >= c - kBeside && is_spike(before, kFlankSigmas)) --before;
    done = c;
    while (done + 1 < field.channels() && done + 1 <= c + kBeside && is_spike(done + 1, kFlankSigmas)) ++done;
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
              [](const Spike& a, const Spike& b) { return a.channel < b.channel; });
  }
}

class Patched : public Image {
 public:
  Patched(std::unique_ptr<Image> image, std::vector<Spike> spikes)
      : Image(image->info()), image_(std::move(image)), spikes_(std::move(spikes)) {}

  void stay_within(std::uint64_t bytes) const override { image_->stay_within(bytes); }

  void read(PixelRange pixels, ChannelRange channels, std::span<std::byte> out) const override {
    image_->read(pixels, channels, out);
    const std::size_t bytes = bytes_of(info().type);
    each(pixels, channels, [&](const Spike& spike) {
      put(spike.instead,
          out.data() + ((spike.pixel - pixels.first) * channels.size() + spike.channel - channels.first) * bytes);
    });
  }
  void read_tile(PixelRange pixels, ChannelRange channels, std::span<float> out) const override {
    image_->read_tile(pixels, channels, out);
    each(pixels, channels, [&](const Spike& spike) {
      out[(spike.channel - channels.first) * pixels.size() + spike.pixel - pixels.first] = spike.instead;
    });
  }

 private:
  template <class Work>
  void each(PixelRange pixels, ChannelRange channels, const Work& work) const {
    auto at = std::ranges::lower_bound(spikes_, pixels.first, {}, &Spike::pixel);
    for (; at != spikes_.end() && at->pixel < pixels.last; ++at) {
      if (at->channel >= channels.first && at->channel < channels.last) work(*at);
    }
  }
  template <class Number>
  static void store(float value, std::byte* to) {
    const auto number = static_cast<Number>(value);
    std::memcpy(to, &number, sizeof number);
  }
  void put(float value, std::byte* to) const {
    switch (info().type) {
      case NumberType::u8:
      case NumberType::boolean:
        return store<std::uint8_t>(value, to);
      case NumberType::i8:
        return store<std::int8_t>(value, to);
      case NumberType::u16:
        return store<std::uint16_t>(value, to);
      case NumberType::i16:
        return store<std::int16_t>(value, to);
      case NumberType::u32:
        return store<std::uint32_t>(value, to);
      case NumberType::i32:
        return store<std::int32_t>(value, to);
      case NumberType::u64:
        return store<std::uint64_t>(value, to);
      case NumberType::i64:
        return store<std::int64_t>(value, to);
      case NumberType::f32:
        return store<float>(value, to);
      default:
        return store<double>(value, to);
    }
  }

  std::unique_ptr<Image> image_;
  std::vector<Spike> spikes_;
};

}  // namespace

std::vector<Spike> find_spikes(const Image& image, const RunContext& context) {
  if (image.pixels() < 3 || image.channels() < 2 * kFar) {
    throw Error(
        ErrorKind::mismatch, "cannot find spikes",
        text("%llu pixels of %llu channels: a spike is told from a line by the neighbours of its pixel",
             static_cast<unsigned long long>(image.pixels()), static_cast<unsigned long long>(image.channels())),
        "Leave out --spikes");
  }
  const std::uint64_t columns = image.columns(), segments = (columns + kSegment - 1) / kSegment;
  const bool whole = image.info().type != NumberType::f32 && image.info().type != NumberType::f64;
  std::vector<std::vector<Spike>> found(image.rows() * segments);
  std::mutex mutex;
  if (context.progress != nullptr) context.progress->begin("spikes", image.pixels(), "px");
  in_arena(context, [&] {
    oneapi::tbb::parallel_for(std::size_t{0}, found.size(), [&](std::size_t i) {
      context.check_interrupt();
      const ReadsFor reading(context);
      const std::uint64_t row = i / segments, first = i % segments * kSegment,
                          last = std::min(columns, first + kSegment);
      const Field field(image, row, first, last);
      for (std::uint64_t c = first; c < last; ++c) {
        look_at(field, static_cast<std::ptrdiff_t>(c) - field.first(), row * columns + c, whole, found[i]);
      }
      if (context.progress != nullptr) {
        const std::lock_guard lock(mutex);
        context.progress->advance(last - first);
      }
    });
  });
  context.check_interrupt();
  if (context.progress != nullptr) context.progress->end();
  std::vector<Spike> out;
  for (const std::vector<Spike>& some : found) out.insert(out.end(), some.begin(), some.end());
  return out;
}

std::unique_ptr<Image> despiked_image(std::unique_ptr<Image> image, SpikeCount& count, std::vector<float>& map,
                                      const RunContext& context) {
  std::vector<Spike> spikes = find_spikes(*image, context);
  map.assign(image->pixels(), 0.0F);
  for (const Spike& spike : spikes) map[spike.pixel] += 1;
  count.values = spikes.size();
  count.pixels = static_cast<std::uint64_t>(std::ranges::count_if(map, [](float n) { return n > 0; }));
  return without_spikes(std::move(image), std::move(spikes));
}

std::unique_ptr<Image> without_spikes(std::unique_ptr<Image> image, std::vector<Spike> spikes) {
  if (spikes.empty()) return image;
  return std::make_unique<Patched>(std::move(image), std::move(spikes));
}

}  // namespace elver
