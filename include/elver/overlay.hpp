#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elver/maps.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// (x, y) -> (xx x + xy y + dx, yx x + yy y + dy). x runs along the columns, y along the rows.
struct Affine {
  double xx = 1, xy = 0, dx = 0;
  double yx = 0, yy = 1, dy = 0;
};

/// A map and where it lies: pixel (i, j) is the rectangle around x = columns.offset + j columns.scale,
/// y = rows.offset + i rows.scale, one scale wide and high.
struct PlacedMap {
  Map map;
  Axis rows, columns;
  std::string source = {};  ///< for people: where it was read
  /// Takes places of this map, in its own units, to places of the first map in the first one's units. Without it both
  /// are measured from one origin, and only units are converted.
  std::optional<Affine> to_first = {};
  std::string placed_by = {};  ///< what `to_first` was told by: "corners", "survey", "pictures", "stage"
};

/// The map `text` names: FILE:TITLE, or FILE where the file holds one map; FILE may hold ':' itself. TITLE may be an
/// id. Throws Error{input} for a file that cannot be read, Error{usage} where the map is not there or is not a map.
PlacedMap read_placed_map(const std::string& text);

enum class FieldOfView : std::uint8_t {
  by_axes,  ///< where the axes, and `to_first`, say
  same      ///< every map covers the rectangle of the first, whatever the axes say
};

inline constexpr std::size_t kLargestOverlay = 4;  ///< maps: a colour each

struct OverlayOptions {
  FieldOfView field = FieldOfView::by_axes;
  std::vector<std::optional<double>> thresholds = {};  ///< one a map; where there is none, Otsu's (1979)
  std::uint64_t seed = 1;                              ///< of the shifts, where there are too many to take all
  std::uint64_t draws = 1999;                          ///< then so many
};

/// Pixels by presence: value >= threshold (as float32) is present.
struct PresenceTable {
  std::uint64_t both = 0, only_first = 0, only_second = 0, neither = 0;
};

/// How much two maps overlap at one pair of thresholds.
struct OverlapAt {
  double threshold_first = 0, threshold_second = 0;
  PresenceTable table;
  double jaccard = 0;                              ///< both / (both + only one); NaN where nothing is present
  double odds_ratio = 1;                           ///< 0.5 added to each cell (Haldane, Anscombe)
  double odds_ratio_low = 0, odds_ratio_high = 0;  ///< 95 %, as if pixels were independent (Woolf)
  /// 95 %, no narrower than the spread of the log odds ratio over the shifts: neighbours resemble each other, and the
  /// interval above then covers the truth far too seldom.
  double correlated_low = 0, correlated_high = 0;
  std::optional<double> p_value;  ///< one-sided, for overlap; none where the pixels are too few to say
  double null_jaccard = 0;        ///< mean over the shifts: what chance alone would give
};

/// Is the first where the second is? Over the pixels of the common grid where both have a value.
struct Overlap {
  std::size_t first = 0, second = 1;  ///< which maps
  std::uint64_t n = 0;                ///< pixels
  OverlapAt at;
  double rank_correlation = 0;                     ///< Spearman's, ties at their mean rank; NaN where a map is constant
  std::optional<double> rank_correlation_p_value;  ///< one-sided, for a positive one, by the same null
  double independent_pixels = 0;               ///< what n is worth: 1 / variance of the rank correlation under the null
  std::uint64_t draws = 0;                     ///< shifts beside the observed one
  bool all_shifts = true;                      ///< every one there is; else drawn
  std::string note = {};                       ///< why there is no p-value: "too few pixels to say (...)"; else empty
  std::vector<OverlapAt> by_first, by_second;  ///< one threshold moves over the quantiles, the other stays
};

struct OverlayResult {
  Axis rows, columns;     ///< the common grid, in the first map's units
  std::vector<Map> maps;  ///< on it, named "a", "b", ..., their titles the maps' names; NaN where there is no value
  std::vector<double> thresholds;  ///< one a map, numbers of type float
  std::vector<Overlap> overlaps;   ///< of every pair, (a, b) first
  std::vector<std::string> notes;
};

/// Lays maps of one field of view over each other and says whether they overlap by more than chance.
///
/// The common grid is, in each direction, that of the map whose pixels are larger there: nothing is made up, and n is
/// no larger than what the coarser acquisition holds. A pixel of it is the mean over its area of the pixels below, NaN
/// ones left out; it has a value where they cover at least half of it.
///
/// The p-values are one-sided, for overlap: (1 + shifts that overlap at least as much) / (1 + shifts). A shift moves
/// the second map, mirrored at its edges and periodic from there, over the first (toroidal shifts, without the seam
/// that makes fields look less smooth than they are); pixels without a value move along, and pairs are counted where
/// both have one. A shift's measure is the table's both, less what the margins make expected, over its standard
/// deviation.
///
/// Throws Error{usage} for fewer than two or too many maps, Error{mismatch} where they have no area in common or axes
/// that cannot be compared, Error{resources} where the memory allowed is not enough.
OverlayResult overlay(std::span<const PlacedMap> maps, const OverlayOptions& options, const RunContext& context);

/// The threshold that splits values with the largest variance between the two parts (N. Otsu, IEEE Trans. SMC 9 (1979)
/// 62), exact (no histogram), over the finite ones; a number of type float. The lowest value where all are equal, NaN
/// where there is none.
double otsu_threshold(std::span<const float> values);

}  // namespace elver
