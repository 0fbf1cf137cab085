#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "elver/io.hpp"
#include "elver/library.hpp"
#include "elver/model.hpp"
#include "elver/run_context.hpp"
#include "elver/train.hpp"

namespace elver {

enum class ScoredStructures : std::uint8_t {
  unseen,  ///< those that were not in the model's training set, nor a symmetry copy of them
  all
};

struct ScoreOptions {
  std::uint64_t seed = 1;  ///< of instruments and noise
  std::size_t draws = 4;   ///< random instruments that every specimen is seen through; one where the view is clean
  ScoredStructures structures = ScoredStructures::unseen;
  std::vector<std::string> views;  ///< besides the clean one, of TrainReport::views; empty: all
};

/// Atoms that predicted counts got right and wrong, as the paper counts them ("Machine Learning Model Evaluations"): of
/// each specimen and element TP is the lesser of the predicted and the true count, FP what is too many, FN what is
/// missing, TN is 1 where both are 0. Summed over specimens and elements.
struct CountTally {
  std::size_t true_positive = 0, true_negative = 0, false_positive = 0, false_negative = 0;
  void add(long predicted, long truth);
  void add(const CountTally& other);
  /// (TP + TN) / (TP + TN + FP + FN); NaN of nothing.
  double accuracy() const;
};

/// What a task of a model is worth on a library's specimens, seen one way. Intervals are of 95 %, a structure is one
/// trial. What does not belong to the kind of task is NaN.
struct TaskFigures {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  enum class Kind : std::uint8_t { value, count, defect };
  std::string task;
  Kind kind = Kind::value;
  std::size_t spectra = 0, structures = 0;
  double rmse = kNone, mae = kNone;  ///< of values
  Interval rmse_interval{kNone, kNone};
  double coverage = kNone;  ///< of intervals and sets
  double accuracy = kNone;  ///< of counts CountTally's; of defects the share of right answers at the probability 0.5
  Interval accuracy_interval{kNone, kNone};
  double exact = kNone;  ///< of counts: share of specimens whose count is the true one
  std::size_t with_defect = 0;  ///< spectra
  double balanced_accuracy = kNone, true_positive_rate = kNone, false_positive_rate = kNone;  ///< of defects
  Interval true_positive_interval{kNone, kNone}, false_positive_interval{kNone, kNone};
  double false_positive_rate_alike = kNone;  ///< among specimens without the defect whose Li is in the defects' range
  std::size_t alike = 0;                 ///< how many those are
};

struct ViewFigures {
  std::string view;  ///< as TrainReport::views
  std::vector<TaskFigures> tasks;
  CountTally counts_li, counts_metals;  ///< of all count tasks together
  std::size_t count_spectra = 0;        ///< that these are of
  std::size_t spectra = 0, failed = 0;  ///< simulated, and those that no background could be fitted to
  double in_domain = 0;                 ///< share; NaN where the model has no domain
};

/// A finished model on a library.
struct ModelEvaluation {
  std::string model, model_sha256, library, library_sha256;
  std::size_t structures = 0, scored = 0;
  bool training_set_known = false;    ///< the model says what it was trained on
  std::vector<std::string> trained_on;  ///< ids of the library's structures that it was
  std::vector<ViewFigures> views;     ///< "clean" first
  std::vector<std::pair<std::string, std::string>> left_out;  ///< task, reason
  std::vector<std::string> notes;
};

/// Scores every task of a model that the library holds the truth of: li_content on averages of structures, count_* on
/// oxygen sites with three transition metals and at most three Li within 0.3 nm, oxygen_vacancy on averages, antisite on
/// such neighbourhoods and pristine averages. Spectra go through instruments, background and features as in the
/// training; predictions are what the maps would show. Throws Error{mismatch} where no task can be scored, where the
/// library has none of the model's edges, and where all of its structures were in the training set (unless all are
/// asked for).
ModelEvaluation evaluate_model(const Model& model, const Library& library, const ScoreOptions& options,
                               const RunContext& context);

/// `tasks` are the clean figures; `views` has all, by name.
std::string evaluation_json(const ModelEvaluation& evaluation);
/// A table for people.
std::string evaluation_markdown(const ModelEvaluation& evaluation);

/// How the paper's tables and figures are made again.
struct PaperOptions {
  std::uint64_t seed = 1;
  std::size_t folds = 5;         ///< by structure
  std::size_t samples = 600;     ///< training spectra a fold; of local counts three times as many
  std::size_t rounds = 120;      ///< of boosting
  std::size_t max_depth = 4;
  double learning_rate = 0.1;
  std::size_t epochs = 100;      ///< of the neural networks, at most
  std::vector<std::string> only;  ///< names of paper_figures(), or their beginnings ("fig4"); empty: all
};

/// A table of the paper made again, as text.
struct FigureTable {
  std::string name, title;  ///< "fig3_li_content"
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> notes;
};

/// Names of all there are, in the order of the paper.
std::vector<std::string> paper_figures();

/// Cross-validates by structure, on spectra of one aligned instrument of 0.8 eV without noise, and writes NAME.md,
/// NAME.csv and, of figures, NAME.png and NAME.svg into `out`, which it does not commit. What the library or this build
/// cannot give is left out, with the reason in the notes of its table. Throws Error{usage} for a name that there is not,
/// Error{resources} where XGBoost is missing, Error{input} where the library has no edges to learn from, Error{mismatch}
/// where it suffices for none of the figures asked for.
std::vector<FigureTable> make_paper_figures(const Library& library, const PaperOptions& options, OutputSet& out,
                                            const RunContext& context);

std::string figure_markdown(const FigureTable& table);
std::string figure_csv(const FigureTable& table);

}  // namespace elver
