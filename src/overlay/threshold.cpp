#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "elver/overlay.hpp"

namespace elver {

double otsu_threshold(std::span<const float> values) {
  std::vector<float> sorted;
  sorted.reserve(values.size());
  std::copy_if(values.begin(), values.end(), std::back_inserter(sorted), [](float v) { return std::isfinite(v); });
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(sorted.begin(), sorted.end());
  const double middle = sorted[sorted.size() / 2];  // sums about it keep their digits
  double all = 0;
  for (const float v : sorted) all += static_cast<double>(v) - middle;
  double below = 0, best = -1;
  float threshold = sorted.front();
  const auto n = static_cast<double>(sorted.size());
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    below += static_cast<double>(sorted[i - 1]) - middle;
    if (sorted[i] == sorted[i - 1]) continue;
    const auto k = static_cast<double>(i);
    const double apart = (all - below) / (n - k) - below / k;
    const double between = k * (n - k) * apart * apart;
    if (between <= best) continue;
    best = between;
    // Half-way, so that rounding on either side moves no pixel; the upper value where no float lies between.
    threshold = static_cast<float>((static_cast<double>(sorted[i - 1]) + static_cast<double>(sorted[i])) / 2);
    if (threshold <= sorted[i - 1]) threshold = sorted[i];
  }
  return static_cast<double>(threshold);
}

}  // namespace elver
