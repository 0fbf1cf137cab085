#include "library/defects.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "library/elements.hpp"
#include "library/lattice_relation.hpp"

namespace elver {
namespace {

using Vector = Eigen::RowVector3d;
using Matrix = Eigen::Matrix3d;

constexpr double kReach = 1.0;         ///< Angstrom: relaxed atoms are nearer to their site, other sites are farther
constexpr double kEnough = 0.97;       ///< share of sites and atoms that agree: no other orientation need be tried

enum class Kind { metal, lithium, oxygen, other };

Kind kind_of(const std::string& element) {
  if (element == "Li") return Kind::lithium;
  if (element == "O") return Kind::oxygen;
  return is_d_block(element) ? Kind::metal : Kind::other;
}

Matrix rows_of(const Structure& s) {
  Matrix out;
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 3; ++k) out(i, k) = s.lattice[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)];
  }
  return out;
}

Vector place_of(const Atom& atom) { return {atom.fractional[0], atom.fractional[1], atom.fractional[2]}; }

/// Between two fractional places of a cell, over the nearest images.
double apart(const Matrix& lattice, const Vector& a, const Vector& b) {
  Vector d = a - b;
  for (int k = 0; k < 3; ++k) d(k) -= std::round(d(k));
  double best = INFINITY;
  for (int i = -1; i <= 1; ++i) {
    for (int j = -1; j <= 1; ++j) {
      for (int k = -1; k <= 1; ++k) best = std::min(best, ((d + Vector(i, j, k)) * lattice).norm());
    }
  }
  return best;
}

struct CrystalSite {
  Vector place;  ///< fractional, of the supercell
  Kind kind;
};

/// The sites of the supercell whose vectors are `multiples` of the reference's.
std::vector<CrystalSite> supercell(const Structure& reference, const Matrix& multiples, const Matrix& lattice) {
  std::vector<CrystalSite> out;
  const Matrix inverse = multiples.inverse();
  const int reach = static_cast<int>(multiples.cwiseAbs().sum());
  for (const Atom& atom : reference.atoms) {
    std::vector<Vector> found;
    for (int i = -reach; i <= reach; ++i) {
      for (int j = -reach; j <= reach; ++j) {
        for (int k = -reach; k <= reach; ++k) {
          Vector place = (place_of(atom) + Vector(i, j, k)) * inverse;
          for (int x = 0; x < 3; ++x) place(x) -= std::floor(place(x) + 1e-6);
          if (std::ranges::none_of(found, [&](const Vector& other) { return apart(lattice, place, other) < 0.1; })) found.push_back(place);
        }
      }
    }
    for (const Vector& place : found) out.push_back({place, kind_of(atom.element)});
  }
  return out;
}

/// [site]: the atom that it holds, -1: none; an atom stands on one site, the nearest.
std::vector<int> occupants(const std::vector<CrystalSite>& sites, const Structure& cell, const Matrix& lattice, const Vector& shift) {
  std::vector<int> out(sites.size(), -1);
  std::vector<double> distance(sites.size(), kReach);
  for (std::size_t a = 0; a < cell.atoms.size(); ++a) {
    std::size_t nearest = sites.size();
    double best = kReach;
    for (std::size_t s = 0; s < sites.size(); ++s) {
      const double d = apart(lattice, place_of(cell.atoms[a]), sites[s].place + shift);
      if (d < best) best = d, nearest = s;
    }
    if (nearest == sites.size() || best >= distance[nearest]) continue;
    distance[nearest] = best;
    out[nearest] = static_cast<int>(a);
  }
  return out;
}

/// A crystal laid into the structure's cell.
struct Laid {
  std::vector<CrystalSite> sites;
  std::vector<int> held;  ///< [site]: atom, or -1
  Vector origin = Vector::Zero();
  long right = -1;  ///< 1000 for each atom of the right kind, 1 for one of another
};

/// The best of all origins: as written, or with its first oxygen on one of the structure's.
Laid lay(const Structure& structure, const Structure& reference, const Matrix& lattice, const Matrix& multiples) {
  Laid out;
  out.sites = supercell(reference, multiples, lattice);
  std::vector<Vector> shifts{Vector::Zero()};
  for (const CrystalSite& site : out.sites) {
    if (site.kind != Kind::oxygen) continue;
    for (const Atom& atom : structure.atoms) {
      if (kind_of(atom.element) == Kind::oxygen) shifts.push_back(place_of(atom) - site.place);
    }
    break;
  }
  for (const Vector& shift : shifts) {
    std::vector<int> found = occupants(out.sites, structure, lattice, shift);
    long right = 0;
    for (std::size_t s = 0; s < out.sites.size(); ++s) {
      if (found[s] < 0) continue;
      const Kind kind = kind_of(structure.atoms[static_cast<std::size_t>(found[s])].element);
      right += kind == out.sites[s].kind ? 1000 : 1;
    }
    if (right > out.right) out.right = right, out.held = std::move(found), out.origin = shift;
  }
  return out;
}

}  // namespace

std::optional<Defects> find_defects(const Structure& structure, const Structure& reference) {
  const Matrix lattice = rows_of(structure), unit = rows_of(reference);
  if (std::abs(unit.determinant()) < 1 || std::abs(lattice.determinant()) < 1) return std::nullopt;
  Laid best;
  for (const Matrix& multiples : lattice_relations(lattice, unit)) {
    Laid laid = lay(structure, reference, lattice, multiples);
    if (laid.right > best.right) best = std::move(laid);
    if (static_cast<double>(best.right) >= kEnough * 1000 * static_cast<double>(structure.atoms.size())) break;
  }
  const auto& [sites, held, origin, right] = best;
  const auto placed = static_cast<std::size_t>(std::ranges::count_if(held, [](int atom) { return atom >= 0; }));
  if (10 * placed < 9 * structure.atoms.size()) return std::nullopt;
  Defects out;
  for (std::size_t s = 0; s < sites.size(); ++s) {
    const bool empty = held[s] < 0;
    const Kind there = empty ? Kind::other : kind_of(structure.atoms[static_cast<std::size_t>(held[s])].element);
    const bool vacancy = empty && sites[s].kind == Kind::oxygen;
    const bool antisite = !empty && ((sites[s].kind == Kind::metal && there == Kind::lithium) ||
                                     (sites[s].kind == Kind::lithium && there == Kind::metal));
    out.vacancies += vacancy ? 1 : 0;
    out.antisites += antisite ? 1 : 0;
    if (!vacancy && !antisite) continue;
    const Vector place = sites[s].place + origin;
    out.places.push_back({place(0), place(1), place(2)});
  }
  if (out.vacancies + out.antisites > 0)
    out.kind = out.vacancies >= out.antisites ? DefectKind::oxygen_vacancy : DefectKind::antisite;
  return out;
}

double distance_to(const Defects& defects, const Structure& structure, std::size_t atom) {
  double best = std::nan("");
  for (const std::array<double, 3>& place : defects.places) {
    const double d = apart(rows_of(structure), place_of(structure.atoms[atom]), {place[0], place[1], place[2]});
    if (!(best <= d)) best = d;
  }
  return best;
}

}  // namespace elver
