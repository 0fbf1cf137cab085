#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "elver/image.hpp"
#include "elver/model.hpp"

/// Which energies moved a prediction.
namespace elver {

/// One output of a task: its margin is the bias and all contributions together.
struct OutputExplanation {
  std::string task;
  std::string output;              ///< "count_Ni = 2": the class; else the task's name
  bool predicted = true;           ///< of a task of several classes: the most probable one
  double margin = 0;               ///< what the map's value is made from
  double bias = 0;                 ///< the margin where nothing is known of the pixel
  std::vector<double> trees;       ///< [feature]: TreeSHAP (Lundberg et al., Nat. Mach. Intell. 2 (2020) 56), exact
  std::vector<double> linear;      ///< [feature]: weight * (feature - that of the model's reference spectrum), exact
};

struct ExplainedEdge {
  Edge edge;
  double snr = 0;
  bool absent = false;
  std::vector<double> energy_ev, net;         ///< counts without background, over the grid
  std::vector<double> reference_ev, reference;  ///< the model's, highest 1; may be empty
};

struct Explanation {
  std::uint64_t row = 0, column = 0;
  std::vector<ExplainedEdge> edges;          ///< whose features follow one another
  std::vector<float> features;
  std::vector<OutputExplanation> outputs;
};

/// One pixel of an image, or a spectrum (0, 0). Throws Error{usage} where there is no such pixel, Error{mismatch} where it
/// has no value (its status says why) or the axis does not fit, Error{resources} where XGBoost is missing.
Explanation explain_pixel(const Image& image, const Model& model, std::uint64_t row, std::uint64_t column);

std::string explanation_json(const Explanation& explanation);
/// explanation.csv (a line a feature), explanation.json and a picture a task, into a folder. Throws Error{output}.
void write_explanation(const Explanation& explanation, const std::filesystem::path& folder);

}  // namespace elver
