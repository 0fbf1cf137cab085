#include "overlay/null.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace elver {
namespace {

/// How many bytes are 1 in both of two rows of bytes 0 or 1; eight bytes at a time, each summed in its own byte.
std::uint64_t common_ones(const std::uint8_t* a, const std::uint8_t* b, std::uint64_t size) {
  constexpr std::uint64_t kEven = 0x00FF00FF00FF00FFULL, kOnes = 0x0001000100010001ULL, kMost = 255;
  std::uint64_t ones = 0, at = 0;
  while (at + 8 <= size) {
    std::uint64_t sums = 0;
    const std::uint64_t end = std::min(size - 7, at + 8 * kMost);
    for (; at < end; at += 8) {
      std::uint64_t x = 0, y = 0;
      std::memcpy(&x, a + at, 8);
      std::memcpy(&y, b + at, 8);
      sums += x & y;
    }
    ones += (((sums & kEven) + ((sums >> 8) & kEven)) * kOnes) >> 48;
  }
  for (; at < size; ++at) ones += a[at] & b[at];
  return ones;
}

std::vector<std::uint8_t> known(std::span<const float> values) {
  std::vector<std::uint8_t> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(),
                 [](float v) { return static_cast<std::uint8_t>(std::isfinite(v) ? 1 : 0); });
  return out;
}

std::vector<std::uint8_t> present(std::span<const float> values, float threshold) {
  std::vector<std::uint8_t> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(), [threshold](float v) {
    return static_cast<std::uint8_t>(std::isfinite(v) && v >= threshold ? 1 : 0);
  });
  return out;
}

using Row = Eigen::Map<const Eigen::ArrayXd>;

/// Ranks about their mean, over their standard deviation; 0 where there is no value.
std::vector<double> standardised(std::vector<double> ranks, const std::vector<std::uint8_t>& is_known) {
  double n = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    n += is_known[i];
    sum += ranks[i];
  }
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (is_known[i] == 0) continue;
    ranks[i] -= sum / n;
    squares += ranks[i] * ranks[i];
  }
  const double deviation = squares > 0 ? std::sqrt(squares / n) : 1;
  for (double& rank : ranks) rank /= deviation;
  return ranks;
}

/// Sums of one window over the other, from which a correlation follows.
struct Moments {
  double n = 0, a = 0, b = 0, aa = 0, bb = 0, ab = 0;
  double correlation() const {
    const double va = aa - a * a / n, vb = bb - b * b / n;
    if (!(va > 1e-9 * n && vb > 1e-9 * n)) return std::numeric_limits<double>::quiet_NaN();
    return std::clamp((ab - a * b / n) / std::sqrt(va * vb), -1.0, 1.0);
  }
};

}  // namespace

ShiftNull::ShiftNull(std::span<const float> first, std::span<const float> second, std::uint64_t rows,
                     std::uint64_t columns, const Shifts& shifts)
    : first_(first),
      second_(second),
      rows_(rows),
      columns_(columns),
      shifts_(shifts),
      known_first_(known(first)),
      known_second_(known(second)) {
  const auto is_one = [](std::uint8_t k) { return k == 1; };
  complete_ = std::all_of(known_first_.begin(), known_first_.end(), is_one) &&
              std::all_of(known_second_.begin(), known_second_.end(), is_one);
}

std::vector<PresenceTable> ShiftNull::tables(float threshold_first, float threshold_second) const {
  const std::vector<std::uint8_t> a = present(first_, threshold_first);
  const Mirrored<std::uint8_t> b(present(second_, threshold_second), rows_, columns_);
  const Mirrored<std::uint8_t> known_b(known_second_, rows_, columns_);
  const std::uint64_t in_all = rows_ * columns_;
  const auto a_complete = static_cast<std::uint64_t>(std::count(a.begin(), a.end(), 1));
  std::vector<PresenceTable> out(shifts_.list.size());
  oneapi::tbb::parallel_for(std::size_t{0}, out.size(), [&](std::size_t s) {
    const Shift& shift = shifts_.list[s];
    std::uint64_t both = 0, first = a_complete, second = 0, n = in_all;
    if (!complete_) first = n = 0;
    for (std::uint64_t i = 0; i < rows_; ++i) {
      const std::uint8_t *const pa = a.data() + i * columns_, *const ka = known_first_.data() + i * columns_;
      const std::uint8_t* const pb = b.row(i, shift);
      both += common_ones(pa, pb, columns_);
      second += common_ones(ka, pb, columns_);
      if (complete_) continue;
      const std::uint8_t* const kb = known_b.row(i, shift);
      first += common_ones(pa, kb, columns_);
      n += common_ones(ka, kb, columns_);
    }
    out[s] = {both, first - both, second - both, n + both - first - second};
  });
  return out;
}

std::vector<ShiftNull::Correlation> ShiftNull::rank_correlations() const {
  const std::vector<double> a = standardised(ranks_of(first_), known_first_);
  const Mirrored<double> b(standardised(ranks_of(second_), known_second_), rows_, columns_);
  const std::vector<double> ka(known_first_.begin(), known_first_.end());
  const Mirrored<double> kb(std::vector<double>(known_second_.begin(), known_second_.end()), rows_, columns_);
  std::vector<Correlation> out(shifts_.list.size());
  oneapi::tbb::parallel_for(std::size_t{0}, out.size(), [&](std::size_t s) {
    const Shift& shift = shifts_.list[s];
    const auto size = static_cast<Eigen::Index>(columns_);
    Moments m;
    for (std::uint64_t i = 0; i < rows_; ++i) {
      const Row ra(a.data() + i * columns_, size), rb(b.row(i, shift), size);
      const Row in_a(ka.data() + i * columns_, size), in_b(kb.row(i, shift), size);
      m.ab += (ra * rb).sum();
      m.b += (rb * in_a).sum();
      m.bb += (rb * rb * in_a).sum();
      m.a += (ra * in_b).sum();
      m.aa += (ra * ra * in_b).sum();
      m.n += (in_a * in_b).sum();
    }
    out[s] = {m.correlation(), static_cast<std::uint64_t>(std::llround(m.n))};
  });
  return out;
}

std::vector<double> ranks_of(std::span<const float> values) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> out(values.size(), 0.0);
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    const double rank = static_cast<double>(first + end + 1) / 2;
    for (; first < end; ++first) out[order[first]] = rank;
  }
  return out;
}

}  // namespace elver
