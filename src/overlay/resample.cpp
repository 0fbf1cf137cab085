#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "overlay/grid.hpp"

namespace elver {
namespace {

constexpr double kSliver = 1e-9;     ///< areas below it, in pixels, are rounding
constexpr double kLeastCover = 0.5;  ///< of a pixel, by pixels that have a value

struct Point {
  double x = 0, y = 0;
};

/// A convex polygon: a parallelogram, after at most four cuts, has eight corners; rounding may double some.
struct Polygon {
  std::array<Point, 16> points;
  std::size_t size = 0;
  void add(Point p) {
    if (size < points.size()) points[size++] = p;
  }
  double area() const {
    double twice = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const Point &p = points[i], &q = points[(i + 1) % size];
      twice += p.x * q.y - q.x * p.y;
    }
    return std::abs(twice) / 2;
  }
};

/// The part of a polygon where `height` of a point is not negative; it is linear (I. Sutherland, G. Hodgman, Comm. ACM
/// 17 (1974) 32).
template <class Height>
Polygon cut(const Polygon& polygon, const Height& height) {
  Polygon out;
  for (std::size_t i = 0; i < polygon.size; ++i) {
    const Point &p = polygon.points[i], &q = polygon.points[(i + 1) % polygon.size];
    const double at_p = height(p), at_q = height(q);
    if (at_p >= 0) out.add(p);
    if ((at_p >= 0) != (at_q >= 0)) {
      const double t = at_p / (at_p - at_q);
      out.add({p.x + t * (q.x - p.x), p.y + t * (q.y - p.y)});
    }
  }
  return out;
}

/// Whole numbers from floor(least) to ceil(most), within 0 to `size`.
template <class Coordinate>
std::pair<std::int64_t, std::int64_t> span_of(const Polygon& polygon, std::uint64_t size, const Coordinate& of) {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  for (std::size_t i = 0; i < polygon.size; ++i) {
    least = std::min(least, of(polygon.points[i]));
    most = std::max(most, of(polygon.points[i]));
  }
  const auto end = static_cast<double>(size);
  return {static_cast<std::int64_t>(std::clamp(std::floor(least), 0.0, end)),
          static_cast<std::int64_t>(std::clamp(std::ceil(most), 0.0, end))};
}

/// The mean of the map over a polygon in its index plane.
float mean_over(const PlacedMap& map, const Polygon& whole) {
  double area = 0, sum = 0;
  const auto [first_row, end_row] = span_of(whole, map.rows.size, [](Point p) { return p.y; });
  for (std::int64_t i = first_row; i < end_row; ++i) {
    const auto top = static_cast<double>(i);
    const Polygon band = cut(cut(whole, [&](Point p) { return p.y - top; }), [&](Point p) { return top + 1 - p.y; });
    const auto [first, end] = span_of(band, map.columns.size, [](Point p) { return p.x; });
    for (std::int64_t j = first; j < end; ++j) {
      const float value = map.map.values[static_cast<std::size_t>(i) * map.columns.size + static_cast<std::size_t>(j)];
      if (!std::isfinite(value)) continue;
      const auto left = static_cast<double>(j);
      const double part =
          cut(cut(band, [&](Point p) { return p.x - left; }), [&](Point p) { return left + 1 - p.x; }).area();
      if (part < kSliver) continue;
      area += part;
      sum += part * static_cast<double>(value);
    }
  }
  return area >= (kLeastCover - 1e-6) * whole.area() && area > 0 ? static_cast<float>(sum / area)
                                                                 : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

std::vector<float> resampled(const PlacedMap& map, const Affine& index_to_place, const Axis& rows,
                             const Axis& columns) {
  const Affine to_index = inverse_of(index_to_place);
  std::vector<float> out;
  out.reserve(rows.size * columns.size);
  for (std::uint64_t i = 0; i < rows.size; ++i) {
    const double y = rows.offset + static_cast<double>(i) * rows.scale, half_y = rows.scale / 2;
    for (std::uint64_t j = 0; j < columns.size; ++j) {
      const double x = columns.offset + static_cast<double>(j) * columns.scale, half_x = columns.scale / 2;
      Polygon pixel;
      for (const auto& [right, down] : {std::pair{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}) {
        const auto [u, v] = moved(to_index, x + right * half_x, y + down * half_y);
        pixel.add({u, v});
      }
      out.push_back(mean_over(map, pixel));
    }
  }
  return out;
}

}  // namespace elver
