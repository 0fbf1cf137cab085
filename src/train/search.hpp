#pragma once
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elver/train.hpp"
#include "forest/xgboost_api.hpp"
#include "train/evaluate.hpp"
#include "train/linear_fit.hpp"
#include "train/tpe.hpp"

namespace elver::train {

/// What a trial sets, by XGBoost's names, and "base": 1 where the trees start from the linear base.
using Settings = std::map<std::string, double>;

/// The paper's space, with fewer columns a tree as well (neighbours on a grid say nearly the same), trees no deeper
/// than every back end takes together, no more rounds than `rounds`, and the choice of a base.
std::vector<Parameter> search_space(std::size_t rounds);

/// What the linear bases of a group are fitted to: more spectra than trees have time for, of the same structures.
struct BaseRows {
  std::shared_ptr<const LinearFit> fit;
  std::vector<std::vector<float>> labels;  ///< [task of the group][row]
};

/// One fold of a group of tasks: what is trained on, and structures that the training does not hold.
struct Fold {
  Rows training, unseen;
  Rows judged;  ///< the same structures as in `unseen`, aligned and not, from no noise to much: what choices go by
  BaseRows base;
};

/// How a linear base is found.
enum class LinearKind : std::uint8_t { ridge, logistic, discriminant };
struct LinearRecipe {
  LinearKind kind = LinearKind::ridge;
  double penalty = 0.0;
  double scale = 1.0;  ///< of the margins
  Gates gates = Gates::noise;
};
/// Those that are tried for a task.
std::vector<LinearRecipe> linear_recipes(const TaskSpec& task);
/// For people: "discriminant, penalty 1e-06, scale 0.5".
std::string spoken(const LinearRecipe& recipe);

/// What became of a trial: the loss (RMSE or log loss) over unseen rows, mean of the folds, and the mean of the best
/// numbers of rounds.
struct Outcome {
  double loss = 0.0;
  std::size_t rounds = 0;
  double first = 0.0;   ///< the loss over the first folds alone
  bool pruned = false;  ///< it was given up after them, and `loss` and `rounds` are theirs
};

/// Squared error or log loss of each row's margins, [row][output].
std::vector<double> losses_of(const TaskSpec& task, std::span<const float> margins, const Rows& rows,
                              std::size_t task_index);
/// RMSE or log loss, weighted, of all of them.
double loss_of(const TaskSpec& task, std::span<const float> margins, const Rows& rows, std::size_t task_index);

/// What a choice between ways goes by, of each row: squared error; 1 where the most probable class is wrong; the same
/// for yes or no, weighed so that both sides count alike. Not the log loss: what is scored are answers.
std::vector<double> errors_of(const TaskSpec& task, std::span<const float> margins, const Rows& rows,
                              std::size_t task_index);

/// A task ready to be searched: each fold's quantised matrices and linear base are made once and kept between trials.
/// Trials see every second feature in coarse bins: neighbours on a grid say nearly the same, and it is four times as
/// fast.
class TaskSearch {
 public:
  TaskSearch(const TaskSpec& task, std::size_t task_index, const std::vector<Fold>& folds, std::uint64_t seed,
             const RunContext& context);
  ~TaskSearch();

  const LinearRecipe& recipe() const { return recipe_; }  ///< the best one for the linear base
  double linear_loss() const { return linear_loss_; }     ///< of the base alone, on the unseen rows
  /// Trains a booster a fold, side by side, and stops each when 25 rounds have not helped. A trial whose first two
  /// folds are worse than `give_up_above` is pruned.
  Outcome evaluate(const Settings& settings, double give_up_above = std::numeric_limits<double>::infinity()) const;
  /// Margins of each fold's unseen rows and of other rows of the same structures, by boosters of `rounds` rounds that
  /// never saw them; 0 rounds with a base is the base alone. [fold][set of rows]
  std::vector<std::vector<std::vector<float>>> unseen_margins(const Settings& settings, std::size_t rounds,
                                                              const std::vector<std::vector<const Rows*>>& rows) const;

 private:
  struct Prepared;
  const TaskSpec& task_;
  std::size_t task_index_;
  const std::vector<Fold>& folds_;
  std::uint64_t seed_;
  RunContext context_;
  LinearRecipe recipe_;
  double linear_loss_ = 0.0;
  std::vector<Prepared> prepared_;
};

/// The linear part of task `task_index` of a group.
LinearPart fit_base(const TaskSpec& task, std::size_t task_index, const BaseRows& rows, const LinearRecipe& recipe);
/// A finished booster of `rounds` rounds; `base`, what it begins with in each row, [row][output], may be empty.
Booster fit_booster(const TaskSpec& task, const Rows& rows, std::size_t task_index, std::span<const float> base,
                    const Settings& settings, std::size_t rounds, std::uint64_t seed, const RunContext& context);

/// Finished trials of earlier runs, one JSON object a line; a line that was cut off is dropped.
class Journal {
 public:
  /// `path` empty: none is kept. Trials of another `fingerprint` (library, options) are not taken.
  Journal(std::filesystem::path path, std::string fingerprint);
  std::optional<Outcome> find(const std::string& task, const std::vector<double>& point) const;
  void add(const std::string& task, const std::vector<double>& point, const Outcome& outcome);
  std::size_t found() const { return found_; }

 private:
  std::filesystem::path path_;
  std::map<std::string, Outcome> trials_;
  std::size_t found_ = 0;
};

}  // namespace elver::train
