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

constexpr double kAbsoluteJump = 0.1;  ///< a normalised jump is 1; a cross section of an atom a hundredth of a square Angstrom

}  // namespace

std::string as_id(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name.empty() || name == "." ? "structure" : name;
}

std::string id_from_path(const fs::path& of) {
  static const std::regex material(R"((mp|mvc|cod|icsd)-\d+)");
  const std::string folder = of.filename().string();
  std::smatch found;
  if (std::regex_search(folder, found, material)) return found[0];
  return as_id(folder);
}

ImportRun::ImportRun(const ImportOptions& options, ImportResult& result) : options_(options), result_(result) {
  if (!options.labels.empty()) labels_ = Labels(options.labels);
  if (!options.reference.empty()) reference_ = primitive_cell(read_structure(options.reference).structure);
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
  for (const SpectrumFile& file : spectra) {
    if (file.spectrum.code != SpectrumCode::table) codes_[file.folder] = name_of(file.spectrum.code);
  }
  for (SpectrumFile& file : spectra) {
    const auto outcar = std::ranges::find_if(spectra, [&](const SpectrumFile& other) {
      return other.folder == file.folder && other.spectrum.format == "VASP OUTCAR";
    });
    if (file.spectrum.format != "VASP vasprun.xml" || outcar == spectra.end()) continue;
    leave_out(file, "its run is read from " + outcar->path.filename().string());
    file.spectrum.energy_ev.clear();
  }
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
  if (s.code == SpectrumCode::table && labels.empty() && codes_.contains(file.folder))
    return leave_out(file, note + "a table beside a spectrum of " + codes_.at(file.folder) + ", whose other output it may be: name it in the labels to have it");
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
  const bool named = !cell.id.empty() || found->format == "formula";
  if (cell.id.empty()) {
    const auto own = std::ranges::find_if(structures, [&](const StructureFile& read) { return &read.found == found; });
    cell.id = id_from_path(own == structures.end() ? file.folder : own->folder);
  }
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
  if (s.code == SpectrumCode::table) fit_unit(s, edge, note);
  double zero = 0;
  const std::optional<double> nominal = nominal_edge_ev(edge);
  if (const double at = s.edge_ev > 0 ? s.edge_ev : nominal.value_or(0); s.relative && at > 0 && s.energy_ev.front() > at / 2) {
    s.relative = false;  // FDMNES's keyword Energpho
    if (s.fermi_ev) *s.fermi_ev += at;
  }
  if (s.code == SpectrumCode::fdmnes && s.relative && !s.fermi_ev) {
    s.fermi_ev = 0;
    note += "the Fermi level is FDMNES's zero; ";
  }
  if (s.relative) {
    if (s.edge_ev <= 0 && !nominal)
      return leave_out(file, note + "its energies count from the edge, and elver has no energy for " + edge);
    zero = s.edge_ev > 0 ? s.edge_ev : *nominal;
    if (s.edge_ev <= 0) note += text("energies count from %g eV, the nominal edge; ", zero);
  }
  cut_to_edge(s, s.fermi_ev.value_or(find_jump(s.energy_ev, s.absorption).onset_ev), note);
  for (const double e : s.energy_ev) out.energy_ev.push_back(e + zero);
  const EdgeJump jump = find_jump(s.energy_ev, s.absorption);
  if (!(jump.jump > 0)) return leave_out(file, note + "it does not rise to a jump");
  if (!s.fermi_ev && s.absorption.front() >= jump.jump / 2) return leave_out(file, note + "its table begins above the edge, or shows none");
  constexpr double kStillRising = 1.25;
  if (s.absorption.back() == std::ranges::max(s.absorption) && s.absorption.back() > kStillRising * jump.jump)
    return leave_out(file, note + "it still rises where it ends: its table ends on the edge");
  if (s.norm > 0 && jump.jump < kAbsoluteJump) {  // FEFF's card ABSOLUTE
    for (double& value : s.absorption) value /= s.norm;
    note += "mu was not normalised in it; ";
  }
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
  out.structure = place(std::move(cell), named ? NameOf::structure : NameOf::folder, out.atom, note);
  apply_labels(labels, out);
  for (const SpectrumTable& other : result_.tables.spectra) {
    if (other.edge == out.edge && other.structure == out.structure && other.atom == out.atom)
      note += "the site has a spectrum already, of " + other.source + "; ";
  }

  FileReport& mine = report(file);
  mine.fate = FileFate::imported;
  mine.structure = result_.tables.structures[out.structure].id;
  if (note.ends_with("; ")) note.resize(note.size() - 2);
  mine.reason = note;
  result_.tables.spectra.push_back(std::move(out));
}

}  // namespace elver
