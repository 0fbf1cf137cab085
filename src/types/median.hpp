#pragma once
#include <algorithm>
#include <vector>

namespace elver {

/// The value in the middle of at least one; of an even number the upper of the two.
template <class Number>
Number upper_median(std::vector<Number> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace elver
