#include "elver/detect.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "counts_image.hpp"
#include "rates.hpp"

// False finds of `elver detect` on images without the edge, where the rate asked for, 0.05, is the chance of any find
// in an image, and its power where one pixel in four has the edge.
namespace elver::rates {
namespace {

/// How an image is made: a power law, and from the signal window on `jump` times as much again in a quarter of the
/// pixels.
struct Made {
  double counts = 10, gain = 1;  ///< electrons a channel in the middle of the fit window; counts an electron gives
  double coupled = 0;            ///< share of an electron's counts that goes to the next channel
  double r = 3, jump = 0;
};

std::unique_ptr<test::CountsImage> made(const EdgeWindows& windows, double dispersion_ev, std::uint64_t pixels,
                                        const Made& how, std::mt19937_64& random) {
  const double first = windows.fit.start_ev - 2 * dispersion_ev, span = windows.signal.stop_ev - first;
  const EnergyAxis axis{first, dispersion_ev, static_cast<std::size_t>(span / dispersion_ev) + 3};
  auto image = std::make_unique<test::CountsImage>(test::pixel_row(pixels), axis);
  const double middle = 0.5 * (windows.fit.start_ev + windows.fit.stop_ev);
  std::vector<std::poisson_distribution<int>> without, with;
  for (std::size_t c = 0; c < axis.size; ++c) {
    const double energy = axis.energy(static_cast<double>(c)), mean = how.counts * std::pow(energy / middle, -how.r);
    without.emplace_back(mean);
    with.emplace_back(energy >= windows.signal.start_ev ? mean * (1 + how.jump) : mean);
  }
  for (std::uint64_t p = 0; p < pixels; ++p) {
    auto& counts = how.jump > 0 && p % 4 == 0 ? with : without;
    for (std::size_t c = 0; c < axis.size; ++c) {
      const double each = how.gain * counts[c](random);
      image->at(p, c) += static_cast<float>((1 - how.coupled) * each);
      if (how.coupled > 0 && c + 1 < axis.size) image->at(p, c + 1) += static_cast<float>(how.coupled * each);
    }
  }
  return image;
}

Detection found_in(const Image& image, const EdgeWindows& windows) {
  DetectJob job;
  job.windows = windows;
  return detect(image, job, {.threads = 1});
}

void false_finds(const Options& options, const EdgeWindows& windows, double dispersion_ev, const Made& how,
                 std::uint64_t pixels, double images) {
  char row[120];
  std::snprintf(row, sizeof row, "%-5s %4.2f eV  r %g  %7g  gain %-4g %s", windows.edge.c_str(), dispersion_ev, how.r,
                how.counts, how.gain, how.coupled > 0 ? "coupled" : "       ");
  if (std::string(row).find(options.only) == std::string::npos) return;
  const std::uint64_t n = scaled(options, images);
  std::atomic<int> any = 0;
  std::atomic<std::uint64_t> tests = 0, low = 0;  // p below 1e-3
  for_each_index(n, [&](std::uint64_t i) {
    std::mt19937_64 random = generator(options, row + std::to_string(pixels), i);
    const Detection found = found_in(*made(windows, dispersion_ev, pixels, how, random), windows);
    any += found.found > 0 ? 1 : 0;
    tests += found.tests;
    for (const float p : found.maps.maps[2].values) low += p <= 1e-3F ? 1 : 0;
  });
  const Interval rate = interval(any, static_cast<double>(n));
  std::printf("%s  %5llu px  %4d of %4llu images  %.4f (%.4f to %.4f)  P(p<1e-3)/1e-3 %.2f\n", row,
              static_cast<unsigned long long>(pixels), any.load(), static_cast<unsigned long long>(n),
              any / static_cast<double>(n), rate.low, rate.high,
              1e3 * static_cast<double>(low) / std::max(1.0, static_cast<double>(tests)));
  std::fflush(stdout);
}

/// Of the pixels that have the edge, the share that is found; of the finds, the share that has none.
void power(const Options& options, const EdgeWindows& windows, double counts, double jump) {
  char row[80];
  std::snprintf(row, sizeof row, "power %-5s %7g  jump %-4g", windows.edge.c_str(), counts, jump);
  if (std::string(row).find(options.only) == std::string::npos) return;
  constexpr std::uint64_t kPixels = 56;
  const std::uint64_t n = scaled(options, 200);
  std::atomic<std::uint64_t> hits = 0, there = 0;
  std::vector<double> false_share(n);
  for_each_index(n, [&](std::uint64_t i) {
    std::mt19937_64 random = generator(options, row, i);
    const Detection found = found_in(*made(windows, 0.3, kPixels, {.counts = counts, .jump = jump}, random), windows);
    const std::vector<float>& present = found.maps.maps[3].values;
    std::uint64_t right = 0;
    for (std::uint64_t p = 0; p < kPixels; p += 4) right += present[p] == 1.0F ? 1 : 0;
    hits += right;
    there += kPixels / 4;
    if (found.found > 0) false_share[i] = 1 - static_cast<double>(right) / static_cast<double>(found.found);
  });
  double mean = 0;
  for (const double share : false_share) mean += share / static_cast<double>(n);
  std::printf("%s  found %.3f  false among the finds %.3f\n", row,
              static_cast<double>(hits) / static_cast<double>(there), mean);
  std::fflush(stdout);
}

}  // namespace

void detect_rates(const Options& options) {
  const EdgeWindows silicon{"Si_L", {78, 97}, {99, 115}}, oxygen = default_windows("O_K"), mn = default_windows("Mn_L");
  std::puts("edge  dispersion, exponent, electrons a channel, camera; images with any false find, 95 % interval");
  const std::vector<std::pair<std::uint64_t, double>> sizes{{56, 2000}, {1000, 400}};
  for (const auto& [pixels, images] : sizes) {
    for (const double counts : {0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0})
      false_finds(options, silicon, 0.3, {.counts = counts}, pixels, images);
    for (const double gain : {5.0, 1.1, 0.2})
      false_finds(options, silicon, 0.3, {.counts = 10, .gain = gain}, pixels, images);
    for (const double share : {0.5, 0.1})
      false_finds(options, silicon, 0.3, {.counts = 10, .gain = 5, .coupled = share}, pixels, images);
    for (const double counts : {1.0, 10.0, 100.0}) {
      false_finds(options, silicon, 1.0, {.counts = counts}, pixels, images);
      false_finds(options, silicon, 0.3, {.counts = counts, .r = 1}, pixels, images);
      false_finds(options, oxygen, 0.3, {.counts = counts}, pixels, images);
      false_finds(options, mn, 0.5, {.counts = counts, .r = 4}, pixels, images);
    }
  }
  for (const double counts : {1.0, 10.0, 100.0, 1000.0}) {
    for (const double jump : {0.1, 0.2, 0.5, 1.0}) power(options, silicon, counts, jump);
  }
}

}  // namespace elver::rates
