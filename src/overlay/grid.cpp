#include "overlay/grid.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "elver/error.hpp"
#include "types/length.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kSameSize = 1e-6;   ///< relative: pixels that differ by less are of one size
constexpr double kRounding = 1e-9;   ///< of a pixel
constexpr double kLeastCover = 0.5;  ///< of a pixel of the grid, by the area that all maps have in common

std::string described(const PlacedMap& map) {
  const std::string& name = map.map.name;
  return map.source.empty() ? "map " + name : "map " + map.source;
}

bool same_axis(const Axis& a, const Axis& b) { return a.size == b.size && a.scale == b.scale && a.offset == b.offset; }

/// How many units of `to` one unit of `from` is.
double unit_ratio(const PlacedMap& map, const Axis& from, const Axis& to) {
  if (from.units == to.units && (!from.units.empty() || same_axis(from, to))) return 1;
  const double one = metres_in(from.units), other = metres_in(to.units);
  if (one > 0 && other > 0) return one / other;
  throw Error(ErrorKind::mismatch, described(map) + " cannot be laid over the first map",
              from.units.empty() && to.units.empty()
                  ? text("neither is calibrated along %s, and their pixels differ", from.name.c_str())
                  : text("along %s one is in \"%s\", the other in \"%s\"", from.name.c_str(), from.units.c_str(),
                         to.units.c_str()),
              "Where both cover the same field of view, give --same-field");
}

/// Stretches one index range over another; backwards where the axes run against each other.
std::pair<double, double> stretched(const Axis& from, const Axis& to) {
  const double scale = static_cast<double>(to.size) / static_cast<double>(from.size);
  if (from.scale * to.scale >= 0) return {scale, 0};
  return {-scale, static_cast<double>(to.size)};
}

struct Interval {
  double low = 0, high = 0;
  double size() const { return high - low; }
};

/// Where the map lies in one direction of the places, and how far one pixel of it reaches there.
struct Reach {
  Interval field;
  double pixel = 0;
};
Reach reach_of(const PlacedMap& map, double across, double down, double shift) {
  const double over_columns = across * static_cast<double>(map.columns.size);
  const double over_rows = down * static_cast<double>(map.rows.size);
  return {{shift + std::min(over_columns, 0.0) + std::min(over_rows, 0.0),
           shift + std::max(over_columns, 0.0) + std::max(over_rows, 0.0)},
          std::abs(across) + std::abs(down)};
}

/// One direction of the common grid: the pixels of the coarsest map that the fields all reach to by half or more.
Axis grid_axis(const Axis& first, const std::vector<Reach>& reaches) {
  const Reach* coarsest = &reaches.front();
  Interval common = coarsest->field;
  for (const Reach& reach : reaches) {
    if (reach.pixel > coarsest->pixel * (1 + kSameSize)) coarsest = &reach;
    common = {std::max(common.low, reach.field.low), std::min(common.high, reach.field.high)};
  }
  const double pixel = coarsest->pixel, origin = coarsest->field.low;
  const double before = (common.low - origin) / pixel, after = (common.high - origin) / pixel;
  // Pixel k has a share of min(k + 1, after) - max(k, before) in common.
  double begin = std::floor(before + kRounding), end = std::ceil(after - kRounding);
  const auto share = [&](double k) { return std::min(k + 1, after) - std::max(k, before); };
  if (begin < end && share(begin) < kLeastCover - kRounding) ++begin;
  if (begin < end && share(end - 1) < kLeastCover - kRounding) --end;
  Axis axis = first;
  axis.size = begin < end ? static_cast<std::uint64_t>(end - begin) : 0;
  if (axis.size == 0) return axis;
  const bool backwards = first.scale < 0;
  axis.scale = backwards ? -pixel : pixel;
  axis.offset = origin + pixel * (backwards ? end - 0.5 : begin + 0.5);
  return axis;
}

}  // namespace

Affine composed(const Affine& a, const Affine& b) {
  return {a.xx * b.xx + a.xy * b.yx, a.xx * b.xy + a.xy * b.yy, a.xx * b.dx + a.xy * b.dy + a.dx,
          a.yx * b.xx + a.yy * b.yx, a.yx * b.xy + a.yy * b.yy, a.yx * b.dx + a.yy * b.dy + a.dy};
}

Affine inverse_of(const Affine& t) {
  const double determinant = t.xx * t.yy - t.xy * t.yx;
  const double size = std::abs(t.xx * t.yy) + std::abs(t.xy * t.yx);
  if (!std::isfinite(determinant + t.dx + t.dy) || !(std::abs(determinant) > 1e-12 * size)) {
    throw Error(ErrorKind::usage, "the transform between the maps cannot be used",
                text("its matrix is %g %g, %g %g", t.xx, t.xy, t.yx, t.yy), "Give one that keeps areas apart");
  }
  Affine out{t.yy / determinant, -t.xy / determinant, 0, -t.yx / determinant, t.xx / determinant, 0};
  out.dx = -(out.xx * t.dx + out.xy * t.dy);
  out.dy = -(out.yx * t.dx + out.yy * t.dy);
  return out;
}

Affine own_places(const PlacedMap& map) {
  const Axis &x = map.columns, &y = map.rows;
  return {x.scale, 0, x.offset - 0.5 * x.scale, 0, y.scale, y.offset - 0.5 * y.scale};
}

std::vector<Affine> index_to_place(std::span<const PlacedMap> maps, FieldOfView field) {
  const PlacedMap& first = maps.front();
  std::vector<Affine> out{own_places(first)};
  for (const PlacedMap& map : maps.subspan(1)) {
    if (field == FieldOfView::same) {
      const auto [across, right] = stretched(map.columns, first.columns);
      const auto [down, bottom] = stretched(map.rows, first.rows);
      out.push_back(composed(out.front(), {across, 0, right, 0, down, bottom}));
    } else if (map.to_first) {
      out.push_back(composed(*map.to_first, own_places(map)));
    } else {
      const double x = unit_ratio(map, map.columns, first.columns), y = unit_ratio(map, map.rows, first.rows);
      out.push_back(composed({x, 0, 0, 0, y, 0}, own_places(map)));
    }
    static_cast<void>(inverse_of(out.back()));
  }
  return out;
}

std::pair<Axis, Axis> common_grid(std::span<const PlacedMap> maps, std::span<const Affine> places) {
  std::vector<Reach> across, down;
  for (std::size_t m = 0; m < maps.size(); ++m) {
    across.push_back(reach_of(maps[m], places[m].xx, places[m].xy, places[m].dx));
    down.push_back(reach_of(maps[m], places[m].yx, places[m].yy, places[m].dy));
  }
  const Axis columns = grid_axis(maps.front().columns, across), rows = grid_axis(maps.front().rows, down);
  if (rows.size > 0 && columns.size > 0) return {rows, columns};
  const bool along_rows = rows.size == 0;
  const std::vector<Reach>& reaches = along_rows ? down : across;
  const Axis& axis = along_rows ? maps.front().rows : maps.front().columns;
  std::string fields;
  for (const Reach& reach : reaches)
    fields += text("%s%g..%g", fields.empty() ? "" : ", ", reach.field.low, reach.field.high);
  throw Error(ErrorKind::mismatch, "the maps do not overlap",
              text("along %s they lie at %s %s", axis.name.c_str(), fields.c_str(), axis.units.c_str()),
              "Where they cover the same field of view, give --same-field");
}

}  // namespace elver
