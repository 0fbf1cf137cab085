#include <algorithm>
#include <cmath>
#include <numbers>
#include <unsupported/Eigen/FFT>

#include "coregister/picture.hpp"
#include "types/median.hpp"

namespace elver::pictures {
namespace {

using Complex = std::complex<double>;

/// Of a picture, rows by columns.
struct Spectrum {
  std::vector<Complex> values;
  double noise = 0;  ///< mean square of what noise alone puts into one frequency
};

enum class Direction { forward, back };

void transform(std::vector<Complex>& values, std::size_t rows, std::size_t columns, Direction direction) {
  Eigen::FFT<double> fft;
  const auto one = [&](std::vector<Complex>& from, std::vector<Complex>& to) {
    if (direction == Direction::forward) {
      fft.fwd(to, from);
    } else {
      fft.inv(to, from);
    }
  };
  std::vector<Complex> line(columns), out(columns);
  for (std::size_t y = 0; y < rows; ++y) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(y * columns), columns, line.begin());
    one(line, out);
    std::copy_n(out.begin(), columns, values.begin() + static_cast<std::ptrdiff_t>(y * columns));
  }
  line.resize(rows);
  out.resize(rows);
  for (std::size_t x = 0; x < columns; ++x) {
    for (std::size_t y = 0; y < rows; ++y) line[y] = values[y * columns + x];
    one(line, out);
    for (std::size_t y = 0; y < rows; ++y) values[y * columns + x] = out[y];
  }
}

/// Falls to 0 at both ends, so that a picture's edges make no frequencies of their own.
std::vector<double> hann(std::size_t size) {
  std::vector<double> out(size);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] =
        0.5 - 0.5 * std::cos(2 * std::numbers::pi * (static_cast<double>(i) + 1) / (static_cast<double>(size) + 1));
  }
  return out;
}

/// Frequency of bin i, cycles a pixel, 0 to 0.5.
double frequency(std::size_t i, std::size_t size) {
  return static_cast<double>(std::min(i, size - i)) / static_cast<double>(size);
}

Spectrum spectrum_of(const Picture& picture) {
  const std::vector<double> down = hann(picture.rows), across = hann(picture.columns);
  double sum = 0, weight = 0;
  for (std::size_t y = 0; y < picture.rows; ++y) {
    for (std::size_t x = 0; x < picture.columns; ++x) {
      sum += down[y] * across[x] * picture.at(y, x);
      weight += down[y] * across[x];
    }
  }
  Spectrum out;
  out.values.resize(picture.values.size());
  for (std::size_t y = 0; y < picture.rows; ++y) {
    for (std::size_t x = 0; x < picture.columns; ++x)
      out.values[y * picture.columns + x] = down[y] * across[x] * (picture.at(y, x) - sum / weight);
  }
  transform(out.values, picture.rows, picture.columns, Direction::forward);
  std::vector<double> highest;
  for (std::size_t y = 0; y < picture.rows; ++y) {
    for (std::size_t x = 0; x < picture.columns; ++x) {
      if (frequency(y, picture.rows) > 0.35 && frequency(x, picture.columns) > 0.35)
        highest.push_back(std::norm(out.values[y * picture.columns + x]));
    }
  }
  out.noise = upper_median(std::move(highest)) / std::numbers::ln2;  // squares of a complex normal variable are exponential
  return out;
}

/// 0 at three times the noise and below, 1 far above.
double above_noise(double square, double noise) { return square > 0 ? std::max(0.0, 1.0 - 3.0 * noise / square) : 0.0; }

/// The highest places, no two within a 32nd of the picture.
std::vector<Peak> highest(std::vector<double>& surface, std::size_t rows, std::size_t columns, std::size_t count) {
  const auto signed_place = [](std::size_t i, std::size_t size) {
    return i <= size / 2 ? static_cast<long>(i) : static_cast<long>(i) - static_cast<long>(size);
  };
  const long reach = std::max<long>(2, static_cast<long>(std::max(rows, columns) / 32));
  std::vector<Peak> out;
  while (out.size() < count) {
    const auto at = static_cast<std::size_t>(std::max_element(surface.begin(), surface.end()) - surface.begin());
    const std::size_t y = at / columns, x = at % columns;
    out.push_back({surface[at], signed_place(y, rows), signed_place(x, columns)});
    for (long i = -reach; i <= reach; ++i) {
      for (long j = -reach; j <= reach; ++j) {
        const std::size_t v = static_cast<std::size_t>(static_cast<long>(y + rows) + i) % rows;
        const std::size_t u = static_cast<std::size_t>(static_cast<long>(x + columns) + j) % columns;
        surface[v * columns + u] = -1.0;
      }
    }
  }
  return out;
}

}  // namespace

Correlation phase_correlation(const Picture& first, const Picture& second, std::size_t peaks) {
  const Spectrum a = spectrum_of(first), b = spectrum_of(second);
  const std::size_t rows = first.rows, columns = first.columns;
  std::vector<Complex> product(a.values.size());
  Correlation out;
  for (std::size_t i = 0; i < product.size(); ++i) {
    if (i == 0) continue;  // the mean
    const double weight = above_noise(std::norm(a.values[i]), a.noise) * above_noise(std::norm(b.values[i]), b.noise);
    if (weight <= 0) continue;
    const Complex both = a.values[i] * std::conj(b.values[i]);
    product[i] = weight * both / std::abs(both);
    out.modes += weight;
  }
  if (!(out.modes > 0)) return {{{0.0, 0, 0}}, 0.0};
  transform(product, rows, columns, Direction::back);
  std::vector<double> surface(product.size());
  for (std::size_t i = 0; i < product.size(); ++i)
    surface[i] = product[i].real() * static_cast<double>(product.size()) / out.modes;
  out.peaks = highest(surface, rows, columns, peaks);
  return out;
}

}  // namespace elver::pictures
