#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "elver/library.hpp"
#include "elver/model.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// Fixed, sensible hyper-parameters; what may be turned.
struct TrainOptions {
  std::string name = "nmc";
  std::uint64_t seed = 1;
  std::size_t rounds = 300;   ///< boosting rounds of a task with one output; half as many for one of several classes
  std::size_t max_depth = 5;  ///< one less for several classes
  double learning_rate = 0.06;
  std::size_t samples = 6000;  ///< training spectra a task
  std::size_t draws = 8;       ///< instruments that every held-out specimen is seen through
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

/// What a task is worth on structures that its training never saw.
struct TaskScore {
  std::string task;
  std::string measure;  ///< "RMSE" (in the task's unit); "accuracy"; of binary tasks "balanced accuracy", the mean of
                        ///< both sides'
  std::size_t training_structures = 0, training_spectra = 0;
  std::size_t held_out_structures = 0, held_out_specimens = 0;
  std::vector<Figure> figures;  ///< [dose of TrainReport]
  double guess = 0.0;           ///< the measure of always answering the mean, or the commonest class
};

struct TrainReport {
  std::vector<double> doses;  ///< counts/channel just before O K; 0: no noise
  std::vector<TaskScore> scores;
  std::vector<std::string> notes;
  double simulate_seconds = 0, train_seconds = 0, evaluate_seconds = 0;
};

/// A model that is trained, and how good it is. The model's training_json holds the report.
struct TrainedModel {
  Model model;
  TrainReport report;
};

/// Trains li_content, count_Li, count_Ni, count_Mn, count_Co, oxygen_vacancy and antisite, as far as the library holds
/// what they need. A quarter of the structures (with their symmetry copies, so that no copy is on both sides) is kept
/// out of the training and gives the figures; the model is the one that the figures belong to. Every spectrum goes
/// through a random instrument and noise, then through the background and features of a Plan, as a pixel does.
/// The same library, options and XGBoost give the same model, whatever the number of threads.
/// Throws Error{resources} where XGBoost is missing, Error{input} where the library does not suffice for any task.
TrainedModel train_model(const Library& library, const TrainOptions& options, const RunContext& context);

}  // namespace elver
