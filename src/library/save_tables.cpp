#include <algorithm>
#include <map>
#include <set>

#include "elver/error.hpp"
#include "elver/import.hpp"
#include "elver/io.hpp"
#include "io/hdf5.hpp"
#include "library/kept_values.hpp"

namespace elver {
namespace {

/// More points on the straight lines between the points there are: the widest intervals are halved.
void fill_up(SpectrumTable& s, std::size_t points) {
  while (s.energy_ev.size() < points) {
    std::vector<std::size_t> order(s.energy_ev.size() - 1);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto gap = [&](std::size_t i) { return s.energy_ev[i + 1] - s.energy_ev[i]; };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return gap(a) > gap(b); });
    order.resize(std::min(order.size(), points - s.energy_ev.size()));
    const std::set<std::size_t> halved(order.begin(), order.end());
    const auto halve = [&halved]<class Number>(std::vector<Number>& values) {
      std::vector<Number> more;
      for (std::size_t i = 0; i < values.size(); ++i) {
        more.push_back(values[i]);
        if (halved.count(i) == 0) continue;
        const auto here = static_cast<double>(values[i]), next = static_cast<double>(values[i + 1]);
        more.push_back(static_cast<Number>(here + (next - here) / 2));
      }
      values = std::move(more);
    };
    halve(s.energy_ev);
    halve(s.mu);
    for (auto& [name, curve] : s.curves) halve(curve);
  }
}

std::string kind_word(DefectKind kind) {
  return kind == DefectKind::pristine ? "pristine" : kind == DefectKind::antisite ? "antisite" : "ovac";
}

void save_structures(hid_t root, const LibraryTables& tables) {
  const std::vector<Structure>& structures = tables.structures;
  std::vector<std::string> ids, compositions, kinds;
  std::vector<double> lithiation;
  for (const Structure& cell : structures) {
    ids.push_back(cell.id);
    compositions.push_back(cell.composition);
    kinds.push_back(kind_word(cell.defect));
    lithiation.push_back(cell.lithiation);
    const std::string where = "structures/" + cell.id;
    const hdf5::Handle group = hdf5::create_group(root, where);
    std::vector<double> lattice, fractional;
    std::vector<std::string> species, sublattice;
    std::vector<int> formal;
    for (const auto& row : cell.lattice) lattice.insert(lattice.end(), row.begin(), row.end());
    for (const Atom& atom : cell.atoms) {
      species.push_back(atom.element);
      sublattice.emplace_back(atom.element == "Li" ? "LI" : atom.element == "O" ? "O" : "TM");
      formal.push_back(atom.formal_state);
      fractional.insert(fractional.end(), atom.fractional.begin(), atom.fractional.end());
    }
    hdf5::write<double>(root, where + "/lattice", lattice, {3, 3});
    hdf5::write<double>(root, where + "/frac", fractional, {species.size(), 3});
    hdf5::write<int>(root, where + "/ox", formal, {formal.size()});
    hdf5::write_strings(root, where + "/species", species);
    const auto more = tables.structure_values.find(cell.id);
    if (more != tables.structure_values.end()) write_kept(root, where, more->second);
    if (!hdf5::exists(root, where + "/sublattice")) hdf5::write_strings(root, where + "/sublattice", sublattice);
    hdf5::set_attribute(group.get(), "comp", cell.composition);
    hdf5::set_attribute(group.get(), "kind", kind_word(cell.defect));
    hdf5::set_attribute(group.get(), "x", cell.lithiation);
  }
  hdf5::write_strings(root, "structures/id", ids);
  hdf5::write_strings(root, "structures/composition", compositions);
  hdf5::write_strings(root, "structures/defect_kind", kinds);
  hdf5::write<double>(root, "structures/lithiation", lithiation, {lithiation.size()});
}

void save_edge(hid_t root, const std::string& edge, std::vector<SpectrumTable> spectra, const LibraryTables& tables) {
  const std::string where = "spectra/" + edge + "/";
  const hdf5::Handle group = hdf5::create_group(root, "spectra/" + edge);
  std::size_t width = 0;
  for (SpectrumTable& s : spectra) {
    s.kept.try_emplace("points", KeptValue{{static_cast<double>(s.energy_ev.size())}, {}, {}, true});
    width = std::max(width, s.energy_ev.size());
  }
  std::vector<double> energy, above, norm, distance, fermi, lithiation;
  std::vector<float> mu;
  std::vector<int> structure, atom, formal, around;
  std::vector<std::string> names, codes, sources, compositions;
  for (SpectrumTable& s : spectra) {
    fill_up(s, width);
    energy.insert(energy.end(), s.energy_ev.begin(), s.energy_ev.end());
    for (const double e : s.energy_ev) above.push_back(e - s.fermi_ev);
    mu.insert(mu.end(), s.mu.begin(), s.mu.end());
    norm.push_back(s.norm);
    distance.push_back(s.defect_distance_angstrom);
    fermi.push_back(s.fermi_ev);
    structure.push_back(static_cast<int>(s.structure));
    atom.push_back(static_cast<int>(s.atom));
    formal.push_back(s.formal_state);
    around.insert(around.end(), s.neighbours.begin(), s.neighbours.end());
    names.push_back(tables.structures[s.structure].id);
    compositions.push_back(tables.structures[s.structure].composition);
    lithiation.push_back(tables.structures[s.structure].lithiation);
    codes.push_back(s.code);
    sources.push_back(s.source);
  }
  const hsize_t n = spectra.size();
  hdf5::write<double>(root, where + "energy", energy, {n, width});
  hdf5::write<double>(root, where + "e_minus_fermi", above, {n, width});
  hdf5::write<float>(root, where + "mu", mu, {n, width});
  hdf5::write<double>(root, where + "norm", norm, {n});
  hdf5::write<double>(root, where + "defect_distance", distance, {n});
  hdf5::write<double>(root, where + "lithiation", lithiation, {n});
  hdf5::write<int>(root, where + "structure_index", structure, {n});
  hdf5::write<int>(root, where + "site", atom, {n});
  hdf5::write<int>(root, where + "ox", formal, {n});
  hdf5::write<int>(root, where + "env_0p3nm", around, {n, 5});
  hdf5::write_strings(root, where + "structure", names);
  hdf5::write_strings(root, where + "composition", compositions);
  hdf5::write_strings(root, where + "code", codes);
  hdf5::write_strings(root, where + "source", sources);
  write_kept_columns(root, "spectra/" + edge, width, spectra);
  if (!hdf5::exists(root, where + "fermi")) hdf5::write<double>(root, where + "fermi", fermi, {n});
  const auto shift = tables.shift_ev.find(edge);
  hdf5::set_attribute(group.get(), "shift_to_experiment", shift == tables.shift_ev.end() ? 0.0 : shift->second);
  const auto anchor = tables.anchor.find(edge);
  if (anchor != tables.anchor.end()) hdf5::set_attribute(group.get(), "anchor", anchor->second);
  hdf5::set_attribute(group.get(), "element", edge.substr(0, edge.find('_')));
  hdf5::set_attribute(group.get(), "edge", edge.substr(edge.find('_') + 1));
}

}  // namespace

void save_tables(const LibraryTables& tables, const std::filesystem::path& path) {
  if (tables.spectra.empty()) throw Error(ErrorKind::output, "cannot write " + path.string(), "there are no spectra");
  OutputSet out(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
  hdf5::Handle file = hdf5::create_file(out.stage(path.filename().string()).string());
  hdf5::set_attribute(file.get(), "title", tables.title);
  hdf5::set_attribute(file.get(), "note",
                      "written by elver: mu * norm is the absorption of an atom, in square Angstrom where the code gives a "
                      "cross section; rows shorter than the longest of an edge (points) are filled up with points on the "
                      "straight lines between theirs");
  if (!tables.calibration.empty()) hdf5::set_attribute(file.get(), "calibration", tables.calibration);
  save_structures(file.get(), tables);
  std::map<std::string, std::vector<SpectrumTable>> edges;
  for (const SpectrumTable& s : tables.spectra) edges[s.edge].push_back(s);
  for (auto& [edge, spectra] : edges) save_edge(file.get(), edge, std::move(spectra), tables);
  for (const auto& [object, values] : tables.attributes) {
    const auto held = hdf5::lock();
    if (object != "/" && !hdf5::exists(file.get(), object)) continue;  // of a column that a calibration has left behind
    write_kept_attributes(hdf5::Handle(H5Oopen(file.get(), object.c_str(), H5P_DEFAULT)).get(), values);
  }
  hdf5::close_file(std::move(file));
  out.commit();
}

}  // namespace elver
