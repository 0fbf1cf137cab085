#pragma once
#include "elver/report.hpp"
#include "report/canvas.hpp"

namespace elver::report {

inline constexpr Colour kAbsent{28, 28, 34};  ///< where no map is present

/// The colour of map `index`. `paper`: green, red, blue, yellow. `safe`: blue, orange, sky, brick, which differ in
/// lightness or on the blue-yellow axis for people who do not see red and green apart. The first two of each add up to
/// a colour of their own.
Colour overlay_colour(std::size_t index, OverlayColours scheme);
/// Light of both.
Colour added(Colour a, Colour b);
/// From a to b.
Colour between(Colour a, Colour b, double share);

/// How Jaccard index and odds ratio of the first two maps move with either threshold; returns the y under the plots.
double draw_curves(Canvas& canvas, double y, const OverlayResult& result, OverlayColours scheme);

}  // namespace elver::report
