#pragma once
#include <cstdint>
#include <vector>

/// What lies where in a phantom: smooth fields over the image, before anything is known of structures.
namespace elver::phantom {

enum class Region : std::uint8_t { vacuum, particle, flake };

struct Place {
  Region region = Region::vacuum;
  std::size_t grain = 0;   ///< of the particle
  double depth = 0.0;      ///< of the particle: 0 at the surface, 1 in the middle
  double thickness = 0.0;  ///< t/lambda
  double li = 0.0;         ///< particle: wanted Li per formula unit
  bool vacancies = false;  ///< particle
  double along = 0.0;      ///< flake: 0 at the top to 1
  double across = 0.0;     ///< flake: 0 at the left to 1
  bool antisite = false;   ///< flake
};

inline constexpr std::size_t kGrains = 5;

/// Places in C order (rows, columns).
std::vector<Place> make_scene(std::uint64_t rows, std::uint64_t columns);

}  // namespace elver::phantom
