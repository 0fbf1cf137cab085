#include <gemmi/cif.hpp>
#include <gemmi/smcif.hpp>
#include <gemmi/symmetry.hpp>

#include <cmath>

#include "elver/error.hpp"
#include "library/elements.hpp"
#include "library/structure_files.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

double wrapped(double x) { return x - std::floor(x); }

/// True where the two are one place of the crystal, 0.001 of a cell vector apart at most.
bool same_place(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  for (std::size_t k = 0; k < 3; ++k) {
    const double d = a[k] - b[k];
    if (std::abs(d - std::round(d)) > 1e-3) return false;
  }
  return true;
}

}  // namespace

void expand_by_space_group(Structure& structure, const std::string& group) {
  std::string name = group;
  name.erase(0, name.find_first_not_of(" \t"));
  name.erase(name.find_last_not_of(" \t") + 1);
  const gemmi::SpaceGroup* found = gemmi::find_spacegroup_by_name(name);
  if (found == nullptr && !name.empty() && name.find_first_not_of("0123456789") == std::string::npos && name.size() < 4)
    found = gemmi::find_spacegroup_by_number(std::stoi(name));
  if (found == nullptr) throw Error(ErrorKind::input, "malformed structure", "\"" + name + "\" is no space group");
  const std::vector<Atom> listed = structure.atoms;
  for (const gemmi::Op& op : found->operations()) {
    for (const Atom& atom : listed) {
      Atom image = atom;
      image.fractional = op.apply_to_xyz(atom.fractional);
      for (double& x : image.fractional) x = wrapped(x);
      bool known = false;
      for (const Atom& other : structure.atoms) known = known || same_place(other.fractional, image.fractional);
      if (!known) structure.atoms.push_back(image);
    }
  }
}

FoundStructure read_cif(const std::filesystem::path& path) {
  FoundStructure out;
  out.format = "CIF";
  try {
    const gemmi::cif::Document document = gemmi::cif::read_file(path.string());
    const gemmi::cif::Block* block = nullptr;
    for (const gemmi::cif::Block& b : document.blocks) {
      if (block == nullptr && (b.has_tag("_atom_site_fract_x"))) block = &b;
    }
    if (block == nullptr) throw Error(ErrorKind::input, "malformed CIF", "it holds no atoms with fractional coordinates");
    const gemmi::SmallStructure small = gemmi::make_small_structure_from_block(*block);
    out.structure.lattice =
        cell_vectors({small.cell.a, small.cell.b, small.cell.c, small.cell.alpha, small.cell.beta, small.cell.gamma});
    for (const gemmi::SmallStructure::Site& site : small.sites) {
      if (site.occ < 0.999)
        throw Error(ErrorKind::input, "CIF", text("site %s is occupied by %.3g", site.label.c_str(), site.occ),
                    "Give an ordered cell: a spectrum belongs to atoms");
    }
    for (const gemmi::SmallStructure::Site& site : small.get_all_unit_cell_sites()) {
      const std::string element = tidy_symbol(site.type_symbol.empty() ? site.label : site.type_symbol);
      if (element.empty()) throw Error(ErrorKind::input, "malformed CIF", "site " + site.label + " names no element");
      out.structure.atoms.push_back({element, {site.fract.x, site.fract.y, site.fract.z}, site.charge});
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorKind::input, "malformed CIF", error.what());
  }
  if (out.structure.atoms.empty()) throw Error(ErrorKind::input, "malformed CIF", "it holds no atoms");
  return out;
}

}  // namespace elver
