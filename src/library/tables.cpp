#include <algorithm>
#include <cmath>
#include <set>

#include "elver/error.hpp"
#include "elver/import.hpp"
#include "elver/io.hpp"
#include "io/hdf5.hpp"
#include "library/geometry.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

[[noreturn]] void malformed(const std::string& what, const std::string& why) {
  throw Error(ErrorKind::input, "malformed library: " + what, why, "See the library's own description for the layout");
}

/// More points on the straight lines between the points there are: the widest intervals are halved.
void fill_up(SpectrumTable& s, std::size_t points) {
  while (s.energy_ev.size() < points) {
    std::vector<std::size_t> order(s.energy_ev.size() - 1);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto gap = [&](std::size_t i) { return s.energy_ev[i + 1] - s.energy_ev[i]; };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return gap(a) > gap(b); });
    order.resize(std::min(order.size(), points - s.energy_ev.size()));
    const std::set<std::size_t> halved(order.begin(), order.end());
    std::vector<double> energy;
    std::vector<float> mu;
    for (std::size_t i = 0; i < s.energy_ev.size(); ++i) {
      energy.push_back(s.energy_ev[i]);
      mu.push_back(s.mu[i]);
      if (halved.count(i) == 0) continue;
      energy.push_back(s.energy_ev[i] + gap(i) / 2);
      mu.push_back(static_cast<float>((static_cast<double>(s.mu[i]) + static_cast<double>(s.mu[i + 1])) / 2));
    }
    s.energy_ev = std::move(energy);
    s.mu = std::move(mu);
  }
}

std::string kind_word(DefectKind kind) {
  return kind == DefectKind::pristine ? "pristine" : kind == DefectKind::antisite ? "antisite" : "ovac";
}

void save_structures(hid_t root, const std::vector<Structure>& structures) {
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
    hdf5::write_strings(root, where + "/sublattice", sublattice);
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
  std::vector<int> points;
  for (const SpectrumTable& s : spectra) {
    points.push_back(static_cast<int>(s.energy_ev.size()));
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
  hdf5::write<int>(root, where + "points", points, {n});
  hdf5::write<double>(root, where + "norm", norm, {n});
  hdf5::write<double>(root, where + "defect_distance", distance, {n});
  hdf5::write<double>(root, where + "fermi", fermi, {n});
  hdf5::write<double>(root, where + "lithiation", lithiation, {n});
  hdf5::write<int>(root, where + "structure_index", structure, {n});
  hdf5::write<int>(root, where + "site", atom, {n});
  hdf5::write<int>(root, where + "ox", formal, {n});
  hdf5::write<int>(root, where + "env_0p3nm", around, {n, 5});
  hdf5::write_strings(root, where + "structure", names);
  hdf5::write_strings(root, where + "composition", compositions);
  hdf5::write_strings(root, where + "code", codes);
  hdf5::write_strings(root, where + "source", sources);
  const auto shift = tables.shift_ev.find(edge);
  hdf5::set_attribute(group.get(), "shift_to_experiment", shift == tables.shift_ev.end() ? 0.0 : shift->second);
  const auto anchor = tables.anchor.find(edge);
  if (anchor != tables.anchor.end()) hdf5::set_attribute(group.get(), "anchor", anchor->second);
  hdf5::set_attribute(group.get(), "element", edge.substr(0, edge.find('_')));
  hdf5::set_attribute(group.get(), "edge", edge.substr(edge.find('_') + 1));
}

template <class Number>
std::vector<Number> column(hid_t group, const std::string& where, const char* name, std::size_t size) {
  std::vector<Number> values = hdf5::read<Number>(group, name);
  if (values.size() != size) malformed(where + "/" + name, text("%zu values where %zu belong", values.size(), size));
  return values;
}

std::vector<std::string> words_if_any(hid_t group, const char* name, std::size_t size) {
  std::vector<std::string> out;
  if (hdf5::exists(group, name)) out = hdf5::read_strings(group, name);
  out.resize(size);
  return out;
}

void load_edge(hid_t file, const std::string& edge, LibraryTables& tables) {
  const std::string where = "spectra/" + edge;
  const hdf5::Handle group = hdf5::open_group(file, where);
  const std::vector<hsize_t> dims = hdf5::shape(hdf5::open_dataset(group.get(), "energy").get());
  if (dims.size() != 2) malformed(where + "/energy", "it is not a table of spectra");
  const std::size_t n = dims[0], width = dims[1];
  const hid_t g = group.get();
  const auto energy = column<double>(g, where, "energy", n * width);
  const auto above = column<double>(g, where, "e_minus_fermi", n * width);
  const auto mu = column<float>(g, where, "mu", n * width);
  const auto norm = column<double>(g, where, "norm", n);
  const auto distance = column<double>(g, where, "defect_distance", n);
  const auto structure = column<int>(g, where, "structure_index", n);
  const auto atom = column<int>(g, where, "site", n);
  const auto formal = column<int>(g, where, "ox", n);
  const auto around = column<int>(g, where, "env_0p3nm", 5 * n);
  const auto codes = words_if_any(g, "code", n), sources = words_if_any(g, "source", n);
  for (std::size_t i = 0; i < n; ++i) {
    SpectrumTable s;
    s.edge = edge;
    s.structure = static_cast<std::size_t>(structure[i]);
    s.atom = static_cast<std::size_t>(atom[i]);
    if (structure[i] < 0 || s.structure >= tables.structures.size() || atom[i] < 0 ||
        s.atom >= tables.structures[s.structure].atoms.size())
      malformed(where, text("spectrum %zu names structure %d, atom %d, which do not exist", i, structure[i], atom[i]));
    s.formal_state = formal[i];
    for (std::size_t k = 0; k < 5; ++k) s.neighbours[k] = around[5 * i + k];
    s.defect_distance_angstrom = distance[i];
    const auto from = static_cast<std::ptrdiff_t>(i * width), to = static_cast<std::ptrdiff_t>((i + 1) * width);
    s.energy_ev.assign(energy.begin() + from, energy.begin() + to);
    s.mu.assign(mu.begin() + from, mu.begin() + to);
    s.norm = norm[i];
    s.fermi_ev = width > 0 ? energy[i * width] - above[i * width] : 0;
    s.code = codes[i];
    s.source = sources[i];
    tables.spectra.push_back(std::move(s));
  }
  tables.shift_ev[edge] = hdf5::number_attribute(g, "shift_to_experiment", 0.0);
  tables.anchor[edge] = hdf5::string_attribute(g, "anchor");
}

}  // namespace

LibraryTables load_tables(const std::filesystem::path& path) {
  LibraryTables out;
  {
    Library checked = load_library(path);  // every law of the layout
    out.title = std::move(checked.title);
    out.structures = std::move(checked.structures);
  }
  const hdf5::Handle file = hdf5::open_file(path.string());
  out.calibration = hdf5::string_attribute(file.get(), "calibration");
  for (const std::string& edge : hdf5::children(hdf5::open_group(file.get(), "spectra").get()))
    load_edge(file.get(), edge, out);
  return out;
}

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
  save_structures(file.get(), tables.structures);
  std::map<std::string, std::vector<SpectrumTable>> edges;
  for (const SpectrumTable& s : tables.spectra) edges[s.edge].push_back(s);
  for (auto& [edge, spectra] : edges) save_edge(file.get(), edge, std::move(spectra), tables);
  hdf5::close_file(std::move(file));
  out.commit();
}

}  // namespace elver
