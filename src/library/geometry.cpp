#include "library/geometry.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using Vector = std::array<double, 3>;

/// How many cells to look at in each direction so that a sphere is covered: its radius over the height of the cell.
std::array<int, 3> images(const Structure& structure, double reach) {
  const auto& cell = structure.lattice;
  const double volume = std::abs(dot(cell[0], cross(cell[1], cell[2])));
  std::array<int, 3> out{};
  for (std::size_t i = 0; i < 3; ++i) {
    const Vector normal = cross(cell[(i + 1) % 3], cell[(i + 2) % 3]);
    const double cells = 1 + reach * std::sqrt(dot(normal, normal)) / volume;
    if (!(cells < 20)) throw Error(ErrorKind::input, "structure " + structure.id, "its lattice is degenerate");
    out[i] = static_cast<int>(std::ceil(cells));
  }
  return out;
}

using Colours = std::vector<std::uint64_t>;

std::uint64_t mix(std::uint64_t h, std::uint64_t value) {
  h ^= value + 0x9e3779b97f4a7c15ULL + (h << 6) + (h >> 2);
  h ^= h >> 31;
  return h * 0xbf58476d1ce4e5b9ULL;
}

/// Colour refinement (Weisfeiler and Leman 1968) of the network of bonded atoms, where an atom starts with its element.
/// The sorted colours, each with its share, are the same for every cell of the same infinite crystal.
std::vector<std::uint64_t> fingerprint(const Structure& structure) {
  // Cation to oxygen 1.8-2.2 and next 3.4 Angstrom; cation to cation 2.8-3.0 and next 3.9 in a layered oxide. The gaps
  // are wider than any displacement in the library, so the network does not depend on where the limits lie in them.
  constexpr double kOxygenBond = 2.7;
  constexpr double kCationBond = 3.4;
  const std::size_t n = structure.atoms.size();
  std::vector<std::vector<std::size_t>> bonds(n);
  Colours colours(n);
  for (std::size_t i = 0; i < n; ++i) {
    const bool oxygen = structure.atoms[i].element == "O";
    for (const Neighbour& near : neighbours(structure, i, kCationBond)) {
      const bool other = structure.atoms[near.atom].element == "O";
      if (!(oxygen && other) && (near.distance_angstrom < kOxygenBond || (!oxygen && !other)))
        bonds[i].push_back(near.atom);
    }
    for (const char c : structure.atoms[i].element) colours[i] = mix(colours[i], static_cast<std::uint64_t>(c));
  }
  for (int round = 0; round < 8; ++round) {  // 8 bonds reach across every cell here
    Colours next(n);
    for (std::size_t i = 0; i < n; ++i) {
      Colours around;
      for (const std::size_t j : bonds[i]) around.push_back(colours[j]);
      std::sort(around.begin(), around.end());
      next[i] = colours[i];
      for (const std::uint64_t c : around) next[i] = mix(next[i], c);
    }
    colours = std::move(next);
  }
  std::map<std::uint64_t, std::uint64_t> counts;
  for (const std::uint64_t c : colours) ++counts[c];
  std::uint64_t divisor = 0;
  for (const auto& [colour, count] : counts) divisor = std::gcd(divisor, count);
  std::vector<std::uint64_t> out;
  for (const auto& [colour, count] : counts) {
    out.push_back(colour);
    out.push_back(count / divisor);
  }
  return out;
}

}  // namespace

bool is_transition_metal(std::string_view element) { return element != "Li" && element != "O"; }

std::vector<Neighbour> neighbours(const Structure& structure, std::size_t atom, double reach_angstrom) {
  const std::array<int, 3> range = images(structure, reach_angstrom);
  const Vector& centre = structure.atoms[atom].fractional;
  std::vector<Neighbour> out;
  for (std::size_t j = 0; j < structure.atoms.size(); ++j) {
    Vector apart{};  // to the nearest image along each cell vector
    for (std::size_t k = 0; k < 3; ++k) {
      const double d = structure.atoms[j].fractional[k] - centre[k];
      apart[k] = d - std::round(d);
    }
    for (int a = -range[0]; a <= range[0]; ++a) {
      for (int b = -range[1]; b <= range[1]; ++b) {
        for (int c = -range[2]; c <= range[2]; ++c) {
          const Vector f{apart[0] + a, apart[1] + b, apart[2] + c};
          Vector r{};
          for (std::size_t k = 0; k < 3; ++k) {
            r[k] = f[0] * structure.lattice[0][k] + f[1] * structure.lattice[1][k] + f[2] * structure.lattice[2][k];
          }
          const double distance = std::sqrt(dot(r, r));
          if (distance < reach_angstrom && distance > 0.1) out.push_back({j, distance});
        }
      }
    }
  }
  return out;
}

std::vector<std::size_t> symmetry_classes(const std::vector<Structure>& structures) {
  std::map<std::vector<std::uint64_t>, std::size_t> known;
  std::vector<std::size_t> out;
  for (const Structure& structure : structures)
    out.push_back(known.emplace(fingerprint(structure), known.size()).first->second);
  return out;
}

std::string network_name(const Structure& structure) {
  std::uint64_t hash = 0;
  for (const std::uint64_t word : fingerprint(structure)) hash = mix(hash, word);
  return text("%016llx", static_cast<unsigned long long>(hash));
}

}  // namespace elver
