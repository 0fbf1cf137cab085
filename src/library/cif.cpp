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

/// The operations of a block, and how its atoms are to be read where it does not say; none: the atoms are the whole cell.
std::vector<gemmi::Op> operations_of(const gemmi::cif::Block& block, const gemmi::UnitCell& cell, std::string& note) {
  using gemmi::cif::as_string;
  const auto first = [&](std::initializer_list<const char*> tags) {
    for (const char* tag : tags) {
      const std::string* value = block.find_value(tag);
      if (value != nullptr && !gemmi::cif::is_null(*value)) return as_string(*value);
    }
    return std::string();
  };
  std::vector<gemmi::Op> out;
  for (const char* tag : {"_space_group_symop_operation_xyz", "_space_group_symop.operation_xyz", "_symmetry_equiv_pos_as_xyz"}) {
    auto values = const_cast<gemmi::cif::Block&>(block).find_values(tag);
    for (const std::string& triplet : values) out.push_back(gemmi::parse_triplet(as_string(triplet)));
    if (!out.empty()) return out;
  }
  const gemmi::SpaceGroup* found = nullptr;
  std::string name = first({"_space_group_name_H-M_alt", "_symmetry_space_group_name_H-M", "_space_group_name_H-M"});
  if (name.size() > 2 && name[name.size() - 2] == ' ' && (name.back() == 'H' || name.back() == 'R'))
    name[name.size() - 2] = ':';  // the axes of a rhombohedral group, as ICSD writes them
  if (!name.empty()) found = gemmi::find_spacegroup_by_name(name, cell.alpha, cell.gamma);
  const std::string hall = first({"_space_group_name_Hall", "_symmetry_space_group_name_Hall"});
  if (found == nullptr && !hall.empty()) {
    for (const gemmi::Op& op : gemmi::symops_from_hall(hall.c_str())) out.push_back(op);
    return out;
  }
  const std::string number = first({"_space_group_IT_number", "_symmetry_Int_Tables_number"});
  if (found == nullptr && !number.empty() && number.size() < 4 && number.find_first_not_of("0123456789") == std::string::npos)
    found = gemmi::find_spacegroup_by_number(std::stoi(number));
  if (found != nullptr && name.empty()) found = gemmi::find_spacegroup_by_name(found->hm, cell.alpha, cell.gamma);
  if (found == nullptr && !name.empty()) {
    throw Error(ErrorKind::input, "malformed CIF", "\"" + name + "\" is no space group",
                "List its operations (_symmetry_equiv_pos_as_xyz), or all atoms of the cell in P 1");
  }
  if (found == nullptr) {
    note = "it names no space group: its atoms were taken for all of the cell";
    return {gemmi::Op::identity()};
  }
  for (const gemmi::Op& op : found->operations()) out.push_back(op);
  return out;
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
    std::size_t others = 0;
    for (const gemmi::cif::Block& b : document.blocks) {
      if (!b.has_tag("_atom_site_fract_x")) continue;
      if (block == nullptr) block = &b;
      else ++others;
    }
    if (block == nullptr) throw Error(ErrorKind::input, "malformed CIF", "it holds no atoms with fractional coordinates");
    const gemmi::SmallStructure small = gemmi::make_small_structure_from_block(*block);
    out.structure.lattice =
        cell_vectors({small.cell.a, small.cell.b, small.cell.c, small.cell.alpha, small.cell.beta, small.cell.gamma});
    const std::vector<gemmi::Op> operations = operations_of(*block, small.cell, out.note);
    if (others > 0) {
      out.note += text("%sthe first of %zu structures in it, %s", out.note.empty() ? "" : "; ", others + 1, block->name.c_str());
    }
    for (const gemmi::SmallStructure::Site& site : small.sites) {
      if (site.occ < 0.999)
        throw Error(ErrorKind::input, "CIF", text("site %s is occupied by %.3g", site.label.c_str(), site.occ),
                    "Give an ordered cell: a spectrum belongs to atoms");
      const std::string element = tidy_symbol(site.type_symbol.empty() ? site.label : site.type_symbol);
      if (element.empty()) throw Error(ErrorKind::input, "malformed CIF", "site " + site.label + " names no element");
      const std::array<double, 3> listed{site.fract.x, site.fract.y, site.fract.z};
      for (const double x : listed) {
        if (!std::isfinite(x)) throw Error(ErrorKind::input, "malformed CIF", "site " + site.label + " lacks a coordinate");
      }
      const std::size_t from = out.structure.atoms.size();
      for (const gemmi::Op& op : operations) {
        std::array<double, 3> image = op.apply_to_xyz(listed);
        for (double& x : image) x = wrapped(x);
        bool known = false;
        for (std::size_t k = from; k < out.structure.atoms.size(); ++k)
          known = known || same_place(out.structure.atoms[k].fractional, image);
        if (!known) out.structure.atoms.push_back({element, image, site.charge});
      }
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
