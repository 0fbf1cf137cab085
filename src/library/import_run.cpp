#include "library/import_run.hpp"

#include <algorithm>
#include <cmath>
#include <regex>

#include "elver/error.hpp"
#include "library/defects.hpp"
#include "library/elements.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

/// A name that HDF5 takes for one group.
std::string as_id(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name.empty() || name == "." ? "structure" : name;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Id of a structure that its file does not name: the material's number in its path, else the folder.
std::string id_from_path(const SpectrumFile& file) {
  static const std::regex material(R"((mp|mvc|cod|icsd)-\d+)");
  const std::string folder = file.folder.filename().string();
  std::smatch found;
  if (std::regex_search(folder, found, material)) return found[0];
  return as_id(folder);
}

}  // namespace

ImportRun::ImportRun(const ImportOptions& options, ImportResult& result) : options_(options), result_(result) {
  if (!options.labels.empty()) labels_ = Labels(options.labels);
  if (!options.reference.empty()) reference_ = read_structure(options.reference).structure;
}

void ImportRun::read_incar(const fs::path& path, const std::vector<std::string>& lines, FileReport& report) {
  static const std::regex setting(R"(\b(CLNT|CLN|CLL)\b\s*=\s*(\d+))");
  report.format = "VASP INCAR";
  report.fate = FileFate::structure;
  for (const std::string& line : lines) {
    for (std::sregex_iterator it(line.begin(), line.end(), setting), end; it != end; ++it)
      incar_[path.parent_path()][(*it)[1]] = std::stoi((*it)[2]);
  }
}

void ImportRun::leave_out(const SpectrumFile& file, const std::string& why) {
  report(file).fate = FileFate::left_out;
  report(file).reason = why;
}

void ImportRun::finish(const RunContext& context) {
  join_fdmnes();
  join_polarisations();
  for (SpectrumFile& file : spectra) {
    context.check_interrupt();
    if (file.spectrum.energy_ev.empty()) continue;  // joined into another
    try {
      add(file);
    } catch (const Error& wrong) {
      if (wrong.kind() != ErrorKind::input) throw;
      leave_out(file, wrong.what());
    }
  }
  for (const std::string& entry : labels_.unmet()) {
    FileReport missing;
    missing.file = entry;
    missing.format = "labels";
    missing.reason = "the labels name it, and there is no such file";
    result_.files.push_back(std::move(missing));
  }
  choose_shifts();
}

void ImportRun::add(SpectrumFile& file) {
  ReadSpectrum& s = file.spectrum;
  const Cells labels = labels_.of(file.name);
  std::string why, note = s.note.empty() ? "" : s.note + "; ";
  const FoundStructure* found = structure_for(file, labels, why);
  // The edge: labels, the file, the run's input, the path.
  std::string edge = s.edge;
  if (edge.starts_with("_") || (edge.empty() && s.code == SpectrumCode::vasp)) {
    const auto& incar = incar_[file.folder];
    const auto setting = [&](const char* name, int otherwise) {
      const auto it = incar.find(name);
      return it == incar.end() ? otherwise : it->second;
    };
    if (edge.empty() && setting("CLN", -1) == 1) edge = "_K";
    if (edge.empty() && setting("CLN", -1) == 2 && setting("CLL", -1) == 1) edge = "_L23";
    const int species = setting("CLNT", s.number > 0 ? s.number : 1);
    std::string element;
    int number = 0;
    if (found != nullptr) {
      for (const Atom& atom : found->structure.atoms) {
        if (atom.element != element) element = atom.element, ++number;
        if (number == species) break;
      }
    }
    edge = edge.empty() || number != species ? "" : element + edge;
  }
  if (edge.empty() && found != nullptr) edge = found->edge;
  if (edge.empty()) edge = edge_in_path(file.name);
  const std::string own_element = edge.substr(0, edge.find('_')), own_edge = edge.empty() ? "" : edge.substr(edge.find('_') + 1);
  if (labels.count("edge") != 0 || labels.count("element") != 0) {
    const auto cell = [&](const char* name, const std::string& otherwise) {
      const auto it = labels.find(name);
      return it == labels.end() ? otherwise : it->second;
    };
    edge = edge_name(cell("element", own_element), cell("edge", own_edge));
    if (edge.empty()) throw Error(ErrorKind::input, "malformed labels", "element and edge of " + file.name + " name no edge");
  }
  report(file).edge = edge;
  if (edge.empty()) return leave_out(file, note + "nothing says of which edge it is: name element and edge in the labels");
  if (found == nullptr) return leave_out(file, note + why);
  const std::string element = edge.substr(0, edge.find('_'));

  SpectrumTable out;
  out.edge = edge;
  out.code = name_of(s.code);
  out.source = file.name;
  out.atom = atom_of(file, *found, element, labels, note);
  Structure cell = found->structure;
  if (const auto id = labels.find("structure"); id != labels.end()) cell.id = as_id(id->second);
  if (cell.id.empty()) cell.id = id_from_path(file);
  cell.composition.clear();
  label_by_atoms(cell);
  std::optional<Defects> defects;
  if (reference_) {
    defects = find_defects(cell, *reference_);
    if (defects) {
      cell.defect = defects->kind;
      if (!defects->places.empty())
        note += text("against the reference: %zu vacancies of O, %zu antisites; ", defects->vacancies, defects->antisites);
    } else {
      note += "it is no supercell of the reference, so its defects are not known; ";
    }
  }
  apply_labels(labels, cell);
  if (cell.formula_units() == 0)
    return leave_out(file, note + "its structure holds nothing beside Li and O: a library counts formula units by metals");
  if (!(cell.lithiation <= 2)) return leave_out(file, note + text("%g Li per metal atom: a library holds up to 2", cell.lithiation));
  const std::array<int, 5> around = count_neighbours(cell, out.atom);
  out.formal_state = cell.atoms[out.atom].formal_state;

  // Energies, absolute.
  double zero = 0;
  if (s.relative) {
    const std::optional<double> nominal = nominal_edge_ev(edge);
    if (s.edge_ev <= 0 && !nominal)
      return leave_out(file, note + "its energies count from the edge, and elver has no energy for " + edge);
    zero = s.edge_ev > 0 ? s.edge_ev : *nominal;
    if (s.edge_ev <= 0) note += text("energies count from %g eV, the nominal edge; ", zero);
  }
  for (const double e : s.energy_ev) out.energy_ev.push_back(e + zero);
  const EdgeJump jump = find_jump(s.energy_ev, s.absorption);
  if (!(jump.jump > 0)) return leave_out(file, note + "it does not rise to a jump");
  double fermi = s.fermi_ev.value_or(jump.onset_ev);
  const double inside = 0.01 * (s.energy_ev.back() - s.energy_ev.front());
  if (!(fermi > s.energy_ev.front() && fermi < s.energy_ev.back())) {
    fermi = s.energy_ev.front() + inside;
    note += "the table begins above the edge; ";
  }
  out.fermi_ev = fermi + zero;
  const double unit = s.norm > 0 ? 1.0 : jump.jump;
  for (const double value : s.absorption) out.mu.push_back(static_cast<float>(value / unit));
  out.norm = s.norm > 0 ? s.norm : s.square_angstrom > 0 ? jump.jump * s.square_angstrom : 1.0;
  if (!(s.norm > 0) && !(s.square_angstrom > 0)) note += "no absolute scale: its jump counts as 1; ";
  out.defect_distance_angstrom = defects ? distance_to(*defects, cell, out.atom) : std::nan("");
  out.neighbours = around;
  if (!found->note.empty()) note += found->note + "; ";
  out.structure = place(std::move(cell), out.atom, note);
  apply_labels(labels, out);

  FileReport& mine = report(file);
  mine.fate = FileFate::imported;
  mine.structure = result_.tables.structures[out.structure].id;
  if (note.ends_with("; ")) note.resize(note.size() - 2);
  mine.reason = note;
  result_.tables.spectra.push_back(std::move(out));
}

void ImportRun::choose_shifts() {
  std::map<std::string, std::map<std::string, std::vector<double>>> onsets;  // edge, code
  for (const SpectrumTable& s : result_.tables.spectra) onsets[s.edge][s.code].push_back(s.fermi_ev);
  for (auto& [edge, codes] : onsets) {
    // Codes have zeros of their own: all but the one with the most spectra are moved to it, one constant a code.
    auto most = codes.begin();
    for (auto it = codes.begin(); it != codes.end(); ++it) {
      if (it->second.size() > most->second.size()) most = it;
    }
    const double base = median(most->second);
    std::string moved;
    for (const auto& [code, values] : codes) {
      if (code == most->first) continue;
      const double by = base - median(values);
      moved += text("; %s moved by %.2f eV to %s", code.c_str(), by, most->first.c_str());
      for (SpectrumTable& s : result_.tables.spectra) {
        if (s.edge != edge || s.code != code) continue;
        s.fermi_ev += by;
        for (double& e : s.energy_ev) e += by;
      }
    }
    // An L2 goes with its L3: their distance is the calculation's.
    std::string of = edge;
    if (edge.ends_with("_L2") && onsets.count(edge.substr(0, edge.size() - 1) + "3") != 0) of.back() = '3';
    const auto given = options_.anchor_ev.find(of);
    const std::optional<double> nominal = given != options_.anchor_ev.end() ? std::optional(given->second) : nominal_edge_ev(of);
    double from = base;
    if (of != edge) {
      const auto& others = onsets[of];
      const auto same = others.find(most->first);
      from = median(same == others.end() ? others.begin()->second : same->second);
    }
    result_.tables.shift_ev[edge] = nominal ? *nominal - from : 0.0;
    result_.tables.anchor[edge] =
        (nominal ? "median onset of " + of + text(" -> %g eV", *nominal) : std::string("none: energies are the code's own")) + moved;
  }
}

}  // namespace elver
