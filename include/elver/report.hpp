#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elver/coregister.hpp"
#include "elver/detect.hpp"
#include "elver/image.hpp"
#include "elver/io.hpp"
#include "elver/maps.hpp"
#include "elver/overlay.hpp"
#include "elver/prepare.hpp"

namespace elver {

/// One map as PNG: perceptual colours, colour bar with unit, scale bar in the axes' own unit, title; masked and failed
/// pixels drawn as such. A line scan, and an image of two rows, are drawn with pixels large enough to see.
/// Probabilities are drawn on 0 to 1, classes in a colour each, all else between the 2nd and the 98th percentile.
/// `in_domain`, one a pixel or empty: where it is 0, white lines are drawn over the value. Throws Error{output}.
void draw_map(const Map& map, const std::vector<PixelStatus>& status, const Axis& row_axis, const Axis& column_axis,
              const std::filesystem::path& png, std::span<const float> in_domain = {});
/// The status map, with a legend of the codes that occur.
void draw_status(const std::vector<PixelStatus>& status, const Axis& row_axis, const Axis& column_axis,
                 const std::filesystem::path& png);

/// Loads the fonts and makes the colours that the first picture would wait for. Needless, but some ten milliseconds that can
/// be spent beside other work.
void ready_to_draw() noexcept;

/// A picture of each map, STEM_NAME.png: what stands beside the maps of a file that is no folder. `image` is what they
/// are of. Does not commit. Throws Error{output}.
void draw_beside(OutputSet& out, const std::string& stem, const Image& image, const std::vector<PixelMap>& maps);

/// All maps as text, a line a pixel: row, column, x, y (units in the header), status code (where there are any), every map.
std::string maps_csv(const MapResult& result, const Axis& row_axis, const Axis& column_axis);

enum class Pictures : std::uint8_t { none, tasks, all };
/// "none", "tasks", "all"; throws Error{usage} for another name.
Pictures pictures_named(std::string_view name);

/// Checks the names of formats that maps are written in: "hspy", "nexus", "tiff", "csv"; each once, in that order.
/// Throws Error{usage} for another name.
std::vector<std::string> map_formats(const std::vector<std::string>& names);

/// What a run was asked and given: what run.json tells beside the result.
struct RunRecord {
  std::string command_line;
  std::filesystem::path input, model;
  std::optional<EnergyAxis> axis_in_file;  ///< where options put another in its place
  PreparationRecord preparation;
  MaskOptions mask;
  unsigned threads = 1;
  std::uint64_t memory_bytes = 0;
  Pictures pictures = Pictures::tasks;
  std::vector<std::string> formats{"hspy"};  ///< of the maps (map_formats)
  bool keep_edges = false;  ///< background-subtracted spectra go beside the maps as `edge_<name>`, where the format holds them
};

/// Writes the maps (maps.hspy, maps.nxs, maps.csv, a .tif for each), the pictures and run.json into `out`, does not commit, and returns the text of run.json.
/// Adds the maps and notes of the preparation to `result`, and the time it takes to `result.seconds` (write, total).
/// Throws Error{output}, Error{interrupted}.
std::string write_maps(OutputSet& out, const Image& image, const Model& model, MapResult& result,
                       const RunRecord& record, const RunContext& context);

/// From a file to files of maps: what `elver map` does.
struct MapJob {
  std::filesystem::path input;
  OpenOptions open;
  Preparation preparation;
  MaskOptions mask;  ///< RunRecord::mask is made of it
  std::filesystem::path out;
  /// command_line, model, pictures, formats and keep_edges are the caller's; the rest is filled in.
  RunRecord record;
  double seconds_before = 0;  ///< spent on the model; counted as reading
};
struct MapRun {
  MapResult result;
  PreparationRecord preparation;
  std::string json;       ///< of run.json
  std::size_t files = 0;  ///< in `out`
};
/// Opens, prepares, masks, maps, writes and commits. Throws as open_image, prepare, map_image and write_maps do.
MapRun run_map(const MapJob& job, const Model& model, const RunContext& context);

/// What a search for an edge was asked and given.
struct DetectRecord {
  std::string command_line;
  std::filesystem::path input;
  PreparationRecord preparation;
  std::vector<std::string> formats{"hspy"};  ///< of the maps (map_formats)
};

/// Writes the maps, a picture of each map and of the status, and detect.json into `out`, does not commit, and returns
/// the text of detect.json. Throws Error{output}, Error{interrupted}.
std::string write_detection(OutputSet& out, const Image& image, const DetectJob& job, const Detection& detection,
                            const DetectRecord& record, const RunContext& context);

enum class OverlayColours : std::uint8_t {
  paper,  ///< as the paper's Fig. 5: the first map green, the second red
  safe    ///< apart also for people who do not see red and green apart
};
/// "paper", "safe"; throws Error{usage} for another name.
OverlayColours overlay_colours_named(std::string_view name);

/// The maps over each other as PNG: where each is present, in its colour, and where several are; each by itself with
/// its threshold's outline; the numbers; how they move with the thresholds. Throws Error{output}.
void draw_overlay(const OverlayResult& result, OverlayColours scheme, const std::filesystem::path& png);

/// What an overlay was asked, beside its maps and options.
struct OverlayRecord {
  std::string command_line;
  OverlayColours colours = OverlayColours::paper;
  std::string more_json = "{}";  ///< an object; its members go into overlay.json as they are
  std::vector<std::string> formats{"hspy"};  ///< of the maps (map_formats)
};

/// Writes overlay.json, overlay.png and the maps on the common grid, titled "a", "b", ... (overlay.hspy, .nxs, .csv, a .tif
/// for each) into `out`, does not commit, and returns the text of overlay.json. Throws Error{output}, Error{interrupted}.
std::string write_overlay(OutputSet& out, std::span<const PlacedMap> maps, const OverlayOptions& options,
                          const OverlayResult& result, const OverlayRecord& record, const RunContext& context);

/// The first's picture in grey with the outlines of both fields; `labels` say which is which. Nothing where the
/// registration has no outlines on the picture. Throws Error{output}.
void draw_registration(const PlacedMap& picture, const Registration& registration,
                       const std::vector<std::string>& labels, const std::filesystem::path& png);

}  // namespace elver
