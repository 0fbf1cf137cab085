#include "energy/align.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "energy/edges.hpp"
#include "energy/find.hpp"
#include "types/median.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kRangeEv = 10.0;     ///< an edge is followed this far from its mean place
constexpr double kLaterEv = 4.0;      ///< and this far from where it was found first
constexpr double kStepEv = 0.25;      ///< a parabola says where between
constexpr double kSmoothingEv = 0.5;  ///< of the mean spectrum: less than edges are wide, and kills its noise
constexpr double kToleranceEv = 0.01;
constexpr double kBeforeEv = 25.0, kBehindEv = 25.0;  ///< what is looked at around an edge
constexpr double kReachEv = 25.0, kLeastEvidence = 10.0;

/// "Mn_L3", or "Mn_L" for it.
energy::Feature edge_named(const std::string& name) {
  for (const std::string& full : {name, name + "3", name + "5"}) {
    if (const auto feature = energy::find_feature(full)) return *feature;
  }
  throw Error(ErrorKind::usage, "--align edge " + name, "elver does not know this edge",
              "Choose of: " + energy::feature_names());
}

/// Where the edge is in the mean spectrum.
energy::Followed find_edge(const EnergyAxis& axis, std::span<const double> mean, const std::string& name) {
  const energy::Feature feature = edge_named(name);
  const auto found = energy::find_candidates(axis, mean, feature, feature.energy_ev, kReachEv, kLeastEvidence);
  if (found.empty()) {
    throw Error(ErrorKind::mismatch, "--align edge " + name,
                text("nothing in the mean spectrum from %g to %g eV looks like it", axis.energy(0),
                     axis.energy(static_cast<double>(axis.size) - 1)),
                "Choose another edge, or bring the axis nearer with --offset-ev and --dispersion-ev");
  }
  const double at = axis.energy(found.front().channel);
  const double splitting = feature.kind == energy::FeatureKind::white_line && !feature.second()
                               ? feature.partner_ev - feature.energy_ev
                               : 0.0;
  const bool pre_peak = feature.kind == energy::FeatureKind::main_onset;
  const double end = static_cast<double>(axis.size);
  const auto channel = [&](double energy_ev) {
    return static_cast<std::ptrdiff_t>(std::clamp(std::round(axis.channel(energy_ev)), 0.0, end));
  };
  energy::Followed out{channel(at - kBeforeEv), channel(at + splitting + kBehindEv),
                       channel(at - (pre_peak ? 12.0 : 8.0))};
  if (out.rise - out.first < 5 || out.last - out.rise < 10) {
    throw Error(
        ErrorKind::mismatch, "--align edge " + name,
        text("it lies at %.1f eV, and the axis runs from %g to %g eV", at, axis.energy(0), axis.energy(end - 1)),
        "Choose an edge with 25 eV before it");
  }
  return out;
}

/// From channels to eV.
Alignment in_ev(const energy::Follow& found, double dispersion_ev) {
  Alignment out;
  std::vector<double> own;
  for (std::size_t p = 0; p < found.shift.size(); ++p) {
    out.offset_ev.push_back(found.shift[p] * dispersion_ev);
    out.error_ev.push_back(found.error[p] * dispersion_ev);
    if (std::isfinite(found.own_error[p])) own.push_back(found.own_error[p] * dispersion_ev);
  }
  out.measured = own.size();
  if (!own.empty()) out.own_error_ev = upper_median(own);
  return out;
}

/// Each pixel's channel with the most counts, three channels taken together.
std::vector<double> tops(const Image& image, const RunContext& context) {
  std::vector<double> out(image.pixels(), 0.0);
  const ChannelRange all{0, static_cast<std::size_t>(image.channels())};
  for_each_tile(image, all, context, "zero loss", [&](const Tile& tile) {
    std::vector<float> best(tile.counts.pixels, 0.0F);
    for (std::size_t c = 1; c + 1 < all.last; ++c) {
      const float *a = tile.counts.channel(c - 1), *b = tile.counts.channel(c), *d = tile.counts.channel(c + 1);
      for (std::size_t p = 0; p < tile.counts.pixels; ++p) {
        const float sum = a[p] + b[p] + d[p];
        if (!(sum > best[p])) continue;
        best[p] = sum;
        out[tile.pixels.first + p] = static_cast<double>(c);
      }
    }
  });
  return out;
}

struct Peak {
  double channel = 0, width = 0;  ///< its top, and its full width at half of it
};
/// The highest peak: a parabola through the logarithms of what is above half of it.
Peak peak_of(std::span<const double> mean) {
  const std::ptrdiff_t top = std::max_element(mean.begin(), mean.end()) - mean.begin();
  std::ptrdiff_t first = top, last = top;
  while (first > 0 && mean[first - 1] > 0.5 * mean[top]) --first;
  while (last + 1 < std::ssize(mean) && mean[last + 1] > 0.5 * mean[top]) ++last;
  const double width = static_cast<double>(last - first + 1);
  first = std::max<std::ptrdiff_t>(0, std::min(first, top - 1));
  last = std::min(std::ssize(mean) - 1, std::max(last, top + 1));
  Eigen::Matrix3d normal = Eigen::Matrix3d::Zero();
  Eigen::Vector3d right = Eigen::Vector3d::Zero();
  for (std::ptrdiff_t i = first; i <= last; ++i) {
    if (!(mean[i] > 0)) continue;
    const double x = static_cast<double>(i - top);
    const Eigen::Vector3d row(1, x, x * x);
    normal += mean[i] * row * row.transpose();
    right += mean[i] * std::log(mean[i]) * row;
  }
  const Eigen::Vector3d fit = normal.ldlt().solve(right);
  const double shift = fit(2) < 0 ? -0.5 * fit(1) / fit(2) : 0.0;
  return {static_cast<double>(top) + std::clamp(shift, -0.5 * width, 0.5 * width), width};
}

}  // namespace

Alignment align_edges(const Image& image, std::span<const std::string> edges, const RunContext& context) {
  const EnergyAxis axis = image.energy();
  const std::vector<double> mean = mean_spectrum(image, context);
  std::vector<energy::Followed> what;
  for (const std::string& edge : edges) what.push_back(find_edge(axis, mean, edge));
  const double per_ev = 1.0 / axis.dispersion_ev;
  const energy::FollowOptions options{kRangeEv * per_ev, kLaterEv * per_ev, std::min(kStepEv * per_ev, 1.0),
                                      kSmoothingEv * per_ev, kToleranceEv * per_ev};
  Alignment out = in_ev(energy::follow(image, what, options, std::vector<double>(image.pixels(), 0.0), context),
                        axis.dispersion_ev);
  if (out.measured == 0) {
    throw Error(ErrorKind::mismatch, "cannot follow the edge", "it is in no single pixel above the noise",
                "Sum pixels with --bin, or choose a stronger edge");
  }
  const double median = upper_median(out.offset_ev);
  for (double& offset : out.offset_ev) offset -= median;
  return out;
}

Alignment align_zero_loss(const Image& zero_loss, const RunContext& context) {
  const EnergyAxis axis = zero_loss.energy();
  if (!(axis.energy(0) < 0 && axis.energy(static_cast<double>(axis.size) - 1) > 0)) {
    throw Error(ErrorKind::mismatch, "--align zlp",
                text("the zero-loss image's axis runs from %g to %g eV", axis.energy(0),
                     axis.energy(static_cast<double>(axis.size) - 1)),
                "Give an image that holds the zero-loss peak");
  }
  const std::vector<double> top = tops(zero_loss, context);
  const double centre = upper_median(top);
  std::vector<double> start;
  for (const double channel : top) start.push_back(channel - centre);
  const auto end = static_cast<std::ptrdiff_t>(axis.size), at = static_cast<std::ptrdiff_t>(centre);
  // First what the pixels' tops put together, to see how wide the peak is.
  const auto wide = std::max<std::ptrdiff_t>(16, std::lround(3.0 / axis.dispersion_ev));
  energy::Followed what{std::max<std::ptrdiff_t>(0, at - wide), std::min(end, at + wide), 0};
  what.rise = what.first;
  const double range = std::max(4.0, 0.5 / axis.dispersion_ev);  // a wide peak's highest channel is a matter of chance
  const energy::FollowOptions options{range, range, range / 16, 0.0, 0.005};
  energy::Follow found = energy::follow(zero_loss, {what}, options, start, context);
  const std::ptrdiff_t margin = (std::ssize(found.mean[0]) - (what.last - what.first)) / 2;
  const Peak peak = peak_of(found.mean[0]);
  Alignment out = in_ev(found, axis.dispersion_ev);
  const double zero = axis.energy(static_cast<double>(what.first - margin) + peak.channel);
  for (double& offset : out.offset_ev) offset += zero;
  return out;
}

}  // namespace elver
