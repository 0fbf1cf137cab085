#pragma once
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "elver/io.hpp"
#include "elver/overlay.hpp"

/// Maps whose overlap is known.
namespace elver::test {

inline Axis placed_axis(std::string name, std::string units, double scale, double offset, std::uint64_t size) {
  return {std::move(name), std::move(units), scale, offset, size, AxisRole::navigation};
}

/// A map of the rectangle from (0, 0) to (width, height), whatever its pixels.
inline PlacedMap map_of(std::uint64_t rows, std::uint64_t columns, double height = 1, double width = 1,
                        const std::string& units = "nm") {
  const double down = height / static_cast<double>(rows), across = width / static_cast<double>(columns);
  return {Map{"map", "", std::vector<float>(rows * columns, 0.0F)}, placed_axis("y", units, down, down / 2, rows),
          placed_axis("x", units, across, across / 2, columns)};
}

/// Fills a map with the mean of `field` over `side` x `side` points of each pixel.
template <class Field>
PlacedMap filled(PlacedMap map, const Field& field, int side = 2) {
  for (std::uint64_t i = 0; i < map.rows.size; ++i) {
    for (std::uint64_t j = 0; j < map.columns.size; ++j) {
      double sum = 0;
      for (int k = 0; k < side * side; ++k) {
        const double y = static_cast<double>(i) + (k / side + 0.5) / side - 0.5;
        const double x = static_cast<double>(j) + (k % side + 0.5) / side - 0.5;
        sum += field(map.columns.offset + x * map.columns.scale, map.rows.offset + y * map.rows.scale);
      }
      map.map.values[i * map.columns.size + j] = static_cast<float>(sum / (side * side));
    }
  }
  return map;
}

/// A smooth random field over the plane: bumps of this width on a square of side 1 and well beyond it, so that the
/// square's edges are nothing special.
class SmoothField {
 public:
  SmoothField(std::uint64_t seed, double bump) : bump_(bump) {
    std::mt19937_64 random(seed);
    const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
    const double margin = 3 * bump;
    const int count = static_cast<int>(std::ceil((1 + 2 * margin) * (1 + 2 * margin) / (bump * bump)));
    for (int i = 0; i < count; ++i) {
      const double x = -margin + (1 + 2 * margin) * unit(), y = -margin + (1 + 2 * margin) * unit();
      bumps_.push_back({x, y, 2 * unit() - 1});
    }
  }
  double operator()(double x, double y) const {
    double sum = 0;
    for (const auto& [bx, by, height] : bumps_) {
      const double d = ((x - bx) * (x - bx) + (y - by) * (y - by)) / (2 * bump_ * bump_);
      if (d < 8) sum += height * std::exp(-d);
    }
    return sum;
  }

 private:
  struct Bump {
    double x, y, height;
  };
  double bump_;
  std::vector<Bump> bumps_;
};

inline void save_maps(const std::vector<std::pair<std::string, PlacedMap>>& maps, const std::filesystem::path& path) {
  HspyWriter writer(path);
  for (const auto& [title, map] : maps) {
    SignalHeader header;
    header.title = title;
    header.axes = {map.rows, map.columns};
    header.map = true;
    writer.add(header, std::as_bytes(std::span(map.map.values)));
  }
  writer.commit();
}

}  // namespace elver::test
