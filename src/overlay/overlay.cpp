#include "elver/overlay.hpp"

#include <algorithm>
#include <cmath>

#include "elver/error.hpp"
#include "overlay/association.hpp"
#include "overlay/grid.hpp"
#include "types/arena.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

void check(std::span<const PlacedMap> maps, const OverlayOptions& options) {
  if (maps.size() < 2 || maps.size() > kLargestOverlay) {
    throw Error(ErrorKind::usage, text("%zu maps cannot be laid over each other", maps.size()),
                text("an overlay is of 2 to %zu", kLargestOverlay), "Name each as FILE:TITLE");
  }
  if (options.thresholds.size() > maps.size()) {
    throw Error(ErrorKind::usage,
                text("a threshold for map %c", static_cast<char>('a' + options.thresholds.size() - 1)),
                text("only %zu maps are given", maps.size()));
  }
  for (const PlacedMap& map : maps) {
    const std::uint64_t pixels = map.rows.size * map.columns.size;
    if (pixels == 0 || pixels != map.map.values.size()) {
      throw Error(
          ErrorKind::mismatch, "map " + map.map.name + " does not fit its axes",
          text("%zu values, %llu rows and %llu columns", map.map.values.size(),
               static_cast<unsigned long long>(map.rows.size), static_cast<unsigned long long>(map.columns.size)));
    }
    for (const Axis* axis : {&map.rows, &map.columns}) {
      if (std::isfinite(axis->scale) && std::isfinite(axis->offset) && axis->scale != 0) continue;
      throw Error(ErrorKind::mismatch, "map " + map.map.name + " lies nowhere",
                  text("its axis %s has scale %g and offset %g", axis->name.c_str(), axis->scale, axis->offset));
    }
  }
}

/// What the grid and the shifts of one pair need at once.
void check_memory(std::uint64_t pixels, std::size_t maps, const RunContext& context) {
  constexpr std::uint64_t kPairBytes = 90;  // per pixel: ranks and masks, mirrored ones three times as wide
  const std::uint64_t needed = pixels * (maps * sizeof(float) + kPairBytes);
  if (context.memory_bytes == 0 || needed <= context.memory_bytes) return;
  throw Error(ErrorKind::resources, "not enough memory",
              text("an overlay of %llu pixels needs %llu bytes", static_cast<unsigned long long>(pixels),
                   static_cast<unsigned long long>(needed)),
              "Raise --memory");
}

/// The threshold of a map on the common grid; says so where there is nothing to choose from.
double threshold_of(const Map& map, std::optional<double> given, std::vector<std::string>& notes) {
  const auto [least, most] = std::minmax_element(map.values.begin(), map.values.end(), [](float a, float b) {
    return std::isfinite(a) && (!std::isfinite(b) || a < b);
  });
  static_cast<void>(most);
  const bool empty = !std::isfinite(*least);
  if (empty) notes.push_back("map " + map.name + " has no value on the common grid");
  if (given) return static_cast<double>(static_cast<float>(*given));
  const auto other =
      std::find_if(map.values.begin(), map.values.end(), [&](float v) { return std::isfinite(v) && v != *least; });
  if (!empty && other == map.values.end()) {
    notes.push_back("every value of map " + map.name + " is the same: give its threshold with --threshold-" + map.name);
  }
  const double otsu = otsu_threshold(map.values);
  return std::isfinite(otsu) ? otsu : 0;
}

}  // namespace

OverlayResult overlay(std::span<const PlacedMap> maps, const OverlayOptions& options, const RunContext& context) {
  check(maps, options);
  OverlayResult out;
  const std::vector<Affine> places = index_to_place(maps, options.field);
  std::tie(out.rows, out.columns) = common_grid(maps, places);
  check_memory(out.rows.size * out.columns.size, maps.size(), context);
  for (std::size_t m = 0; m < maps.size(); ++m) {
    context.check_interrupt();
    Map map = maps[m].map;
    map.title = map.title.empty() ? map.name : map.title;
    map.name = std::string(1, static_cast<char>('a' + m));
    map.values = resampled(maps[m], places[m], out.rows, out.columns);
    const std::optional<double> given = m < options.thresholds.size() ? options.thresholds[m] : std::nullopt;
    out.thresholds.push_back(threshold_of(map, given, out.notes));
    out.maps.push_back(std::move(map));
  }
  const Shifts shifts = shifts_of(out.rows.size, out.columns.size, options.draws, options.seed);
  in_arena(context, [&] {
    for (std::size_t i = 0; i < maps.size(); ++i) {
      for (std::size_t j = i + 1; j < maps.size(); ++j) {
        Overlap overlap =
            overlap_of(out.maps[i].values, out.maps[j].values, out.rows.size, out.columns.size,
                       static_cast<float>(out.thresholds[i]), static_cast<float>(out.thresholds[j]), shifts, context);
        overlap.first = i;
        overlap.second = j;
        out.overlaps.push_back(std::move(overlap));
      }
    }
  });
  return out;
}

}  // namespace elver
