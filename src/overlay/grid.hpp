#pragma once
#include <span>
#include <utility>
#include <vector>

#include "elver/overlay.hpp"

namespace elver {

/// Applies it: where (x, y) goes.
inline std::pair<double, double> moved(const Affine& t, double x, double y) {
  return {t.xx * x + t.xy * y + t.dx, t.yx * x + t.yy * y + t.dy};
}
/// `after` after `before`.
Affine composed(const Affine& after, const Affine& before);
/// Throws Error{usage} where the transform has no inverse.
Affine inverse_of(const Affine& t);

/// From a map's index plane, where pixel (i, j) is [j, j+1) x [i, i+1), to places in its own units.
Affine own_places(const PlacedMap& map);

/// For each map, the transform from its own index plane, where pixel (i, j) is [j, j+1) x [i, i+1), to places of the
/// first map. Throws Error{mismatch} where axes cannot be compared.
std::vector<Affine> index_to_place(std::span<const PlacedMap> maps, FieldOfView field);

/// Rows and columns of the common grid, see overlay(). Throws Error{mismatch} where the maps have nothing in common.
std::pair<Axis, Axis> common_grid(std::span<const PlacedMap> maps, std::span<const Affine> index_to_place);

/// The values of a map on a grid: means over the area, NaN left out, NaN where they cover less than half of a pixel.
std::vector<float> resampled(const PlacedMap& map, const Affine& index_to_place, const Axis& rows, const Axis& columns);

}  // namespace elver
