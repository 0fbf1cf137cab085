#include "energy/coarse.hpp"

#include <algorithm>
#include <cmath>

#include "elver/error.hpp"
#include "types/median.hpp"
#include "types/text.hpp"

namespace elver::energy {
namespace {

constexpr double kIntervalEv = 1.0;

}  // namespace

void require_spectrum(const EnergyAxis& axis, std::span<const double> spectrum) {
  if (!(axis.dispersion_ev > 0) || !std::isfinite(axis.offset_ev) || axis.size < 16 || spectrum.size() != axis.size) {
    throw Error(ErrorKind::mismatch, "cannot calibrate this energy axis",
                text("%zu channels of %g eV from %g eV", axis.size, axis.dispersion_ev, axis.offset_ev),
                "Give --offset-ev and --dispersion-ev");
  }
  double highest = 0;
  for (const double value : spectrum) {
    if (!std::isfinite(value)) {
      throw Error(ErrorKind::mismatch, "cannot calibrate", "the mean spectrum holds values that are not finite",
                  "Give --offset-ev and --dispersion-ev");
    }
    highest = std::max(highest, value);
  }
  if (!(highest > 0)) {
    throw Error(ErrorKind::mismatch, "cannot calibrate", "the mean spectrum holds no counts",
                "Choose another --dataset");
  }
}

double farthest_ev(const EnergyAxis& a, const EnergyAxis& b) {
  const auto end = static_cast<double>(a.size);
  return std::max(std::abs(a.energy(0) - b.energy(0)), std::abs(a.energy(end) - b.energy(end)));
}

Coarse coarsen(const EnergyAxis& axis, std::span<const double> spectrum) {
  const auto bin = static_cast<std::size_t>(std::max(1.0, std::round(kIntervalEv / axis.dispersion_ev)));
  Coarse out;
  out.axis.dispersion_ev = axis.dispersion_ev * static_cast<double>(bin);
  out.axis.offset_ev = axis.energy(0.5 * static_cast<double>(bin - 1));
  out.axis.size = spectrum.size() / bin;
  for (std::size_t i = 0; i < out.axis.size; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < bin; ++k) sum += spectrum[i * bin + k];
    out.counts.push_back(sum / static_cast<double>(bin));
  }
  out.weight = smooth(out.counts, 3.0);
  const double largest = *std::max_element(out.weight.begin(), out.weight.end());
  for (double& w : out.weight) w = 1.0 / std::sqrt(std::max(w, 1e-3 * largest));

  std::vector<double> squares;
  for (std::size_t i = 0; i + 3 < spectrum.size(); ++i) {
    const double d = spectrum[i + 3] - 3 * spectrum[i + 2] + 3 * spectrum[i + 1] - spectrum[i];
    const double w = out.weight[std::min(i / bin, out.weight.size() - 1)];
    squares.push_back(d * d * w * w);
  }
  constexpr double kMedianOfChiSquare = 0.455, kThirdDifference = 20.0;  // 1 + 9 + 9 + 1
  out.noise = upper_median(std::move(squares)) / kMedianOfChiSquare / kThirdDifference / static_cast<double>(bin);
  return out;
}

ChannelRange clipped(const EnergyAxis& axis, EnergyWindow window) {
  const double end = static_cast<double>(axis.size);
  const double first = std::clamp(std::ceil(axis.channel(window.start_ev)), 0.0, end);
  const double last = std::clamp(std::floor(axis.channel(window.stop_ev)) + 1.0, first, end);
  return {static_cast<std::size_t>(first), static_cast<std::size_t>(last)};
}

std::vector<double> smooth(std::span<const double> spectrum, double sigma) {
  const auto n = static_cast<std::ptrdiff_t>(spectrum.size());
  if (!(sigma > 0) || n == 0) return {spectrum.begin(), spectrum.end()};
  const auto reach = static_cast<std::ptrdiff_t>(std::ceil(4 * sigma));
  std::vector<double> kernel(static_cast<std::size_t>(2 * reach + 1)), out(spectrum.size());
  double sum = 0;
  for (std::ptrdiff_t k = -reach; k <= reach; ++k)
    sum += kernel[k + reach] = std::exp(-0.5 * static_cast<double>(k * k) / (sigma * sigma));
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    double value = 0;
    for (std::ptrdiff_t k = -reach; k <= reach; ++k) {
      value += kernel[k + reach] * spectrum[std::clamp<std::ptrdiff_t>(i + k, 0, n - 1)];
    }
    out[i] = value / sum;
  }
  return out;
}

}  // namespace elver::energy
