#pragma once
#include <Eigen/Dense>
#include <vector>

namespace elver {

/// The integer matrices M for which the rows of `lattice` are those of M * `unit`, strained by no more than some per
/// cent and turned in space: as both are written first, if that is one of them, then others, the least strained before
/// the rest (a lattice is brought back to itself by rotations that its crystal may not have, so there are often
/// several). Rows are vectors, Angstrom. At most 24; none where `lattice` is no supercell.
std::vector<Eigen::Matrix3d> lattice_relations(const Eigen::Matrix3d& lattice, const Eigen::Matrix3d& unit);

}  // namespace elver
