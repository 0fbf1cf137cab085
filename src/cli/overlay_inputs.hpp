#pragma once
#include <CLI/CLI.hpp>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common.hpp"
#include "elver/coregister.hpp"

/// What `elver overlay` lays over each other: maps that are there, and maps that it makes of spectrum images first.
namespace elver::cli {

/// The options of one input, which carry its letter.
struct OverlayInput {
  std::string words;  ///< FILE:TITLE, or FILE
  InputOptions file;  ///< of a spectrum image: its energy axis
  std::string picture, corners;
};

struct OverlayInputs {
  std::vector<std::string> words;
  std::array<OverlayInput, kLargestOverlay> each;
  std::string edge, fit, signal, model, map;
  double false_discovery_rate = 0.05;
  bool auto_axis = false;  ///< of every file that the model maps
  std::string bin;         ///< of every file that has none of its own
  bool spikes = false;     ///< of every file
  MaskOptions mask;
};
void add_overlay_inputs(CLI::App& command, OverlayInputs& inputs);

/// A map with what is known of its place, and the threshold that comes with it.
struct OverlayMap {
  Acquisition acquisition;
  std::optional<double> threshold;
  nlohmann::ordered_json computed;  ///< what was made of a spectrum image; null for a map that was there
};
/// Reads the maps, and makes those that are asked for of spectrum images: of the first that of --edge, where it is
/// given, of the others --map of --model. Throws Error{usage} where a file holds a spectrum image and nothing says what
/// to make of it.
std::vector<OverlayMap> overlay_maps(const OverlayInputs& inputs, const RunContext& context);

}  // namespace elver::cli
