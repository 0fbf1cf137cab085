#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elver/library.hpp"
#include "elver/model.hpp"
#include "elver/run_context.hpp"

/// What models learn from and are judged by: specimens made of a library's structures, seen through random instruments.
namespace elver::train {

/// Where a structure stands in a split. Symmetry copies always stand together.
enum class Side : std::uint8_t { training, held_out, left_out };

/// About one in `one_in` structures of each composition, defect and lithiation is held out (0: none).
std::vector<Side> hold_out(const std::vector<Structure>& structures, std::uint64_t seed, std::size_t one_in = 4);
/// The number of the fold, 0 to `folds` - 1, that each structure is dealt to, as evenly as hold_out does.
std::vector<std::size_t> deal_folds(const std::vector<Structure>& structures, std::size_t folds, std::uint64_t seed);

/// Everything a spectrum can be made of, once.
struct Pool {
  std::vector<Specimen> specimens;
  std::vector<std::optional<std::size_t>> averages;        ///< [structure] -> specimen
  std::vector<std::optional<std::size_t>> neighbourhoods;  ///< [site of O_K] -> specimen
};
Pool make_pool(const Library& library, SiteScale scale = SiteScale::cross_section);

struct Part {
  std::size_t specimen = 0;
  double weight = 1.0;
};

/// What one spectrum shows, and the truth about it.
struct Example {
  std::vector<Part> parts;
  std::vector<float> labels;  ///< one a task of the group; class index or value
  float weight = 1.0F;
  std::size_t structure = 0;  ///< that it was made of, or of a mixture the first one
};

struct TaskSpec {
  std::string name, unit;
  std::vector<double> classes;  ///< empty unless multi-class
  bool binary = false;
  bool regression() const { return classes.empty() && !binary; }
};

/// Tasks that learn from the same spectra.
struct TaskGroup {
  std::string name;
  std::vector<TaskSpec> tasks;
  std::vector<Example> training;
  std::vector<Example> held_out;
  std::size_t training_structures = 0, held_out_structures = 0;
};

/// li_content: averages of structures, 70 % of them mixtures of two to four of one composition, with or without
/// vacancies, since a pixel sees many cells along the beam; Li averaged as the spectra are.
/// local_counts: oxygen sites with three transition metals and at most three Li within 0.3 nm; half of the training
/// spectra are mixtures of two neighbourhoods of the same counts.
/// oxygen_vacancy: averages of structures with a vacancy against pristine ones, mixed within their own kind; pristine
/// structures with more Li than any vacancy structure has count a quarter, and are not in the held-out figure.
/// antisite: neighbourhoods of 0.3 nm that hold the antisite, against neighbourhoods and averages of pristine
/// structures; those with less than 0.8 Li (antisite cells have 1.0) count a quarter, and are not in the held-out
/// figure. The two sides of a binary task weigh the same. Groups without both sides, or without spectra, are left out.
/// Mixtures are made of structures of the training side only; where no structure is held out, groups need none.
std::vector<TaskGroup> make_tasks(const Library& library, const Pool& pool, const std::vector<Side>& sides,
                                  std::size_t samples, std::uint64_t seed);

/// The same four groups with nothing to train on: every specimen of the held-out structures, also where a yes or no has
/// one side only, or there is none at all. A weight below one marks specimens from outside the defects' range of Li.
std::vector<TaskGroup> make_trials(const Library& library, const Pool& pool, const std::vector<Side>& sides);

/// Edges of layered oxides that the library has spectra of, and the rule of the features: a model without tasks.
/// Throws Error{input} when there are none.
Model make_skeleton(const Library& library, const std::string& name);

/// Mean spectrum of each edge over the pristine structures, 0.8 eV wide, the background left out.
std::vector<ReferenceSpectrum> make_references(const Library& library, const Pool& pool, const Model& model);

/// How the spectra of a data set are taken.
struct Exposure {
  /// Random unless given: as the instruments' range has it, and in a tenth of the spectra without noise, as in sums over
  /// many pixels.
  std::optional<double> counts_per_channel;
  bool noise = true;  ///< where the counts are given
  InstrumentRange instruments = {};
  /// Of the line y = 0.1 that stands for an absent edge, relative: the paper's 2 % Poisson noise. A pixel of a map gets
  /// the line without it.
  double absent_noise = 0.02;
};

/// Features of one spectrum an example, row-major [example][feature]; NaN rows where a background fit failed. The
/// spectra go through the background and feature code of a Plan, as a pixel does: an edge that is not there gets the
/// features of the constant line, with `absent_noise`. Every example has its own stream of random numbers, so a row does not depend on the
/// others or on threads; exposures of the same `seed` share their instruments. `snr`, if given, receives the signal to
/// noise of every edge, [example][edge].
std::vector<float> simulate_features(const Model& skeleton, const Library& library, const Pool& pool,
                                     const std::vector<Example>& examples, const Exposure& exposure, std::uint64_t seed,
                                     const RunContext& context, std::string_view stage,
                                     std::vector<float>* snr = nullptr);

struct DatasetOptions {
  std::string group = "li_content";  ///< "li_content", "local_counts", "oxygen_vacancy" or "antisite"
  std::size_t draws = 4;             ///< instruments that every specimen is seen through, unless `samples` are asked for
  std::size_t samples = 0;           ///< this many spectra with mixtures instead; they mix structures of one fold only
  std::size_t folds = 5;
  SiteScale scale = SiteScale::cross_section;
  Exposure exposure;
  std::uint64_t seed = 1;
};

/// A matrix to learn from, with what is known of its rows; rows whose background fit failed are left out.
struct Dataset {
  std::vector<TaskSpec> tasks;
  std::vector<Edge> edges;  ///< whose grids follow one another in the columns
  std::size_t rows = 0, columns = 0;
  std::vector<float> features;             ///< [row][column]
  std::vector<std::vector<float>> labels;  ///< [task][row]: value, or number of the class
  std::vector<float> weights;              ///< [row]
  std::vector<std::size_t> structures;     ///< [row], of a mixture the first
  std::vector<std::size_t> folds;          ///< [row]: rows of different folds share no structure nor symmetry copy
};

/// `skeleton` gives edges, background and feature rule. Throws Error{input} where the library cannot make such a group,
/// Error{usage} for a group that there is not.
Dataset make_dataset(const Library& library, const Model& skeleton, const DatasetOptions& options,
                     const RunContext& context);

}  // namespace elver::train
