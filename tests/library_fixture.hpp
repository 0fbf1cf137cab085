#pragma once
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "elver/library.hpp"
#include "io/hdf5.hpp"
#include "types/text.hpp"

/// A small library made in memory, whose spectra say how much Li there is, and its file.
namespace elver::test {

/// A cell of ten transition metals (6 Ni, 2 Mn, 2 Co) in a chain, 20 O beside them and `lithium` Li in random places.
inline Structure chain(std::size_t lithium, std::mt19937_64& random, DefectKind defect = DefectKind::pristine) {
  Structure cell;
  cell.composition = "622";
  cell.defect = defect;
  cell.lithiation = static_cast<double>(lithium) / 10;
  cell.lattice = {{{28.5, 0, 0}, {0, 9, 0}, {0, 0, 9}}};
  std::vector<std::string> metals{"Ni", "Ni", "Ni", "Ni", "Ni", "Ni", "Mn", "Mn", "Co", "Co"};
  std::vector<int> places{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::shuffle(metals.begin(), metals.end(), random);
  std::shuffle(places.begin(), places.end(), random);
  for (int i = 0; i < 10; ++i) {
    cell.atoms.push_back({metals[static_cast<std::size_t>(i)], {i / 10.0, 0, 0}, 3});
    cell.atoms.push_back({"O", {i / 10.0, 0.2, 0}, -2});
    cell.atoms.push_back({"O", {i / 10.0, -0.2, 0}, -2});
  }
  for (std::size_t i = 0; i < lithium; ++i) cell.atoms.push_back({"Li", {places[i] / 10.0, 0, 0.3}, 1});
  return cell;
}

/// An edge: an arctangent step and a peak of the given height, 2 eV above the onset.
inline void add_spectrum(Subshell& s, Site site, double peak) {
  s.sites.push_back(site);
  s.jump.push_back(1.0);
  for (std::size_t i = 0; i < s.points; ++i) {
    const double x = s.energy(i) - s.onset_ev;
    s.cross_section.push_back(
        static_cast<float>(0.5 + std::atan(2 * x) / 3.14159265 + peak * std::exp(-0.5 * (x - 2) * (x - 2))));
  }
}

/// `copies` structures at each of 11 lithiations; every element has one computed site a structure. The peak of O K
/// falls with Li, that of Ni L3 rises.
inline Library synthetic_library(std::size_t copies) {
  std::mt19937_64 random(3);
  Library out;
  out.title = "synthetic";
  struct Kind {
    const char *name, *element;
    double onset;
  };
  for (const Kind& kind : {Kind{"O_K", "O", 529}, {"Mn_L3", "Mn", 641}, {"Co_L3", "Co", 779}, {"Ni_L3", "Ni", 853}}) {
    Subshell s;
    s.name = kind.name;
    s.element = kind.element;
    s.onset_ev = kind.onset;
    s.start_ev = kind.onset - 10;
    s.step_ev = 0.1;
    s.points = 501;
    out.subshells.push_back(s);
  }
  for (std::size_t li = 0; li <= 10; ++li) {
    for (std::size_t copy = 0; copy < copies; ++copy) {
      Structure cell = chain(li, random);
      cell.id = text("L%zu_%zu", li, copy);
      const std::size_t index = out.structures.size();
      for (Subshell& s : out.subshells) {
        std::size_t atom = 0;
        while (cell.atoms[atom].element != s.element) ++atom;
        Site site{index, atom, cell.atoms[atom].formal_state, {}, std::nan("")};
        const double x = cell.lithiation;
        add_spectrum(s, site, s.name == "O_K" ? 2 - x : s.name == "Ni_L3" ? 4 + 2 * x : 5);
      }
      out.structures.push_back(std::move(cell));
    }
  }
  return out;
}

/// Writes a library as load_library reads it, tables on the subshells' own grids and no shift to experiment.
inline void write_library(const Library& library, const std::string& path) {
  const hdf5::Handle file = hdf5::create_file(path);
  const hid_t root = file.get();
  std::vector<std::string> ids, compositions, kinds;
  std::vector<double> lithiation;
  for (const Structure& cell : library.structures) {
    ids.push_back(cell.id);
    compositions.push_back(cell.composition);
    kinds.emplace_back(cell.defect == DefectKind::pristine   ? "pristine"
                       : cell.defect == DefectKind::antisite ? "antisite"
                                                             : "ovac");
    lithiation.push_back(cell.lithiation);
    const std::string where = "structures/" + cell.id + "/";
    static_cast<void>(hdf5::create_group(root, "structures/" + cell.id));
    std::vector<double> lattice, fractional;
    std::vector<std::string> species;
    std::vector<int> formal;
    for (const auto& row : cell.lattice) lattice.insert(lattice.end(), row.begin(), row.end());
    for (const Atom& atom : cell.atoms) {
      species.push_back(atom.element);
      formal.push_back(atom.formal_state);
      fractional.insert(fractional.end(), atom.fractional.begin(), atom.fractional.end());
    }
    hdf5::write<double>(root, where + "lattice", lattice, {3, 3});
    hdf5::write<double>(root, where + "frac", fractional, {species.size(), 3});
    hdf5::write<int>(root, where + "ox", formal, {formal.size()});
    hdf5::write_strings(root, where + "species", species);
  }
  hdf5::write_strings(root, "structures/id", ids);
  hdf5::write_strings(root, "structures/composition", compositions);
  hdf5::write_strings(root, "structures/defect_kind", kinds);
  hdf5::write<double>(root, "structures/lithiation", lithiation, {lithiation.size()});
  for (const Subshell& s : library.subshells) {
    const std::string where = "spectra/" + s.name + "/";
    const hdf5::Handle group = hdf5::create_group(root, "spectra/" + s.name);
    const std::size_t n = s.sites.size();
    std::vector<double> energy, above, distance;
    std::vector<float> mu;
    std::vector<int> structure, atom, formal, around;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < s.points; ++k) {
        energy.push_back(s.energy(k));
        above.push_back(s.energy(k) - s.onset_ev);
        mu.push_back(static_cast<float>(static_cast<double>(s.spectrum(i)[k]) / s.jump[i]));
      }
      structure.push_back(static_cast<int>(s.sites[i].structure));
      atom.push_back(static_cast<int>(s.sites[i].atom));
      formal.push_back(s.sites[i].formal_state);
      around.insert(around.end(), s.sites[i].neighbours.begin(), s.sites[i].neighbours.end());
      distance.push_back(s.sites[i].defect_distance_angstrom);
    }
    hdf5::write<double>(root, where + "energy", energy, {n, s.points});
    hdf5::write<double>(root, where + "e_minus_fermi", above, {n, s.points});
    hdf5::write<float>(root, where + "mu", mu, {n, s.points});
    hdf5::write<double>(root, where + "norm", s.jump, {n});
    hdf5::write<int>(root, where + "structure_index", structure, {n});
    hdf5::write<int>(root, where + "site", atom, {n});
    hdf5::write<int>(root, where + "ox", formal, {n});
    hdf5::write<int>(root, where + "env_0p3nm", around, {n, 5});
    hdf5::write<double>(root, where + "defect_distance", distance, {n});
    hdf5::set_attribute(group.get(), "shift_to_experiment", 0.0);
  }
}

}  // namespace elver::test
