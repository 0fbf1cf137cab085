#pragma once
#include <complex>
#include <cstddef>
#include <vector>

namespace elver::pictures {

/// Values over rows and columns, C order.
struct Picture {
  std::size_t rows = 0, columns = 0;
  std::vector<double> values;
  double at(std::size_t y, std::size_t x) const { return values[y * columns + x]; }
  double& at(std::size_t y, std::size_t x) { return values[y * columns + x]; }
};

/// Bilinear, at (y, x) counted from the middle of the first pixel; clamped at the edges.
double sampled(const Picture& picture, double y, double x);
/// A Gaussian of this many pixels over it, mirrored at the edges.
Picture smoothed(const Picture& picture, double sigma);
/// Every pixel the mean of `step` x `step`; what is left over at the ends goes.
Picture coarser(const Picture& picture, std::size_t step);

/// A peak of a correlation: `first` is `second` moved by (dy, dx).
struct Peak {
  double height = 0;
  long dy = 0, dx = 0;
};
struct Correlation {
  std::vector<Peak> peaks;  ///< highest first, not of one hill
  double modes = 0;         ///< how many frequencies stand above the noise
};
/// Phase correlation of two pictures of one size, normalised: 1 where all phases agree. Each frequency counts by how
/// far it stands above the noise of its picture, which is what the highest frequencies hold.
Correlation phase_correlation(const Picture& first, const Picture& second, std::size_t peaks);

}  // namespace elver::pictures
