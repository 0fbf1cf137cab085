#include <cmath>
#include <set>

#include "elver/error.hpp"
#include "elver/import.hpp"
#include "io/hdf5.hpp"
#include "library/kept_values.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

[[noreturn]] void malformed(const std::string& what, const std::string& why) {
  throw Error(ErrorKind::input, "malformed library: " + what, why, "See the library's own description for the layout");
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

void keep_attributes(hid_t location, const std::string& name, const std::string& path, const std::set<std::string>& known,
                     LibraryTables& tables) {
  const auto held = hdf5::lock();
  const hdf5::Handle object(H5Oopen(location, name.c_str(), H5P_DEFAULT));
  if (!object) return;
  KeptValues found = read_kept_attributes(object.get(), known);
  if (!found.empty()) tables.attributes[path] = std::move(found);
}

/// Leaves out what elver writes by itself: how many points there are, unless the row was filled up to more; and the Fermi
/// level, unless it is on another zero than the energies.
void settle_own_columns(SpectrumTable& s) {
  if (const auto fermi = s.kept.find("fermi"); fermi != s.kept.end() && std::abs(fermi->second.numbers.at(0) - s.fermi_ev) < 1e-3)
    s.kept.erase(fermi);
  if (const auto points = s.kept.find("points"); points != s.kept.end() && points->second.numbers.at(0) == static_cast<double>(s.energy_ev.size()))
    s.kept.erase(points);
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
  const auto loaded = std::span(tables.spectra).last(n);
  static const std::set<std::string> known{"energy", "e_minus_fermi", "mu", "norm", "defect_distance", "structure_index", "site", "ox",
                                           "env_0p3nm", "code", "source", "structure", "composition", "lithiation"};
  read_kept_columns(g, known, width, loaded);
  for (SpectrumTable& s : loaded) settle_own_columns(s);
  for (const std::string& name : hdf5::children(g)) {
    if (!known.contains(name)) keep_attributes(g, name, where + "/" + name, {}, tables);
  }
  keep_attributes(file, where, where, {"shift_to_experiment", "anchor", "element", "edge"}, tables);
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
  keep_attributes(file.get(), "/", "/", {"title", "note", "calibration"}, out);
  for (const Structure& cell : out.structures) {
    const std::string where = "structures/" + cell.id;
    KeptValues more = read_kept(hdf5::open_group(file.get(), where).get(), {"lattice", "frac", "ox", "species"});
    if (!more.empty()) out.structure_values[cell.id] = std::move(more);
    keep_attributes(file.get(), where, where, {"comp", "kind", "x"}, out);
  }
  for (const std::string& edge : hdf5::children(hdf5::open_group(file.get(), "spectra").get()))
    load_edge(file.get(), edge, out);
  return out;
}

}  // namespace elver
