#include "elver/library.hpp"

#include <algorithm>
#include <cmath>

#include "elver/error.hpp"
#include "io/hdf5.hpp"
#include "library/instrument.hpp"
#include "model/sha256.hpp"
#include "types/median.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kGridStep = 0.1;     ///< eV: half the finest spacing of a multiple-scattering table near its edge
constexpr double kLongestGrid = 400;  ///< eV: more than any near-edge table spans

[[noreturn]] void malformed(const std::string& what, const std::string& why) {
  throw Error(ErrorKind::input, "malformed library: " + what, why, "See the library's own description for the layout");
}

template <class Number>
std::vector<Number> column(hid_t group, const std::string& where, const std::string& name, std::size_t size) {
  std::vector<Number> values = hdf5::read<Number>(group, name);
  if (values.size() != size) malformed(where + "/" + name, text("%zu values where %zu belong", values.size(), size));
  return values;
}

std::vector<std::string> words(hid_t group, const std::string& where, const std::string& name, std::size_t size) {
  std::vector<std::string> values = hdf5::read_strings(group, name);
  if (values.size() != size) malformed(where + "/" + name, text("%zu values where %zu belong", values.size(), size));
  return values;
}

DefectKind defect_kind(const std::string& word, const std::string& id) {
  if (word == "pristine") return DefectKind::pristine;
  if (word == "ovac") return DefectKind::oxygen_vacancy;
  if (word == "antisite") return DefectKind::antisite;
  malformed("structure " + id, "its defect kind \"" + word + "\" is none of pristine, ovac, antisite");
}

Structure read_structure(hid_t file, const std::string& id) {
  const std::string where = "structures/" + id;
  const hdf5::Handle group = hdf5::open_group(file, where);
  Structure out;
  out.id = id;
  const std::vector<std::string> species = hdf5::read_strings(group.get(), "species");
  const std::size_t atoms = species.size();
  const std::vector<double> lattice = column<double>(group.get(), where, "lattice", 9);
  const std::vector<double> fractional = column<double>(group.get(), where, "frac", 3 * atoms);
  const std::vector<int> formal = column<int>(group.get(), where, "ox", atoms);
  for (const std::vector<double>* numbers : {&lattice, &fractional}) {
    for (const double value : *numbers) {
      if (!std::isfinite(value)) malformed(where, "a coordinate is not finite");
    }
  }
  for (std::size_t i = 0; i < 9; ++i) out.lattice[i / 3][i % 3] = lattice[i];
  for (std::size_t i = 0; i < atoms; ++i) {
    out.atoms.push_back({species[i], {fractional[3 * i], fractional[3 * i + 1], fractional[3 * i + 2]}, formal[i]});
  }
  if (out.formula_units() == 0) malformed(where, "it holds no transition metal");
  return out;
}

std::vector<Structure> read_structures(hid_t file) {
  const hdf5::Handle group = hdf5::open_group(file, "structures");
  const std::vector<std::string> ids = hdf5::read_strings(group.get(), "id");
  const std::vector<std::string> compositions = words(group.get(), "structures", "composition", ids.size());
  const std::vector<std::string> kinds = words(group.get(), "structures", "defect_kind", ids.size());
  const std::vector<double> lithiation = column<double>(group.get(), "structures", "lithiation", ids.size());
  std::vector<Structure> out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i].empty() || ids[i].find('/') != std::string::npos)
      malformed("structures/id", text("entry %zu is not a name", i));
    Structure structure = read_structure(file, ids[i]);
    structure.composition = compositions[i];
    structure.defect = defect_kind(kinds[i], ids[i]);
    structure.lithiation = lithiation[i];
    if (!(lithiation[i] >= 0 && lithiation[i] <= 2))
      malformed("structure " + ids[i], text("its lithiation is %g", lithiation[i]));
    out.push_back(std::move(structure));
  }
  if (out.empty()) malformed("structures", "there are none");
  return out;
}

std::vector<Site> read_sites(hid_t group, const std::string& where, const std::string& element, std::size_t count,
                             const std::vector<Structure>& structures) {
  const std::vector<int> structure = column<int>(group, where, "structure_index", count);
  const std::vector<int> atom = column<int>(group, where, "site", count);
  const std::vector<int> formal = column<int>(group, where, "ox", count);
  const std::vector<int> around = column<int>(group, where, "env_0p3nm", 5 * count);
  const std::vector<double> distance = column<double>(group, where, "defect_distance", count);
  std::vector<Site> out;
  for (std::size_t i = 0; i < count; ++i) {
    Site site;
    site.structure = static_cast<std::size_t>(structure[i]);
    site.atom = static_cast<std::size_t>(atom[i]);
    if (structure[i] < 0 || site.structure >= structures.size() || atom[i] < 0 ||
        site.atom >= structures[site.structure].atoms.size()) {
      malformed(where, text("spectrum %zu names structure %d, atom %d, which do not exist", i, structure[i], atom[i]));
    }
    const std::string& found = structures[site.structure].atoms[site.atom].element;
    if (found != element) malformed(where, text("spectrum %zu names an atom of %s", i, found.c_str()));
    site.formal_state = formal[i];
    std::copy_n(around.begin() + static_cast<std::ptrdiff_t>(5 * i), 5, site.neighbours.begin());
    site.defect_distance_angstrom = distance[i];
    out.push_back(site);
  }
  return out;
}

/// One table, linear between its points, on the subshell's grid. Below the table the lifetime's tail falls with the
/// square of the distance from the edge; above it, the fine structure dies away to the jump.
void resample(Subshell& subshell, std::span<const double> energy, std::span<const float> mu, double jump) {
  std::size_t k = 0;
  for (std::size_t i = 0; i < subshell.points; ++i) {
    const double e = subshell.energy(i);
    double value = 0;
    if (e <= energy.front()) {
      const double ratio = (subshell.onset_ev - energy.front()) / (subshell.onset_ev - e);
      value = static_cast<double>(mu.front()) * ratio * ratio;
    } else if (e >= energy.back()) {
      value = 1 + (static_cast<double>(mu.back()) - 1) * std::exp(-(e - energy.back()) / kFineStructureDecay);
    } else {
      while (energy[k + 1] < e) ++k;
      const double t = (e - energy[k]) / (energy[k + 1] - energy[k]);
      value = (1 - t) * static_cast<double>(mu[k]) + t * static_cast<double>(mu[k + 1]);
    }
    subshell.cross_section.push_back(static_cast<float>(value * jump));
  }
}

Subshell read_subshell(hid_t file, const std::string& name, const std::vector<Structure>& structures) {
  const std::string where = "spectra/" + name;
  const hdf5::Handle group = hdf5::open_group(file, where);
  const std::vector<hsize_t> dims = hdf5::shape(hdf5::open_dataset(group.get(), "energy").get());
  if (dims.size() != 2 || dims[0] == 0 || dims[1] < 4) malformed(where + "/energy", "it is not a table of spectra");
  const std::size_t count = dims[0];
  const std::size_t width = dims[1];
  std::vector<double> energy = column<double>(group.get(), where, "energy", count * width);
  const std::vector<double> above = column<double>(group.get(), where, "e_minus_fermi", count * width);
  const std::vector<float> mu = column<float>(group.get(), where, "mu", count * width);

  Subshell out;
  out.name = name;
  out.element = name.substr(0, name.find('_'));
  out.jump = column<double>(group.get(), where, "norm", count);
  out.sites = read_sites(group.get(), where, out.element, count, structures);
  const double shift = hdf5::number_attribute(group.get(), "shift_to_experiment", std::nan(""));
  if (!std::isfinite(shift)) malformed(where, "the attribute shift_to_experiment is absent");
  std::vector<double> fermi;
  double first = INFINITY;
  double last = -INFINITY;
  for (std::size_t i = 0; i < count; ++i) {
    if (!(out.jump[i] > 0) || !std::isfinite(out.jump[i]))
      malformed(where, text("norm of spectrum %zu is %g", i, out.jump[i]));
    for (std::size_t k = i * width; k < (i + 1) * width; ++k) {
      if (!std::isfinite(energy[k]) || !std::isfinite(above[k]) || !std::isfinite(mu[k])) {
        malformed(where, text("spectrum %zu holds a value that is not finite", i));
      }
      energy[k] += shift;
      if (k > i * width && !(energy[k] > energy[k - 1]))
        malformed(where, text("the energies of spectrum %zu do not rise", i));
    }
    fermi.push_back(energy[i * width] - above[i * width]);
    first = std::min(first, energy[i * width]);
    last = std::max(last, energy[(i + 1) * width - 1]);
  }
  if (!(last - first < kLongestGrid)) malformed(where, text("its energies span %g eV", last - first));
  out.onset_ev = upper_median(std::move(fermi));
  for (std::size_t i = 0; i < count; ++i) {
    if (!(out.onset_ev > 10 && out.onset_ev > energy[i * width] && out.onset_ev < energy[(i + 1) * width - 1])) {
      malformed(where, text("the edge at %g eV lies outside the energies of spectrum %zu", out.onset_ev, i));
    }
  }
  out.start_ev = std::floor(first / kGridStep) * kGridStep;
  out.step_ev = kGridStep;
  out.points = static_cast<std::size_t>(std::ceil((last - out.start_ev) / kGridStep)) + 1;
  out.cross_section.reserve(count * out.points);
  for (std::size_t i = 0; i < count; ++i) {
    resample(out, std::span(energy).subspan(i * width, width), std::span(mu).subspan(i * width, width), out.jump[i]);
  }
  return out;
}

}  // namespace

std::vector<std::string> Library::elements() const {
  std::vector<std::string> out;
  for (const Subshell& s : subshells) {
    if (std::find(out.begin(), out.end(), s.element) == out.end()) out.push_back(s.element);
  }
  return out;
}

std::optional<std::size_t> Library::find(std::string_view subshell) const {
  for (std::size_t i = 0; i < subshells.size(); ++i) {
    if (subshells[i].name == subshell) return i;
  }
  return std::nullopt;
}

Library load_library(const std::filesystem::path& path) {
  const hdf5::Handle file = hdf5::open_file(path.string());
  Library out;
  out.title = hdf5::string_attribute(file.get(), "title");
  out.sha256 = sha256_of_file(path);
  for (const char* part : {"structures", "spectra"}) {
    if (!hdf5::exists(file.get(), part)) malformed(path.string(), std::string("it has no group ") + part);
  }
  out.structures = read_structures(file.get());
  for (const std::string& name : hdf5::children(hdf5::open_group(file.get(), "spectra").get())) {
    if (name.find('_') == std::string::npos) malformed("spectra/" + name, "the name is not ELEMENT_EDGE");
    out.subshells.push_back(read_subshell(file.get(), name, out.structures));
  }
  if (out.subshells.empty()) malformed("spectra", "there are none");
  std::sort(out.subshells.begin(), out.subshells.end(),
            [](const Subshell& a, const Subshell& b) { return a.onset_ev < b.onset_ev; });
  return out;
}

}  // namespace elver
