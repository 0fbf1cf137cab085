#include "energy/edge_shape.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver::energy {
namespace {

constexpr double kStepEv = 0.25;  ///< of the shapes' grid
constexpr double kBlurEv[] = {0.4, 1.2,
                              2.2};  ///< standard deviations: edges as spectrometers and thick specimens show them
constexpr double kBeforeEv = 25.0, kBeyondEv = 40.0;  ///< of the onset: what is looked at, or
constexpr double kBeforeShare = 0.2;                  ///< this share of its energy, if that is less
constexpr double kOnsetShare = 0.1;                   ///< of the height: where the edge has begun
constexpr double kExplains = 0.5;                     ///< least share of what is more than noise
constexpr std::size_t kFewest = 16;                   ///< intervals that are worth a comparison

}  // namespace

EdgeShape::EdgeShape(const ReferenceSpectrum& reference) : edge_(reference.edge) {
  const std::vector<float>&energy = reference.energy_ev, &value = reference.intensity;
  const std::size_t n = std::min(energy.size(), value.size());
  const auto highest =
      n > 1 ? std::max_element(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(n)) : value.end();
  if (n < 4 || !(*highest > value.front())) {
    throw Error(ErrorKind::mismatch, "the model's reference of " + edge_ + " is no edge", "it does not rise",
                "Calibrate by marks, for example --mark Mn_L3=642.0");
  }
  anchor_ = static_cast<double>(energy[static_cast<std::size_t>(highest - value.begin())]);
  const double pad = 4 * kBlurEv[2] + 2.0, start = static_cast<double>(energy.front()),
               stop = static_cast<double>(energy[n - 1]);
  axis_ = {start - pad, kStepEv, static_cast<std::size_t>((stop - start + 2 * pad) / kStepEv) + 2};
  std::vector<double> plain(axis_.size);
  std::size_t k = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const double e = std::clamp(axis_.energy(static_cast<double>(i)), start, stop);
    while (k + 2 < n && static_cast<double>(energy[k + 1]) <= e) ++k;
    const auto low = static_cast<double>(energy[k]), high = static_cast<double>(energy[k + 1]);
    const double t = (e - low) / (high - low);
    plain[i] =
        (1 - t) * static_cast<double>(value[k]) + t * static_cast<double>(value[k + 1]) - static_cast<double>(value[0]);
  }
  for (std::size_t w = 0; w < kWidths; ++w) shapes_[w] = smooth(plain, kBlurEv[w] / kStepEv);
  const double height = *std::max_element(plain.begin(), plain.end());
  const auto begun = std::find_if(plain.begin(), plain.end(), [&](double v) { return v > kOnsetShare * height; });
  const double onset = axis_.energy(static_cast<double>(begun - plain.begin()));
  surroundings_ = {onset - std::min(kBeforeEv, kBeforeShare * onset), std::min(onset + kBeyondEv, stop)};
}

double EdgeShape::evidence(const Coarse& spectrum, double gain, double place_ev) const {
  const auto on_axis = [&](double e) { return place_ev + (e - anchor_) / gain; };
  const EnergyAxis& axis = spectrum.axis;
  const double first_ev = on_axis(surroundings_.start_ev), last_ev = on_axis(surroundings_.stop_ev);
  if (first_ev < axis.energy(-0.5) || last_ev > axis.energy(static_cast<double>(axis.size) - 0.5)) return 0;
  const ChannelRange range = clipped(axis, {first_ev, last_ev});
  if (range.size() < kFewest) return 0;
  // Weighted sums of products of the background (1, u, u^2), the shapes and the counts. Intervals at the ends count by
  // how far they lie inside, so that the evidence is continuous in the place.
  double u0 = 0, u1 = 0, u2 = 0, u3 = 0, u4 = 0, cc = 0;
  Eigen::Vector3d bc = Eigen::Vector3d::Zero();
  std::array<Eigen::Vector3d, kWidths> bs;
  std::array<double, kWidths> ss{}, sc{};
  bs.fill(Eigen::Vector3d::Zero());
  const double middle = 0.5 * (first_ev + last_ev), half = 0.5 * (last_ev - first_ev);
  double intervals = 0;
  for (std::size_t i = range.first; i < range.last; ++i) {
    const double e = axis.energy(static_cast<double>(i)), u = (e - middle) / half;
    const double inside = std::min({1.0, (e - first_ev) / axis.dispersion_ev, (last_ev - e) / axis.dispersion_ev});
    const double w = inside * spectrum.weight[i] * spectrum.weight[i],
                 c = spectrum.counts[i] - spectrum.counts[range.first];
    const Eigen::Vector3d b(w, w * u, w * u * u);
    intervals += inside;
    u0 += w;
    u1 += b[1];
    u2 += b[2];
    u3 += b[2] * u;
    u4 += b[2] * u * u;
    bc += c * b;
    cc += w * c * c;
    const double x =
        std::clamp(axis_.channel(anchor_ + gain * (e - place_ev)), 0.0, static_cast<double>(axis_.size - 1));
    const auto k = std::min(static_cast<std::size_t>(x), axis_.size - 2);
    const double t = x - static_cast<double>(k);
    for (std::size_t v = 0; v < kWidths; ++v) {
      const double s = (1 - t) * shapes_[v][k] + t * shapes_[v][k + 1];
      bs[v] += s * b;
      ss[v] += w * s * s;
      sc[v] += w * s * c;
    }
  }
  Eigen::Matrix3d bb;
  bb << u0, u1, u2, u1, u2, u3, u2, u3, u4;
  const Eigen::LDLT<Eigen::Matrix3d> solver(bb);
  const Eigen::Vector3d background = solver.solve(bc);
  const double without = cc - bc.dot(background);
  if (!(without > 0)) return 0;
  const double more_than_noise = without - spectrum.noise * (intervals + 3 * std::sqrt(2 * intervals));
  std::array<double, kWidths> of_width{};
  double highest = 0, sum = 0;
  for (std::size_t v = 0; v < kWidths; ++v) {
    const double height = sc[v] - bs[v].dot(background), norm = ss[v] - bs[v].dot(solver.solve(bs[v]));
    if (!(height > 0) || !(norm > 0)) continue;
    const double explained = std::min(height * height / norm, (1 - 1e-6) * without);
    if (explained < kExplains * more_than_noise) continue;
    highest = std::max(highest, of_width[v] = -0.5 * intervals * std::log1p(-explained / without));
  }
  if (!(highest > 0)) return 0;
  for (const double e : of_width) sum += std::exp(e - highest);
  return std::max(0.0, highest + std::log(sum / kWidths));
}

Likeness EdgeShape::best(const Coarse& spectrum, double gain, double from_ev, double to_ev) const {
  constexpr double kStride = 0.25;
  Likeness out;
  for (double place = from_ev; place <= to_ev; place += kStride) {
    const double here = evidence(spectrum, gain, place);
    if (here > out.evidence) out = {here, place, 0.0};
  }
  if (!(out.evidence > 0)) return out;
  // Until the evidence falls equally to both sides, so that the place does not depend on where the search began.
  for (int round = 0; round < 8; ++round) {
    const double left = evidence(spectrum, gain, out.energy_ev - kStride);
    const double middle = evidence(spectrum, gain, out.energy_ev);
    const double right = evidence(spectrum, gain, out.energy_ev + kStride);
    const double curvature = (left - 2 * middle + right) / (kStride * kStride);
    out.evidence = middle;
    out.error_ev = curvature < 0 ? 1.0 / std::sqrt(-curvature) : to_ev - from_ev;
    if (!(curvature < 0)) break;
    const double move = std::clamp(0.5 * (left - right) / (kStride * curvature), -kStride, kStride);
    out.energy_ev += move;
    if (std::abs(move) < 1e-4) break;
  }
  return out;
}

}  // namespace elver::energy
