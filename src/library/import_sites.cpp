#include <algorithm>
#include <cmath>
#include <set>

#include "elver/error.hpp"
#include "library/elements.hpp"
#include "library/import_run.hpp"
#include "library/text_table.hpp"
#include "types/text.hpp"

namespace elver {

namespace fs = std::filesystem;
namespace {

/// The same atoms in the same order.
bool same_list(const Structure& a, const Structure& b) {
  return a.lattice == b.lattice && std::ranges::equal(a.atoms, b.atoms, [](const Atom& x, const Atom& y) {
           return x.element == y.element && x.fractional == y.fractional;
         });
}

}  // namespace

FoundStructure read_structure(const std::filesystem::path& path) {
  if (upper_case(path.extension().string()) == ".CIF") return read_cif(path);
  const std::vector<std::string> lines = read_lines(path);
  const std::string kind = structure_kind(lines);
  if (kind == "feff") return read_feff_input(lines);
  return kind == "fdmnes" ? read_fdmnes_input(lines, path.parent_path()) : read_poscar(lines);
}

const FoundStructure* ImportRun::in_cell(const SpectrumFile& file, const FoundStructure& input) {
  if (!input.structure.id.empty() && input.note.empty()) return &input;
  constexpr double kWithinAngstrom = 0.05;  // coordinates of both are rounded
  for (fs::path folder = file.folder;; folder = folder.parent_path()) {
    for (const StructureFile& s : structures) {
      if (s.folder != folder || (s.found.format != "POSCAR" && s.found.format != "CIF")) continue;
      const long long atom = matching_atom(s.found.structure, input.structure, input.absorbers.front(), kWithinAngstrom);
      if (atom < 0) continue;
      FoundStructure out = s.found;
      out.edge = input.edge;
      out.absorbers = {static_cast<std::size_t>(atom)};
      Atom& own = out.structure.atoms[out.absorbers.front()];
      if (own.formal_state == 0) own.formal_state = input.structure.atoms[input.absorbers.front()].formal_state;
      if (out.structure.id.empty()) out.structure.id = input.structure.id.empty() ? id_from_path(folder) : input.structure.id;
      return &named_.insert_or_assign(file.path, std::move(out)).first->second;
    }
    if (folder == folder.parent_path()) return &input;
  }
}

const FoundStructure* ImportRun::structure_for(const SpectrumFile& file, const Cells& labels, std::string& why) {
  if (const auto named = labels.find("structure_file"); named != labels.end()) {
    const std::filesystem::path path = labels_.folder() / named->second;
    const auto known = named_.find(path);
    if (known != named_.end()) return &known->second;
    FoundStructure found = read_structure(path);
    return &named_.emplace(path, std::move(found)).first->second;
  }
  const char* own = file.spectrum.code == SpectrumCode::feff     ? "FEFF input"
                    : file.spectrum.code == SpectrumCode::fdmnes ? "FDMNES input"
                                                                 : "";
  std::vector<const FoundStructure*> same_code, cells;
  // Beside it, else in the nearest folder above that has one: a cell is often kept once for the runs of its sites.
  for (fs::path folder = file.folder;; folder = folder.parent_path()) {
    for (const StructureFile& s : structures) {
      if (s.folder != folder) continue;
      if (s.found.format == own) {
        if (s.found.output.empty() || file.spectrum.stem.empty() || s.found.output == file.spectrum.stem) same_code.push_back(&s.found);
      } else if (s.found.format == "POSCAR" || s.found.format == "CIF") {
        cells.push_back(&s.found);
      }
    }
    if (!same_code.empty() || !cells.empty() || folder == folder.parent_path()) break;
    if (const auto formula = labels.find("formula"); formula != labels.end()) {
      FoundStructure made;
      made.format = "formula";
      made.structure = structure_of_formula(formula->second);
      return &named_.emplace(file.path, std::move(made)).first->second;
    }
  }
  if (same_code.size() == 1) return file.spectrum.code == SpectrumCode::feff ? in_cell(file, *same_code.front()) : same_code.front();
  if (same_code.empty() && !cells.empty()) {
    for (const FoundStructure* c : cells) {  // POSCAR and CONTCAR of one run: the first will do, if they are of one substance
      if (formula_of(c->structure) != formula_of(cells.front()->structure)) {
        why = "several structures lie beside it: name one in the labels (structure_file)";
        return nullptr;
      }
    }
    return cells.front();
  }
  why = same_code.size() > 1
            ? "several inputs lie beside it: name one in the labels (structure_file)"
            : std::string("no structure: put ") + (*own == 0 ? "" : "its input, ") +
                  "a POSCAR or CIF beside it or above, or give structure_file or formula in the labels";
  return nullptr;
}

/// FDMNES numbers the sites that its symmetry does not relate, in the order of its input; the headers of a run say how many
/// atoms each stands for. Its symmetry may be lower than that of the atoms' surroundings, so a site takes as many of the
/// atoms like it as it says, beginning with the first that no site before it took.
std::size_t ImportRun::fdmnes_atom(const SpectrumFile& file, const FoundStructure& found,
                                   const std::vector<std::size_t>& absorbers, std::string& note) const {
  std::map<int, std::size_t> stands_for;
  for (const SpectrumFile& other : spectra) {
    const ReadSpectrum& s = other.spectrum;
    if (s.code == SpectrumCode::fdmnes && other.folder == file.folder && s.stem == file.spectrum.stem && s.site > 0)
      stands_for[s.site] = static_cast<std::size_t>(std::max(1.0, std::round(s.atoms)));
  }
  const auto alike = [&](std::size_t a, std::size_t b) {
    return count_neighbours(found.structure, a) == count_neighbours(found.structure, b) &&
           matching_atom(found.structure, found.structure, a, 1e-4) == matching_atom(found.structure, found.structure, b, 1e-4);
  };
  std::set<std::size_t> taken;
  for (int site = 1; site <= std::max(1, file.spectrum.site); ++site) {
    const auto first = std::find_if(absorbers.begin(), absorbers.end(), [&](std::size_t a) { return taken.count(a) == 0; });
    if (first == absorbers.end()) {
      note += "its site number is above the number of different sites: the last atom was taken; ";
      return absorbers.back();
    }
    if (site == std::max(1, file.spectrum.site)) return *first;
    const auto said = stands_for.find(site);
    std::size_t left = said != stands_for.end() ? said->second : absorbers.size();
    for (auto a = first; a != absorbers.end() && left > 0; ++a) {
      if (taken.count(*a) != 0 || !alike(*first, *a)) continue;
      taken.insert(*a);
      --left;
    }
  }
  return absorbers.back();
}

std::size_t ImportRun::atom_of(const SpectrumFile& file, const FoundStructure& found, const std::string& element,
                               const Cells& labels, std::string& note) const {
  const std::vector<Atom>& atoms = found.structure.atoms;
  const auto checked = [&](std::size_t atom) {
    if (atom >= atoms.size() || atoms[atom].element != element)
      throw Error(ErrorKind::input, "no such site", text("atom %zu of the structure is no %s", atom, element.c_str()));
    return atom;
  };
  if (const auto site = number_in(labels, "site")) return checked(static_cast<std::size_t>(std::max(0.0, *site)));
  std::vector<std::size_t> own;
  for (std::size_t i = 0; i < atoms.size(); ++i) {
    if (atoms[i].element == element) own.push_back(i);
  }
  if (own.empty()) throw Error(ErrorKind::input, "no such site", "the structure holds no " + element);
  const ReadSpectrum& s = file.spectrum;
  if (s.code == SpectrumCode::fdmnes) {
    return checked(fdmnes_atom(file, found, found.absorbers.empty() ? own : found.absorbers, note));
  }
  if (s.code == SpectrumCode::ocean && s.number >= 1 && static_cast<std::size_t>(s.number) <= own.size())
    return own[static_cast<std::size_t>(s.number) - 1];
  if (found.absorbers.size() == 1 && s.code == SpectrumCode::feff) return checked(found.absorbers.front());
  if (own.size() > 1 && s.code != SpectrumCode::vasp)
    note += text("the first of %zu atoms of %s was taken, as nothing says which; ", own.size(), element.c_str());
  return own.front();
}

/// Puts a structure into the tables, or finds it there; `atom` is then the atom of the one in the tables. What only a folder
/// names is the same structure as another of these whose bonds are, where the atom's surroundings are found in it.
std::size_t ImportRun::place(Structure cell, NameOf name, std::size_t& atom, std::string& note) {
  const std::string wanted = cell.id;
  std::string network;
  if (name == NameOf::folder) {
    network = network_name(cell);
    for (std::size_t k = 0; k < result_.tables.structures.size(); ++k) {
      Structure& known = result_.tables.structures[k];
      const auto own = networks_.find(known.id);
      if (own == networks_.end() || own->second != network || formula_of(known) != formula_of(cell)) continue;
      if (known.defect != cell.defect || known.lithiation != cell.lithiation) continue;  // labels tell them apart
      if (same_list(known, cell)) return k;
      const long long same = matching_atom(known, cell, atom);
      if (same < 0) continue;
      const int state = cell.atoms[atom].formal_state;
      atom = static_cast<std::size_t>(same);
      if (known.atoms[atom].formal_state == 0) known.atoms[atom].formal_state = state;
      return k;
    }
  }
  for (int copy = 1;; ++copy) {
    cell.id = copy == 1 ? wanted : wanted + text("_%d", copy);
    std::vector<Structure>& known = result_.tables.structures;
    const auto found = std::find_if(known.begin(), known.end(), [&](const Structure& s) { return s.id == cell.id; });
    if (found == known.end()) {
      if (copy > 1) note += "another structure has the name " + wanted + " already; ";
      if (!network.empty()) networks_[cell.id] = network;
      known.push_back(std::move(cell));
      return known.size() - 1;
    }
    const auto index = static_cast<std::size_t>(found - known.begin());
    if (found->atoms.size() == cell.atoms.size() && formula_of(*found) == formula_of(cell)) {
      if (same_list(*found, cell)) return index;
      const long long same = matching_atom(*found, cell, atom);
      if (same >= 0) {
        const int state = cell.atoms[atom].formal_state;
        atom = static_cast<std::size_t>(same);
        if (found->atoms[atom].formal_state == 0) found->atoms[atom].formal_state = state;
        return index;
      }
    }
  }
}

}  // namespace elver
