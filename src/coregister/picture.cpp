#include <algorithm>
#include <cmath>

#include "coregister/picture.hpp"

namespace elver::pictures {

double sampled(const Picture& picture, double y, double x) {
  const auto last_row = static_cast<double>(picture.rows - 1), last_column = static_cast<double>(picture.columns - 1);
  y = std::clamp(y, 0.0, last_row);
  x = std::clamp(x, 0.0, last_column);
  const auto y0 = static_cast<std::size_t>(y), x0 = static_cast<std::size_t>(x);
  const std::size_t y1 = std::min(y0 + 1, picture.rows - 1), x1 = std::min(x0 + 1, picture.columns - 1);
  const double v = y - static_cast<double>(y0), u = x - static_cast<double>(x0);
  return (1 - v) * ((1 - u) * picture.at(y0, x0) + u * picture.at(y0, x1)) +
         v * ((1 - u) * picture.at(y1, x0) + u * picture.at(y1, x1));
}

Picture smoothed(const Picture& picture, double sigma) {
  const int reach = static_cast<int>(std::ceil(3 * sigma));
  std::vector<double> kernel;
  double sum = 0;
  for (int i = -reach; i <= reach; ++i) {
    kernel.push_back(std::exp(-0.5 * i * i / (sigma * sigma)));
    sum += kernel.back();
  }
  for (double& k : kernel) k /= sum;
  const auto mirrored = [](long i, std::size_t size) {
    const long n = static_cast<long>(size);
    while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return static_cast<std::size_t>(i);
  };
  Picture half = picture, out = picture;
  for (std::size_t y = 0; y < picture.rows; ++y) {
    for (std::size_t x = 0; x < picture.columns; ++x) {
      double value = 0;
      for (int i = -reach; i <= reach; ++i)
        value += kernel[static_cast<std::size_t>(i + reach)] *
                 picture.at(y, mirrored(static_cast<long>(x) + i, picture.columns));
      half.at(y, x) = value;
    }
  }
  for (std::size_t y = 0; y < picture.rows; ++y) {
    for (std::size_t x = 0; x < picture.columns; ++x) {
      double value = 0;
      for (int i = -reach; i <= reach; ++i)
        value +=
            kernel[static_cast<std::size_t>(i + reach)] * half.at(mirrored(static_cast<long>(y) + i, picture.rows), x);
      out.at(y, x) = value;
    }
  }
  return out;
}

Picture coarser(const Picture& picture, std::size_t step) {
  Picture out{picture.rows / step, picture.columns / step, {}};
  out.values.assign(out.rows * out.columns, 0.0);
  const double share = 1.0 / static_cast<double>(step * step);
  for (std::size_t y = 0; y < out.rows * step; ++y) {
    for (std::size_t x = 0; x < out.columns * step; ++x) out.at(y / step, x / step) += share * picture.at(y, x);
  }
  return out;
}

}  // namespace elver::pictures
