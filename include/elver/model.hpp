#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "elver/background.hpp"
#include "elver/energy.hpp"
#include "elver/energy_axis.hpp"
#include "elver/features.hpp"
#include "elver/forest.hpp"

namespace elver {

/// Energies of a feature grid: start + i*(stop-start)/count, i in [0, count): half-open, eV.
struct Grid {
  double start_ev = 0.0;
  double stop_ev = 0.0;
  std::size_t count = 0;
  double spacing_ev() const { return (stop_ev - start_ev) / static_cast<double>(count); }
  double energy(std::size_t i) const { return start_ev + static_cast<double>(i) * spacing_ev(); }
};

/// A core-loss edge: where its background is fitted, and where its shape is read. The signal window (for the
/// signal-to-noise ratio and the absent-edge rule) is the grid's [start, stop).
struct Edge {
  std::string name;  ///< "O_K", "Mn_L", ...
  EnergyWindow fit;
  Grid grid;
};

/// What a model predicts from the features.
struct Task {
  std::string name;             ///< "li_content", "count_Ni", "oxygen_vacancy"
  std::string unit;
  std::vector<double> classes;  ///< values of the classes of a multi-class task; empty otherwise
  bool best_rounds = false;     ///< stop at the booster's best_iteration ("rounds":"best")
  Booster booster;              ///< holds the bytes unchanged
};

/// What one person hands to another: one self-describing file, NAME.elver (HDF5 inside).
struct Model {
  std::string name, purpose;
  std::vector<Edge> edges;
  FeatureRule features;
  BackgroundOptions background;
  std::vector<Task> tasks;
  std::vector<ReferenceSpectrum> references;
  std::string training_json = "{}";  ///< facts of the training: library, split, held-out figures
  std::string sha256;                ///< of the file it was read from; "" if it was made in memory
  /// Features of one pixel: the sum of the grids' counts.
  std::size_t feature_count() const;
};

/// Throws Error{input} for a malformed file, its own or a booster's, naming what is wrong in it.
Model load_model(const std::filesystem::path& path);
/// Written beside and renamed. Throws Error{input} for a model that load_model would refuse, Error{output}.
void save_model(const Model& model, const std::filesystem::path& path);
/// The boosters byte for byte as TASK.json or TASK.ubj, and recipe.json, from which make_model makes an equal model.
void extract_model(const Model& model, const std::filesystem::path& directory);
/// A model from RECIPE.json (boosters' paths relative to it). Throws Error{input} naming the key and what is expected.
Model make_model(const std::filesystem::path& recipe);
/// The recipe's shape with the metadata added, as `elver model show --json` prints it.
std::string model_json(const Model& model);

}  // namespace elver
