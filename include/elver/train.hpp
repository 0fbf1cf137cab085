#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "elver/library.hpp"
#include "elver/model.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// One finished trial of the search that was better than all before it.
struct BetterTrial {
  std::string task;
  std::size_t number = 0, of = 0;  ///< counted from 1
  double loss = 0.0;               ///< RMSE or log loss over unseen structures
  std::string settings;            ///< for people
};

/// What the model is trained on at last: `training_side` leaves the held-out structures out of it as well, so that the
/// figures are of this very model; `everything` trains it once more on all structures, the same way, when the figures
/// are known: they are then those of a model that saw fewer structures.
enum class FinalFit : std::uint8_t { training_side, everything };

/// What may be turned.
struct TrainOptions {
  std::string name = "nmc";
  std::uint64_t seed = 1;
  std::size_t evaluations = 0;  ///< trials of the search for each task; 0: the fixed hyper-parameters below
  std::size_t folds = 5;        ///< of the cross-validation that search, choice and intervals go by
  std::size_t hold_out = 4;     ///< one structure in so many is kept out of everything, for the final figures; 0: none
  std::size_t rounds = 300;     ///< boosting rounds of a task with one output (the most that a search takes); half as
                                ///< many for one of several classes
  std::size_t max_depth = 5;    ///< one less for several classes
  double learning_rate = 0.06;
  std::size_t samples = 6000;        ///< training spectra a group of tasks; a linear base has two and a half times as many
  std::size_t search_samples = 2000; ///< and a fold
  std::size_t draws = 8;             ///< instruments that every held-out specimen is seen through; half as many in the folds' trials,
                                     ///< a quarter in their figures
  double coverage = 0.9;             ///< asked of intervals and sets
  FinalFit final_fit = FinalFit::training_side;
  Backend device = Backend::cpu;     ///< that XGBoost trains on; `automatic`: a GPU where there is one and XGBoost has CUDA
  std::vector<std::string> tasks;    ///< the ones to train; empty: all
  std::filesystem::path journal;     ///< finished trials, so that a search goes on where it was stopped; empty: none
  std::function<void(const BetterTrial&)> on_better = nullptr;
};

struct Interval {
  double low = 0.0, high = 0.0;
};

/// One held-out figure.
struct Figure {
  double value = 0.0;
  Interval interval;        ///< of 95 %, for which a held-out structure is one trial
  std::size_t spectra = 0;  ///< that it was found with
};

/// One way to learn a task: trees, the linear base alone, or trees on the base.
struct Contender {
  std::string name;
  double loss = 0.0;            ///< RMSE, or share of wrong answers, over unseen structures in all views but the foreign one
  std::vector<Figure> figures;  ///< [view of TrainReport], from the folds
};

/// What a task is worth on structures that its training never saw.
struct TaskScore {
  std::string task;
  std::string measure;  ///< "RMSE" (in the task's unit); "accuracy"; of binary tasks "balanced accuracy", the mean of
                        ///< both sides'
  std::string kept;     ///< name of the contender that the model has
  std::vector<Contender> contenders;
  std::string settings;  ///< hyper-parameters of the kept one
  std::size_t training_structures = 0, training_spectra = 0;
  std::size_t held_out_structures = 0, held_out_specimens = 0;
  std::size_t fold_structures = 0;    ///< that the contenders' figures are of
  std::vector<Figure> figures;        ///< [view]: the model itself on held-out structures; empty where none are
  std::vector<Figure> coverage;       ///< [view]: of intervals or sets on them; empty for yes or no
  double guess = 0.0;                 ///< the measure of always answering the mean, or the commonest class
};

/// What a task's search took; trials from a journal took no time.
struct SearchEffort {
  std::string task;
  std::size_t trials = 0, pruned = 0;  ///< pruned: given up after the first folds
  double seconds = 0;
};

struct TrainReport {
  std::vector<std::string> views;  ///< how the spectra were taken: "clean", "no noise", "10000", "1000", "100", "foreign"
  std::vector<TaskScore> scores;
  std::vector<double> inside;      ///< [view]: share of held-out spectra in the domain; empty where none are held out
  std::vector<SearchEffort> searches;
  std::vector<std::string> notes;
  double simulate_seconds = 0, train_seconds = 0, evaluate_seconds = 0;
};

/// A model that is trained, and how good it is. The model's training_json holds the report.
struct TrainedModel {
  Model model;
  TrainReport report;
};

/// Trains li_content, count_Li, count_Ni, count_Mn, count_Co, oxygen_vacancy and antisite, as far as the library holds
/// what they need. One in `hold_out` structures (with their symmetry copies, so that no copy is on both sides) is kept
/// out of everything and gives the final figures. The others are dealt to folds: of trees, a linear base and trees on the
/// base, each found by the search over the folds, the one with the least error on unseen structures is kept for each task
/// (trees alone only where their error is less by more than its standard error) and trained on all of them (then, with
/// FinalFit::everything, on all structures); intervals and probabilities are calibrated on what the folds' models said
/// about unseen structures. Every spectrum goes through a random instrument and noise, then through the background and features of a
/// Plan, as a pixel does. Views: clean is one aligned instrument of 0.8 eV without noise, "no noise" random ones without,
/// numbers are counts per channel before O K with random instruments, foreign are instruments not trained on.
/// The same library, options and XGBoost give the same model on the same kind of device, whatever the number of threads.
/// Throws Error{resources} where XGBoost is missing, or the GPU or XGBoost's CUDA that is asked for, Error{input} where the library does not suffice for any task.
TrainedModel train_model(const Library& library, const TrainOptions& options, const RunContext& context);

}  // namespace elver
