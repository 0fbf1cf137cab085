#include <algorithm>
#include <limits>

#include "elver/evaluate.hpp"

namespace elver {

void CountTally::add(long predicted, long truth) {
  const auto atoms = [](long n) { return static_cast<std::size_t>(std::max(0L, n)); };
  true_positive += atoms(std::min(predicted, truth));
  false_positive += atoms(predicted - truth);
  false_negative += atoms(truth - predicted);
  true_negative += predicted == 0 && truth == 0 ? 1 : 0;
}

void CountTally::add(const CountTally& other) {
  true_positive += other.true_positive;
  true_negative += other.true_negative;
  false_positive += other.false_positive;
  false_negative += other.false_negative;
}

double CountTally::accuracy() const {
  const std::size_t right = true_positive + true_negative, all = right + false_positive + false_negative;
  return all > 0 ? static_cast<double>(right) / static_cast<double>(all) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace elver
