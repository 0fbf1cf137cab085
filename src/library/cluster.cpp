#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "library/elements.hpp"
#include "library/geometry.hpp"
#include "library/structure_files.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using Vector = std::array<double, 3>;

constexpr double kSame = 0.02;  ///< Angstrom: coordinates of FEFF inputs are rounded to 1e-5 or better

Vector minus(const Vector& a, const Vector& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
Vector plus(const Vector& a, const Vector& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }
double length(const Vector& a) { return std::sqrt(dot(a, a)); }

/// The translation leads every atom that stays well within the cluster onto one of its kind, and enough stay.
bool is_translation(const std::vector<ClusterAtom>& cluster, const Vector& t, double radius) {
  std::size_t inside = 0;
  for (const ClusterAtom& atom : cluster) {
    const Vector moved = plus(atom.position, t);
    if (length(moved) > radius - kSame) continue;
    ++inside;
    const bool met = std::any_of(cluster.begin(), cluster.end(), [&](const ClusterAtom& other) {
      return other.element == atom.element && length(minus(other.position, moved)) < kSame;
    });
    if (!met) return false;
  }
  return inside >= std::max<std::size_t>(12, cluster.size() / 20);
}

/// The cluster folded into a cell; nothing if atoms that fold together differ, or come too close.
std::optional<Structure> folded(const std::vector<ClusterAtom>& cluster, const std::array<Vector, 3>& cell) {
  Structure out;
  for (std::size_t i = 0; i < 3; ++i) out.lattice[i] = cell[i];
  const double volume = dot(cell[0], cross(cell[1], cell[2]));
  for (const ClusterAtom& atom : cluster) {
    Vector f{};
    for (std::size_t k = 0; k < 3; ++k) {
      f[k] = dot(atom.position, cross(cell[(k + 1) % 3], cell[(k + 2) % 3])) / volume;
      f[k] -= std::floor(f[k] + 1e-6);
    }
    bool known = false;
    for (const Atom& other : out.atoms) {
      Vector d{};
      for (std::size_t k = 0; k < 3; ++k) {
        const double x = f[k] - other.fractional[k];
        for (std::size_t n = 0; n < 3; ++n) d[n] += (x - std::round(x)) * cell[k][n];
      }
      if (length(d) > 0.8) continue;
      if (length(d) > 2 * kSame || other.element != atom.element) return std::nullopt;
      known = true;
    }
    if (!known) out.atoms.push_back({atom.element, f, atom.formal_state});
  }
  return out;
}

std::vector<std::pair<std::string, double>> surroundings(const Structure& structure, std::size_t atom) {
  constexpr double kReach = 5.0;
  std::vector<std::pair<std::string, double>> out;
  for (const Neighbour& near : neighbours(structure, atom, kReach))
    out.emplace_back(structure.atoms[near.atom].element, near.distance_angstrom);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::optional<Structure> cell_of_cluster(const std::vector<ClusterAtom>& cluster) {
  double radius = 0;
  for (const ClusterAtom& atom : cluster) radius = std::max(radius, length(atom.position));
  // A cluster of FEFF ends at a radius or at a number of atoms: the outermost shell may be incomplete.
  radius -= 0.2;
  std::map<std::string, std::size_t> counts;
  for (const ClusterAtom& atom : cluster) ++counts[atom.element];
  std::string commonest = cluster.front().element;
  for (const auto& [element, count] : counts) {
    if (count > counts[commonest]) commonest = element;
  }
  std::vector<Vector> candidates;
  for (const ClusterAtom& a : cluster) {
    if ((counts.size() > 1 && a.element == commonest) || length(a.position) > 0.85 * radius) continue;
    for (const ClusterAtom& b : cluster) {
      const Vector t = minus(b.position, a.position);
      if (b.element == a.element && length(t) > 0.5 && length(t) < 1.6 * radius) candidates.push_back(t);
    }
  }
  std::sort(candidates.begin(), candidates.end(), [](const Vector& a, const Vector& b) { return length(a) < length(b); });
  std::vector<Vector> valid;
  for (const Vector& t : candidates) {
    if (valid.size() >= 24) break;
    const bool known = std::any_of(valid.begin(), valid.end(), [&](const Vector& v) {
      return length(minus(v, t)) < 2 * kSame || length(plus(v, t)) < 2 * kSame;
    });
    if (!known && is_translation(cluster, t, radius)) valid.push_back(t);
  }
  for (std::size_t i = 0; i < valid.size(); ++i) {
    for (std::size_t j = i + 1; j < valid.size(); ++j) {
      const Vector normal = cross(valid[i], valid[j]);
      if (length(normal) < 0.1 * length(valid[i]) * length(valid[j])) continue;
      for (std::size_t k = j + 1; k < valid.size(); ++k) {
        const double volume = dot(valid[k], normal);
        if (std::abs(volume) < 0.05 * length(normal) * length(valid[k])) continue;
        std::array<Vector, 3> cell{valid[i], valid[j], valid[k]};
        if (volume < 0) std::swap(cell[0], cell[1]);
        std::optional<Structure> out = folded(cluster, cell);
        if (!out) continue;
        // As dense as the cluster: otherwise parts of the cell lie outside it.
        const double density = static_cast<double>(cluster.size()) / (4.18879 * std::pow(radius + 0.2, 3));
        const double here = static_cast<double>(out->atoms.size()) / std::abs(volume);
        if (std::abs(here / density - 1) < 0.12) return out;
      }
    }
  }
  return std::nullopt;
}

std::string formula_of(const Structure& structure) {
  // As usual for oxides: metals by their number, oxygen last.
  std::map<std::pair<int, int>, std::pair<std::string, std::size_t>> parts;
  for (const Atom& atom : structure.atoms) {
    const int z = atomic_number(atom.element);
    auto& part = parts[{atom.element == "O" ? 1 : 0, z}];
    part.first = atom.element;
    ++part.second;
  }
  std::string out;
  for (const auto& [key, part] : parts) out += part.first + (part.second > 1 ? text("%zu", part.second) : "");
  return out;
}

void label_by_atoms(Structure& structure) {
  std::map<std::string, std::size_t> metals;
  std::size_t total = 0, divisor = 0;
  for (const Atom& atom : structure.atoms) {
    if (is_d_block(atom.element)) ++metals[atom.element], ++total;
  }
  for (const auto& [element, count] : metals) divisor = std::gcd(divisor, count);
  if (structure.composition.empty()) {
    const std::size_t nmc = metals["Ni"] + metals["Mn"] + metals["Co"];
    const auto share = [&](const char* e) { return 10.0 * static_cast<double>(metals[e]) / static_cast<double>(total); };
    const auto whole = [](double x) { return std::abs(x - std::round(x)) < 0.05 && x < 9.5; };
    if (total > 0 && nmc == total && whole(share("Ni")) && whole(share("Mn")) && whole(share("Co"))) {
      structure.composition = text("%.0f%.0f%.0f", share("Ni"), share("Mn"), share("Co"));
    } else {
      for (const auto& [element, count] : metals) {
        if (count > 0) structure.composition += element + (count > divisor ? text("%zu", count / divisor) : "");
      }
    }
    if (structure.composition.empty()) structure.composition = formula_of(structure);
  }
  const std::size_t lithium = structure.count("Li");
  const std::size_t units = total > 0 ? total : std::max<std::size_t>(1, structure.formula_units());
  structure.lithiation = static_cast<double>(lithium) / static_cast<double>(units);
}

std::array<int, 5> count_neighbours(const Structure& structure, std::size_t atom) {
  std::array<int, 5> out{};
  for (const Neighbour& near : neighbours(structure, atom, 3.0)) {
    for (std::size_t k = 0; k < kNeighbourElements.size(); ++k) {
      if (structure.atoms[near.atom].element == kNeighbourElements[k]) ++out[k];
    }
  }
  return out;
}

long long matching_atom(const Structure& structure, const Structure& other, std::size_t other_atom, double within_angstrom) {
  const auto wanted = surroundings(other, other_atom);
  for (std::size_t i = 0; i < structure.atoms.size(); ++i) {
    if (structure.atoms[i].element != other.atoms[other_atom].element) continue;
    const auto found = surroundings(structure, i);
    if (found.size() != wanted.size()) continue;
    const bool same = std::equal(found.begin(), found.end(), wanted.begin(), [&](const auto& a, const auto& b) {
      return a.first == b.first && std::abs(a.second - b.second) < within_angstrom;
    });
    if (same) return static_cast<long long>(i);
  }
  return -1;
}

}  // namespace elver
