#include "overlay/association.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "overlay/null.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr std::uint64_t kFewestPixels = 20;  ///< with a value in both maps
constexpr std::uint64_t kFewestPresent = 5;  ///< and as many absent, in either map
constexpr std::size_t kFewestShifts = 20;    ///< the smallest p-value is one over their number
constexpr double kTie = 1e-9;                ///< measures that differ by rounding are equal
constexpr double kNormal95 = 1.959963984540054;
constexpr std::size_t kCurvePoints = 19;  ///< thresholds tried, at the quantiles 0.05 to 0.95

std::uint64_t pixels_of(const PresenceTable& t) { return t.both + t.only_first + t.only_second + t.neither; }

/// Overlap beyond what the margins make expected, over its standard deviation: 0 where a margin is empty. Comparable
/// between shifts, whose margins and pixels differ.
double excess_of(const PresenceTable& t) {
  const auto n = static_cast<double>(pixels_of(t)), first = static_cast<double>(t.both + t.only_first);
  const auto second = static_cast<double>(t.both + t.only_second);
  const double spread = first * (n - first) * second * (n - second);
  if (!(spread > 0)) return 0;
  return std::sqrt(n) * (n * static_cast<double>(t.both) - first * second) / std::sqrt(spread);
}

/// Shifts that leave less than half of the pairs say little and are left out.
bool counts(std::uint64_t pairs, std::uint64_t observed) { return 2 * pairs >= observed && pairs > 0; }

struct Chance {
  std::uint64_t shifts = 0, as_much = 0;  ///< beside the observed one
  double squares = 0, jaccards = 0;       ///< sums over them
  double log_odds_squares = 0;
  double p_value() const { return static_cast<double>(1 + as_much) / static_cast<double>(1 + shifts); }
  double mean(double sum) const { return shifts > 0 ? sum / static_cast<double>(shifts) : 0; }
  void add(double measure, double observed) {
    ++shifts;
    as_much += measure >= observed - kTie * (1 + std::abs(observed)) ? 1 : 0;
    squares += measure * measure;
  }
};

Chance chance_of(const std::vector<PresenceTable>& tables) {
  Chance chance;
  const double observed = excess_of(tables.front());
  const std::uint64_t n = pixels_of(tables.front());
  for (std::size_t s = 1; s < tables.size(); ++s) {
    if (!counts(pixels_of(tables[s]), n)) continue;
    chance.add(excess_of(tables[s]), observed);
    const std::uint64_t any = pixels_of(tables[s]) - tables[s].neither;
    const double log_odds = std::log(measured(tables[s]).odds_ratio);
    chance.log_odds_squares += log_odds * log_odds;
    chance.jaccards += any > 0 ? static_cast<double>(tables[s].both) / static_cast<double>(any) : 0;
  }
  return chance;
}

std::string too_few(const std::string& why) { return "too few pixels to say (" + why + ")"; }

/// Why this many pixels and shifts give no p-value; empty where they do.
std::string refusal(std::uint64_t n, std::uint64_t shifts) {
  if (n < kFewestPixels) {
    return too_few(text("%llu have a value in both maps, %llu are needed", static_cast<unsigned long long>(n),
                        static_cast<unsigned long long>(kFewestPixels)));
  }
  if (shifts + 1 < kFewestShifts) {
    return too_few(text("%llu shifts leave enough of both maps, %zu are needed",
                        static_cast<unsigned long long>(shifts), kFewestShifts - 1));
  }
  return {};
}

/// The same of presence and absence.
std::string refusal(const PresenceTable& t) {
  const std::uint64_t n = pixels_of(t), first = t.both + t.only_first, second = t.both + t.only_second;
  for (const auto& [present, name] : {std::pair{first, "the first"}, {second, "the second"}}) {
    for (const auto& [number, state] : {std::pair{present, "present"}, {n - present, "absent"}}) {
      if (number >= kFewestPresent) continue;
      return too_few(text("%s map is %s in %llu of %llu, %llu are needed", name, state,
                          static_cast<unsigned long long>(number), static_cast<unsigned long long>(n),
                          static_cast<unsigned long long>(kFewestPresent)));
    }
  }
  return {};
}

OverlapAt overlap_at(const ShiftNull& null, float first, float second, std::uint64_t* shifts) {
  const std::vector<PresenceTable> tables = null.tables(first, second);
  OverlapAt at = measured(tables.front());
  at.threshold_first = static_cast<double>(first);
  at.threshold_second = static_cast<double>(second);
  const Chance chance = chance_of(tables);
  *shifts = chance.shifts;
  at.null_jaccard = chance.mean(chance.jaccards);
  // No narrower than the spread of the shifts: by itself the formula knows nothing of neighbours.
  const double half = std::max(std::log(at.odds_ratio_high / at.odds_ratio),
                               kNormal95 * std::sqrt(chance.mean(chance.log_odds_squares)));
  at.correlated_low = at.odds_ratio * std::exp(-half);
  at.correlated_high = at.odds_ratio * std::exp(half);
  if (refusal(pixels_of(at.table), chance.shifts).empty() && refusal(at.table).empty()) at.p_value = chance.p_value();
  return at;
}

/// Distinct values at the quantiles of those that are finite.
std::vector<float> quantiles(std::span<const float> values) {
  std::vector<float> sorted;
  std::copy_if(values.begin(), values.end(), std::back_inserter(sorted), [](float v) { return std::isfinite(v); });
  std::sort(sorted.begin(), sorted.end());
  std::vector<float> out;
  for (std::size_t i = 1; i <= kCurvePoints && !sorted.empty(); ++i) {
    const float value = sorted[i * (sorted.size() - 1) / (kCurvePoints + 1)];
    if (out.empty() || value > out.back()) out.push_back(value);
  }
  return out;
}

/// Spearman's correlation over the pixels where both have a value.
double spearman(std::span<const float> first, std::span<const float> second) {
  std::vector<float> a, b;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!std::isfinite(first[i]) || !std::isfinite(second[i])) continue;
    a.push_back(first[i]);
    b.push_back(second[i]);
  }
  if (a.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  return ShiftNull(a, b, 1, a.size(), {{{0, 0}}, true}).rank_correlations().front().value;
}

void correlate(const ShiftNull& null, std::uint64_t n, Overlap& out) {
  const std::vector<ShiftNull::Correlation> all = null.rank_correlations();
  const auto measure = [](const ShiftNull::Correlation& c) {
    return std::isfinite(c.value) ? c.value * std::sqrt(static_cast<double>(c.n)) : 0.0;
  };
  const double observed = measure(all.front());
  Chance chance;
  for (std::size_t s = 1; s < all.size(); ++s) {
    if (counts(all[s].n, n)) chance.add(measure(all[s]), observed);
  }
  if (!std::isfinite(out.rank_correlation)) return;
  if (refusal(n, chance.shifts).empty()) out.rank_correlation_p_value = chance.p_value();
  out.independent_pixels = static_cast<double>(n) / std::max(1.0, chance.mean(chance.squares));
}

}  // namespace

OverlapAt measured(const PresenceTable& t) {
  constexpr double kAdded = 0.5;
  OverlapAt out;
  out.table = t;
  const std::uint64_t any = t.both + t.only_first + t.only_second;
  out.jaccard =
      any > 0 ? static_cast<double>(t.both) / static_cast<double>(any) : std::numeric_limits<double>::quiet_NaN();
  const double both = static_cast<double>(t.both) + kAdded, neither = static_cast<double>(t.neither) + kAdded;
  const double first = static_cast<double>(t.only_first) + kAdded, second = static_cast<double>(t.only_second) + kAdded;
  out.odds_ratio = both * neither / (first * second);
  const double half = kNormal95 * std::sqrt(1 / both + 1 / neither + 1 / first + 1 / second);
  out.odds_ratio_low = out.odds_ratio * std::exp(-half);
  out.odds_ratio_high = out.odds_ratio * std::exp(half);
  return out;
}

Overlap overlap_of(std::span<const float> first, std::span<const float> second, std::uint64_t rows,
                   std::uint64_t columns, float threshold_first, float threshold_second, const Shifts& shifts,
                   const RunContext& context) {
  const ShiftNull null(first, second, rows, columns, shifts);
  const std::vector<float> tried_first = quantiles(first), tried_second = quantiles(second);
  if (context.progress != nullptr)
    context.progress->begin("shifts", tried_first.size() + tried_second.size() + 2, "thresholds");
  std::uint64_t ignored = 0;
  const auto at = [&](float a, float b, std::uint64_t* used) {
    context.check_interrupt();
    const OverlapAt found = overlap_at(null, a, b, used);
    if (context.progress != nullptr) context.progress->advance(1);
    return found;
  };
  Overlap out;
  out.all_shifts = shifts.all;
  out.at = at(threshold_first, threshold_second, &out.draws);
  out.n = pixels_of(out.at.table);
  out.note = refusal(out.n, out.draws);
  if (out.note.empty()) out.note = refusal(out.at.table);
  out.rank_correlation = spearman(first, second);
  correlate(null, out.n, out);
  for (const float a : tried_first) out.by_first.push_back(at(a, threshold_second, &ignored));
  for (const float b : tried_second) out.by_second.push_back(at(threshold_first, b, &ignored));
  if (context.progress != nullptr) context.progress->end();
  return out;
}

}  // namespace elver
