#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "elver/error.hpp"
#include "elver/import.hpp"
#include "library/structure_files.hpp"

namespace elver {
namespace {

bool same_atoms(const Structure& a, const Structure& b) {
  return a.atoms.size() == b.atoms.size() &&
         std::equal(a.atoms.begin(), a.atoms.end(), b.atoms.begin(), [](const Atom& x, const Atom& y) {
           double apart = 0;
           for (std::size_t k = 0; k < 3; ++k) {
             const double d = x.fractional[k] - y.fractional[k];
             apart = std::max(apart, std::abs(d - std::round(d)));
           }
           return x.element == y.element && apart < 1e-6;
         });
}

[[noreturn]] void refuse(const Structure& cell) {
  throw Error(ErrorKind::mismatch, "the libraries do not fit each other",
              "both have a structure " + cell.id + ", with other atoms", "Rename it in one of them (labels: structure)");
}

}  // namespace

LibraryTables merge_tables(LibraryTables first, const LibraryTables& second) {
  std::vector<std::size_t> index;
  std::vector<char> equal;  ///< atom for atom
  for (const Structure& cell : second.structures) {
    const auto found = std::find_if(first.structures.begin(), first.structures.end(), [&](const Structure& s) { return s.id == cell.id; });
    index.push_back(static_cast<std::size_t>(found - first.structures.begin()));
    equal.push_back(1);
    if (found == first.structures.end()) {
      first.structures.push_back(cell);
      if (const auto more = second.structure_values.find(cell.id); more != second.structure_values.end()) first.structure_values.insert(*more);
      continue;
    }
    equal.back() = same_atoms(*found, cell) ? 1 : 0;
    if (equal.back() == 0 && formula_of(*found) != formula_of(cell)) refuse(cell);
  }
  std::set<std::tuple<std::string, std::size_t, std::size_t>> known;
  for (const SpectrumTable& s : first.spectra) known.insert({s.edge, s.structure, s.atom});
  for (SpectrumTable s : second.spectra) {
    if (equal[s.structure] == 0) {  // one crystal, its atoms in another order: an atom is known by its surroundings
      const long long atom = matching_atom(first.structures[index[s.structure]], second.structures[s.structure], s.atom);
      if (atom < 0) refuse(second.structures[s.structure]);
      s.atom = static_cast<std::size_t>(atom);
    }
    s.structure = index[s.structure];
    if (known.count({s.edge, s.structure, s.atom}) != 0) continue;
    const auto theirs = second.shift_ev.find(s.edge);
    const double shift = theirs == second.shift_ev.end() ? 0 : theirs->second;
    const double by = shift - first.shift_ev.try_emplace(s.edge, shift).first->second;
    if (const auto anchor = second.anchor.find(s.edge); anchor != second.anchor.end()) first.anchor.emplace(s.edge, anchor->second);
    for (double& e : s.energy_ev) e += by;
    s.fermi_ev += by;
    first.spectra.push_back(std::move(s));
  }
  for (const auto& [path, values] : second.attributes) first.attributes[path].insert(values.begin(), values.end());
  return first;
}

}  // namespace elver
