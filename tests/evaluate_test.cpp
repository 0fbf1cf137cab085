#include "train/evaluate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace elver {
namespace {

using train::Share;

// Values of Wilson's formula, solved as it is defined: |p - P| = z sqrt(P (1 - P) / n) at both ends P.
TEST(Wilson, EndsAreWhereTheShareIsAsFarAsTwoSidedChanceAllows) {
  for (const std::size_t n : {4U, 10U, 50U, 1000U}) {
    for (const double p : {0.0, 0.25, 0.5, 0.9, 1.0}) {
      const Interval interval = train::wilson({p, n});
      for (const double end : {interval.low, interval.high}) {
        if (end < 1e-12 || end > 1 - 1e-12) continue;  // an end at 0 or 1 is cut there
        EXPECT_NEAR(std::abs(p - end), 1.959964 * std::sqrt(end * (1 - end) / static_cast<double>(n)), 1e-9);
      }
      EXPECT_LE(interval.low, p + 1e-12);
      EXPECT_GE(interval.high, p - 1e-12);
    }
  }
  EXPECT_NEAR(train::wilson({0.9, 10}).low, 0.5958, 1e-4);  // 9 of 10
  EXPECT_NEAR(train::wilson({0.9, 10}).high, 0.9821, 1e-4);
}

// The law of an interval: it holds the truth in 95 of 100 cases.
TEST(Intervals, HoldTheTruthAsOftenAsTheySay) {
  std::mt19937_64 random(2);
  int shares = 0, means = 0, rms = 0;
  constexpr int kTrials = 2000;
  for (int t = 0; t < kTrials; ++t) {
    const auto share = [&](double p, std::size_t n) {
      return Share{std::binomial_distribution<int>(static_cast<int>(n), p)(random) / static_cast<double>(n), n};
    };
    const auto holds = [](Interval i, double truth) { return i.low <= truth && truth <= i.high ? 1 : 0; };
    shares += holds(train::wilson(share(0.88, 50)), 0.88);
    means += holds(train::wilson_mean(share(0.9, 12), share(0.7, 9)), 0.8);
    if (t % 8 != 0) continue;
    std::vector<double> squares;
    std::vector<std::size_t> structures;
    for (std::size_t s = 0; s < 54; ++s) {  // a structure's own error, seen through eight instruments
      const double own = std::normal_distribution(0.0, 0.1)(random);
      for (int d = 0; d < 8; ++d) {
        const double error = own + std::normal_distribution(0.0, 0.05)(random);
        squares.push_back(error * error);
        structures.push_back(s);
      }
    }
    rms += 8 * holds(train::bootstrap_rms(squares, structures, 1), std::hypot(0.1, 0.05));
  }
  // Wilson's coverage swings by some per cent about 95 with n and p; that of the bootstrap is known to 1.4 % from 250
  // trials.
  EXPECT_NEAR(shares / double{kTrials}, 0.95, 0.025);
  EXPECT_NEAR(means / double{kTrials}, 0.95, 0.025);
  EXPECT_NEAR(rms / double{kTrials}, 0.95, 0.045);
}

// Rows of one structure are not independent: seeing a structure a hundred times does not narrow the interval.
TEST(Bootstrap, CountsStructuresAndNotRows) {
  std::vector<double> squares;
  std::vector<std::size_t> structures;
  for (std::size_t s = 0; s < 20; ++s) {
    squares.push_back(static_cast<double>(s));
    structures.push_back(s);
  }
  const Interval once = train::bootstrap_rms(squares, structures, 1);
  for (int copy = 0; copy < 99; ++copy) {
    for (std::size_t s = 0; s < 20; ++s) {
      squares.push_back(static_cast<double>(s));
      structures.push_back(s);
    }
  }
  const Interval often = train::bootstrap_rms(squares, structures, 1);
  EXPECT_NEAR(often.low, once.low, 1e-9);
  EXPECT_NEAR(often.high, once.high, 1e-9);
  EXPECT_GT(once.high - once.low, 0.5);
  EXPECT_TRUE(std::isnan(train::bootstrap_rms({1.0, 2.0}, {7, 7}, 1).low));  // of one structure nothing is known
}

}  // namespace
}  // namespace elver
