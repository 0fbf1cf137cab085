#include "background/edge_fitter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "elver/core/power_law.hpp"
#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr double kLargest = std::numeric_limits<float>::max();  // A saturates there

}  // namespace

EdgeFit failed_fit(PixelStatus status) {
  EdgeFit fit;
  fit.A = fit.r = fit.reduced_chi_square = fit.background = fit.background_error = fit.signal = fit.snr = fit.phi =
      kNaN;
  fit.status = status;
  return fit;
}

EdgeFitter::EdgeFitter(const EnergyAxis& axis, EnergyWindow fit, EnergyWindow signal, const BackgroundOptions& options)
    : axis_(axis), options_(options), fit_(axis.channels(fit)), signal_(axis.channels(signal)) {
  const std::string name = text("fit window %g:%g eV", fit.start_ev, fit.stop_ev);
  if (fit_.size() < 3) {
    throw Error(ErrorKind::mismatch, name, text("it holds %zu channels of %g eV", fit_.size(), axis.dispersion_ev),
                "A power law needs at least 3");
  }
  const auto first = static_cast<double>(fit_.first);
  if (!(axis.energy(std::min(first, static_cast<double>(signal_.first))) > 0)) {
    throw Error(ErrorKind::mismatch, name, text("it begins at %g eV", axis.energy(first)),
                "A power law needs energies above 0");
  }
  double sum = 0;
  for (std::size_t c = fit_.first; c < fit_.last; ++c) sum += std::log2(axis.energy(static_cast<double>(c)));
  log2_e0_ = sum / static_cast<double>(fit_.size());
  x_.resize(axis.size);
  std::vector<double> exact;
  for (std::size_t c = 0; c < axis.size; ++c) {
    const double energy = axis.energy(static_cast<double>(c));
    const double x = energy > 0 ? std::log2(energy) - log2_e0_ : std::numeric_limits<double>::infinity();
    x_[c] = static_cast<float>(x);
    if (c >= fit_.first && c < fit_.last) exact.push_back(static_cast<double>(x_[c]));
  }
  if (options.method == BackgroundMethod::poisson_ml) {
    // Room for the scatter of r around its limits: 3 over half the window's width in ln E is five standard errors of r
    // from ten electrons.
    const double scatter =
        options.r_standard_errors > 0 ? 6.0 / ((exact.back() - exact.front()) * std::numbers::ln2) : 0.0;
    poisson_.emplace(exact, options.r_minimum - scatter, options.r_maximum + scatter);
  }
  // HyperSpy's rule: an odd window loses its last channel; an empty one is given two.
  two_area_last_ = fit_.last - (fit_.first + fit_.last) % 2;
  half_ = (fit_.first + two_area_last_) / 2;
}

void EdgeFitter::fit_two_area(const TileView& tile, std::size_t first, std::size_t count, EdgeBlock& block) const {
  const double e1 = axis_.energy(static_cast<double>(fit_.first)), e2 = axis_.energy(static_cast<double>(half_)),
               e4 = axis_.energy(static_cast<double>(two_area_last_));
  const double l1 = 0.5 * std::log2(e1 * e2) - log2_e0_, l2 = 0.5 * std::log2(e2 * e4) - log2_e0_;
  for (std::size_t p = 0; p < count; ++p) {
    double i1 = 0, i2 = 0;
    for (std::size_t c = fit_.first; c < half_; ++c) i1 += static_cast<double>(tile.channel(c)[first + p]);
    for (std::size_t c = half_; c < two_area_last_; ++c) i2 += static_cast<double>(tile.channel(c)[first + p]);
    if (!(i1 > 0 && i2 > 0)) {
      block.status[p] = static_cast<std::int32_t>(PixelStatus::non_positive_window);
      continue;
    }
    const core::PowerLaw<double> law = core::two_area(i1, i2, e1, e2, e4, axis_.dispersion_ev);
    const double log2_a = std::log2(law.A);
    block.r[p] = static_cast<float>(law.r);
    block.amplitude[p] = static_cast<float>(std::min(law.A, kLargest));
    const double level = 1.0 / (i1 + i2), slope = (1.0 / i1 + 1.0 / i2) / ((l2 - l1) * (l2 - l1));
    block.set_curve(
        p, {static_cast<float>(std::exp2(log2_a - law.r * log2_e0_)), 0.0f, -block.r[p], 0.0f,
            static_cast<float>(level), static_cast<float>(slope), static_cast<float>((l1 * i1 + l2 * i2) * level)});
  }
}

void EdgeFitter::fit_log_lsq(const TileView& tile, std::size_t first, std::size_t count, EdgeBlock& block) const {
  for (std::size_t p = 0; p < count; ++p) {
    double n = 0, sx = 0, sl = 0, sxx = 0, sxl = 0, sll = 0;
    for (std::size_t c = fit_.first; c < fit_.last; ++c) {
      const float y = tile.channel(c)[first + p];
      if (!(y >= std::numeric_limits<float>::min())) continue;
      const auto x = static_cast<double>(x_[c]);
      const double l = std::log2(static_cast<double>(y));
      n += 1;
      sx += x;
      sl += l;
      sxx += x * x;
      sxl += x * l;
      sll += l * l;
    }
    if (n < 3) {
      block.status[p] = static_cast<std::int32_t>(PixelStatus::non_positive_window);
      continue;
    }
    const double xm = sx / n, lm = sl / n, vxx = sxx - n * xm * xm, vxl = sxl - n * xm * lm, vll = sll - n * lm * lm;
    const double slope = vxl / vxx, level = lm - slope * xm;
    constexpr double kLn2Squared = 0.6931471805599453 * 0.6931471805599453;
    const double residual = std::max(0.0, vll - slope * vxl) / (n - 2) * kLn2Squared;
    block.r[p] = static_cast<float>(-slope);
    block.amplitude[p] = static_cast<float>(std::min(std::exp2(level - slope * log2_e0_), kLargest));
    block.set_curve(p, {static_cast<float>(std::exp2(level)), 0.0f, -block.r[p], 0.0f, static_cast<float>(residual / n),
                        static_cast<float>(residual / vxx), static_cast<float>(xm)});
  }
}

EdgeView EdgeFitter::view() const {
  return {fit_, signal_, x_.data(), log2_e0_, poisson_ ? &*poisson_ : nullptr, &options_, limits()};
}

void EdgeFitter::fit(const TileView& tile, std::size_t first, std::size_t count, ChannelRange checked,
                     ChannelRange net_channels, float* net, EdgeFit* fits, const Ahead& ahead) const {
  const EdgeView edge = view();
  const TileBlock pixels{tile, first, count};
  EdgeBlock block{};
  begin_fit(edge, pixels, block);
  if (options_.method == BackgroundMethod::log_lsq) fit_log_lsq(tile, first, count, block);
  if (options_.method == BackgroundMethod::two_area) fit_two_area(tile, first, count, block);
  finish_curve(edge, pixels, net_channels, block);
  end_fit(edge, pixels, checked, net_channels, net, block, fits, ahead);
}

}  // namespace elver
