#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "elver/energy.hpp"
#include "elver/engine.hpp"
#include "types/memory.hpp"

namespace elver {
namespace {

constexpr double kBetweenShare = 0.82;    ///< of the variance, between the classes
constexpr double kLeastRatio = 5.0;       ///< of the classes' counts
constexpr double kLeastSeparation = 5.0;  ///< in standard deviations of the brighter class's noise
constexpr double kDark = 0.01;            ///< of a bright pixel's counts; nobody cares how dark vacuum is below that
constexpr double kBright = 0.98;          ///< quantile that is a bright pixel's

/// Counts of one pixel in all channels, and the variance of their noise: half the squared differences of neighbouring
/// channels, whatever unit the counts are in.
struct Total {
  double counts = 0.0, variance = 0.0;
};

std::vector<Total> total_counts(const Image& image, const RunContext& context) {
  constexpr std::uint64_t kToSort = 32;  // bytes a pixel: the totals once more, and their logarithms
  const RunContext left = less_memory(context, image.pixels() * sizeof(Total), image.pixels() * kToSort, "the totals of all pixels need");
  std::vector<Total> totals(image.pixels());
  const ChannelRange channels{0, static_cast<std::size_t>(image.channels())};
  for_each_tile(image, channels, left, "total counts", [&](const Tile& tile) {
    Total* const out = totals.data() + tile.pixels.first;
    const std::size_t n = tile.counts.pixels;
    for (std::size_t c = 0; c < channels.last; ++c) {
      const float* counts = tile.counts.channel(c);
      const float* before = c > 0 ? tile.counts.channel(c - 1) : counts;
      for (std::size_t p = 0; p < n; ++p) {
        const double difference = static_cast<double>(counts[p]) - static_cast<double>(before[p]);
        out[p].counts += static_cast<double>(counts[p]);
        out[p].variance += 0.5 * difference * difference;
      }
    }
  });
  return totals;
}

/// The total below which a pixel is vacuum, if there is such a number.
std::optional<double> vacuum_threshold(std::vector<Total> totals) {
  std::erase_if(totals, [](const Total& total) { return !std::isfinite(total.counts); });
  if (totals.size() < 2) return std::nullopt;
  std::sort(totals.begin(), totals.end(), [](const Total& a, const Total& b) { return a.counts < b.counts; });
  const std::size_t size = totals.size();
  const double bright = totals[static_cast<std::size_t>(kBright * static_cast<double>(size - 1) + 0.5)].counts;
  if (!(bright > 0)) return std::nullopt;

  const auto n = static_cast<double>(size);
  std::vector<double> logs;
  double mean = 0, variance = 0;
  for (const Total& total : totals) logs.push_back(std::log(std::max(total.counts, kDark * bright)));
  for (const double x : logs) mean += x / n;
  for (const double x : logs) variance += (x - mean) * (x - mean) / n;
  double best = 0, low_sum = 0, ratio = 0;
  std::size_t cut = 0;
  for (std::size_t k = 1; k < size; ++k) {
    low_sum += logs[k - 1];
    const double low = low_sum / static_cast<double>(k), high = (n * mean - low_sum) / (n - static_cast<double>(k));
    const double share = static_cast<double>(k) / n, between = share * (1 - share) * (high - low) * (high - low);
    if (between > best) {
      best = between;
      cut = k;
      ratio = std::exp(high - low);
    }
  }
  if (!(best >= kBetweenShare * variance) || !(ratio >= kLeastRatio)) return std::nullopt;
  double low = 0, high = 0, noise = 0;
  for (std::size_t k = 0; k < size; ++k) {
    (k < cut ? low : high) += totals[k].counts;
    if (k >= cut) noise += totals[k].variance;
  }
  const auto below = static_cast<double>(cut), above = n - below;
  if (high / above - low / below < kLeastSeparation * std::sqrt(noise / above)) return std::nullopt;
  return std::exp(0.5 * (logs[cut - 1] + logs[cut]));
}

}  // namespace

std::vector<std::uint8_t> make_mask(const Image& image, const MaskOptions& options, const RunContext& context) {
  std::vector<std::uint8_t> mask(image.pixels(), 0);
  if (!options.automatic && !(options.minimum_counts >= 0)) return mask;
  const std::vector<Total> totals = total_counts(image, context);
  double threshold = options.minimum_counts >= 0 ? options.minimum_counts : -std::numeric_limits<double>::infinity();
  if (options.automatic) threshold = std::max(threshold, vacuum_threshold(totals).value_or(threshold));
  for (std::size_t p = 0; p < mask.size(); ++p) mask[p] = totals[p].counts < threshold ? 1 : 0;
  return mask;
}

}  // namespace elver
