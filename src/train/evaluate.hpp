#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "elver/dataset.hpp"
#include "elver/forest.hpp"
#include "elver/train.hpp"

namespace elver::train {

/// Rows whose features are all there, with what is known of them.
struct Rows {
  std::size_t count = 0;
  std::vector<float> features, weights;
  std::vector<float> snr;  ///< [row][edge]
  std::vector<std::size_t> structures;
  std::vector<std::vector<float>> labels;  ///< [task of the group][row]
};
/// Leaves out the examples whose pixel failed: their features are NaN throughout.
Rows keep_whole(const std::vector<float>& features, const std::vector<float>& snr,
                const std::vector<Example>& examples, std::size_t tasks);
/// Adds the rows of another set.
void append(Rows& rows, const Rows& more);

/// The share of right answers, and of how many independent trials.
struct Share {
  double value = 0.0;
  std::size_t trials = 0;
};
/// 95 % interval of a share. Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
Interval wilson(Share share);
/// 95 % interval of the mean of two independent shares, from the interval of each.
/// Source: Newcombe, Stat. Med. 17 (1998) 873, method 10, for a mean in place of a difference.
Interval wilson_mean(Share a, Share b);
/// 95 % interval of a root mean square, `squares`: [row]. The bootstrap of the studentised logarithm of the mean
/// square, whole structures drawn with replacement 1000 times: few structures, some of them far off, make the plain
/// percentiles too narrow. Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 12. NaN below
/// two structures.
Interval bootstrap_rms(const std::vector<double>& squares, const std::vector<std::size_t>& structures,
                       std::uint64_t seed);

std::string measure_of(const TaskSpec& task);
/// What margins, [row][output], are worth on rows that their booster never saw: RMSE; or the share of rows whose most probable class is the true
/// one; or, of a binary task, the mean of the two sides' shares, so that it does not matter how many specimens a side
/// has. Sites of one structure, and one specimen through several instruments, are not independent: a structure is one
/// trial in the interval.
Figure figure(const TaskSpec& task, const Booster& booster, std::span<const float> margins, const Rows& rows,
              std::size_t task_index, std::uint64_t seed);
/// What `figure` gives to who always answers the mean of the held-out labels, or their commonest class.
double guess(const TaskSpec& task, const std::vector<Example>& held_out, std::size_t task_index);

}  // namespace elver::train
