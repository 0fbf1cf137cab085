/// How often `elver overlay` finds what is there, and what is not: 200 seeds a line, independent of those of the tests.
///   overlay_rates [FIRST_SEED [SEEDS]]
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "elver/overlay.hpp"
#include "overlay_support.hpp"

namespace {

using namespace elver;
using elver::test::filled;
using elver::test::map_of;
using elver::test::SmoothField;

struct Setting {
  std::uint64_t rows_a, columns_a, rows_b, columns_b;
  double bump;  ///< of the fields, in sides of a square; height and width are stretched over it
};
struct Rates {
  std::uint64_t asked = 0, overlap = 0, rank = 0, shuffled = 0, silent = 0;
};

/// Means over the pixels of a field on the unit square, with noise of `noise` standard deviations of the field.
PlacedMap seen(const Setting& s, bool first, const SmoothField& field, double noise, std::mt19937_64& random) {
  PlacedMap map = filled(first ? map_of(s.rows_a, s.columns_a) : map_of(s.rows_b, s.columns_b), field);
  double sum = 0, squares = 0;
  const auto n = static_cast<double>(map.map.values.size());
  for (const float v : map.map.values) {
    sum += static_cast<double>(v) / n;
    squares += static_cast<double>(v) * static_cast<double>(v) / n;
  }
  std::normal_distribution<double> error(0, noise * std::sqrt(std::max(0.0, squares - sum * sum)));
  for (float& v : map.map.values) v += static_cast<float>(error(random));
  return map;
}

/// What shuffled pixels would say of the same overlap: the share of 199 shuffles whose `both` is no smaller.
double shuffle_p(const OverlayResult& result, std::mt19937_64& random) {
  std::vector<char> a, b;
  for (std::size_t i = 0; i < result.maps[0].values.size(); ++i) {
    if (!std::isfinite(result.maps[0].values[i]) || !std::isfinite(result.maps[1].values[i])) continue;
    a.push_back(static_cast<double>(result.maps[0].values[i]) >= result.thresholds[0]);
    b.push_back(static_cast<double>(result.maps[1].values[i]) >= result.thresholds[1]);
  }
  const auto both = [&] {
    int n = 0;
    for (std::size_t i = 0; i < a.size(); ++i) n += a[i] & b[i];
    return n;
  };
  const int observed = both();
  int as_many = 1;
  for (int k = 0; k < 199; ++k) {
    std::ranges::shuffle(b, random);
    as_many += both() >= observed ? 1 : 0;
  }
  return as_many / 200.0;
}

/// `level`: a p-value up to this counts.
Rates rates(const Setting& s, bool planted, double noise, double level, std::uint64_t first, std::uint64_t seeds) {
  Rates out;
  for (std::uint64_t k = 0; k < seeds; ++k) {
    const std::uint64_t seed = first + k;
    std::mt19937_64 random(seed);
    const SmoothField f(2 * seed, s.bump), g(2 * seed + 1, s.bump);
    const std::array maps{seen(s, true, f, noise, random), seen(s, false, planted ? f : g, noise, random)};
    const OverlayResult result = overlay(maps, {.seed = seed}, {.threads = 2});
    const Overlap& found = result.overlaps[0];
    ++out.asked;
    out.silent += found.at.p_value ? 0 : 1;
    out.overlap += found.at.p_value && *found.at.p_value <= level ? 1 : 0;
    out.rank += found.rank_correlation_p_value && *found.rank_correlation_p_value <= level ? 1 : 0;
    out.shuffled += shuffle_p(result, random) <= level ? 1 : 0;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 500'000;
  const std::uint64_t seeds = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 200;
  constexpr std::array kSettings{Setting{24, 30, 17, 41, 0.06}, Setting{24, 30, 17, 41, 0.12},
                                 Setting{24, 30, 17, 41, 0.25}, Setting{2, 28, 2, 21, 0.06}, Setting{2, 28, 2, 21, 0.12}};
  std::printf("seeds %llu to %llu; fields are sums of bumps, their width in sides of the field\n",
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(first + seeds - 1));
  std::printf("%-12s %-16s %6s %6s %7s  %-18s %-18s %-14s %s\n", "maps", "grids", "bumps", "noise", "p up to",
              "by overlap", "by rank", "pixel shuffle", "no p-value");
  for (const bool planted : {true, false}) {
    for (const Setting& s : kSettings) {
      const double noise = planted ? 0.5 : 0.0, level = planted ? 0.01 : 0.05;
      const Rates r = rates(s, planted, noise, level, first, seeds);
      std::printf("%-12s %2llux%-2llu on %2llux%-4llu %6.2f %6.1f %7.2f  %4llu of %-10llu %4llu of %-10llu %4llu of %-6llu %llu\n",
                  planted ? "planted" : "independent", static_cast<unsigned long long>(s.rows_a),
                  static_cast<unsigned long long>(s.columns_a), static_cast<unsigned long long>(s.rows_b),
                  static_cast<unsigned long long>(s.columns_b), s.bump, noise, level,
                  static_cast<unsigned long long>(r.overlap), static_cast<unsigned long long>(r.asked),
                  static_cast<unsigned long long>(r.rank), static_cast<unsigned long long>(r.asked),
                  static_cast<unsigned long long>(r.shuffled), static_cast<unsigned long long>(r.asked),
                  static_cast<unsigned long long>(r.silent));
      std::fflush(stdout);
    }
  }
  return 0;
}
