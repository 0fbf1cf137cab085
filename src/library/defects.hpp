#pragma once
#include <array>
#include <optional>
#include <vector>

#include "elver/library.hpp"

namespace elver {

/// What sets a structure apart from the perfect crystal. Missing Li is none: that is what Li content means.
struct Defects {
  DefectKind kind = DefectKind::pristine;
  std::vector<std::array<double, 3>> places;  ///< fractional, of the structure
  std::size_t vacancies = 0;                  ///< sites of O without an atom
  std::size_t antisites = 0;                  ///< sites of a metal that hold Li, and of Li that hold a metal
};

/// Against a reference cell that a supercell of is the structure, distorted, moved and turned in any way, its axes in any
/// order; every site of it takes the nearest atom within 1 Angstrom. Nothing where it is no such supercell, or a
/// tenth of its atoms have no site. Where both kinds are there, the kind is the more frequent one.
std::optional<Defects> find_defects(const Structure& structure, const Structure& reference);

/// Angstrom from an atom to the nearest defect, over periodic images; NaN where there is none.
double distance_to(const Defects& defects, const Structure& structure, std::size_t atom);

}  // namespace elver
