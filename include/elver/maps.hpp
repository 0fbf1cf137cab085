#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "elver/engine.hpp"

namespace elver {

/// How the values of a map are to be looked at.
enum class MapScale : std::uint8_t {
  linear,
  logarithmic,  ///< spans decades: the pre-factor A of a power law
  probability   ///< 0 to 1
};

/// One image out: a value per pixel, C order (rows, columns), with its unit; NaN where the pixel failed.
struct Map {
  std::string name;  ///< "li_content", "count_Ni", "probability_oxygen_vacancy", "A_O_K", ...
  std::string unit;
  std::vector<float> values;
  std::vector<double> classes = {};  ///< the values a class map can take; empty for a continuous one
  std::string title = {};            ///< for people: "Probability of oxygen vacancy"; the name where empty
  MapScale scale = MapScale::linear;
  bool of_task = true;  ///< what a task says; false for the probability of one class of several, intervals, the fit of an edge
};

struct MapResult {
  std::uint64_t rows = 0, columns = 0;
  std::vector<Map> maps;            ///< tasks first, then the fits of each edge
  std::vector<PixelStatus> status;  ///< (rows, columns)
  std::array<std::uint64_t, status_count> status_counts{};
  std::vector<std::string> notes;  ///< what the user should know: unused best_iteration, ...
  StageSeconds seconds;
  std::string computed_on = "CPU";  ///< or the names of the GPUs
  std::string forest = "elver";     ///< what walked the trees, or XGBoost with its version
};

/// The main job: features and forests of every pixel. `mask` one byte a pixel, or empty.
/// A regression gives a map under its task's name (with several outputs: `<task>_<i>`); a binary classifier
/// `probability_<task>`; a multi-class one the most probable class's value under the task's name (the first of equals),
/// and `probability_<task>_<class>` for each; then `A_<edge>`, `r_<edge>`, `snr_<edge>`. The same bits whatever the
/// number of threads. Throws Error{mismatch} when model and axis, or a booster and the model's features, do not fit.
MapResult map_image(const Image& image, const Model& model, std::span<const std::uint8_t> mask,
                    const RunContext& context);

/// The values of a map in four numbers, over the pixels that have one.
struct MapSpread {
  std::uint64_t values = 0;  ///< how many; the rest is 0 where there are none
  double minimum = 0, median = 0, maximum = 0;
};
MapSpread spread_of(const Map& map);

/// Row and column axis of an image's maps: its own where it has two; else a plain one of size 1 for what is missing,
/// and a plain one over all that stands before the columns where it has more.
std::pair<Axis, Axis> map_axes(const Image& image);

/// The spectra of one edge with the fitted background taken off, counts per channel, over [fit.start, grid.stop), as an
/// image that is computed when it is read; NaN in pixels that failed. Negative counts stay. Keeps references: `image`,
/// `model` and `result` must outlive it. Throws Error{mismatch} when the axis does not cover the edge.
std::unique_ptr<Image> net_edge(const Image& image, const Model& model, const MapResult& result, std::size_t edge);

}  // namespace elver
