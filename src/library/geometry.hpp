#pragma once
#include <array>
#include <cstddef>
#include <vector>

#include "elver/library.hpp"

namespace elver {

inline std::array<double, 3> cross(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
inline double dot(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/// An atom near another one, with periodic images: an atom is met as often as its images are within reach.
struct Neighbour {
  std::size_t atom = 0;
  double distance_angstrom = 0.0;
};

/// All within `reach_angstrom` of an atom, itself left out (its images count).
std::vector<Neighbour> neighbours(const Structure& structure, std::size_t atom, double reach_angstrom);

/// True for what is neither Li nor O.
bool is_transition_metal(std::string_view element);

}  // namespace elver
