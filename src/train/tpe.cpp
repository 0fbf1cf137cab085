#include "train/tpe.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace elver::train {
namespace {

constexpr std::size_t kRandomFirst = 10;   ///< points drawn evenly before there is anything to go by
constexpr double kGoodShare = 0.1;        ///< of the points are the good ones
constexpr std::size_t kMostGood = 25;
constexpr std::size_t kCandidates = 24;
constexpr double kWidth = 0.07;            ///< of a window, in units of the range; shrinks as windows^(-1/(d+4))
constexpr double kOwnChoice = 0.75;        ///< weight of a window's own choice
constexpr double kLeastWidth = 0.003;

double normal_cdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752); }

/// A Gaussian window cut off at the ends of [0, 1].
double log_window(double x, double centre, double width) {
  const double inside = normal_cdf((1 - centre) / width) - normal_cdf(-centre / width);
  const double z = (x - centre) / width;
  return -0.5 * z * z - std::log(width * 2.5066282746310002 * inside);
}

}  // namespace

Tpe::Tpe(std::vector<Parameter> space, std::uint64_t seed) : space_(std::move(space)), random_(seed) {}

double Tpe::to_place(std::size_t k, double value) const {
  const Parameter& p = space_[k];
  if (!p.choices.empty())
    return static_cast<double>(std::ranges::find(p.choices, value) - p.choices.begin());
  if (!(p.high > p.low)) return 0.5;
  return p.logarithmic ? std::log(value / p.low) / std::log(p.high / p.low) : (value - p.low) / (p.high - p.low);
}

double Tpe::to_value(std::size_t k, double place) const {
  const Parameter& p = space_[k];
  if (!p.choices.empty()) return p.choices[static_cast<std::size_t>(place)];
  double value = p.logarithmic ? p.low * std::exp(place * std::log(p.high / p.low)) : p.low + place * (p.high - p.low);
  if (p.step > 0) value = p.low + p.step * std::round((value - p.low) / p.step);
  return std::clamp(value, p.low, p.high);
}

void Tpe::set_width(Windows& windows) const {
  const auto n = static_cast<double>(windows.centres.size()), d = static_cast<double>(space_.size());
  windows.width = std::max(kLeastWidth, kWidth * std::pow(n, -1.0 / (d + 4)));
}

std::vector<double> Tpe::draw(const Windows& windows) {
  const auto uniform = [&] { return std::uniform_real_distribution(0.0, 1.0)(random_); };
  const std::size_t chosen = std::uniform_int_distribution<std::size_t>(0, windows.centres.size() - 1)(random_);
  std::vector<double> out;
  for (std::size_t k = 0; k < space_.size(); ++k) {
    const std::size_t choices = space_[k].choices.size();
    const bool prior = chosen == 0;
    if (choices > 0) {
      const bool own = !prior && uniform() < kOwnChoice;
      out.push_back(own ? windows.centres[chosen][k] : std::floor(uniform() * static_cast<double>(choices)));
      continue;
    }
    double place = uniform();
    if (!prior) {
      std::normal_distribution around(windows.centres[chosen][k], windows.width);
      do place = around(random_);
      while (!(place >= 0 && place <= 1));
    }
    out.push_back(place);
  }
  return out;
}

double Tpe::log_density(const Windows& windows, const std::vector<double>& place) const {
  double highest = -std::numeric_limits<double>::infinity();
  std::vector<double> logs;
  for (std::size_t w = 0; w < windows.centres.size(); ++w) {
    double log = 0;  // of the prior: even over [0, 1] and over the choices
    for (std::size_t k = 0; k < space_.size(); ++k) {
      const auto choices = static_cast<double>(space_[k].choices.size());
      if (choices > 0) {
        const double other = (w == 0 ? 1.0 : 1 - kOwnChoice) / choices;
        log += std::log(other + (w > 0 && windows.centres[w][k] == place[k] ? kOwnChoice : 0.0));
      } else if (w > 0) {
        log += log_window(place[k], windows.centres[w][k], windows.width);
      }
    }
    logs.push_back(log);
    highest = std::max(highest, log);
  }
  double sum = 0;
  for (const double log : logs) sum += std::exp(log - highest);
  return highest + std::log(sum / static_cast<double>(windows.centres.size()));
}

std::vector<double> Tpe::ask() {
  std::vector<double> best;
  Windows good, rest;
  if (history_.size() < kRandomFirst) {
    best = draw(good);
  } else {
    std::vector<std::size_t> order(history_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return history_[i].loss; });
    const auto wanted = static_cast<std::size_t>(std::ceil(kGoodShare * static_cast<double>(order.size())));
    const std::size_t count = std::min(kMostGood, std::max<std::size_t>(2, wanted));
    for (std::size_t i = 0; i < order.size(); ++i) (i < count ? good : rest).centres.push_back(history_[order[i]].place);
    set_width(good);
    set_width(rest);
    double highest = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < kCandidates; ++i) {
      const std::vector<double> candidate = draw(good);
      const double gain = log_density(good, candidate) - log_density(rest, candidate);
      if (!(gain > highest)) continue;
      highest = gain;
      best = candidate;
    }
  }
  for (std::size_t k = 0; k < best.size(); ++k) best[k] = to_value(k, best[k]);
  return best;
}

void Tpe::tell(const std::vector<double>& point, double loss) {
  Trial trial;
  for (std::size_t k = 0; k < space_.size(); ++k) trial.place.push_back(to_place(k, point[k]));
  trial.loss = std::isnan(loss) ? std::numeric_limits<double>::infinity() : loss;
  history_.push_back(std::move(trial));
}

}  // namespace elver::train
