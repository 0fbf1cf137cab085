#include "energy/find.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "elver/core/power_law.hpp"
#include "energy/coarse.hpp"

namespace elver::energy {
namespace {

constexpr double kWhiteLinesEv[] = {0.9, 1.7, 2.5};  ///< standard deviations of white lines as spectrometers show them
constexpr double kFinestEv = 1.0;                    ///< smoothing (standard deviation) in which a position is read
constexpr double kCoarsestEv = 2.0;                  ///< and in which it is looked for first
constexpr double kBeforeOnsetEv = 5.0;  ///< where a background before an onset ends: its place is known to so much
constexpr double kProminence = 0.15;  ///< of the main maximum's height: what makes an earlier maximum count
constexpr double kLinesExplain = 0.82, kOnsetExplains = 0.4;  ///< least share of what is more than noise

double step(double distance_ev, double width_ev) {
  return 0.5 * (1.0 + std::erf(distance_ev / width_ev / std::numbers::sqrt2));
}
double bell(double distance_ev, double width_ev) {
  return std::exp(-0.5 * distance_ev * distance_ev / (width_ev * width_ev));
}

/// What is looked at around an edge whose first line or onset lies at `first_ev`.
EnergyWindow surroundings(const Feature& feature, double splitting_ev, double first_ev) {
  return {first_ev - std::min(25.0, 0.2 * feature.energy_ev),
          first_ev + std::min(20.0, 0.2 * feature.energy_ev) + splitting_ev};
}

/// What a smooth background is made of: a parabola on E^-3. Before a low edge counts fall several times within the
/// surroundings, which a parabola alone does not follow: what it leaves would be taken for an edge.
Eigen::RowVector3d smooth_terms(double energy_ev, double first_ev) {
  const double u = (energy_ev - first_ev) / 25.0, ratio = first_ev / energy_ev, fall = ratio * ratio * ratio;
  return {fall, fall * u, fall * u * u};
}

/// One comparison: background alone, and background with the edge at `first_ev`.
struct Likeness {
  double evidence = 0.0;
  Eigen::Vector3d background = Eigen::Vector3d::Zero();  ///< of the smooth terms
};

Likeness compare(const Coarse& coarse, const Feature& feature, double splitting_ev, double first_ev, double width_ev) {
  const ChannelRange range = clipped(coarse.axis, surroundings(feature, splitting_ev, first_ev));
  const auto first = static_cast<Eigen::Index>(range.first), n = static_cast<Eigen::Index>(range.size());
  const bool lines = feature.kind == FeatureKind::white_line;
  const Eigen::Index columns = lines ? 6 : 5;
  if (n < columns + 3) return {};
  Eigen::MatrixXd design(n, columns);
  Eigen::VectorXd counts(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const auto c = static_cast<std::size_t>(first + i);
    const double energy = coarse.axis.energy(static_cast<double>(c)), d = energy - first_ev, w = coarse.weight[c];
    design.row(i).head<3>() = w * smooth_terms(energy, first_ev);
    if (lines) {
      design(i, 3) = w * bell(d, width_ev);
      design(i, 4) = w * bell(d - splitting_ev, width_ev);
      design(i, 5) = w * (2.0 * step(d, 2.0) + step(d - splitting_ev, 2.0)) / 3.0;
    } else {
      design(i, 3) = w * step(d, 1.5);
      design(i, 4) = w * step(d, 1.5) * bell(d - 8.0, 5.0);
    }
    counts(i) = w * coarse.counts[c];
  }
  const Eigen::MatrixXd smooth_part = design.leftCols(3);
  const Eigen::VectorXd without = smooth_part.colPivHouseholderQr().solve(counts);
  const Eigen::VectorXd with = design.colPivHouseholderQr().solve(counts);
  // What no edge looks like: a hole; one line much weaker than its partner; a step that dwarfs its white line.
  if (lines) {
    const double line = with(3), partner = with(4), edge = with(5);
    if (!(line > 0) || partner < 0.05 * line || partner > 1.6 * line || edge < -0.3 * line || edge > 1.2 * line)
      return {};
  } else if (with(3) < 0 || with(4) < 0) {
    return {};
  }
  const double rss_without = (counts - smooth_part * without).squaredNorm();
  const double rss_with = std::max((counts - design * with).squaredNorm(), 1e-12 * counts.squaredNorm());
  const auto size = static_cast<double>(n);
  const double explained = rss_without - rss_with;
  const double more_than_noise = rss_without - coarse.noise * (size + 3 * std::sqrt(2 * size));
  if (explained < (lines ? kLinesExplain : kOnsetExplains) * more_than_noise) return {};
  return {0.5 * size * std::log(std::max(1.0, rss_without / rss_with)), with.head<3>()};
}

/// The best of the comparisons with lines of several widths.
Likeness compare(const Coarse& coarse, const Feature& feature, double splitting_ev, double first_ev) {
  Likeness best;
  for (const double width_ev : kWhiteLinesEv) {
    const Likeness here = compare(coarse, feature, splitting_ev, first_ev, width_ev);
    if (here.evidence > best.evidence) best = here;
    if (feature.kind != FeatureKind::white_line) break;
  }
  return best;
}

/// Climbs from `start` to the next maximum; a parabola through three channels says where between them.
double climb(std::span<const double> values, double start) {
  const auto last = static_cast<std::ptrdiff_t>(values.size()) - 2;
  std::ptrdiff_t i = std::clamp<std::ptrdiff_t>(std::lround(start), 1, last);
  while (i < last && values[i + 1] > values[i]) ++i;
  while (i > 1 && values[i - 1] > values[i]) --i;
  const double left = values[i - 1], middle = values[i], right = values[i + 1], curvature = left - 2 * middle + right;
  return static_cast<double>(i) + (curvature < 0 ? std::clamp(0.5 * (left - right) / curvature, -0.5, 0.5) : 0.0);
}

/// Where the rise to the main (or the first) maximum of the net spectrum sets in: the tangent at its steepest place,
/// followed down to the lowest level before it. `from`..`to`: channels in which the main maximum lies. NaN if none.
double onset(std::span<const double> net, std::ptrdiff_t from, std::ptrdiff_t to, double channels_per_ev, bool first) {
  std::ptrdiff_t top = std::max_element(net.begin() + from, net.begin() + to) - net.begin();
  const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(0, top - std::lround(25 * channels_per_ev));
  const double height = net[top] - *std::min_element(net.begin() + begin, net.begin() + top + 1);
  std::ptrdiff_t valley = top;
  for (bool again = true; again;) {
    again = false;
    valley = top;
    const std::ptrdiff_t end = std::max<std::ptrdiff_t>(0, top - std::lround(15 * channels_per_ev));
    for (std::ptrdiff_t i = top; i >= end; --i) {
      if (net[i] < net[valley]) valley = i;
      if (net[i] > net[valley] + kProminence * height) {  // an earlier maximum
        if (!first) break;
        std::ptrdiff_t peak = i;
        while (peak > 0 && net[peak - 1] >= net[peak]) --peak;
        top = peak;
        again = true;
        break;
      }
    }
  }
  std::ptrdiff_t steepest = valley;
  double slope = 0;
  for (std::ptrdiff_t i = std::max<std::ptrdiff_t>(valley, 1); i < top; ++i) {
    const double here = 0.5 * (net[i + 1] - net[i - 1]);
    if (here > slope) {
      slope = here;
      steepest = i;
    }
  }
  if (!(slope > 0)) return std::nan("");
  return static_cast<double>(steepest) - (net[steepest] - net[valley]) / slope;
}

/// The power law through what lies before an onset, in place of the background that was fitted together with the edge:
/// that one gives way to the edge, and on steep counts the net spectrum then rises too early. Nothing where there is
/// too little to say.
std::optional<core::PowerLaw<double>> power_law_before(const EnergyAxis& axis, std::span<const double> spectrum,
                                                       EnergyWindow window) {
  const ChannelRange range = clipped(axis, window);
  const std::size_t last = range.last - range.size() % 2, half = (range.first + last) / 2;
  if (last < range.first + 6 || !(axis.energy(static_cast<double>(range.first)) > 0)) return std::nullopt;
  double before = 0, after = 0;
  for (std::size_t c = range.first; c < half; ++c) before += spectrum[c];
  for (std::size_t c = half; c < last; ++c) after += spectrum[c];
  if (!(before > 0 && after > 0)) return std::nullopt;
  const auto energy = [&](std::size_t c) { return axis.energy(static_cast<double>(c)); };
  return core::two_area(before, after, energy(range.first), energy(half), energy(last), axis.dispersion_ev);
}

}  // namespace

std::vector<Candidate> find_candidates(const EnergyAxis& axis, std::span<const double> spectrum, const Feature& feature,
                                       double expected_ev, double reach_ev, double least_evidence) {
  const bool lines = feature.kind == FeatureKind::white_line;
  const double splitting = lines ? std::abs(feature.partner_ev - feature.energy_ev) : 0.0;
  const double to_first = feature.second() ? -splitting : 0.0;  // an edge is looked for by its first line
  const Coarse coarse = coarsen(axis, spectrum);
  const double last_ev = axis.energy(static_cast<double>(axis.size) - 1);
  const double start = std::max(expected_ev + to_first - reach_ev, axis.offset_ev + 5.0);
  const double stop = std::min(expected_ev + to_first + reach_ev, last_ev - 5.0 - (feature.second() ? splitting : 0.0));
  const double places_ev = std::min(0.5, 0.5 * coarse.axis.dispersion_ev);

  std::vector<double> places;
  std::vector<Likeness> likeness;
  for (double e = start; e <= stop; e += places_ev) {
    places.push_back(e);
    likeness.push_back(compare(coarse, feature, splitting, e));
  }
  std::vector<Candidate> found;
  const double per_ev = 1.0 / axis.dispersion_ev;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double here = likeness[i].evidence;
    if (here < least_evidence || (i > 0 && likeness[i - 1].evidence > here) ||
        (i + 1 < places.size() && likeness[i + 1].evidence >= here)) {
      continue;
    }
    // The spectrum around, without the background that the comparison found: a slope would move a maximum.
    const ChannelRange range = clipped(axis, surroundings(feature, splitting, places[i]));
    const std::size_t first = range.first;
    std::vector<double> net(spectrum.begin() + first, spectrum.begin() + range.last);
    std::optional<core::PowerLaw<double>> law;
    if (feature.kind == FeatureKind::onset)
      law = power_law_before(axis, spectrum, {axis.energy(static_cast<double>(first)), places[i] - kBeforeOnsetEv});
    for (std::size_t c = 0; c < net.size(); ++c) {
      const double energy = axis.energy(static_cast<double>(first + c));
      net[c] -= law ? law->A * std::pow(energy, -law->r) : smooth_terms(energy, places[i]) * likeness[i].background;
    }
    const std::vector<double> fine = smooth(net, std::max(1.0, kFinestEv * per_ev));
    double channel;
    if (lines) {
      const std::vector<double> rough = smooth(net, std::max(1.0, kCoarsestEv * per_ev));
      channel = climb(fine, climb(rough, axis.channel(places[i] - to_first) - static_cast<double>(first)));
    } else {
      const auto n = static_cast<std::ptrdiff_t>(net.size()) - 1;
      const double place = axis.channel(places[i]) - static_cast<double>(first);
      const auto from = std::clamp<std::ptrdiff_t>(std::lround(place - 6 * per_ev), 0, n - 1);
      const auto to = std::clamp<std::ptrdiff_t>(std::lround(place + 20 * per_ev), from + 1, n);
      channel = onset(fine, from, to, per_ev, feature.kind == FeatureKind::onset);
    }
    channel += static_cast<double>(first);
    if (!(std::abs(axis.energy(channel) - (places[i] - to_first)) < 12.0)) continue;
    const auto same = std::find_if(found.begin(), found.end(), [&](const Candidate& other) {
      return std::abs(other.channel - channel) * axis.dispersion_ev < 2.0;
    });
    if (same == found.end()) {
      found.push_back({channel, here});
    } else if (same->evidence < here) {
      *same = {channel, here};
    }
  }
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) { return a.evidence > b.evidence; });
  if (found.size() > 12) found.resize(12);
  return found;
}

}  // namespace elver::energy
