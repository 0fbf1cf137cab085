#include "library/lattice_relation.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace elver {
namespace {

using Matrix = Eigen::Matrix3d;
using Vector = Eigen::RowVector3d;

constexpr double kMostStrained = 0.15;  ///< of a reference vector, where both are written alike
constexpr double kMostApart =
    0.1;  ///< of two vectors' product over their lengths: 5 % of a length, 6 degrees of a right angle
constexpr double kAlike = 0.03;    ///< the same between the best relation and others that are tried
constexpr std::size_t kMost = 24;  ///< rotations of a cubic lattice

struct Relation {
  Matrix multiples;
  double apart = 0;  ///< sum of squares over the metric
};

/// Vectors of the reference's lattice that are about as long as `length`, [multiples].
std::vector<Vector> vectors_of_length(const Matrix& unit, double length) {
  const double longest = length * (1 + kMostApart / 2);
  const Matrix reciprocal = unit.inverse();  // columns: what a component costs at least
  std::array<int, 3> reach{};
  for (int k = 0; k < 3; ++k)
    reach[static_cast<std::size_t>(k)] = static_cast<int>(longest * reciprocal.col(k).norm() + 1e-9);
  std::vector<Vector> out;
  for (int i = -reach[0]; i <= reach[0]; ++i) {
    for (int j = -reach[1]; j <= reach[1]; ++j) {
      for (int k = -reach[2]; k <= reach[2]; ++k) {
        const Vector multiples(i, j, k);
        if (std::abs((multiples * unit).squaredNorm() / (length * length) - 1) < kMostApart) out.push_back(multiples);
      }
    }
  }
  return out;
}

}  // namespace

std::vector<Matrix> lattice_relations(const Matrix& lattice, const Matrix& unit) {
  std::vector<Matrix> out;
  const Matrix exact = lattice * unit.inverse(), as_written = exact.array().round().matrix();
  if (((exact - as_written).cwiseAbs().array() <= kMostStrained).all() && std::abs(as_written.determinant()) > 0.5)
    out.push_back(as_written);

  const Matrix metric = unit * unit.transpose(), wanted = lattice * lattice.transpose();
  const Vector lengths = wanted.diagonal().cwiseSqrt().transpose();
  // How far the product of two vectors is from that of the lattice's, over their lengths.
  const auto apart = [&](const Vector& a, const Vector& b, int i, int j) {
    return (a.dot(b * metric) - wanted(i, j)) / (lengths(i) * lengths(j));
  };
  std::array<std::vector<Vector>, 3> rows;
  for (int i = 0; i < 3; ++i) rows[static_cast<std::size_t>(i)] = vectors_of_length(unit, lengths(i));
  std::vector<Relation> found;
  for (const Vector& a : rows[0]) {
    for (const Vector& b : rows[1]) {
      const double ab = apart(a, b, 0, 1);
      if (std::abs(ab) > kMostApart) continue;
      for (const Vector& c : rows[2]) {
        const double ac = apart(a, c, 0, 2), bc = apart(b, c, 1, 2);
        if (std::abs(ac) > kMostApart || std::abs(bc) > kMostApart) continue;
        Relation next;
        next.multiples << a, b, c;
        // A rotation, not a reflection: atoms need not have an image in a mirror.
        if (next.multiples.determinant() * unit.determinant() * lattice.determinant() <
            0.5 * std::abs(unit.determinant() * lattice.determinant()))
          continue;
        for (const double d : {apart(a, a, 0, 0), apart(b, b, 1, 1), apart(c, c, 2, 2), ab, ab, ac, ac, bc, bc})
          next.apart += d * d;
        found.push_back(next);
      }
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Relation& a, const Relation& b) { return a.apart < b.apart; });
  for (const Relation& relation : found) {
    if (out.size() == kMost || std::sqrt(relation.apart) > std::sqrt(found.front().apart) + kAlike) break;
    if (out.empty() || relation.multiples != out.front()) out.push_back(relation.multiples);
  }
  return out;
}

}  // namespace elver
