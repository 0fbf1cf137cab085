#include "background/poisson_window.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace elver {
namespace {

constexpr int kMaxCount = 40;
constexpr double kMaxTilt = 8.0;

struct Moments {
  double log2_mean, mean, variance, third;
};

Moments moments(std::span<const double> x, double r) {
  std::vector<double> weight(x.size());
  double s0 = 0, s1 = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double w = weight[i] = std::exp2(-r * x[i]);
    s0 += w;
    s1 += w * x[i];
  }
  const double mean = s1 / s0;
  double s2 = 0, s3 = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double w = weight[i], d = x[i] - mean;
    s2 += w * d * d;
    s3 += w * d * d * d;
  }
  return {std::log2(s0 / static_cast<double>(x.size())), mean, s2 / s0, s3 / s0};
}

/// The exponent in [low, high] at which the mean of x is q. Newton, kept inside a bracket by bisection.
double exponent_at(std::span<const double> x, double q, double low, double high) {
  double r = 0.5 * (low + high);
  for (int i = 0; i < 100; ++i) {
    const Moments m = moments(x, r);
    (m.mean > q ? low : high) = r;  // the mean falls as r grows
    double next = r + (m.mean - q) / (m.variance * std::numbers::ln2);
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    const bool done = std::abs(next - r) <= 1e-13 * (1 + std::abs(r));
    r = next;
    if (done) break;
  }
  return r;
}

std::vector<double> chebyshev_fit(const std::vector<double>& at_nodes) {
  const std::size_t n = at_nodes.size();
  std::vector<double> c(n, 0.0);
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t j = 0; j < n; ++j) {
      c[k] += at_nodes[j] * std::cos(std::numbers::pi * static_cast<double>(k) * (static_cast<double>(j) + 0.5) /
                                     static_cast<double>(n));
    }
    c[k] *= (k == 0 ? 1.0 : 2.0) / static_cast<double>(n);
  }
  return c;
}

/// How many terms are needed so that what is left out stays below `tolerance`.
int terms(const std::vector<double>& c, double tolerance) {
  double tail = 0;
  auto n = static_cast<int>(c.size());
  while (n > 2 && tail + std::abs(c[static_cast<std::size_t>(n) - 1]) < tolerance)
    tail += std::abs(c[static_cast<std::size_t>(--n)]);
  return n;
}

}  // namespace

PoissonWindow::PoissonWindow(std::span<const double> x, double low, double high) {
  const double half_width = 0.5 * (x.back() - x.front()) * std::numbers::ln2;
  constexpr double kTypical = 3.0;  // the exponent of a background in practice: the middle of what is kept
  r_low = std::max(low, kTypical - kMaxTilt / half_width);
  r_high = std::min(high, kTypical + kMaxTilt / half_width);
  if (!(r_low < r_high)) {  // asked for exponents that this window cannot tell apart: keep the nearest ones
    r_low = std::min(low, kTypical);
    r_high = std::max(high, kTypical);
  }
  // A little more than asked for, so that a value at the limit is judged by r and not by the edge of the series.
  const double margin = 0.02 * (r_high - r_low);
  r_low -= margin;
  r_high += margin;

  const double q_low = moments(x, r_high).mean, q_high = moments(x, r_low).mean;
  const double centre = 0.5 * (q_low + q_high), half = 0.5 * (q_high - q_low);
  q_centre = static_cast<float>(centre);
  q_half_inverse = static_cast<float>(1.0 / half);
  std::vector<double> rs(kMaxCount), ss(kMaxCount), vs(kMaxCount), ws(kMaxCount);
  for (std::size_t j = 0; j < kMaxCount; ++j) {
    const double u = std::cos(std::numbers::pi * (static_cast<double>(j) + 0.5) / kMaxCount);
    // Single precision's own centre and half width, so that u means the same here and in the pixel.
    const double q = static_cast<double>(q_centre) + u / static_cast<double>(q_half_inverse);
    rs[j] = exponent_at(x, q, r_low - margin, r_high + margin);
    const Moments m = moments(x, rs[j]);
    ss[j] = m.log2_mean;
    vs[j] = m.variance;
    ws[j] = m.third / m.variance;
  }
  const std::vector<double> cr = chebyshev_fit(rs), cs = chebyshev_fit(ss), cv = chebyshev_fit(vs),
                            cw = chebyshev_fit(ws);
  const double sigma = std::sqrt(vs[kMaxCount / 2]);
  count =
      std::max({terms(cr, 1e-7 / sigma), terms(cs, 1e-8), terms(cv, 1e-5 * sigma * sigma), terms(cw, 1e-5 * sigma)});
  const auto keep = [this](const std::vector<double>& c) { return std::vector<float>(c.begin(), c.begin() + count); };
  r = keep(cr);
  log2_mean = keep(cs);
  variance = keep(cv);
  skew = keep(cw);
}

}  // namespace elver
