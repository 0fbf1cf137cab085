#pragma once
#include <filesystem>
#include <optional>
#include <span>
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

/// What each output begins with before its trees add to it: a number linear in the features (XGBoost's base_margin,
/// which takes the place of the booster's own base score). Summed in float32 in the order of core/linear.hpp.
struct LinearBase {
  std::vector<std::size_t> parts;  ///< features of each part that is summed by itself: the model's edges
  std::vector<float> intercept;    ///< [output]; empty: there is no base
  std::vector<float> weights;      ///< [output][feature]
  bool empty() const { return intercept.empty(); }
  std::size_t feature_count() const;
  /// [row][output] of row-major features [row][feature], on the calling thread.
  void values(std::span<const float> features, std::size_t rows, std::span<float> out) const;
};

/// A variance that grows with noise: constant + sum over the edges of per_edge / snr^2, where a signal-to-noise ratio
/// below 1 counts as 1, + sum over the levels of per_level * noise / (noise + level), which end where nothing can be read.
struct NoiseVariance {
  double constant = 0.0;
  std::vector<double> per_edge;
  std::vector<double> levels = {}, per_level = {};
  double at(std::span<const float> snr) const;
};

/// Noise of a pixel: the sum over the edges of 1 / snr^2, where a signal-to-noise ratio below 1 counts as 1.
double noise_of(std::span<const float> snr);

/// What is added to a task's margins after its trees, because how the features are to be read depends on the pixel: a
/// sum of linear functions of the features, each times a gate. Each edge has a gate, noise / (noise + level), where
/// noise is 1 / snr^2 of that edge (a ratio below 1 counts as 1): what is worth reading from a quiet edge is not what
/// is left in a noisy one, and nothing in an absent one. Further gates are projections of the features themselves, held
/// between -4 and 4: how an instrument's resolution and misalignment move what the features mean.
struct GatedTerm {
  LinearBase linear;           ///< outputs: the projections, then for each gate the task's (edges, then projections)
  std::vector<double> levels;  ///< [edge]: noise at which an edge's gate is half open; empty: edges have none
  std::size_t projections = 0;
  std::size_t gate_count() const { return levels.size() + projections; }
  /// Of `linear`, for a task of so many outputs.
  std::size_t linear_outputs(std::size_t outputs) const { return projections + outputs * gate_count(); }
  /// One pixel's gate `j`: `values` are its outputs of `linear`, `stride` apart.
  double gate(std::size_t j, const float* values, std::size_t stride, std::span<const float> snr) const;
  /// Adds to one pixel's margins.
  void add_pixel(const float* values, std::size_t stride, std::span<const float> snr, std::span<float> margins) const;
  /// Adds to margins [row][output] of row-major features; snr [row][edge].
  void add(std::span<const float> features, std::span<const float> snr, std::size_t rows,
           std::span<float> margins) const;
};
/// What a gate that is a projection is held between, and its negative.
inline constexpr double kWidestGate = 4.0;

/// How far a task's values can be trusted, as measured on structures that their boosters never saw.
struct Trust {
  double coverage = 0.9;          ///< asked of intervals and sets
  NoiseVariance error = {};       ///< of a value: variance of its error before scaling
  double quantile = 0.0;          ///< of a value: the interval is value +- quantile * sqrt(error)
  double least_probability = 0.0; ///< of classes: those at least so probable, and the most probable, are the set
  double slope = 1.0, offset = 0.0;  ///< of yes or no: the probability is the logistic of slope * margin + offset
};

/// What spectra like those of the training look like: projections of the features and their variance. A pixel's
/// distance is the mean over the projections of square / variance, in units of the limit.
struct Domain {
  LinearBase projections;                ///< intercepts make their training mean 0
  std::vector<NoiseVariance> variance;   ///< [projection]
  double limit = 0.0;                    ///< that `share` of spectra of unseen structures are within
  double share = 0.99;
  /// Of projections that lie `stride` apart: up to 1 is in the domain.
  double distance(std::span<const float> projected, std::size_t stride, std::span<const float> snr) const;
};

/// What a model predicts from the features.
struct Task {
  std::string name;             ///< "li_content", "count_Ni", "oxygen_vacancy"
  std::string unit;
  std::vector<double> classes;  ///< values of the classes of a multi-class task; empty otherwise
  bool best_rounds = false;     ///< stop at the booster's best_iteration ("rounds":"best")
  Booster booster;              ///< holds the bytes unchanged
  LinearBase base = {};         ///< empty: the booster's own base score
  std::optional<GatedTerm> gated = {};
  std::optional<Trust> trust = {};
};

/// Margins [row][output] of row-major features: base, then trees, then the gated term with `snr`, [row][edge]; bit for
/// bit what every back end gives.
void task_margins(const Task& task, std::span<const float> features, std::span<const float> snr, std::size_t rows,
                  std::span<float> out);

/// What one person hands to another: one self-describing file, NAME.elver (HDF5 inside).
struct Model {
  std::string name, purpose;
  std::vector<Edge> edges;
  FeatureRule features;
  BackgroundOptions background;
  std::vector<Task> tasks;
  std::vector<ReferenceSpectrum> references;
  std::optional<Domain> domain = {};
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
