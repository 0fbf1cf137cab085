#include "elver/detect.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "background/edge_fitter.hpp"
#include "detect/excess.hpp"
#include "detect/noise.hpp"
#include "elver/error.hpp"
#include "types/memory.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

BackgroundOptions background_options(const DetectJob& job) {
  BackgroundOptions options;
  options.phi = job.phi;
  options.minimum_counts = job.minimum_counts;
  return options;
}

/// Sums over both windows of each pixel of a tile, electrons.
std::vector<WindowSums> sums_of(const TileView& tile, ChannelRange fit, ChannelRange signal, const ExcessTest& test,
                                double phi) {
  std::vector<WindowSums> sums(tile.pixels);
  for (std::size_t c = fit.first; c < fit.last; ++c) {
    const double x = test.fit_ln_energy()[c - fit.first];
    const float* const y = tile.channel(c);
    for (std::size_t p = 0; p < tile.pixels; ++p) {
      const double electrons = static_cast<double>(y[p]) / phi;
      sums[p].counts += electrons;
      sums[p].moment += electrons * x;
    }
  }
  for (std::size_t c = signal.first; c < signal.last; ++c) {
    const float* const y = tile.channel(c);
    for (std::size_t p = 0; p < tile.pixels; ++p) sums[p].signal += static_cast<double>(y[p]) / phi;
  }
  return sums;
}

/// The four maps, filled pixel by pixel.
struct DetectionMaps {
  std::vector<float> signal, snr, p, present;
  std::vector<PixelStatus> status;
  explicit DetectionMaps(std::uint64_t pixels)
      : signal(pixels, kNaN), snr(pixels, kNaN), p(pixels, kNaN), present(pixels, kNaN), status(pixels) {}
};

void test_tile(const Tile& tile, const EdgeFitter& fitter, const ExcessTest& test, const FitScatter& scatter,
               const DetectJob& job, DetectionMaps& maps) {
  const ChannelRange signal = fitter.signal_channels();
  std::vector<float> net(signal.size() * kBlock);
  const std::vector<WindowSums> sums = sums_of(tile.counts, fitter.fit_channels(), signal, test, scatter.phi);
  for (std::size_t first = 0; first < tile.counts.pixels; first += kBlock) {
    const std::size_t count = std::min(kBlock, tile.counts.pixels - first);
    EdgeFit fits[kBlock];
    fitter.fit(tile.counts, first, count, signal, signal, net.data(), fits);
    for (std::size_t p = 0; p < count; ++p) {
      const std::uint64_t pixel = tile.pixels.first + first + p;
      maps.status[pixel] = !job.mask.empty() && job.mask[pixel] != 0 ? PixelStatus::masked : fits[p].status;
      if (failed(maps.status[pixel])) continue;
      maps.signal[pixel] = fits[p].signal;
      maps.snr[pixel] = fits[p].snr;
      maps.p[pixel] = static_cast<float>(test.p_value(sums[first + p], scatter.freedom));
    }
  }
}

void say_what_matters(const DetectJob& job, Detection& out) {
  std::vector<std::string>& notes = out.maps.notes;
  if (std::abs(out.phi - 1.0) > 0.2) {
    notes.push_back(
        text("the counts scatter as if one electron gave %.3g counts; the p-values take this into account", out.phi));
  }
  if (out.misfit > 4.0) {
    notes.push_back(
        text("over %g:%g eV the background is no power law (all pixels together scatter %.1f times as much "
             "as noise does): pixels may be called present for that alone. Move --fit nearer to the edge",
             job.windows.fit.start_ev, job.windows.fit.stop_ev, out.misfit));
  }
}

}  // namespace

double benjamini_hochberg(const std::vector<float>& p_values, double false_discovery_rate) {
  std::vector<float> sorted;
  for (const float p : p_values) {
    if (!std::isnan(p)) sorted.push_back(p);
  }
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  for (std::size_t k = sorted.size(); k > 0; --k) {
    const auto p = static_cast<double>(sorted[k - 1]);
    if (p <= false_discovery_rate * static_cast<double>(k) / n) return p;
  }
  return 0.0;
}

Detection detect(const Image& image, const DetectJob& job, const RunContext& context) {
  if (!(job.false_discovery_rate > 0 && job.false_discovery_rate < 1)) {
    throw Error(ErrorKind::usage, "--fdr " + text("%g", job.false_discovery_rate), "a rate lies between 0 and 1",
                "Write for example --fdr 0.05");
  }
  BackgroundOptions options = background_options(job);
  const EdgeWindows& windows = job.windows;
  const EdgeFitter checked(image.energy(), windows.fit, windows.signal, options);  // before anything is read
  const ExcessTest test(image.energy(), checked.fit_channels(), checked.signal_channels());
  const FitScatter scatter =
      fit_scatter(image, test, checked.fit_channels(), job.mask, job.minimum_counts, job.phi, context);
  options.phi = scatter.phi;
  const EdgeFitter fitter(image.energy(), windows.fit, windows.signal, options);
  const ChannelRange read{std::min(fitter.fit_channels().first, fitter.signal_channels().first),
                          std::max(fitter.fit_channels().last, fitter.signal_channels().last)};
  constexpr std::uint64_t kMapBytes = 64;  // a pixel: those of one edge, and what sorts and writes them
  const RunContext left = less_memory(context, image.pixels() * kMapBytes, 0,
                                      text("the maps of %llu pixels need", static_cast<unsigned long long>(image.pixels())));
  DetectionMaps maps(image.pixels());
  for_each_tile(image, read, left, "detect",
                [&](const Tile& tile) { test_tile(tile, fitter, test, scatter, job, maps); });

  Detection out;
  out.phi = scatter.phi;
  out.phi_freedom = scatter.freedom;
  out.misfit = scatter.misfit;
  out.p_threshold = benjamini_hochberg(maps.p, job.false_discovery_rate);
  for (std::uint64_t pixel = 0; pixel < image.pixels(); ++pixel) {
    ++out.maps.status_counts[static_cast<std::size_t>(maps.status[pixel])];
    if (std::isnan(maps.p[pixel])) continue;
    const bool present = out.p_threshold > 0 && static_cast<double>(maps.p[pixel]) <= out.p_threshold;
    maps.present[pixel] = present ? 1.0F : 0.0F;
    ++out.tests;
    out.found += present ? 1 : 0;
  }
  const auto [row, column] = map_axes(image);
  out.maps.rows = row.size;
  out.maps.columns = column.size;
  out.maps.status = std::move(maps.status);
  const std::string& edge = windows.edge;
  out.maps.maps = {{"signal_" + edge, "counts", std::move(maps.signal), {}, "Net signal of " + edge},
                   {"snr_" + edge, "", std::move(maps.snr), {}, "Signal to noise of " + edge},
                   {"p_" + edge, "", std::move(maps.p), {}, "p-value of " + edge, MapScale::logarithmic},
                   {"present_" + edge,
                    "",
                    std::move(maps.present),
                    {0, 1},
                    text("%s present (false discovery rate %g)", edge.c_str(), job.false_discovery_rate)}};
  say_what_matters(job, out);
  return out;
}

}  // namespace elver
