#include "elver/overlay.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "elver/error.hpp"
#include "io_support.hpp"
#include "overlay/association.hpp"
#include "overlay/null.hpp"
#include "overlay_support.hpp"

namespace elver::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

RunContext two_threads() { return {.threads = 2}; }
OverlayResult laid(const std::vector<PlacedMap>& maps, const OverlayOptions& options = {}) {
  return overlay(maps, options, two_threads());
}
std::vector<float> counted(std::size_t size) {
  std::vector<float> out(size);
  std::iota(out.begin(), out.end(), 1.0F);
  return out;
}
double mean_of(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// ---- the common grid ------------------------------------------------------------------------------------------------

TEST(OverlayGrid, IsTheCoarserOneInEachDirection) {
  PlacedMap tall = map_of(30, 4), wide = map_of(5, 40);
  const OverlayResult result = laid({tall, wide});
  EXPECT_EQ(result.rows.size, 5U);
  EXPECT_EQ(result.columns.size, 4U);
  EXPECT_EQ(result.overlaps[0].n, 20U);  // no more than either acquisition tells of both directions
}

// What is on the grid already must not change, to the last bit.
TEST(OverlayGrid, LeavesTheCoarserMapAsItIs) {
  PlacedMap coarse = map_of(3, 7, 2.1, 0.3), fine = map_of(11, 40, 2.1, 0.3);
  coarse.map.values = counted(21);
  for (float& v : coarse.map.values) v = 1 / v;
  EXPECT_EQ(laid({fine, coarse}).maps[1].values, coarse.map.values);
  EXPECT_EQ(laid({coarse, coarse}).maps[1].values, coarse.map.values);
}

TEST(OverlayGrid, KeepsTheMeanOverTheArea) {
  PlacedMap coarse = map_of(5, 21), fine = map_of(8, 28);
  fine.map.values = counted(8 * 28);
  const OverlayResult result = laid({coarse, fine});
  // Both tile the same rectangle, so the mean of the means over equal areas is the mean: equal up to float rounding of
  // values up to 224.
  EXPECT_NEAR(mean_of(result.maps[1].values), mean_of(fine.map.values), 1e-4);
}

TEST(OverlayGrid, PixelIsTheMeanOfTheAreaBelowIt) {
  PlacedMap coarse = map_of(1, 2), fine = map_of(1, 3);
  fine.map.values = {1, 2, 6};
  const OverlayResult result = laid({coarse, fine});
  EXPECT_FLOAT_EQ(result.maps[1].values[0], (1 * 2 + 2 * 1) / 3.0F);
  EXPECT_FLOAT_EQ(result.maps[1].values[1], (2 * 1 + 6 * 2) / 3.0F);
}

TEST(OverlayGrid, LeavesPixelsWithoutAValueOut) {
  PlacedMap coarse = map_of(1, 2), fine = map_of(1, 4);
  fine.map.values = {kNaN, 3, kNaN, std::numeric_limits<float>::infinity()};
  const OverlayResult result = laid({coarse, fine});
  EXPECT_EQ(result.maps[1].values[0], 3.0F);          // half is known
  EXPECT_TRUE(std::isnan(result.maps[1].values[1]));  // nothing is
  EXPECT_EQ(result.overlaps[0].n, 1U);
}

TEST(OverlayGrid, ConvertsUnitsAndFollowsTheSignOfAnAxis) {
  PlacedMap nm = map_of(4, 6, 40, 60, "nm"), um = map_of(4, 6, 0.04, 0.06, "\xC2\xB5m");
  nm.map.values = um.map.values = counted(24);
  EXPECT_EQ(laid({nm, um}).maps[1].values, nm.map.values);
  PlacedMap reversed = nm;  // the same places, listed from the other end
  reversed.columns.scale = -nm.columns.scale;
  reversed.columns.offset = nm.columns.offset + 5 * nm.columns.scale;
  for (int i = 0; i < 4; ++i)
    std::reverse(reversed.map.values.begin() + 6 * i, reversed.map.values.begin() + 6 * (i + 1));
  EXPECT_EQ(laid({nm, reversed}).maps[1].values, nm.map.values);
  EXPECT_EQ(laid({reversed, nm}).maps[1].values, reversed.map.values);
  EXPECT_EQ(laid({nm, reversed}, {.field = FieldOfView::same}).maps[1].values, nm.map.values);
}

TEST(OverlayGrid, HoldsOnlyWhatBothCover) {
  PlacedMap left = map_of(4, 10, 4, 10), right = map_of(4, 10, 4, 10);
  right.columns.offset += 6.4;
  right.rows.offset -= 1;
  const OverlayResult result = laid({left, right});
  EXPECT_EQ(result.rows.size, 3U);
  EXPECT_EQ(result.columns.size, 4U);  // 6.4 to 10: the pixel from 6 to 7 is covered by more than half
  EXPECT_DOUBLE_EQ(result.columns.offset, 6.5);
  EXPECT_DOUBLE_EQ(result.rows.offset, 0.5);
}

TEST(OverlayGrid, TransformTakesTheSecondMapToTheFirst) {
  PlacedMap first = map_of(4, 6, 4, 6, "nm"), second = map_of(6, 4, 0.6, 0.4, "a.u.");
  // A quarter turn: second's x runs along first's y, its y against first's x; one of its units is 10 nm.
  second.to_first = Affine{0, -10, 6, 10, 0, 0};
  second.map.values = counted(24);
  const OverlayResult result = laid({first, second});
  ASSERT_EQ(result.maps[1].values.size(), 24U);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 6; ++j)
      EXPECT_FLOAT_EQ(result.maps[1].values[i * 6 + j], second.map.values[(5 - j) * 4 + i]) << i << " " << j;
  }
}

// A turned field is sampled over area, so a plane stays the plane it is wherever the pixel is covered whole.
TEST(OverlayGrid, TurnedPlaneStaysThePlane) {
  const double angle = 0.3, c = std::cos(angle), s = std::sin(angle);
  PlacedMap first = map_of(12, 12), second = map_of(90, 90, 3, 3);
  second.to_first = Affine{c, -s, -0.7, s, c, -1.2};
  second = filled(second, [&](double x, double y) {
    const double u = c * x - s * y - 0.7, v = s * x + c * y - 1.2;
    return 1 + 2 * u - 3 * v;
  });
  const OverlayResult result = laid({first, second});
  for (std::uint64_t i = 0; i < 12; ++i) {
    for (std::uint64_t j = 0; j < 12; ++j) {
      const double x = result.columns.offset + static_cast<double>(j) * result.columns.scale;
      const double y = result.rows.offset + static_cast<double>(i) * result.rows.scale;
      // Cut pixels carry their centre's value: off by at most a third of a small pixel's slope, 3.6 / 30, and averaged.
      EXPECT_NEAR(result.maps[1].values[i * 12 + j], 1 + 2 * x - 3 * y, 0.02) << i << " " << j;
    }
  }
}

TEST(OverlayGrid, RefusesWhatCannotBeCompared) {
  const auto refused = [](const std::vector<PlacedMap>& maps, ErrorKind kind, const OverlayOptions& options = {}) {
    return refusal_of(kind, [&] { laid(maps, options); });
  };
  PlacedMap here = map_of(4, 4), there = map_of(4, 4);
  there.columns.offset += 3;
  EXPECT_THAT(refused({here, there}, ErrorKind::mismatch), HasSubstr("do not overlap"));
  EXPECT_THAT(refused({here, map_of(4, 4, 1, 1, "mrad")}, ErrorKind::mismatch), HasSubstr("--same-field"));
  EXPECT_THAT(refused({map_of(4, 4, 4, 4, ""), map_of(5, 5, 5, 5, "")}, ErrorKind::mismatch), HasSubstr("calibrated"));
  EXPECT_EQ(laid({map_of(4, 4, 4, 4, ""), map_of(4, 4, 4, 4, "")}).overlaps[0].n, 16U);  // one grid
  EXPECT_EQ(laid({here, map_of(4, 4, 1, 1, "mrad")}, {.field = FieldOfView::same}).overlaps[0].n, 16U);
  there.to_first = Affine{1, 1, 0, 1, 1, 0};
  EXPECT_THAT(refused({here, there}, ErrorKind::usage), HasSubstr("transform"));
  EXPECT_THAT(refused({here}, ErrorKind::usage), HasSubstr("2 to 4"));
  EXPECT_THAT(refused({here, here}, ErrorKind::usage, {.thresholds = {1, 1, 1}}), HasSubstr("map c"));
}

// ---- thresholds -----------------------------------------------------------------------------------------------------

TEST(Otsu, SplitsWhereTheVarianceBetweenIsLargest) {
  std::mt19937_64 random(5);
  std::vector<float> values;
  for (int i = 0; i < 200; ++i)
    values.push_back(static_cast<float>(random() % 1000) / 100 + (i % 3 == 0 ? 8.0F : 0.0F));
  const double threshold = otsu_threshold(values);
  const auto between = [&](double t) {
    double n0 = 0, n1 = 0, s0 = 0, s1 = 0;
    for (const float v : values) (v >= t ? n1 : n0) += 1, (v >= t ? s1 : s0) += static_cast<double>(v);
    return n0 > 0 && n1 > 0 ? n0 * n1 * (s1 / n1 - s0 / n0) * (s1 / n1 - s0 / n0) : 0;
  };
  for (const float v : values) EXPECT_LE(between(static_cast<double>(v)), between(threshold) * (1 + 1e-12));
}

TEST(Otsu, IsAFloatAndKnowsDegenerateMaps) {
  EXPECT_EQ(otsu_threshold(std::vector<float>{0, 1, 0, 1, kNaN}), 0.5);
  const float one = 1.0F, next = std::nextafter(1.0F, 2.0F);
  EXPECT_EQ(otsu_threshold(std::vector<float>{one, next}), static_cast<double>(next));
  EXPECT_EQ(otsu_threshold(std::vector<float>{7, 7, 7}), 7.0);
  EXPECT_TRUE(std::isnan(otsu_threshold(std::vector<float>{kNaN})));
}

// Whoever reads overlay.hspy compares floats: 0.7 as float32 is not below the threshold 0.7.
TEST(Overlay, ValueAtTheThresholdIsPresent) {
  PlacedMap map = map_of(1, 2);
  map.map.values = {0.7F, 0.6F};
  const OverlayResult result = laid({map, map}, {.thresholds = {0.7, 0.7}});
  EXPECT_EQ(result.overlaps[0].at.table.both, 1U);
}

// ---- numbers by hand ------------------------------------------------------------------------------------------------

TEST(Overlap, IndexAndOddsRatioByHand) {
  const OverlapAt at = measured({10, 5, 3, 24});
  EXPECT_DOUBLE_EQ(at.jaccard, 10.0 / 18.0);
  EXPECT_DOUBLE_EQ(at.odds_ratio, 10.5 * 24.5 / (5.5 * 3.5));
  // exp(log(13.3636) -+ 1.95996 sqrt(1/10.5 + 1/24.5 + 1/5.5 + 1/3.5)), by calculator.
  EXPECT_NEAR(at.odds_ratio_low, 2.9149, 1e-4);
  EXPECT_NEAR(at.odds_ratio_high, 61.268, 1e-3);
  EXPECT_TRUE(std::isnan(measured({0, 0, 0, 9}).jaccard));
}

TEST(Ranks, ShareTies) { EXPECT_THAT(ranks_of(std::vector<float>{3, 1, kNaN, 3, 2}), ElementsAre(3.5, 1, 0, 3.5, 2)); }

TEST(Overlap, RankCorrelationIsOfRanks) {
  PlacedMap a = map_of(4, 8), b = map_of(4, 8);
  a.map.values = counted(32);
  for (std::size_t i = 0; i < 32; ++i) b.map.values[i] = std::exp(0.3F * a.map.values[i]);
  EXPECT_DOUBLE_EQ(laid({a, b}).overlaps[0].rank_correlation, 1.0);
  for (float& v : b.map.values) v = -v;
  EXPECT_DOUBLE_EQ(laid({a, b}).overlaps[0].rank_correlation, -1.0);
}

// ---- the null -------------------------------------------------------------------------------------------------------

/// A window on a mirrored map, index by index.
std::vector<float> window(const std::vector<float>& values, std::uint64_t rows, std::uint64_t columns, Shift shift) {
  const auto fold = [](std::uint64_t k, std::uint64_t n) {
    return k % (2 * n) < n ? k % (2 * n) : 2 * n - 1 - k % (2 * n);
  };
  std::vector<float> out;
  for (std::uint64_t i = 0; i < rows; ++i) {
    for (std::uint64_t j = 0; j < columns; ++j)
      out.push_back(values[fold(i + shift.down, rows) * columns + fold(j + shift.right, columns)]);
  }
  return out;
}

TEST(ShiftNull, CountsWhatAWindowOnTheMirroredMapShows) {
  constexpr std::uint64_t kRows = 5, kColumns = 21;
  std::mt19937_64 random(11);
  std::vector<float> a(kRows * kColumns), b(kRows * kColumns);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = random() % 9 == 0 ? kNaN : static_cast<float>(random() % 7);
    b[i] = random() % 9 == 0 ? kNaN : static_cast<float>(random() % 7);
  }
  const Shifts shifts = shifts_of(kRows, kColumns, 99, 1);
  ASSERT_EQ(shifts.list.size(), 4 * kRows * kColumns);
  EXPECT_TRUE(shifts.all);
  const ShiftNull null(a, b, kRows, kColumns, shifts);
  const std::vector<PresenceTable> tables = null.tables(3, 4);
  const std::vector<double> rank_a = ranks_of(a), rank_b = ranks_of(b);
  const auto correlations = null.rank_correlations();
  for (std::size_t s = 0; s < tables.size(); ++s) {
    const std::vector<float> moved = window(b, kRows, kColumns, shifts.list[s]);
    const std::vector<float> moved_ranks = window({rank_b.begin(), rank_b.end()}, kRows, kColumns, shifts.list[s]);
    PresenceTable by_hand;
    double n = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (std::isnan(a[i]) || std::isnan(moved[i])) continue;
      const bool in_a = a[i] >= 3, in_b = moved[i] >= 4;
      ++(in_a && in_b ? by_hand.both : in_a ? by_hand.only_first : in_b ? by_hand.only_second : by_hand.neither);
      const double x = rank_a[i], y = static_cast<double>(moved_ranks[i]);
      n += 1, sa += x, sb += y, saa += x * x, sbb += y * y, sab += x * y;
    }
    EXPECT_EQ(tables[s].both, by_hand.both) << s;
    EXPECT_EQ(tables[s].only_first, by_hand.only_first) << s;
    EXPECT_EQ(tables[s].only_second, by_hand.only_second) << s;
    EXPECT_EQ(tables[s].neither, by_hand.neither) << s;
    EXPECT_NEAR(correlations[s].value, (sab - sa * sb / n) / std::sqrt((saa - sa * sa / n) * (sbb - sb * sb / n)),
                1e-9);
  }
}

TEST(ShiftNull, LongRowsAreCountedWhole) {  // more than 255 words of eight pixels, and a rest
  const std::vector<float> ones(5003, 1.0F);
  const Shifts shifts = shifts_of(1, 5003, 99, 1);
  const std::vector<PresenceTable> tables = ShiftNull(ones, ones, 1, 5003, {{{0, 0}, {0, 77}}, true}).tables(1, 1);
  EXPECT_EQ(tables[0].both, 5003U);
  EXPECT_EQ(tables[1].both, 5003U);
  EXPECT_EQ(shifts.list.size(), 100U);  // 10 006 are too many to take all
  EXPECT_FALSE(shifts.all);
}

/// Blobs in places of their own, 1 inside.
double blobs(double x, double y, double shift = 0) {
  double most = 0;
  for (const auto& [bx, by] : {std::pair{0.2, 0.3}, {0.7, 0.15}, {0.45, 0.75}, {0.85, 0.7}, {0.1, 0.85}})
    most = std::max(most, std::exp(-((x - bx - shift) * (x - bx - shift) + (y - by) * (y - by)) / 0.01));
  return most;
}

TEST(Overlap, PlantedOnDifferentGridsIsFound) {
  std::mt19937_64 random(3);
  const auto noise = [&](PlacedMap map) {
    for (float& v : map.map.values) v += 0.1F * (static_cast<float>(random() % 2001) / 1000 - 1);
    return map;
  };
  const PlacedMap a = noise(filled(map_of(24, 30), [](double x, double y) { return blobs(x, y); }));
  const PlacedMap b = noise(filled(map_of(17, 41), [](double x, double y) { return blobs(x, y, 0.01); }));
  const OverlayResult result = laid({a, b});
  const Overlap& overlap = result.overlaps[0];
  EXPECT_EQ(result.rows.size, 17U);
  EXPECT_EQ(result.columns.size, 30U);
  EXPECT_EQ(overlap.n, 510U);
  EXPECT_LT(overlap.at.p_value.value(), 0.01);
  EXPECT_LT(overlap.rank_correlation_p_value.value(), 0.01);
  EXPECT_GT(overlap.at.jaccard, 3 * overlap.at.null_jaccard);
  EXPECT_GT(overlap.at.odds_ratio_low, 10);
}

// The level: with independent maps, p <= 0.05 in one of twenty. A binomial of 200 with 0.05 exceeds 20 once in a
// thousand.
TEST(Overlap, IndependentSmoothMapsAreNotFound) {
  int found = 0, rank_found = 0, shuffle_found = 0, covered = 0, covered_as_independent = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const SmoothField f(2 * seed + 1, 0.12), g(2 * seed + 2, 0.12);
    const PlacedMap a = filled(map_of(12, 16), f), b = filled(map_of(10, 20), g);
    const OverlayResult result = laid({a, b});
    const Overlap& overlap = result.overlaps[0];
    found += overlap.at.p_value.value() <= 0.05 ? 1 : 0;
    rank_found += overlap.rank_correlation_p_value.value() <= 0.05 ? 1 : 0;
    covered += overlap.at.correlated_low <= 1 && overlap.at.correlated_high >= 1;
    covered_as_independent += overlap.at.odds_ratio_low <= 1 && overlap.at.odds_ratio_high >= 1;
    // What a null of shuffled pixels would say.
    std::mt19937_64 random(seed);
    std::vector<float> shuffled = result.maps[1].values;
    int as_much = 0;
    for (int draw = 0; draw < 99; ++draw) {
      std::shuffle(shuffled.begin(), shuffled.end(), random);
      std::uint64_t both = 0;
      for (std::size_t i = 0; i < shuffled.size(); ++i)
        both += result.maps[0].values[i] >= static_cast<float>(result.thresholds[0]) &&
                shuffled[i] >= static_cast<float>(result.thresholds[1]);
      as_much += both >= overlap.at.table.both ? 1 : 0;
    }
    shuffle_found += 1 + as_much <= 5 ? 1 : 0;
  }
  EXPECT_LE(found, 20);
  EXPECT_LE(rank_found, 20);
  EXPECT_GT(shuffle_found, 30);  // a shuffle breaks the fields' smoothness, and finds what is not there
  EXPECT_GE(covered, 180);       // of the true odds ratio, 1, by intervals of 95 %
  EXPECT_LT(covered_as_independent, 150);
  RecordProperty("covered", covered);
  RecordProperty("covered_as_independent", covered_as_independent);
  RecordProperty("found", found);
  RecordProperty("rank_found", rank_found);
  RecordProperty("shuffle_found", shuffle_found);
}

TEST(Overlap, TooFewPixelsGiveNoPValue) {
  PlacedMap small = map_of(2, 9);
  small.map.values = counted(18);
  const Overlap few = laid({small, small}).overlaps[0];
  EXPECT_FALSE(few.at.p_value.has_value());
  EXPECT_FALSE(few.rank_correlation_p_value.has_value());
  EXPECT_THAT(few.note, StartsWith("too few pixels to say (18"));
  PlacedMap rare = map_of(6, 9);
  rare.map.values = counted(54);
  const Overlap present = laid({rare, rare}, {.thresholds = {51, 20}}).overlaps[0];
  EXPECT_FALSE(present.at.p_value.has_value());
  EXPECT_THAT(present.note, HasSubstr("the first map is present in 4 of 54"));
  EXPECT_TRUE(present.rank_correlation_p_value.has_value());  // it asks no threshold
  const Overlap none = laid({rare, rare}, {.thresholds = {99, 99}}).overlaps[0];
  EXPECT_TRUE(std::isnan(none.at.jaccard));
}

TEST(Overlap, ConstantOrEmptyMapIsSaidSo) {
  PlacedMap flat = map_of(6, 9), empty = map_of(6, 9), varied = map_of(6, 9);
  varied.map.values = counted(54);
  for (float& v : empty.map.values) v = kNaN;
  const OverlayResult constant = laid({varied, flat});
  EXPECT_TRUE(std::isnan(constant.overlaps[0].rank_correlation));
  EXPECT_FALSE(constant.overlaps[0].at.p_value.has_value());
  EXPECT_THAT(constant.notes, ElementsAre(HasSubstr("every value of map b")));
  const OverlayResult nothing = laid({varied, empty});
  EXPECT_EQ(nothing.overlaps[0].n, 0U);
  EXPECT_THAT(nothing.overlaps[0].note, StartsWith("too few"));
}

TEST(Overlay, KeepsToTheMemoryAllowed) {
  const std::vector<PlacedMap> maps{map_of(40, 70), map_of(50, 60)};
  EXPECT_THAT(refusal_of(ErrorKind::resources, [&] { overlay(maps, {}, {.memory_bytes = 10'000}); }),
              HasSubstr("--memory"));
}

TEST(Overlay, SameBitsWithAnyNumberOfThreads) {
  const PlacedMap a = filled(map_of(45, 70), SmoothField(1, 0.1)), b = filled(map_of(50, 64), SmoothField(2, 0.1));
  const OverlayResult one = overlay(std::vector{a, b}, {}, {.threads = 1}),
                      four = overlay(std::vector{a, b}, {}, {.threads = 4});
  EXPECT_FALSE(one.overlaps[0].all_shifts);
  EXPECT_EQ(one.overlaps[0].at.p_value, four.overlaps[0].at.p_value);
  EXPECT_EQ(one.overlaps[0].independent_pixels, four.overlaps[0].independent_pixels);
}

TEST(Overlay, OfFourMapsComparesEveryPair) {
  const PlacedMap a = filled(map_of(12, 14), SmoothField(1, 0.2)), b = filled(map_of(13, 12), SmoothField(2, 0.2));
  const OverlayResult result = laid({a, b, a, b});
  ASSERT_EQ(result.overlaps.size(), 6U);
  EXPECT_EQ(result.overlaps[0].second, 1U);
  EXPECT_EQ(result.overlaps[1].at.jaccard, 1.0);  // a and c are one
  EXPECT_EQ(result.maps[3].name, "d");
}

}  // namespace
}  // namespace elver::test
