#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>

#include "elver/engine.hpp"
#include "energy/align.hpp"
#include "energy/coarse.hpp"
#include "energy/offset_field.hpp"
#include "energy/shift_profile.hpp"

namespace elver::energy {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kMostRounds = 5;
constexpr double kSignificant = 20.0;  ///< least explained by the feature, in variances: noise reaches 10 somewhere
constexpr double kStranger = 0.01;     ///< share of pixels that need not be like their neighbours

class Follower {
 public:
  Follower(const Image& image, const std::vector<Followed>& what, const FollowOptions& options,
           std::vector<double> start, const RunContext& context)
      : image_(image),
        what_(what),
        options_(options),
        context_(context),
        margin_(static_cast<std::ptrdiff_t>(std::ceil(std::max(options.first_range, options.range))) + 4),
        shift_(std::move(start)),
        measured_(shift_.size()),
        own_error_(shift_.size(), kInfinity) {}

  Follow run() {
    OffsetField field;
    for (int round = 0; round < kMostRounds; ++round) {
      measure(field, round);
      field = krige(measured_, own_error_, image_.rows(), image_.columns(), context_.thread_count());
      double moved = 0;
      for (std::size_t p = 0; p < shift_.size(); ++p)
        moved += (field.value[p] - shift_[p]) * (field.value[p] - shift_[p]);
      shift_ = field.value;
      if (std::sqrt(moved / static_cast<double>(shift_.size())) < options_.tolerance) break;
    }
    return {shift_, field.error, own_error_, means()};
  }

 private:
  /// Channels of the image that hold what is followed, wherever a pixel has it, with so many more on either side.
  ChannelRange reach(std::ptrdiff_t more) const {
    const auto [low, high] = std::ranges::minmax_element(shift_);
    std::ptrdiff_t first = std::numeric_limits<std::ptrdiff_t>::max(), last = 0;
    for (const Followed& one : what_) {
      first = std::min(first, one.first);
      last = std::max(last, one.last);
    }
    const auto end = static_cast<std::ptrdiff_t>(image_.channels());
    first = std::clamp<std::ptrdiff_t>(first - more + static_cast<std::ptrdiff_t>(std::floor(*low)) - 1, 0, end - 1);
    last = std::clamp<std::ptrdiff_t>(last + more + static_cast<std::ptrdiff_t>(std::floor(*high)) + 2, first + 1, end);
    return {static_cast<std::size_t>(first), static_cast<std::size_t>(last)};
  }

  /// A channel of the tile, the nearest where the axis ends.
  static const float* channel(const TileView& tile, std::ptrdiff_t c) {
    return tile.channel(static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(
        c, static_cast<std::ptrdiff_t>(tile.channels.first), static_cast<std::ptrdiff_t>(tile.channels.last) - 1)));
  }

  /// Mean spectra of the pixels as they are shifted now, the margin on either side. One partial sum a tile, added in
  /// order: the same bits whatever the number of threads.
  std::vector<std::vector<double>> means() const {
    std::map<std::uint64_t, std::vector<std::vector<double>>> partial;
    std::mutex mutex;
    for_each_tile(image_, reach(margin_), context_, "alignment", [&](const Tile& tile) {
      std::vector<std::vector<double>> sums(what_.size());
      for (std::size_t w = 0; w < what_.size(); ++w) {
        const std::ptrdiff_t first = what_[w].first - margin_, size = what_[w].last + margin_ - first;
        sums[w].assign(static_cast<std::size_t>(size), 0.0);
        std::vector<double> one(sums[w].size());
        for (std::size_t p = 0; p < tile.counts.pixels; ++p) {
          const double shift = shift_[tile.pixels.first + p], whole = std::floor(shift), part = shift - whole;
          double sum = 0;
          for (std::ptrdiff_t i = 0; i < size; ++i) {
            const std::ptrdiff_t c = first + i + static_cast<std::ptrdiff_t>(whole);
            const double left = static_cast<double>(channel(tile.counts, c)[p]);
            const double right = static_cast<double>(channel(tile.counts, c + 1)[p]);
            sum += one[static_cast<std::size_t>(i)] = left + part * (right - left);
          }
          if (!std::isfinite(sum)) continue;
          for (std::size_t i = 0; i < one.size(); ++i) sums[w][i] += one[i];
        }
      }
      const std::lock_guard lock(mutex);
      partial[tile.pixels.first] = std::move(sums);
    });
    std::vector<std::vector<double>> out = partial.begin()->second;
    for (auto tile = std::next(partial.begin()); tile != partial.end(); ++tile) {
      for (std::size_t w = 0; w < out.size(); ++w) {
        for (std::size_t i = 0; i < out[w].size(); ++i) out[w][i] += tile->second[w][i];
      }
    }
    for (auto& mean : out) {
      for (double& value : mean) value /= static_cast<double>(image_.pixels());
    }
    return out;
  }

  /// The power law before the rise, over all of the window; a constant where there is none.
  static std::vector<double> background(const std::vector<double>& mean, std::ptrdiff_t before, double offset,
                                        double dispersion) {
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    const auto x = [&](std::size_t i) { return std::log(std::max(1.0, offset + static_cast<double>(i) * dispersion)); };
    for (std::size_t i = 0; i < static_cast<std::size_t>(before); ++i) {
      if (!(mean[i] > 0)) continue;
      const double y = std::log(mean[i]);
      n += 1;
      sx += x(i);
      sy += y;
      sxx += x(i) * x(i);
      sxy += x(i) * y;
    }
    const double spread = n * sxx - sx * sx, slope = spread > 0 ? (n * sxy - sx * sy) / spread : 0.0;
    const double level = n > 0 ? (sy - slope * sx) / n : 0.0;
    std::vector<double> out;
    for (std::size_t i = 0; i < mean.size(); ++i) out.push_back(std::exp(level + slope * x(i)));
    return out;
  }

  void measure(const OffsetField& field, int round) {
    const double range = round == 0 ? options_.first_range : options_.range;
    const auto steps = static_cast<std::size_t>(std::ceil(range / options_.step));
    const EnergyAxis axis = image_.energy();
    std::vector<ShiftProfile> profiles;
    double freedom = -1;
    const std::vector<std::vector<double>> mean = means();
    for (std::size_t w = 0; w < what_.size(); ++w) {
      const std::vector<double> shape = smooth(mean[w], options_.smoothing);
      const double first_ev = axis.energy(static_cast<double>(what_[w].first - margin_));
      std::vector<double> smooth_part;
      if (what_[w].rise > what_[w].first) {
        smooth_part = background(shape, what_[w].rise - what_[w].first + margin_, first_ev, axis.dispersion_ev);
      }
      profiles.emplace_back(shape, smooth_part, static_cast<std::size_t>(margin_), range, steps);
      freedom += profiles.back().freedom();
    }
    const double step = range / static_cast<double>(steps);
    for_each_tile(image_, reach(0), context_, "alignment", [&](const Tile& tile) {
      const auto pixels = static_cast<Eigen::Index>(tile.counts.pixels);
      ShiftProfile::Matrix scores = ShiftProfile::Matrix::Zero(static_cast<Eigen::Index>(2 * steps + 1), pixels);
      Eigen::VectorXd rest = Eigen::VectorXd::Zero(pixels);
      for (std::size_t w = 0; w < what_.size(); ++w) profiles[w].add_scores(gathered(tile, what_[w]), scores, rest);
      for (Eigen::Index p = 0; p < pixels; ++p) {
        judge(tile.pixels.first + static_cast<std::uint64_t>(p), scores.col(p), rest(p), freedom, step, field, round);
      }
    });
  }

  /// Counts of the window, each pixel shifted by its whole channels.
  ShiftProfile::Matrix gathered(const Tile& tile, const Followed& window) const {
    ShiftProfile::Matrix out(window.last - window.first, static_cast<Eigen::Index>(tile.counts.pixels));
    for (std::size_t p = 0; p < tile.counts.pixels; ++p) {
      const auto whole = static_cast<std::ptrdiff_t>(std::round(shift_[tile.pixels.first + p]));
      for (std::ptrdiff_t i = 0; i < out.rows(); ++i) {
        out(i, static_cast<Eigen::Index>(p)) = static_cast<double>(channel(tile.counts, window.first + i + whole)[p]);
      }
    }
    return out;
  }

  /// A pixel's shift and its standard error: the highest score, what the neighbours say counted in; but then the top of
  /// the pixel's own likelihood.
  template <class Scores>
  void judge(std::uint64_t pixel, const Scores& scores, double rest, double freedom, double step,
             const OffsetField& field, int round) {
    const double whole = std::round(shift_[pixel]);
    const Eigen::Index middle = scores.size() / 2;
    measured_[pixel] = shift_[pixel];
    own_error_[pixel] = kInfinity;
    if (!std::isfinite(rest)) return;
    const double most = scores.maxCoeff();
    const double variance = std::max((rest - most) / freedom, 1e-300);
    double best = -kInfinity;
    Eigen::Index at = 0;
    for (Eigen::Index k = 0; k < scores.size(); ++k) {
      double value = 0.5 * scores(k) / variance;
      if (round > 0) {
        const double d =
            (whole + static_cast<double>(k - middle) * step - field.without[pixel]) / field.without_error[pixel];
        const double width = field.without_error[pixel] / step;
        value += std::log((1 - kStranger) * std::exp(-0.5 * d * d) / std::max(width, 1.0) +
                          kStranger / static_cast<double>(scores.size()));
      }
      if (value > best) {
        best = value;
        at = k;
      }
    }
    while (at + 1 < scores.size() && scores(at + 1) > scores(at)) ++at;
    while (at > 0 && scores(at - 1) > scores(at)) --at;
    if (at == 0 || at + 1 == scores.size() || scores(at) < kSignificant * variance) return;
    const double left = scores(at - 1), top = scores(at), right = scores(at + 1), curvature = left - 2 * top + right;
    if (!(curvature < 0)) return;
    const double part = 0.5 * (left - right) / curvature;
    measured_[pixel] = whole + (static_cast<double>(at - middle) + part) * step;
    own_error_[pixel] = step * std::sqrt(2 * variance / -curvature);
  }

  const Image& image_;
  const std::vector<Followed>& what_;
  const FollowOptions& options_;
  const RunContext& context_;
  std::ptrdiff_t margin_;
  std::vector<double> shift_, measured_, own_error_;
};

}  // namespace

Follow follow(const Image& image, const std::vector<Followed>& what, const FollowOptions& options,
              std::vector<double> start, const RunContext& context) {
  return Follower(image, what, options, std::move(start), context).run();
}

}  // namespace elver::energy
