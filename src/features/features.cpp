#include "features/features.hpp"

#include <algorithm>
#include <cmath>

#include "elver/core/features.hpp"
#include "elver/error.hpp"
#include "features/grid_features.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kOnChannel = 1e-6;  // of a channel: closer than this, a point is the channel itself
/// Channels of the axis, in steps between the grid's points. The finest structure that the points hold has a period of
/// two steps, and a channel wider than that has averaged it away: the features would be those of a blurred edge, which
/// no training showed the trees (ours go to two steps). The 5 % are what spectrometers' dispersions are off by.
constexpr double kWidestChannel = 2 * 1.05, kNarrowestChannel = 0.1;

}  // namespace

Featuriser::Featuriser(const Edge& edge, const EnergyAxis& axis, const FeatureRule& rule) : rule_(rule) {
  const Grid& grid = edge.grid;
  const std::string name =
      text("grid of edge %s, %g:%g eV in %zu points", edge.name.c_str(), grid.start_ev, grid.stop_ev, grid.count);
  if (grid.count == 0 || !(grid.spacing_ev() > 0)) throw Error(ErrorKind::mismatch, name, "it holds no point");
  const double spacing = grid.spacing_ev();
  if (!(axis.dispersion_ev >= kNarrowestChannel * spacing && axis.dispersion_ev <= kWidestChannel * spacing)) {
    throw Error(ErrorKind::mismatch, name,
                text("the axis has %g eV a channel, the model's points are %g eV apart", axis.dispersion_ev, spacing),
                text("Use a model made for this dispersion (it takes %g to %g eV a channel), or put it right with "
                     "--dispersion-ev or --mark",
                     kNarrowestChannel * spacing, kWidestChannel * spacing));
  }
  for (std::size_t i = 0; i < grid.count; ++i) {
    const double at = axis.channel(grid.energy(i));
    double left = std::floor(at), weight = at - left;
    if (weight > 1 - kOnChannel) left += 1;
    if (weight < kOnChannel || weight > 1 - kOnChannel) weight = 0;
    if (left < 0 || left + (weight > 0 ? 1 : 0) > static_cast<double>(axis.size) - 1) {
      throw Error(ErrorKind::mismatch, name,
                  text("the energy axis runs from %g to %g eV", axis.energy(0),
                       axis.energy(static_cast<double>(axis.size) - 1)),
                  "Use a model made for this range, or put the axis right with --mark, --offset-ev or --dispersion-ev");
    }
    channel_.push_back(static_cast<std::size_t>(left));
    weight_.push_back(static_cast<float>(weight));
  }
  channels_ = {channel_.front(), channel_.back() + (weight_.back() > 0 ? 2U : 1U)};

  core::Accumulator<double> sums;
  std::vector<double> line;
  for (std::size_t i = 0; i < grid.count; ++i) line.push_back(core::accumulate(sums, kAbsentLine, rule, i == 0));
  // One point of an exclusive or trapezoid sum is 0 and has nothing to be divided by.
  for (const double value : line) absent_.push_back(static_cast<float>(sums.divisor > 0 ? value / sums.divisor : 0.0));
}

void Featuriser::features_by_point(const float* net, std::size_t first_channel, float* out,
                                   std::int32_t (&absent)[kBlock]) const {
  alignas(64) Lane divisor;
  sum_grid({channel_.data(), weight_.data(), channel_.size(), first_channel}, rule_, net, out, divisor);
  for (std::size_t p = 0; p < kBlock; ++p) absent[p] |= divisor[p] > 0 && std::isfinite(divisor[p]) ? 0 : 1;
  divide_grid(channel_.size(), divisor, absent, absent_.data(), out);
}

void Featuriser::features(const float* net, std::size_t first_channel, std::size_t count, float* out,
                          std::size_t stride, bool* usable) const {
  std::vector<float> values(channel_.size() * kBlock);
  std::int32_t absent[kBlock]{};
  features_by_point(net, first_channel, values.data(), absent);
  for (std::size_t p = 0; p < count; ++p) {
    usable[p] = absent[p] == 0;
    for (std::size_t i = 0; i < channel_.size(); ++i) out[p * stride + i] = values[i * kBlock + p];
  }
}

}  // namespace elver
