#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "elver/engine.hpp"

namespace elver {

/// One image out: a value per pixel, C order (rows, columns), with its unit; NaN where the pixel failed.
struct Map {
  std::string name;  ///< "li_content", "count_Ni", "probability_oxygen_vacancy", "A_O_K", ...
  std::string unit;
  std::vector<float> values;
  std::vector<double> classes;  ///< the values a class map can take; empty for a continuous one
};

struct StageSeconds {
  double read = 0, features = 0, trees = 0, write = 0, total = 0;
};

struct MapResult {
  std::uint64_t rows = 0, columns = 0;
  std::vector<Map> maps;            ///< tasks first, then the fits of each edge
  std::vector<PixelStatus> status;  ///< (rows, columns)
  std::array<std::uint64_t, status_count> status_counts{};
  std::vector<std::string> notes;   ///< what the user should know: unused best_iteration, ...
  StageSeconds seconds;
};

/// The main job: features and forests of every pixel. `mask` one byte a pixel, or empty.
MapResult map_image(const Image& image, const Model& model, std::span<const std::uint8_t> mask, const RunContext& context);

}  // namespace elver
