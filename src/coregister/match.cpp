#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <optional>

#include "coregister/picture.hpp"
#include "elver/coregister.hpp"
#include "elver/error.hpp"
#include "types/length.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace pictures;

constexpr std::size_t kSmallest = 16;
constexpr std::size_t kSearchSize = 256, kRefineSize = 512;  ///< pictures are made coarser until they are no larger
constexpr double kLargestScaleChange = 0.1, kScaleStep = 0.01;
/// Unrelated pictures whose window leaves `modes` frequencies correlate to at most some 8 / sqrt(modes): measured, see
/// the tests. A peak that is told stands a quarter above.
constexpr double kChance = 8.0, kAboveChance = 1.25;
constexpr double kSmoothing = 2.0;  ///< pixels, for the refinement

/// The second's pixel (y, x) lies at (scale y + dy, scale x + dx) of the first.
struct Placement {
  double scale = 1, dy = 0, dx = 0;
  double peak = 0, modes = 0;
};

Picture picture_of(const PlacedMap& map) {
  Picture out{map.rows.size, map.columns.size, {}};
  double sum = 0, n = 0;
  for (const float value : map.map.values) {
    if (!std::isfinite(value)) continue;
    sum += static_cast<double>(value);
    n += 1;
  }
  for (const float value : map.map.values)
    out.values.push_back(std::isfinite(value) ? static_cast<double>(value) : sum / std::max(1.0, n));
  return out;
}

/// Pixels of the first that one pixel of the second is long: 1 where they are not in comparable units.
double size_ratio(const PlacedMap& first, const PlacedMap& second) {
  const double one = metres_in(second.columns.units), other = metres_in(first.columns.units);
  if (!(one > 0 && other > 0)) return 1.0;
  return std::abs(second.columns.scale * one / (first.columns.scale * other));
}

/// The largest part of a length that is quick to transform.
std::size_t quick(std::size_t size) { return size >= 64 ? size / 16 * 16 : size; }

/// What both have in common at this placement, on the first's pixels; nothing where that is too little.
std::optional<std::pair<Picture, Picture>> in_common(const Picture& first, const Picture& second, const Placement& at) {
  const auto extent = [&](double shift, std::size_t own, std::size_t other) {
    const double low = std::max(0.0, shift),
                 high = std::min(static_cast<double>(own - 1), shift + at.scale * static_cast<double>(other - 1));
    const auto from = static_cast<std::size_t>(std::ceil(std::min(low, static_cast<double>(own))));
    return std::pair{from, high >= low ? static_cast<std::size_t>(std::floor(high)) + 1 -
                                             std::min(from, static_cast<std::size_t>(std::floor(high)) + 1)
                                       : 0};
  };
  const auto [top, height] = extent(at.dy, first.rows, second.rows);
  const auto [left, width] = extent(at.dx, first.columns, second.columns);
  const std::size_t rows = quick(height), columns = quick(width);
  if (rows < kSmallest || columns < kSmallest || 4 * rows * columns < first.rows * first.columns / 2)
    return std::nullopt;
  Picture a{rows, columns, std::vector<double>(rows * columns)}, b = a;
  for (std::size_t y = 0; y < rows; ++y) {
    for (std::size_t x = 0; x < columns; ++x) {
      a.at(y, x) = first.at(top + y, left + x);
      b.at(y, x) = sampled(second, (static_cast<double>(top + y) - at.dy) / at.scale,
                           (static_cast<double>(left + x) - at.dx) / at.scale);
    }
  }
  return std::pair{std::move(a), std::move(b)};
}

/// The second on the first's pixels, and both on a canvas that holds either: what lies beyond is the mean.
std::pair<Picture, Picture> on_one_canvas(const Picture& first, const Picture& second, double scale) {
  const auto length = [&](std::size_t size) { return static_cast<std::size_t>(scale * static_cast<double>(size)); };
  const std::size_t rows = quick(std::min(first.rows, length(second.rows)));
  const std::size_t columns = quick(std::min(first.columns, length(second.columns)));
  Picture a{rows, columns, std::vector<double>(rows * columns)}, b = a;
  for (std::size_t y = 0; y < rows; ++y) {
    for (std::size_t x = 0; x < columns; ++x) {
      a.at(y, x) = first.at(y, x);
      b.at(y, x) = sampled(second, static_cast<double>(y) / scale, static_cast<double>(x) / scale);
    }
  }
  return {std::move(a), std::move(b)};
}

/// Once more over what both have in common, until the peak lies where it is: there the window does not pull it.
Placement settled(const Picture& first, const Picture& second, Placement at) {
  at.peak = 0;
  for (int i = 0; i < 5; ++i) {
    const auto both = in_common(first, second, at);
    if (!both) return at;
    const Correlation found = phase_correlation(both->first, both->second, 1);
    at.peak = found.peaks.front().height;
    at.modes = found.modes;
    if (found.peaks.front().dy == 0 && found.peaks.front().dx == 0) break;
    at.dy += static_cast<double>(found.peaks.front().dy);
    at.dx += static_cast<double>(found.peaks.front().dx);
  }
  return at;
}

Placement found_at_scale(const Picture& first, const Picture& second, double scale) {
  const auto [a, b] = on_one_canvas(first, second, scale);
  Placement best;
  for (const Peak& peak : phase_correlation(a, b, 3).peaks) {
    const Placement at =
        settled(first, second, {scale, static_cast<double>(peak.dy), static_cast<double>(peak.dx), 0, 0});
    if (at.peak > best.peak || best.modes <= 0) best = at;
  }
  return best;
}

/// Least squares of first - (offset + contrast * moved second) over shift and scale, from nearby. Returns the
/// correlation.
double refine(const Picture& first, const Picture& second, Placement& at) {
  double correlation = 0;
  for (int i = 0; i < 30; ++i) {
    const auto both = in_common(first, second, at);
    if (!both) break;
    const auto& [a, b] = *both;
    Eigen::Matrix<double, 5, 5> normal = Eigen::Matrix<double, 5, 5>::Zero();
    Eigen::Matrix<double, 5, 1> right = Eigen::Matrix<double, 5, 1>::Zero();
    double squares = 0;
    const double middle_y = 0.5 * static_cast<double>(a.rows - 1), middle_x = 0.5 * static_cast<double>(a.columns - 1);
    for (std::size_t y = 1; y + 1 < a.rows; ++y) {
      for (std::size_t x = 1; x + 1 < a.columns; ++x) {
        const double by = 0.5 * (b.at(y + 1, x) - b.at(y - 1, x)), bx = 0.5 * (b.at(y, x + 1) - b.at(y, x - 1));
        const double from_y = static_cast<double>(y) - middle_y, from_x = static_cast<double>(x) - middle_x;
        Eigen::Matrix<double, 5, 1> row;
        row << 1.0, b.at(y, x), -by, -bx, -(by * from_y + bx * from_x);
        normal.noalias() += row * row.transpose();
        right.noalias() += row * a.at(y, x);
        squares += a.at(y, x) * a.at(y, x);
      }
    }
    const double pixels = normal(0, 0);
    const double covariance = right(1) - right(0) * normal(0, 1) / pixels;
    const double of_a = squares - right(0) * right(0) / pixels,
                 of_b = normal(1, 1) - normal(0, 1) * normal(0, 1) / pixels;
    correlation = covariance / std::sqrt(std::max(1e-300, of_a * of_b));
    const Eigen::Matrix<double, 5, 1> solved = normal.ldlt().solve(right);
    if (!solved.allFinite() || std::abs(solved(1)) < 1e-12) break;
    const double move_y = std::clamp(solved(2) / solved(1), -2.0, 2.0),
                 move_x = std::clamp(solved(3) / solved(1), -2.0, 2.0);
    const double grow = std::clamp(solved(4) / solved(1), -0.01, 0.01);
    // Content of the second moves by (move_y, move_x) and grows about the middle of what is in common.
    const double top = std::max(0.0, std::ceil(at.dy)), left = std::max(0.0, std::ceil(at.dx));
    at.dy += move_y + grow * (at.dy - (top + middle_y));
    at.dx += move_x + grow * (at.dx - (left + middle_x));
    at.scale *= 1.0 + grow;
    if (std::abs(move_y) < 1e-3 && std::abs(move_x) < 1e-3 && std::abs(grow) < 1e-5) break;
  }
  return correlation;
}

/// Both pictures, each made coarser by a whole number until it is no larger than `size`.
struct Coarse {
  std::size_t step_first, step_second;
  Picture first, second;

  Coarse(const Picture& a, const Picture& b, std::size_t size)
      : step_first(step(a, size)),
        step_second(step(b, size)),
        first(coarser(a, step_first)),
        second(coarser(b, step_second)) {}
  static std::size_t step(const Picture& picture, std::size_t size) {
    return (std::max(picture.rows, picture.columns) + size - 1) / size;
  }
  /// How much longer a scale is between the coarse pictures than between the full ones.
  double stretch() const { return static_cast<double>(step_second) / static_cast<double>(step_first); }
  Placement to_full(Placement at) const {
    const auto a = static_cast<double>(step_first), b = static_cast<double>(step_second);
    at.scale /= stretch();
    at.dy = a * at.dy + 0.5 * (a - 1) - at.scale * 0.5 * (b - 1);
    at.dx = a * at.dx + 0.5 * (a - 1) - at.scale * 0.5 * (b - 1);
    return at;
  }
  Placement to_coarse(Placement at) const {
    const auto a = static_cast<double>(step_first), b = static_cast<double>(step_second);
    at.dy = (at.dy - 0.5 * (a - 1) + at.scale * 0.5 * (b - 1)) / a;
    at.dx = (at.dx - 0.5 * (a - 1) + at.scale * 0.5 * (b - 1)) / a;
    at.scale *= stretch();
    return at;
  }
};

/// The placement with the highest peak, over scales about that of the pixel sizes (`ratio`).
Placement searched(const Coarse& coarse, double ratio, const RunContext& context) {
  const int steps = static_cast<int>(std::lround(kLargestScaleChange / kScaleStep));
  if (context.progress != nullptr)
    context.progress->begin("match", static_cast<std::uint64_t>(2 * steps + 1), "scales");
  Placement best;
  for (int i = -steps; i <= steps; ++i) {
    context.check_interrupt();
    const Placement at = found_at_scale(coarse.first, coarse.second, ratio * coarse.stretch() * (1.0 + i * kScaleStep));
    if (at.peak > best.peak) best = at;
    if (context.progress != nullptr) context.progress->advance(1);
  }
  if (context.progress != nullptr) context.progress->end();
  return best;
}

}  // namespace

PictureMatch match_pictures(const PlacedMap& first, const PlacedMap& second, const RunContext& context) {
  const std::string what = "cannot lay " + second.source + " over " + first.source;
  const std::string todo = "Give the corners of both fields (--corners-a, --corners-b), or --same-field";
  const Picture a = picture_of(first), b = picture_of(second);
  if (std::min({a.rows, a.columns, b.rows, b.columns}) < kSmallest) {
    throw Error(ErrorKind::mismatch, what,
                text("the pictures have %zu x %zu and %zu x %zu pixels, too few to match", a.rows, a.columns, b.rows,
                     b.columns),
                todo);
  }
  const double ratio = size_ratio(first, second);
  if (!(ratio > 0.05 && ratio < 20)) {
    throw Error(ErrorKind::mismatch, what, text("their pixels differ %g times in size", ratio), todo);
  }
  const Coarse coarse(a, b, kSearchSize);
  Placement best = searched(coarse, ratio, context);
  PictureMatch out;
  out.sizes_say = ratio;
  out.peak = best.peak;
  out.chance = best.modes > 0 ? std::min(1.0, kChance / std::sqrt(best.modes)) : 1.0;
  best = coarse.to_full(best);
  if (!(out.peak >= kAboveChance * out.chance)) {
    throw Error(ErrorKind::mismatch, what,
                text("the correlation's peak of %.2f, at a shift of %.1f rows and %.1f columns, does not stand out: "
                     "unrelated pictures reach %.2f",
                     out.peak, best.dy, best.dx, out.chance),
                todo);
  }
  const Coarse fine(a, b, kRefineSize);
  best = fine.to_coarse(best);
  out.correlation = refine(smoothed(fine.first, kSmoothing), smoothed(fine.second, kSmoothing), best);
  best = fine.to_full(best);
  out.scale = best.scale;
  out.dy = best.dy;
  out.dx = best.dx;
  return out;
}

}  // namespace elver
