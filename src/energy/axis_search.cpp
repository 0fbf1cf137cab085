#include "energy/axis_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace elver::energy {
namespace {

constexpr double kMostShiftEv = 26.0;
constexpr double kLeastGain = 0.93, kMostGain = 1.07;
constexpr double kGainStep = 0.02;    ///< of the evidence: an edge of 40 eV is 0.4 eV too wide then, at most
constexpr double kPlaceStepEv = 0.5;  ///< of the search
constexpr double kBesideEv = 2.0;     ///< an edge further beside its place is not that edge

double reach_ev(const EdgeShape& shape) { return kMostShiftEv + (kMostGain - 1.0) * shape.anchor_ev(); }
std::ptrdiff_t places_of(const EdgeShape& shape) {
  return static_cast<std::ptrdiff_t>(2 * reach_ev(shape) / kPlaceStepEv) + 1;
}
double place_ev(const EdgeShape& shape, std::ptrdiff_t i) {
  return shape.anchor_ev() - reach_ev(shape) + static_cast<double>(i) * kPlaceStepEv;
}

/// Evidence of one edge at every place, for gains from kLeastGain on.
class EvidenceMap {
 public:
  EvidenceMap(const Coarse& spectrum, const EdgeShape& shape) : start_ev_(place_ev(shape, 0)) {
    std::vector<double> plain(static_cast<std::size_t>(places_of(shape)));
    for (double gain = kLeastGain; gain < kMostGain + 0.5 * kGainStep; gain += kGainStep) {
      for (std::size_t i = 0; i < plain.size(); ++i)
        plain[i] = shape.evidence(spectrum, gain, place_ev(shape, static_cast<std::ptrdiff_t>(i)));
      at_gain_.push_back(tolerant(plain));
    }
  }
  double at(double gain, double place) const {
    const double last = static_cast<double>(at_gain_.size()) - 1.0;
    const std::vector<double>& values =
        at_gain_[static_cast<std::size_t>(std::clamp(std::round((gain - kLeastGain) / kGainStep), 0.0, last))];
    const double x = std::round((place - start_ev_) / kPlaceStepEv);
    return x >= 0 && x < static_cast<double>(values.size()) ? values[static_cast<std::size_t>(x)] : 0.0;
  }

 private:
  /// The best of the places around each, less what their distance costs.
  static std::vector<double> tolerant(const std::vector<double>& plain) {
    const auto n = static_cast<std::ptrdiff_t>(plain.size());
    constexpr auto kReach = static_cast<std::ptrdiff_t>(kBesideEv / kPlaceStepEv);
    std::vector<double> out(plain);
    for (std::ptrdiff_t i = 0; i < n; ++i) {
      for (std::ptrdiff_t k = std::max<std::ptrdiff_t>(0, i - kReach); k <= std::min(n - 1, i + kReach); ++k) {
        const double beside = static_cast<double>(k - i) * kPlaceStepEv / kChemistryEv;
        out[i] = std::max(out[i], plain[k] - 0.5 * beside * beside);
      }
    }
    return out;
  }
  double start_ev_;
  std::vector<std::vector<double>> at_gain_;
};

/// The axis on which two edges, seen at `low_ev` and `high_ev`, lie at their anchors.
EnergyAxis through(const EnergyAxis& axis, const EdgeShape& low, const EdgeShape& high, double low_ev, double high_ev) {
  const double gain = (high.anchor_ev() - low.anchor_ev()) / (high_ev - low_ev);
  return {low.anchor_ev() + gain * (axis.offset_ev - low_ev), gain * axis.dispersion_ev, axis.size};
}

bool plausible(const EnergyAxis& before, const EnergyAxis& after) {
  const double gain = after.dispersion_ev / before.dispersion_ev;
  if (!(gain >= kLeastGain && gain <= kMostGain)) return false;
  return std::abs(after.offset_ev - before.offset_ev) <= kMostShiftEv ||
         std::abs(after.offset_ev - gain * before.offset_ev) <= kMostShiftEv;
}

/// How far two axes part at the edges that the first one holds.
double apart_ev(const EnergyAxis& one, const EnergyAxis& other, const std::vector<EdgeShape>& shapes) {
  double apart = 0;
  for (const EdgeShape& shape : shapes) {
    const double channel = one.channel(shape.anchor_ev());
    if (channel < 0 || channel > static_cast<double>(one.size)) continue;
    apart = std::max(apart, std::abs(other.energy(channel) - shape.anchor_ev()));
  }
  return apart;
}

}  // namespace

AxisSearch search_axis(const EnergyAxis& axis, const Coarse& spectrum, const std::vector<EdgeShape>& shapes) {
  const EdgeShape &low = shapes.front(), &high = shapes.back();
  std::vector<EvidenceMap> maps;
  for (const EdgeShape& shape : shapes) maps.emplace_back(spectrum, shape);
  // An axis is where it shows the lowest edge (row) and the highest one (column).
  const std::ptrdiff_t rows = places_of(low), columns = places_of(high);
  const auto axis_of = [&](std::ptrdiff_t r, std::ptrdiff_t c) {
    return through(axis, low, high, place_ev(low, r), place_ev(high, c));
  };
  std::vector<double> scores(static_cast<std::size_t>(rows * columns), 0.0);
  AxisSearch out{axis, axis};
  for (std::ptrdiff_t r = 0; r < rows; ++r) {
    for (std::ptrdiff_t c = 0; c < columns; ++c) {
      if (!(place_ev(high, c) > place_ev(low, r))) continue;
      const EnergyAxis after = axis_of(r, c);
      if (!plausible(axis, after)) continue;
      const double gain = after.dispersion_ev / axis.dispersion_ev;
      double& score = scores[r * columns + c];
      for (std::size_t m = 0; m < shapes.size(); ++m)
        score += maps[m].at(gain, axis.energy(after.channel(shapes[m].anchor_ev())));
      if (score > out.score) {
        out.score = score;
        out.best = after;
      }
    }
  }
  const auto is_top = [&](std::ptrdiff_t r, std::ptrdiff_t c) {
    for (std::ptrdiff_t nr = std::max<std::ptrdiff_t>(0, r - 1); nr <= std::min(rows - 1, r + 1); ++nr) {
      for (std::ptrdiff_t nc = std::max<std::ptrdiff_t>(0, c - 1); nc <= std::min(columns - 1, c + 1); ++nc) {
        if (scores[nr * columns + nc] > scores[r * columns + c]) return false;
      }
    }
    return true;
  };
  for (std::ptrdiff_t r = 0; r < rows; ++r) {
    for (std::ptrdiff_t c = 0; c < columns; ++c) {
      const double score = scores[r * columns + c];
      if (!(score > out.second_score) || !is_top(r, c)) continue;
      const EnergyAxis other = axis_of(r, c);
      if (!(apart_ev(out.best, other, shapes) > kDistinctEv)) continue;
      out.second_score = score;
      out.second = other;
    }
  }
  return out;
}

}  // namespace elver::energy
