#include "elver/core/power_law.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "background/poisson_window.hpp"
#include "elver/core/chebyshev.hpp"

namespace elver {
namespace {

/// Distance of a float from the exact value, in units of the float's last place.
double ulps(float found, double exact) {
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::abs(static_cast<double>(found) - exact) / std::ldexp(1.0, exponent - 24);
}

// The bounds stated in elementary.hpp, over every argument of a fine walk.
TEST(Elementary, Exp2IsWithinOneAndAHalfUlp) {
  double worst = 0;
  for (int i = -1260000; i <= 1260000; ++i) {
    const float x = static_cast<float>(i) * 1e-4f;
    worst = std::max(worst, ulps(core::exp2(x), std::exp2(static_cast<double>(x))));
  }
  EXPECT_LT(worst, 1.5);
}

TEST(Elementary, Exp2OfIntegersIsExactAndOfTheFarEndsFinite) {
  for (int i = -126; i <= 127; ++i) EXPECT_EQ(core::exp2(static_cast<float>(i)), std::ldexp(1.0f, i));
  EXPECT_TRUE(std::isfinite(core::exp2(1e30f)));
  EXPECT_TRUE(std::isfinite(core::exp2(std::numeric_limits<float>::infinity())));
  EXPECT_LE(core::exp2(-std::numeric_limits<float>::infinity()), std::numeric_limits<float>::min());
  EXPECT_TRUE(std::isnan(core::exp2(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Elementary, Log2IsWithinTwoUlpAndNearOneWithinAnEighthOfAMillionth) {
  double worst = 0, worst_near_one = 0;
  for (std::int32_t bits = 0x00800000; bits < 0x7f800000; bits += 911) {
    const float x = core::float_of(bits);
    const double exact = std::log2(static_cast<double>(x));
    const float found = core::log2(x);
    if (std::abs(exact) < 0.5) {
      worst_near_one = std::max(worst_near_one, std::abs(static_cast<double>(found) - exact));
    } else {
      worst = std::max(worst, ulps(found, exact));
    }
  }
  EXPECT_LT(worst, 2.0);
  EXPECT_LT(worst_near_one, 1.25e-7);
}

TEST(Chebyshev, SumsTheSeries) {
  const std::vector<double> c{0.5, -1.0, 0.25, 2.0};
  const double u = 0.3;
  EXPECT_NEAR(core::chebyshev(c.data(), 4, u), 0.5 - u + 0.25 * (2 * u * u - 1) + 2.0 * (4 * u * u * u - 3 * u), 1e-15);
}

/// log2(E/E0) of a window, E0 its geometric mean.
std::vector<double> window(double start, double stop, double dispersion) {
  std::vector<double> x;
  for (double e = start; e < stop - 1e-9; e += dispersion) x.push_back(std::log2(e));
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  for (double& value : x) value -= mean;
  return x;
}

class PoissonWindowOf : public testing::TestWithParam<std::vector<double>> {};

// The law of the closed form: from the mean of x under E^-r alone come r, the normalisation and the moments.
TEST_P(PoissonWindowOf, FindsTheExponentAndMomentsOfEveryPowerLawInItsRange) {
  const std::vector<double> x = window(GetParam()[0], GetParam()[1], GetParam()[2]);
  const PoissonWindow made(x, -100, 100);
  EXPECT_LT(made.r_low, 0.0);
  EXPECT_GT(made.r_high, 8.0);
  for (int i = 1; i < 200; ++i) {
    const double r = made.r_low + (made.r_high - made.r_low) * i / 200.0;
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (const double xi : x) s0 += std::exp2(-r * xi);
    for (const double xi : x) s1 += std::exp2(-r * xi) * xi / s0;
    for (const double xi : x) s2 += std::exp2(-r * xi) * (xi - s1) * (xi - s1) / s0;
    for (const double xi : x) s3 += std::exp2(-r * xi) * (xi - s1) * (xi - s1) * (xi - s1) / s0;
    const auto u =
        static_cast<float>((s1 - static_cast<double>(made.q_centre)) * static_cast<double>(made.q_half_inverse));
    const auto of = [&](const std::vector<float>& series) {
      return static_cast<double>(core::chebyshev(series.data(), made.count, u));
    };
    const double sigma = std::sqrt(s2);
    // Single precision of u moves r by |dr/du| 2^-24; r matters in units of 1/sigma, the change that tilts the window
    // by e.
    const double tilt = 1.0 / (s2 * std::log(2.0) * static_cast<double>(made.q_half_inverse));
    EXPECT_NEAR(of(made.r), r, 4e-7 * tilt + 1e-6 / sigma) << "r " << r;
    EXPECT_NEAR(of(made.log2_mean), std::log2(s0 / static_cast<double>(x.size())), 2e-6 * (1 + std::abs(r) * sigma))
        << "r " << r;
    EXPECT_NEAR(of(made.variance), s2, 1e-4 * s2 + 1e-6 * sigma * sigma) << "r " << r;
    EXPECT_NEAR(of(made.skew), s3 / s2, 1e-4 * sigma) << "r " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Windows, PoissonWindowOf,
                         testing::Values(std::vector{490.0, 520.0, 0.25}, std::vector{490.0, 525.0, 1.0},
                                         std::vector{490.0, 520.0, 0.05}, std::vector{80.0, 95.0, 0.1},
                                         std::vector{820.0, 850.0, 0.5}, std::vector{100.0, 300.0, 1.0},
                                         std::vector{850.0, 855.0, 1.0}, std::vector{500.0, 503.0, 1.0}));

TEST(TwoArea, IsContinuousThroughRIsOne) {
  // Counts for which r is 1 up to rounding, where the formula as written is 0/0.
  const double e1 = 490, e2 = 505, e4 = 520;
  const double equal = (e2 - e1) / (e4 - e2) * std::sqrt(e4 / e1);
  const core::PowerLaw<double> at = core::two_area(1e4 * equal, 1e4, e1, e2, e4, 0.5);
  const core::PowerLaw<double> beside = core::two_area(1e4 * equal * (1 + 1e-6), 1e4, e1, e2, e4, 0.5);
  EXPECT_NEAR(at.r, 1.0, 1e-12);
  EXPECT_NEAR(at.A / beside.A, 1.0, 1e-3);
  EXPECT_TRUE(std::isfinite(at.A));
}

// The bias correction vanishes where it must: the corrected curve keeps the sum over the window to first order, since
// the mean over the window of (x-q)^2/v - 1 and of x-q is 0.
TEST(PoissonCurve, CorrectionKeepsTheCountsOfTheWindow) {
  const std::vector<double> x = window(490, 520, 0.25);
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  const double r = 3, n = static_cast<double>(x.size()), counts = 3 * n;
  for (const double xi : x) s0 += std::exp2(-r * xi);
  for (const double xi : x) s1 += std::exp2(-r * xi) * xi / s0;
  for (const double xi : x) s2 += std::exp2(-r * xi) * (xi - s1) * (xi - s1) / s0;
  for (const double xi : x) s3 += std::exp2(-r * xi) * (xi - s1) * (xi - s1) * (xi - s1) / s0;
  const core::PoissonState<double> state{r, std::log2(s0 / n), s2, s3 / s2};
  const auto plain = core::poisson_curve(state, s1, counts, n, 1.0);
  const auto unbiased = core::unbiased_poisson_curve(state, s1, counts, n, 1.0);
  double sum_plain = 0, sum_unbiased = 0;
  for (const double xi : x) {
    sum_plain += plain(xi);
    sum_unbiased += unbiased(xi);
  }
  EXPECT_NEAR(sum_plain / counts, 1.0, 1e-12);
  EXPECT_NEAR(sum_unbiased / counts, 1.0, 1e-4);  // second order: 1/counts^2 times a number near 1
  EXPECT_LT(unbiased(0.2), plain(0.2));
}

}  // namespace
}  // namespace elver
