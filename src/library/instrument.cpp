#include "library/instrument.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "types/median.hpp"

namespace elver {
namespace {

constexpr double kFwhmPerSigma = 2.354820045;
constexpr double kPlasmonEnergy = 24.0;  ///< eV, of layered transition metal oxides
constexpr double kPlasmonWidth = 15.0;   ///< eV
constexpr double kScatterStep = 1.0;     ///< eV: the plasmon is wide, so plural scattering needs no finer grid

double tail_below(double first, double onset, double start, double energy) {
  const double ratio = (onset - start) / (onset - energy);
  return first * ratio * ratio;
}

/// One subshell on a grid wider than its own, broadened and, with `power` > 0, falling beyond the onset.
class Shape {
 public:
  Shape(const Subshell& subshell, std::span<const float> values, double jump, double fwhm, double power)
      : onset_(subshell.onset_ev),
        step_(subshell.step_ev),
        jump_(jump),
        power_(power),
        log_onset_(std::log(subshell.onset_ev)) {
    const double sigma = fwhm / kFwhmPerSigma;
    const auto reach = static_cast<std::size_t>(std::ceil(4 * sigma / step_));
    last_energy_ = subshell.energy(subshell.points - 1);
    last_ = static_cast<double>(values.back());
    first_ = static_cast<double>(values.front());
    start_ = subshell.start_ev;
    const std::size_t pad = 2 * reach;  // one reach to read from, one in which the broadened edge still differs
    grid_start_ = subshell.start_ev - static_cast<double>(pad) * step_;
    std::vector<double> fine(subshell.points + 2 * pad);
    for (std::size_t i = 0; i < fine.size(); ++i) {
      const double e = grid_start_ + static_cast<double>(i) * step_;
      const bool inside = i >= pad && i < pad + subshell.points;
      fine[i] = inside ? static_cast<double>(values[i - pad]) * fall(e) : beyond(e);
    }
    std::vector<double> kernel(2 * reach + 1, 1.0);
    double total = 0;
    for (std::size_t k = 0; k < kernel.size(); ++k) {
      const double x = (static_cast<double>(k) - static_cast<double>(reach)) * step_;
      if (reach > 0) kernel[k] = std::exp(-0.5 * x * x / (sigma * sigma));
      total += kernel[k];
    }
    values_ = fine;
    for (std::size_t i = reach; i + reach < fine.size(); ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < kernel.size(); ++k) sum += kernel[k] * fine[i + k - reach];
      values_[i] = sum / total;
    }
  }

  double at(double energy) const {
    const double x = (energy - grid_start_) / step_;
    if (!(x >= 0) || x + 1 >= static_cast<double>(values_.size())) return beyond(energy);
    const auto i = static_cast<std::size_t>(x);
    const double t = x - static_cast<double>(i);
    return (1 - t) * values_[i] + t * values_[i + 1];
  }

 private:
  double fall(double energy) const {
    return energy > onset_ && power_ > 0 ? std::exp(power_ * (log_onset_ - std::log(energy))) : 1.0;
  }
  double beyond(double energy) const {
    if (energy < start_) return tail_below(first_, onset_, start_, energy);
    const double lengths = (energy - last_energy_) / kFineStructureDecay;
    const double left = lengths < 20 ? (last_ - jump_) * std::exp(-lengths) : 0.0;
    return (jump_ + left) * fall(energy);
  }
  double onset_, step_, jump_, power_, log_onset_;
  double start_ = 0, last_energy_ = 0, first_ = 0, last_ = 0, grid_start_ = 0;
  std::vector<double> values_;
};

/// Shares of an electron's plasmon loss in bins of kScatterStep: a Drude loss function, summing to one.
std::vector<double> plasmon() {
  std::vector<double> out(80);
  double total = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double e = static_cast<double>(i) * kScatterStep;
    const double d = e * e - kPlasmonEnergy * kPlasmonEnergy;
    out[i] = e * kPlasmonWidth / (d * d + e * e * kPlasmonWidth * kPlasmonWidth);
    total += out[i];
  }
  for (double& value : out) value /= total;
  return out;
}

/// The jump of two oxygen atoms: the unit of `jump_ratio`. Where a library has no O K, of one atom of its first edge.
double reference_jump(const Library& library) {
  const std::optional<std::size_t> oxygen = library.find("O_K");
  const Subshell& subshell = library.subshells[oxygen.value_or(0)];
  return (oxygen ? 2.0 : 1.0) * upper_median(subshell.jump) / subshell.onset_ev;
}

}  // namespace

void add_plural_scattering(std::vector<double>& counts, const EnergyAxis& axis, double thickness) {
  static const std::vector<double> kLoss = plasmon();
  const double span = axis.dispersion_ev * static_cast<double>(counts.size() - 1);
  const auto bins = static_cast<std::size_t>(span / kScatterStep) + 2;
  std::vector<double> order(bins, 0.0);
  for (std::size_t b = 0; b < bins; ++b) {
    const double x =
        std::min(static_cast<double>(b) * kScatterStep / axis.dispersion_ev, static_cast<double>(counts.size() - 1));
    const auto i = std::min(static_cast<std::size_t>(x), counts.size() - 2);
    const double t = x - static_cast<double>(i);
    order[b] = (1 - t) * counts[i] + t * counts[i + 1];
  }
  std::vector<double> moved(bins, 0.0);
  double factor = 1;
  for (int n = 1; n <= 2; ++n) {
    std::vector<double> next(bins, 0.0);
    for (std::size_t b = 0; b < bins; ++b) {
      for (std::size_t k = 0; k < std::min(kLoss.size(), b + 1); ++k) next[b] += order[b - k] * kLoss[k];
    }
    order = std::move(next);
    factor *= thickness / n;
    for (std::size_t b = 0; b < bins; ++b) moved[b] += factor * order[b];
  }
  for (std::size_t c = 0; c < counts.size(); ++c) {
    const double x = static_cast<double>(c) * axis.dispersion_ev / kScatterStep;
    const auto b = std::min(static_cast<std::size_t>(x), bins - 2);
    const double t = x - static_cast<double>(b);
    counts[c] += (1 - t) * moved[b] + t * moved[b + 1];
  }
}

InstrumentRange InstrumentRange::standard() {
  InstrumentRange out;
  out.fwhm_low_ev = out.fwhm_high_ev = 0.8;
  out.shift_sigma_ev = out.gain_sigma = out.jitter_oxygen_sigma_ev = out.jitter_metal_sigma_ev = 0.0;
  out.continuum_low = out.continuum_high = 3.0;
  out.background_low = out.background_high = 3.0;
  out.jump_low = out.jump_high = 1.0;
  out.thickness_low = out.thickness_high = 0.0;
  return out;
}

InstrumentRange InstrumentRange::foreign() {
  InstrumentRange out;
  out.fwhm_low_ev = 2.0;
  out.fwhm_high_ev = 2.6;
  out.shift_sigma_ev = 0.4;
  out.gain_sigma = 0.001;
  out.thickness_low = 0.8;
  out.thickness_high = 1.2;
  return out;
}

Instrument draw_instrument(const Library& library, const InstrumentRange& range, std::mt19937_64& random) {
  const auto uniform = [&](double low, double high) { return std::uniform_real_distribution(low, high)(random); };
  const auto log_uniform = [&](double low, double high) { return std::exp(uniform(std::log(low), std::log(high))); };
  const auto normal = [&](double sigma) { return std::normal_distribution(0.0, 1.0)(random) * sigma; };
  Instrument out;
  out.fwhm_ev = uniform(range.fwhm_low_ev, range.fwhm_high_ev);
  out.shift_ev = normal(range.shift_sigma_ev);
  out.gain = normal(range.gain_sigma);
  std::map<std::string, double> jitter;
  for (const std::string& element : library.elements()) {
    jitter[element] = normal(element == "O" ? range.jitter_oxygen_sigma_ev : range.jitter_metal_sigma_ev);
  }
  for (const Subshell& subshell : library.subshells) out.jitter_ev.push_back(jitter[subshell.element]);
  out.continuum_power = uniform(range.continuum_low, range.continuum_high);
  out.background_power = uniform(range.background_low, range.background_high);
  out.jump_ratio = log_uniform(range.jump_low, range.jump_high);
  out.thickness = uniform(range.thickness_low, range.thickness_high);
  out.counts_per_channel = log_uniform(range.dose_low, range.dose_high);
  return out;
}

std::vector<double> expected_counts(const Library& library, const Specimen& specimen, const Instrument& instrument,
                                    const EnergyAxis& axis) {
  std::vector<double> out(axis.size, 0.0);
  const double scale = instrument.counts_per_channel * instrument.jump_ratio / reference_jump(library);
  for (std::size_t s = 0; s < library.subshells.size(); ++s) {
    if (specimen.cross_section[s].empty()) continue;
    const Subshell& subshell = library.subshells[s];
    const Shape shape(subshell, specimen.cross_section[s], specimen.jump[s], instrument.fwhm_ev,
                      instrument.continuum_power);
    const double jitter = instrument.jitter_ev.empty() ? 0.0 : instrument.jitter_ev[s];
    for (std::size_t c = 0; c < axis.size; ++c) {
      const double shown = axis.energy(static_cast<double>(c));
      const double energy = shown - instrument.shift_ev - jitter - instrument.gain * (shown - kGainCentre);
      out[c] += scale / subshell.onset_ev * shape.at(energy);
    }
  }
  if (instrument.thickness > 0 && axis.size > 1) add_plural_scattering(out, axis, instrument.thickness);
  for (std::size_t c = 0; c < axis.size; ++c) {
    const double relative = axis.energy(static_cast<double>(c)) / kDoseEnergy;
    out[c] += instrument.counts_per_channel * std::pow(relative, -instrument.background_power);
  }
  return out;
}

void add_poisson_noise(std::span<double> counts, std::mt19937_64& random) {
  for (double& value : counts) {
    value = value > 0 ? static_cast<double>(std::poisson_distribution<std::int64_t>(value)(random)) : 0.0;
  }
}

std::vector<double> broadened(const Subshell& subshell, std::span<const float> cross_section, double jump,
                              double fwhm_ev, std::span<const double> energy_ev) {
  const Shape shape(subshell, cross_section, jump, fwhm_ev, 0.0);
  std::vector<double> out;
  for (const double energy : energy_ev) out.push_back(shape.at(energy));
  return out;
}

}  // namespace elver
