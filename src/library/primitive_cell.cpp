#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "library/structure_files.hpp"

namespace elver {
namespace {

using Vector = Eigen::RowVector3d;
constexpr double kSame = 1e-3;  ///< of a cell vector: files round to 1e-4 or better

Vector place_of(const Atom& atom) { return {atom.fractional[0], atom.fractional[1], atom.fractional[2]}; }

bool same_place(const Vector& a, const Vector& b, double apart = kSame) {
  const Vector d = a - b;
  return (d - d.array().round().matrix()).cwiseAbs().maxCoeff() < apart;
}

/// The translations, fractional, that lead every atom onto one of its element; the zero one first.
std::vector<Vector> centrings(const Structure& cell) {
  std::vector<Vector> out{Vector::Zero()};
  for (const Atom& image : cell.atoms) {
    const Vector t = place_of(image) - place_of(cell.atoms.front());
    if (image.element != cell.atoms.front().element || same_place(t, Vector::Zero())) continue;
    const bool holds = std::ranges::all_of(cell.atoms, [&](const Atom& atom) {
      return std::ranges::any_of(cell.atoms, [&](const Atom& other) {
        return other.element == atom.element && same_place(place_of(atom) + t, place_of(other));
      });
    });
    if (holds) out.push_back(t);
  }
  return out;
}

}  // namespace

Structure primitive_cell(const Structure& cell) {
  if (cell.atoms.empty()) return cell;
  const std::vector<Vector> translations = centrings(cell);
  const auto n = static_cast<double>(translations.size());
  if (translations.size() == 1) return cell;
  Eigen::Matrix3d lattice;
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 3; ++k) lattice(i, k) = cell.lattice[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)];
  }
  std::vector<Vector> short_ones;  // fractional, shortest first
  for (const Vector& t : translations) {
    for (int i = -1; i <= 1; ++i) {
      for (int j = -1; j <= 1; ++j) {
        for (int k = -1; k <= 1; ++k) {
          const Vector v = t - t.array().floor().matrix() + Vector(i, j, k);
          if (v.cwiseAbs().maxCoeff() > kSame) short_ones.push_back(v);
        }
      }
    }
  }
  std::ranges::sort(short_ones, {}, [&](const Vector& v) { return (v * lattice).norm(); });
  for (std::size_t a = 0; a < short_ones.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      for (std::size_t c = 0; c < b; ++c) {
        Eigen::Matrix3d axes;  // in units of the old ones
        axes << short_ones[c], short_ones[b], short_ones[a];
        if (std::abs(axes.determinant() - 1 / n) > kSame / n) continue;
        Structure out = cell;
        out.atoms.clear();
        const Eigen::Matrix3d vectors = axes * lattice, inverse = axes.inverse();
        for (int i = 0; i < 3; ++i) {
          for (int k = 0; k < 3; ++k) out.lattice[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)] = vectors(i, k);
        }
        for (const Atom& atom : cell.atoms) {
          const Vector place = place_of(atom) * inverse;
          const bool known = std::ranges::any_of(out.atoms, [&](const Atom& other) {
            return other.element == atom.element && same_place(place, place_of(other), n * kSame);
          });
          if (!known) out.atoms.push_back({atom.element, {place(0), place(1), place(2)}, atom.formal_state});
        }
        if (static_cast<double>(out.atoms.size()) * n == static_cast<double>(cell.atoms.size())) return out;
      }
    }
  }
  return cell;
}

}  // namespace elver
