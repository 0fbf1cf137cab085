#pragma once
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

/// How often elver is right: success tables on images whose truth is known. One function a table, printed as it is
/// made.
namespace elver::rates {

struct Options {
  double scale = 1;        ///< of the numbers of images: 0.1 for a quick look
  std::uint64_t seed = 1;  ///< another seed is another, independent table
  std::string only;        ///< rows whose name holds this
};

void detect_rates(const Options& options);     ///< false finds without the edge, and power
void alignment_rates(const Options& options);  ///< residuals of --align edge, and whether its errors are honest
void auto_axis_rates(const Options& options);  ///< how often --auto-axis is right, refuses, and is wrong

/// Wilson's interval of k of n, 95 %.
struct Interval {
  double low, high;
};
inline Interval interval(double k, double n) {
  constexpr double z = 1.96;
  const double middle = (k + z * z / 2) / (n + z * z);
  const double half = z / (n + z * z) * std::sqrt(k * (n - k) / n + z * z / 4);
  return {middle - half, middle + half};
}

/// Calls work(i) for i of 0 to n - 1 on every core; the order does not matter.
void for_each_index(std::uint64_t n, const std::function<void(std::uint64_t)>& work);

/// A generator for image `i` of a row of a table.
inline std::mt19937_64 generator(const Options& options, const std::string& row, std::uint64_t i) {
  std::seed_seq seeds{options.seed, static_cast<std::uint64_t>(std::hash<std::string>{}(row)), i};
  return std::mt19937_64(seeds);
}

inline std::uint64_t scaled(const Options& options, double n) {
  return static_cast<std::uint64_t>(std::max(1.0, std::round(n * options.scale)));
}

}  // namespace elver::rates
