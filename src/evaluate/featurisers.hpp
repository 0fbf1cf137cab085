#pragma once
#include <string_view>
#include <vector>

#include "elver/model.hpp"
#include "evaluate/study.hpp"

namespace elver::evaluate {

/// The paper's four ways to make features of an edge: its net counts over their maximum; their cumulative distribution;
/// cubics fitted to regions of 2.5, 5 and 10 eV (four coefficients each); 20 Gaussians (centre, amplitude, full width at
/// half maximum within 5 eV, fitted by least squares).
enum class Featurisation : std::uint8_t { raw, cdf, cubics, gaussians };
std::string_view name_of(Featurisation kind);

inline constexpr std::size_t kGaussians = 20;

/// Features of net counts on the edges' grids, and how many each edge has. On the calling thread.
struct Featurised {
  Matrix matrix;
  std::vector<std::size_t> parts;
};
Featurised featurise(Featurisation kind, std::span<const float> net, std::size_t rows, const std::vector<Edge>& edges);

/// What `cubics` and `gaussians` have fitted, evaluated on the grid again, [point]; for cubics those of 5 eV.
std::vector<double> fitted_curve(Featurisation kind, std::span<const float> net, const Edge& edge);

/// Net counts with the paper's noise: each edge is scaled to `peak` counts at its maximum, drawn from Poisson's law and
/// scaled back; 2500 counts scatter by 2 %.
std::vector<float> with_poisson_noise(std::span<const float> net, const std::vector<Edge>& edges, double peak,
                                      std::uint64_t seed);

}  // namespace elver::evaluate
