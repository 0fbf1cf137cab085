#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "elver/error.hpp"
#include "elver/prepare.hpp"
#include "types/arena.hpp"
#include "types/memory.hpp"
#include "types/reads_for.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr std::uint64_t kPixels = 2048, kRun = 32;  ///< that are looked at, in runs of so many
/// Runs of so many where pixels are packed together, which are unpacked together; and of so many in a large image whose
/// channels lie apart.
constexpr std::uint64_t kPackedRun = 128, kLongRun = 512, kLarge = 1 << 16;
constexpr std::size_t kBlock = 16;              ///< channels over which a spectrum is taken to be alike
constexpr std::size_t kBins = 16;               ///< of the regression
constexpr std::size_t kTogether = 8;            ///< pixels whose sums are taken side by side
constexpr std::size_t kMeans = 256;             ///< channels whose means are taken together
constexpr double kShapesDiffer = 0.1;           ///< spectra of one image differ in their features by so much
constexpr double kSure = 5.0;                   ///< standard errors
constexpr double kNotOne = 1.2;                 ///< a gain nearer to 1 than that (or its inverse) changes nothing
constexpr double kComputed = 0.002;             ///< variance over mean of spectra that nobody measured
constexpr double kWide = 3.0;                   ///< ratio of means that tells a gain from a pedestal

/// Spectra of some pixels, [pixel][channel].
struct Sample {
  std::size_t pixels = 0, channels = 0;
  std::unique_ptr<float[]> values;
  std::vector<double> mean;
  const float* spectrum(std::size_t p) const { return values.get() + p * channels; }
};

/// Whether pixels are packed together in more than a run.
bool packs(const Image& image) { return image.grain().columns > 2 * kRun; }

/// A large image whose channels lie apart: there each channel of each run is a place of its own on disk.
bool lies_far(const Image& image) { return image.channels_first() && image.pixels() >= kLarge; }

/// A stretch unpacks beside others what read_tile unpacks under HDF5's lock, and keeps no pages. Elsewhere asking for each
/// channel's pages would take longer.
void read_run(const Image& image, PixelRange run, std::span<float> tile) {
  const ChannelRange all{0, image.channels()};
  const std::uint64_t columns = image.columns(), row = run.first / columns;
  const std::uint64_t column = run.first % columns, last_row = (run.last - 1) / columns;
  const bool one_row = row == last_row;
  if (!lies_far(image) && (!packs(image) || !one_row)) return image.read_tile(run, all, tile);
  const PixelBlock block = one_row ? PixelBlock{row, row + 1, column, column + run.size()}
                                   : PixelBlock{row, last_row + 1, 0, columns};
  const auto stretch = image.stretch(block, {&all, 1});
  for (std::size_t part = 0; part < stretch->parts(); ++part) stretch->unpack(part);
  stretch->read_tile(run, all, tile);
}

/// [channel][pixel] to [pixel][channel], both near each other.
void turn(const std::vector<float>& tile, std::size_t pixels, std::size_t channels, float* out) {
  for (std::size_t c = 0; c < channels; c += kBlock) {
    const std::size_t end = std::min(channels, c + kBlock);
    for (std::size_t p = 0; p < pixels; ++p) {
      for (std::size_t i = c; i < end; ++i) out[p * channels + i] = tile[i * pixels + p];
    }
  }
}

/// Within an arena.
Sample take_sample(const Image& image, const RunContext& context) {
  const std::uint64_t total = image.pixels();
  const std::uint64_t run = lies_far(image) ? kLongRun : packs(image) ? kPackedRun : kRun;
  const std::uint64_t runs = std::clamp<std::uint64_t>((total + run - 1) / run, 1, kPixels / run), apart = total / runs;
  Sample out;
  out.channels = image.channels();
  std::vector<PixelRange> ranges;
  for (std::uint64_t r = 0; r < runs; ++r) {
    const std::uint64_t first = std::min(r * apart, total - std::min(total, run));
    const std::uint64_t count = std::min({run, total - first, r + 1 < runs ? apart : run});
    ranges.push_back({first, first + count});
  }
  std::vector<std::uint64_t> before(runs + 1, 0);
  for (std::uint64_t r = 0; r < runs; ++r) before[r + 1] = before[r] + ranges[r].size();
  out.values = std::make_unique_for_overwrite<float[]>(before.back() * out.channels);
  std::vector<std::uint8_t> usable(before.back());
  oneapi::tbb::parallel_for(std::uint64_t{0}, runs, [&](std::uint64_t r) {
    context.check_interrupt();
    const ReadsFor reading(context);
    const std::size_t count = ranges[r].size();
    std::vector<float> tile(count * out.channels);
    read_run(image, ranges[r], tile);
    float* const spectra = out.values.get() + before[r] * out.channels;
    turn(tile, count, out.channels, spectra);
    for (std::size_t p = 0; p < count; ++p) {
      const float* const spectrum = spectra + p * out.channels;
      bool finite = true, empty = true;
      for (std::size_t c = 0; c < out.channels; ++c) {
        finite = finite && std::abs(spectrum[c]) < INFINITY;
        empty = empty && spectrum[c] == 0;
      }
      usable[before[r] + p] = finite && !empty ? 1 : 0;
    }
  });
  for (std::size_t p = 0; p < usable.size(); ++p) {
    if (usable[p] == 0) continue;
    if (out.pixels < p) std::copy_n(out.spectrum(p), out.channels, out.values.get() + out.pixels * out.channels);
    ++out.pixels;
  }
  out.mean.assign(out.channels, 0.0);
  oneapi::tbb::parallel_for(
      oneapi::tbb::blocked_range<std::size_t>(0, out.channels, kMeans), [&](const auto& some) {
        for (std::size_t p = 0; p < out.pixels; ++p) {
          for (std::size_t c = some.begin(); c < some.end(); ++c) out.mean[c] += static_cast<double>(out.spectrum(p)[c]);
        }
        for (std::size_t c = some.begin(); c < some.end(); ++c)
          out.mean[c] /= static_cast<double>(std::max<std::size_t>(1, out.pixels));
      });
  return out;
}

/// Mean counts and their variance in one block of one pixel.
struct Point {
  double mean, variance;
};

/// Second differences of what a pixel has more than the mean spectrum, brought to its level: edges fall out. Blocks
/// with features so sharp that spectra of one image may differ by more than noise are left out.
std::vector<Point> scatter_of(const Sample& sample) {
  const double n = static_cast<double>(sample.pixels);
  const bool with_mean = sample.pixels >= 32;  // else the mean is the pixels themselves
  std::vector<std::vector<Point>> found(sample.channels / kBlock);
  oneapi::tbb::parallel_for(std::size_t{0}, found.size(), [&](std::size_t b) {
    const double* const mean = sample.mean.data() + b * kBlock;
    const double level = std::accumulate(mean, mean + kBlock, 0.0) / kBlock;
    double sharp = 0;
    for (std::size_t i = 1; i + 1 < kBlock; ++i) {
      const double d = mean[i - 1] - 2 * mean[i] + mean[i + 1];
      sharp += d * d / 6 / (kBlock - 2);
    }
    sharp -= std::abs(level) / n;
    if (!(level > 0) || sharp * (with_mean ? kShapesDiffer * kShapesDiffer : 1.0) > 0.05 * level) return;
    found[b].resize(sample.pixels);
    for (std::size_t first = 0; first < sample.pixels; first += kTogether) {
      const std::size_t count = std::min(kTogether, sample.pixels - first);
      const float* const y = sample.spectrum(first) + b * kBlock;
      double here[kTogether]{}, scale[kTogether]{}, variance[kTogether]{}, above[kBlock][kTogether];
      for (std::size_t i = 0; i < kBlock; ++i) {
        for (std::size_t p = 0; p < count; ++p) here[p] += static_cast<double>(y[p * sample.channels + i]);
      }
      for (std::size_t p = 0; p < count; ++p) {
        here[p] /= kBlock;
        scale[p] = with_mean ? here[p] / level : 0.0;
      }
      for (std::size_t i = 0; i < kBlock; ++i) {
        for (std::size_t p = 0; p < count; ++p)
          above[i][p] = static_cast<double>(y[p * sample.channels + i]) - scale[p] * mean[i];
      }
      for (std::size_t i = 1; i + 1 < kBlock; ++i) {
        for (std::size_t p = 0; p < count; ++p) {
          const double d = above[i - 1][p] - 2 * above[i][p] + above[i + 1][p];
          variance[p] += d * d;
        }
      }
      for (std::size_t p = 0; p < count; ++p)
        found[b][first + p] = {here[p], variance[p] / (6 * (kBlock - 2)) * (with_mean ? n / (n - 1) : 1.0)};
    }
  });
  std::vector<Point> out;
  for (const std::vector<Point>& points : found) out.insert(out.end(), points.begin(), points.end());
  return out;
}

/// Points in ascending order of their means as far as bins [first, last) of kBins go; in a bin they lie anyhow.
void put_into_bins(std::vector<Point>& points, std::size_t first, std::size_t last) {
  if (last - first < 2) return;
  const auto place = [&](std::size_t bin) {
    return points.begin() + static_cast<std::ptrdiff_t>(bin * points.size() / kBins);
  };
  const std::size_t middle = (first + last) / 2;
  std::nth_element(place(first), place(middle), place(last),
                   [](const Point& a, const Point& b) { return a.mean < b.mean; });
  oneapi::tbb::parallel_invoke([&] { put_into_bins(points, first, middle); },
                               [&] { put_into_bins(points, middle, last); });
}

/// variance = intercept + gain * mean, with standard errors.
struct Regression {
  double gain = 1, gain_error = 0, intercept = 0, intercept_error = 0;
  double ratio = 1, ratio_error = 0;       ///< variance over mean, all together
  double least = 0, middle = 0, most = 0;  ///< means
};

Regression regress(std::vector<Point> points) {
  put_into_bins(points, 0, kBins);
  Regression out;
  double sw = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, ratio_sum = 0, ratio_weight = 0;
  struct Bin {
    double x, y, weight;
  };
  std::vector<Bin> bins;
  for (std::size_t b = 0; b < kBins; ++b) {
    const std::size_t first = b * points.size() / kBins, last = (b + 1) * points.size() / kBins;
    const double n = static_cast<double>(last - first);
    double x = 0, y = 0, yy = 0;
    for (std::size_t i = first; i < last; ++i) {
      x += points[i].mean / n;
      y += points[i].variance / n;
      yy += points[i].variance * points[i].variance / n;
    }
    // Of a mean of so few, skewed values the scatter is known badly; electrons' own is the least that it is.
    const double scatter = std::max({yy - y * y, 0.2 * y * y, 1e-12});
    bins.push_back({x, y, n / scatter});
  }
  for (const Bin& bin : bins) {
    sw += bin.weight;
    sx += bin.weight * bin.x;
    sy += bin.weight * bin.y;
    sxx += bin.weight * bin.x * bin.x;
    sxy += bin.weight * bin.x * bin.y;
    if (bin.x > 0) {
      const double w = bin.weight * bin.x * bin.x;
      ratio_sum += w * bin.y / bin.x;
      ratio_weight += w;
    }
  }
  const double det = sw * sxx - sx * sx;
  out.gain = det > 0 ? (sw * sxy - sx * sy) / det : 0.0;
  out.intercept = (sy - out.gain * sx) / sw;
  out.ratio = ratio_weight > 0 ? ratio_sum / ratio_weight : 1.0;
  double chi = 0, chi_ratio = 0;
  for (const Bin& bin : bins) {
    const double d = bin.y - out.intercept - out.gain * bin.x, e = bin.y - out.ratio * bin.x;
    chi += bin.weight * d * d / (kBins - 2);
    chi_ratio += bin.weight * e * e / (kBins - 1);
  }
  const double inflate = std::sqrt(std::max(1.0, chi));
  out.gain_error = det > 0 ? inflate * std::sqrt(sw / det) : 1e300;
  out.intercept_error = det > 0 ? inflate * std::sqrt(sxx / det) : 1e300;
  out.ratio_error = ratio_weight > 0 ? std::sqrt(std::max(1.0, chi_ratio) / ratio_weight) : 1e300;
  out.least = bins.front().x;
  out.middle = bins[kBins / 2].x;
  out.most = bins.back().x;
  return out;
}

/// What every value is a whole multiple of: k or k/n for scaled counts, 1/n for averages; 0 where there is no such
/// number.
double unit_of(const Sample& sample) {
  std::vector<double> values;
  const std::size_t count = sample.pixels * sample.channels, step = std::max<std::size_t>(1, count / 20000);
  for (std::size_t i = 0; i < count; i += step) {
    if (sample.values[i] != 0) values.push_back(std::abs(static_cast<double>(sample.values[i])));
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.size() < 20) return 0;
  if (std::ranges::all_of(values, [](double v) { return v == std::floor(v) && v < 1e15; })) {
    std::uint64_t unit = 0;
    for (const double v : values) unit = std::gcd(unit, static_cast<std::uint64_t>(v));
    return static_cast<double>(unit);
  }
  values.resize(std::min<std::size_t>(values.size(), 500));  // the smallest: float holds them most finely
  for (int n = 2; n <= 1000; ++n) {
    const auto whole = [&](double v) {
      const double x = v * n, slack = 1e-3 + 1.2e-7 * x;
      return slack < 0.1 && std::abs(x - std::round(x)) < slack;
    };
    if (!std::ranges::all_of(values, whole)) continue;
    std::uint64_t unit = 0;
    for (const double v : values) unit = std::gcd(unit, static_cast<std::uint64_t>(std::round(v * n)));
    return static_cast<double>(unit) / n;
  }
  return 0;
}

}  // namespace

std::vector<std::string> look_at_counts(const Image& image, const RunContext& context) {
  std::vector<std::string> notes;
  const std::uint64_t looked_at = std::min<std::uint64_t>(image.pixels(), kPixels) * image.channels() * sizeof(float);
  less_memory(context, 0, 2 * looked_at, "a look at the counts takes");
  Sample sample;
  std::vector<Point> points;
  Regression found;
  in_arena(context, [&] {
    sample = take_sample(image, context);
    points = scatter_of(sample);
    if (points.size() >= 8 * kBins) found = regress(points);
  });
  if (points.size() < 8 * kBins) return notes;
  const double unit = unit_of(sample);
  if (found.ratio < kComputed) return notes;

  const bool wide = found.least > 0 && found.most > kWide * found.least;
  const double gain = wide ? found.gain : found.ratio, error = wide ? found.gain_error : found.ratio_error;
  const double pedestal = wide && found.gain > 0 ? -found.intercept / found.gain : 0.0;
  if (pedestal > 0.05 * found.least && -found.intercept > kSure * found.intercept_error) {
    notes.push_back(
        text("about %.3g counts of every channel are no electrons but a pedestal (the scatter of the counts "
             "says so; Velox adds 100 for each frame): take it off with --pedestal COUNTS, or the background and every "
             "ratio "
             "are wrong",
             pedestal));
  }
  const double frames = unit > 0 ? 1 / unit : 0.0;
  const bool averaged = unit > 0 && unit < 1 && std::abs(frames - std::round(frames)) < 1e-6 * frames;
  const bool scaled = unit > 0 && unit != 1 && !averaged;
  if (scaled) {
    notes.push_back(
        text("the counts are scaled: all are whole multiples of %g; errors are judged from their scatter", unit));
  } else if (averaged) {
    notes.push_back(
        text("the counts are averages, not sums: all are whole multiples of 1/%.0f; errors are judged from "
             "their scatter",
             frames));
  } else if (gain > kNotOne && gain - 1 > kSure * error) {
    notes.push_back(
        text("the counts are scaled: they scatter as if one electron gave %.3g counts; errors are judged from "
             "their scatter",
             gain));
  } else if (gain < 1 / kNotOne && 1 - gain > kSure * error && notes.empty()) {
    notes.push_back(
        text("the counts scatter less than electrons do (variance over mean %.3g): they are averages, smoothed, "
             "scaled down%s; errors are judged from their scatter",
             gain, wide ? "" : ", or stand on a pedestal"));
  }
  if (wide && found.intercept > kSure * found.intercept_error && found.intercept > 0.2 * found.gain * found.middle &&
      found.intercept > 0.5) {
    notes.push_back(
        text("every channel has read-out noise of about %.3g counts (standard deviation) besides the "
             "electrons' own",
             std::sqrt(found.intercept)));
  }
  return notes;
}

}  // namespace elver
