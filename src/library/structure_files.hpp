#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "elver/library.hpp"

namespace elver {

/// A structure from a file, without labels.
struct FoundStructure {
  Structure structure;              ///< id is empty unless the file names it
  std::string format;               ///< "POSCAR", "CIF", "FEFF input", "FDMNES input"
  std::vector<std::size_t> absorbers;  ///< atoms that the run computes, in its order; empty if it does not say
  std::string edge;                 ///< that the run computes; "" if it does not say
  std::string output;               ///< FDMNES: the stem of its output files
  std::string note;                 ///< what is to be known about it; "" if nothing
};

/// Throw Error{input} when the file is malformed, or needs what is not at hand.
FoundStructure read_poscar(const std::vector<std::string>& lines);
FoundStructure read_fdmnes_input(const std::vector<std::string>& lines, const std::filesystem::path& folder);
/// A cluster around the absorber. Where its radius lets the lattice be found again, the structure is the crystal's cell with
/// the absorber as atom 0; otherwise the cluster in an empty box, and the note says so.
FoundStructure read_feff_input(const std::vector<std::string>& lines);
FoundStructure read_cif(const std::filesystem::path& path);

/// What the lines look like, from content: "feff", "fdmnes", "poscar", "" for none of them.
std::string structure_kind(const std::vector<std::string>& lines);

/// The rows of a cell from lengths (Angstrom) and angles (degrees): a along x, b in the xy plane.
std::array<std::array<double, 3>, 3> cell_vectors(const std::array<double, 6>& cell);
/// Every atom's images under the operations of a space group ("Fm-3m", "225", "P 1 21/c 1"). Throws Error{input}.
void expand_by_space_group(Structure& structure, const std::string& group);

/// The smallest cell of the same crystal: of a conventional cell that is centred, the primitive one.
Structure primitive_cell(const Structure& cell);

/// An atom of a finite cluster, position in Angstrom.
struct ClusterAtom {
  std::string element;
  std::array<double, 3> position{};
  int formal_state = 0;
};
/// The cell that the cluster is cut from (atom 0 first, at the origin), if translations can be told within it.
std::optional<Structure> cell_of_cluster(const std::vector<ClusterAtom>& cluster);

/// The labels that follow from the atoms: composition of the transition metals ("811" for Ni:Mn:Co, else a formula) and Li per formula unit.
void label_by_atoms(Structure& structure);
/// "Li5Ni8MnCoO20".
std::string formula_of(const Structure& structure);
/// kNeighbourElements within 0.3 nm of an atom.
std::array<int, 5> count_neighbours(const Structure& structure, std::size_t atom);
/// The atom of `structure` whose surroundings up to 5 Angstrom are those of atom `other_atom` of the other one, all
/// distances alike within so much; -1 if none.
long long matching_atom(const Structure& structure, const Structure& other, std::size_t other_atom,
                        double within_angstrom = 0.03);

}  // namespace elver
