#include "phantom/scene.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace elver::phantom {
namespace {

/// In units of the image's height and width.
struct Point {
  double y, x;
};
constexpr Point kCentre{0.5, 0.36};
constexpr double kHeight = 0.44, kWidth = 0.30;  ///< half axes of the particle
constexpr Point kFlakeStart{0.08, 0.74}, kFlakeStop{0.92, 0.97};
constexpr std::array<Point, kGrains> kGrainCentres{
    {{0.28, 0.24}, {0.30, 0.50}, {0.55, 0.36}, {0.78, 0.24}, {0.74, 0.50}}};
struct Spot {
  double along, across;
};
constexpr std::array<Spot, 4> kSpots{{{0.17, 0.30}, {0.42, 0.72}, {0.63, 0.25}, {0.86, 0.70}}};
constexpr double kSpotRadius = 0.11;  ///< of the flake's length
constexpr double kRim = 0.24;         ///< depth to which vacancies reach

double smooth(double x) {
  const double t = std::clamp(x, 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

void put_particle(Place& place, Point p) {
  const double dy = (p.y - kCentre.y) / kHeight, dx = (p.x - kCentre.x) / kWidth;
  const double angle = std::atan2(dy, dx);
  const double surface = 1.0 + 0.07 * std::cos(3 * angle + 0.4) + 0.04 * std::cos(5 * angle + 1.0);
  const double depth = 1.0 - std::hypot(dy, dx) / surface;
  if (depth <= 0) return;
  place.region = Region::particle;
  place.depth = depth;
  place.thickness = (0.15 + 0.5 * std::sqrt(depth)) * (0.8 + 0.5 * p.x);
  place.vacancies = depth < kRim && std::sin(2 * angle + 0.7) > -0.1;
  place.li = smooth((depth - 0.08) / 0.72);
  double nearest = 1e9;
  for (std::size_t g = 0; g < kGrains; ++g) {
    const double distance = std::hypot(p.y - kGrainCentres[g].y, p.x - kGrainCentres[g].x);
    if (distance < nearest) {
      nearest = distance;
      place.grain = g;
    }
  }
}

void put_flake(Place& place, Point p, double aspect) {
  const double along = (p.y - kFlakeStart.y) / (kFlakeStop.y - kFlakeStart.y);
  const double across = (p.x - kFlakeStart.x) / (kFlakeStop.x - kFlakeStart.x);
  if (along < 0 || along >= 1 || across < 0 || across >= 1) return;
  place.region = Region::flake;
  place.along = along;
  place.across = across;
  place.thickness = 0.15 + 0.3 * along;
  for (const Spot& spot : kSpots) {
    const double dx = (across - spot.across) * aspect;
    place.antisite = place.antisite || std::hypot(along - spot.along, dx) < kSpotRadius;
  }
}

}  // namespace

std::vector<Place> make_scene(std::uint64_t rows, std::uint64_t columns) {
  std::vector<Place> out(rows * columns);
  const double aspect = static_cast<double>(columns) * (kFlakeStop.x - kFlakeStart.x) /
                        (static_cast<double>(rows) * (kFlakeStop.y - kFlakeStart.y));
  for (std::uint64_t i = 0; i < out.size(); ++i) {
    const Point p{(static_cast<double>(i / columns) + 0.5) / static_cast<double>(rows),
                  (static_cast<double>(i % columns) + 0.5) / static_cast<double>(columns)};
    put_particle(out[i], p);
    if (out[i].region == Region::vacuum) put_flake(out[i], p, aspect);
  }
  return out;
}

}  // namespace elver::phantom
