#include "detect/noise.hpp"

#include <algorithm>
#include <cmath>

#include "elver/engine.hpp"

namespace elver {
namespace {

constexpr std::uint64_t kMostPixels = 20000;
constexpr std::size_t kBlocks = 9;  ///< that a fit window is cut into, where it has so many channels
constexpr double kSpike = 4.0;      ///< standard deviations: a pixel that scatters more was hit by an X-ray

/// Of one pixel: chi-squares per degree of freedom, and counts and what the power law says of them, block by block.
struct PixelScatter {
  double by_channel = 0, by_block = 0;
  std::vector<double> counts, expected;
};

class Scatterer {
 public:
  Scatterer(const ExcessTest& test, std::size_t channels)
      : test_(test), block_(std::max<std::size_t>(1, channels / kBlocks)), blocks_((channels + block_ - 1) / block_) {}

  double block() const { return std::max(2.0, static_cast<double>(block_)); }  ///< channels
  double freedom_by_channel() const { return static_cast<double>(test_.fit_ln_energy().size()) - 2.0; }
  double freedom_by_block() const { return static_cast<double>(blocks_) - 2.0; }

  /// `counts(c)` of the fit window's channel c. by_channel < 0 where there are fewer than `minimum` counts.
  template <class Counts>
  PixelScatter operator()(const Counts& counts, double minimum) const {
    const std::vector<double>& x = test_.fit_ln_energy();
    double sum = 0, moment = 0;
    for (std::size_t c = 0; c < x.size(); ++c) {
      sum += counts(c);
      moment += counts(c) * x[c];
    }
    PixelScatter out;
    out.by_channel = -1;
    if (!(sum >= minimum) || !std::isfinite(sum) || !(sum > 0)) return out;
    const double r = test_.exponent(moment / sum), scale = sum / power_moments(x, r).sum;
    out.counts.resize(blocks_);
    out.expected.resize(blocks_);
    double chi = 0;
    for (std::size_t c = 0; c < x.size(); ++c) {
      const double expected = scale * std::exp(-r * x[c]), off = counts(c) - expected;
      chi += off * off / expected;
      out.counts[c / block_] += counts(c);
      out.expected[c / block_] += expected;
    }
    out.by_channel = chi / freedom_by_channel();
    for (std::size_t b = 0; b < blocks_; ++b) {
      const double off = out.counts[b] - out.expected[b];
      out.by_block += off * off / out.expected[b] / freedom_by_block();
    }
    return out;
  }

 private:
  const ExcessTest& test_;
  std::size_t block_, blocks_;
};

/// Mean of chi-squares per degree of freedom, and the degrees of freedom that it is known with.
struct Scatter {
  double mean = 1, freedom = 0;
};
/// Pixels that were hit by an X-ray are left out: those beyond what one in thirty thousand reaches for chance (Wilson
/// and Hilferty's quantile over the median). The mean's freedom is as its own scatter says, since few counts scatter
/// more than chi-square does, and no more than chi-square's.
Scatter scatter_of(const std::vector<PixelScatter>& pixels, double PixelScatter::*value, double freedom) {
  std::vector<double> sorted;
  for (const PixelScatter& pixel : pixels) sorted.push_back(pixel.*value);
  std::sort(sorted.begin(), sorted.end());
  const double third = 2.0 / (9.0 * freedom);
  const double limit = sorted[sorted.size() / 2] * std::pow((1 - third + kSpike * std::sqrt(third)) / (1 - third), 3.0);
  double sum = 0, square = 0, n = 0;
  for (const double each : sorted) {
    if (each > limit && n > 0) break;
    sum += each;
    square += each * each;
    n += 1;
  }
  const double mean = sum / n, variance = n > 1 ? (square - sum * mean) / (n - 1) : 0.0;
  return {mean, n * std::min(freedom, variance > 0 ? 2 * mean * mean / variance : freedom)};
}

}  // namespace

FitScatter fit_scatter(const Image& image, const ExcessTest& test, ChannelRange fit,
                       const std::vector<std::uint8_t>& mask, double minimum_counts, double given_phi,
                       const RunContext& context) {
  const std::uint64_t stride = (image.pixels() + kMostPixels - 1) / kMostPixels;
  const Scatterer scatterer(test, fit.size());
  std::vector<PixelScatter> sampled((image.pixels() + stride - 1) / stride);
  for_each_tile(image, fit, context, "noise", [&](const Tile& tile) {
    for (std::uint64_t p = tile.pixels.first; p < tile.pixels.last; ++p) {
      if (p % stride != 0) continue;
      const std::size_t lane = p - tile.pixels.first;
      const auto counts = [&](std::size_t c) { return static_cast<double>(tile.counts.channel(fit.first + c)[lane]); };
      sampled[p / stride] = scatterer(counts, minimum_counts);
      if (!mask.empty() && mask[p] != 0) sampled[p / stride].by_channel = -1;
    }
  });
  std::erase_if(sampled, [](const PixelScatter& pixel) { return pixel.by_channel < 0; });
  FitScatter out;
  if (given_phi > 0) out.phi = given_phi;
  if (sampled.empty()) return out;
  const bool has_blocks = scatterer.freedom_by_block() >= 1;
  if (!(given_phi > 0)) {
    const Scatter by_channel = scatter_of(sampled, &PixelScatter::by_channel, scatterer.freedom_by_channel());
    const Scatter by_block =
        has_blocks ? scatter_of(sampled, &PixelScatter::by_block, scatterer.freedom_by_block()) : by_channel;
    // Coupling reaches across the blocks' ends, and is lost there: by as much a block as makes one channel scatter less
    // than a block does. A sum over a whole window loses next to nothing.
    const double lost = std::max(0.0, by_block.mean - by_channel.mean) / (scatterer.block() - 1.0);
    out.phi = by_block.mean + lost;
    out.freedom = by_block.freedom;
  }
  if (!has_blocks) return out;
  std::vector<double> off(sampled.front().counts.size(), 0.0), expected(off.size(), 0.0);
  for (const PixelScatter& pixel : sampled) {
    for (std::size_t b = 0; b < off.size(); ++b) {
      off[b] += pixel.counts[b] - pixel.expected[b];
      expected[b] += pixel.expected[b];
    }
  }
  out.misfit = 0;
  for (std::size_t b = 0; b < off.size(); ++b) {
    out.misfit += off[b] * off[b] / expected[b] / (out.phi * scatterer.freedom_by_block());
  }
  return out;
}

}  // namespace elver
