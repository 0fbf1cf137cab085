#pragma once
#include <vector>

#include "elver/train.hpp"
#include "train/search.hpp"

namespace elver::train {

/// Everything that the tasks of a group learn from and are judged by.
struct GroupData {
  TaskGroup group;  ///< examples of the whole training side
  Rows training;    ///< all of it
  BaseRows base;    ///< of the same structures
  std::vector<Fold> folds;
  std::vector<std::vector<Rows>> seen;  ///< [fold][view]: unseen structures of the folds
  std::vector<Rows> held_out;           ///< [view]
  Rows everything;  ///< of all structures, for the final fit; empty where `training` is the final one
  BaseRows base_of_everything;
};

/// One task, searched, chosen, trained and calibrated.
struct TaskResult {
  Task task;
  TaskScore score;
  SearchEffort effort;
};

/// Trains task `t` of a group. Trials are taken from the journal as far as it holds them.
TaskResult train_task(const GroupData& data, std::size_t t, const TrainOptions& options, Journal& journal,
                      const RunContext& context);

}  // namespace elver::train
