#include "library/spectrum_files.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numbers>
#include <regex>

#include "library/elements.hpp"
#include "library/malformed.hpp"
#include "library/text_table.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

bool contains(const std::string& line, const char* part) { return line.find(part) != std::string::npos; }

ReadSpectrum read_feff(const std::vector<std::string>& lines) {
  ReadSpectrum out;
  out.code = SpectrumCode::feff;
  out.format = "FEFF xmu.dat";
  const TextTable table = find_table(lines);
  if (table.columns() != 6) malformed(out.format, text("its table has %zu columns where 6 belong", table.columns()));
  take_columns(out, table, 0, 3);
  static const std::regex shell(R"(Abs\s+Z=\s*(\d+).*\s(K|[LMN][1-7])\s+shell)");
  static const std::regex norm(R"(normalize mu\s+(\S+))");
  for (const std::string& line : table.header) {
    std::smatch found;
    if (line.size() > 400) continue;  // no line of FEFF's
    if (std::regex_search(line, found, shell)) out.edge = edge_name(element_symbol(std::stoi(found[1])), found[2].str());
    if (std::regex_search(line, found, norm) && !to_number(found[1].str(), out.norm)) out.norm = 0;
  }
  // k is E - E_Fermi in wave numbers, negative below: what omega differs by from k^2 is the Fermi level of this very run, to
  // the table's own digits. The header has it to three digits only, and FEFF's log prints it to 1 meV after an iteration of
  // the density; a run that adds an iteration to another's density ends up to 2 meV beside that one.
  constexpr double kHbar2Over2m = 3.80998212;  // eV square Angstrom
  std::vector<double> fermi;
  for (const std::vector<double>& row : table.rows) fermi.push_back(row[0] - std::copysign(row[2] * row[2], row[2]) * kHbar2Over2m);
  // Near k = 0 rounding of k matters least.
  std::size_t nearest = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (std::abs(table.rows[i][2]) < std::abs(table.rows[nearest][2])) nearest = i;
  }
  out.fermi_ev = fermi[nearest];
  if (!(out.norm > 0)) out.note = "the header does not say what mu is normalised by";
  return out;
}

/// The stem and the site number of NAME_2_conv.txt, NAME_conv.txt, NAME_2.txt, NAME.txt.
void name_parts(const std::filesystem::path& path, ReadSpectrum& out) {
  out.stem = path.stem().string();
  if (out.stem.ends_with("_conv")) {
    out.convolved = true;
    out.stem.resize(out.stem.size() - 5);
  }
}

std::optional<ReadSpectrum> read_fdmnes(const std::filesystem::path& path, const std::vector<std::string>& lines) {
  std::size_t label = 0;
  while (label < lines.size() && label < 20 && !contains(lines[label], "<xanes>")) ++label;
  if (label >= lines.size() || label >= 20) return std::nullopt;
  ReadSpectrum out;
  out.code = SpectrumCode::fdmnes;
  out.relative = true;
  name_parts(path, out);
  std::size_t column = 0;
  const std::vector<std::string> labels = split_words(lines[label]);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == "<xanes>") column = i;
  }
  if (column == 0) column = 1;
  std::string names;
  for (std::size_t i = 0; i < label; ++i) {
    const std::size_t equals = lines[i].find('=');
    if (equals == std::string::npos) continue;
    const std::vector<double> values = line_numbers(lines[i]);
    const std::vector<std::string> keys = split_words(lines[i].substr(equals + 1));
    int n_edge = 0, j_edge = 0, z = 0;
    for (std::size_t k = 0; k < keys.size() && k < values.size(); ++k) {
      const std::string& key = keys[k];
      if (key == "E_edge") out.edge_ev = values[k];
      if (key == "Z") z = static_cast<int>(values[k]);
      if (key == "n_edge") n_edge = static_cast<int>(values[k]);
      if (key == "j_edge") j_edge = static_cast<int>(values[k]);
      if (key == "E_cut") out.fermi_ev = values[k];
      if (key == "Epsii") out.core_level_ev = values[k];
      if (key.starts_with("natomsym")) out.atoms = std::max(1.0, values[k]);
    }
    // n is the shell; j_edge counts its edges: K; L1, L2, L3; M1 ... M5.
    if (n_edge == 1) out.edge = edge_name(element_symbol(z), "K");
    if (n_edge > 1 && n_edge < 4) out.edge = edge_name(element_symbol(z), text("%c%d", "LM"[n_edge - 2], j_edge));
  }
  out.format = out.convolved ? "FDMNES convolved" : "FDMNES site";
  out.square_angstrom = 0.01 / out.atoms;  // megabarn, summed over equivalent atoms
  const TextTable table = find_table({lines.begin() + static_cast<std::ptrdiff_t>(label) + 1, lines.end()});
  if (table.columns() <= column) malformed(out.format, "its table lacks the column <xanes>");
  take_columns(out, table, 0, column);
  return out;
}

std::optional<ReadSpectrum> read_ocean(const std::filesystem::path& path, const std::vector<std::string>& lines) {
  static const std::regex name(R"(^absspct_([A-Z][a-z]?)_?\.(\d+)_(\d[spdf])_(\d+).*)");
  std::smatch found;
  const std::string file = path.filename().string();
  if (!std::regex_match(file, found, name)) return std::nullopt;
  ReadSpectrum out;
  out.code = SpectrumCode::ocean;
  out.format = "OCEAN absspct";
  out.relative = true;
  out.edge = edge_name(found[1].str(), found[3].str());
  out.number = std::stoi(found[2]);
  out.stem = file.substr(0, file.rfind('_'));  // without the number of the polarisation
  const TextTable table = find_table(lines);
  take_columns(out, table, 0, 1);
  return out;
}

std::optional<ReadSpectrum> read_xspectra(const std::filesystem::path& path, const std::vector<std::string>& lines) {
  bool says = path.filename() == "xanes.dat";
  for (std::size_t i = 0; i < lines.size() && i < 20; ++i) {
    says = says || contains(lines[i], "xgamma") || contains(lines[i], "final state angular momentum");
  }
  if (!says) return std::nullopt;
  ReadSpectrum out;
  out.code = SpectrumCode::xspectra;
  out.format = "XSPECTRA xanes.dat";
  out.relative = true;
  out.fermi_ev = 0.0;  // its zero is the Fermi level
  take_columns(out, find_table(lines), 0, 1);
  return out;
}

/// sigma ~ E Im(eps); the mean over the three directions.
std::optional<ReadSpectrum> read_vasp(const std::filesystem::path& path, const std::vector<std::string>& lines) {
  const std::string file = path.filename().string();
  const bool xml = file.ends_with(".xml");
  ReadSpectrum out;
  out.code = SpectrumCode::vasp;
  out.format = xml ? "VASP vasprun.xml" : "VASP OUTCAR";
  int shell = -1, l = -1;
  std::vector<std::vector<double>> rows;
  static const std::regex setting(R"(\b(CLNT|CLN|CLL)\b["\s=>]+(\d+))");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (contains(lines[i], "CL")) {
      std::smatch found;
      if (std::regex_search(lines[i], found, setting)) {
        (found[1] == "CLNT" ? out.number : found[1] == "CLN" ? shell : l) = std::stoi(found[2]);
      }
    }
    const bool starts = xml ? contains(lines[i], "<imag>") : contains(lines[i], "IMAGINARY DIELECTRIC FUNCTION");
    if (!starts) continue;
    rows.clear();  // the last one counts
    for (++i; i < lines.size(); ++i) {
      std::string line = lines[i];
      if (xml) {
        if (contains(line, "</imag>")) break;
        const std::size_t open = line.find("<r>"), close = line.find("</r>");
        if (open == std::string::npos || close == std::string::npos) continue;
        line = line.substr(open + 3, close - open - 3);
      }
      std::vector<double> numbers = line_numbers(line);
      if (numbers.size() == 7) rows.push_back(std::move(numbers));
      else if (!rows.empty()) break;
    }
  }
  if (rows.empty()) return std::nullopt;
  if (shell == 1) out.edge = "_K";
  if (shell == 2 && l == 1) out.edge = "_L23";
  TextTable table;
  for (const std::vector<double>& row : rows) table.rows.push_back({row[0], row[0] * (row[1] + row[2] + row[3]) / 3});
  while (table.rows.size() > kFewestPoints && table.rows.front()[1] <= 0 && table.rows[1][1] <= 0) table.rows.erase(table.rows.begin());
  take_columns(out, table, 0, 1);
  return out;
}

}  // namespace

std::string_view name_of(SpectrumCode code) {
  constexpr std::array<std::string_view, 6> kNames{"FEFF", "FDMNES", "OCEAN", "XSPECTRA", "VASP", "table"};
  return kNames[static_cast<std::size_t>(code)];
}

std::vector<double> fdmnes_convolution(const ReadSpectrum& site, double hole_width_ev) {
  constexpr double kGrowth = 15, kCentre = 30, kSpread = 30;  // eV: FDMNES's defaults Gamma_max, Ecent, Elarg
  const std::vector<double>& energy = site.energy_ev;
  const double fermi = site.fermi_ev.value_or(energy.front());
  const auto width = [&](double e) {
    const double x = (e - fermi) / kCentre;
    if (x <= 1e-6) return hole_width_ev;
    const double slope = std::numbers::pi / 3 * kGrowth / kSpread;
    return hole_width_ev + kGrowth * (0.5 + std::atan(slope * (x - 1 / (x * x))) / std::numbers::pi);
  };
  const auto at = [&](double e) {  // the unconvolved spectrum
    const auto next = std::upper_bound(energy.begin(), energy.end(), e);
    if (next == energy.begin()) return site.absorption.front();
    if (next == energy.end()) return site.absorption.back();
    const auto k = static_cast<std::size_t>(next - energy.begin());
    const double share = (e - energy[k - 1]) / (energy[k] - energy[k - 1]);
    return site.absorption[k - 1] + share * (site.absorption[k] - site.absorption[k - 1]);
  };
  std::vector<double> nodes{fermi};
  for (const double e : energy) {
    if (e > fermi) nodes.push_back(e);
  }
  std::vector<double> out;
  for (const double e : energy) {
    double sum = 0;
    for (std::size_t k = 1; k < nodes.size(); ++k) {
      const double middle = (nodes[k - 1] + nodes[k]) / 2, half = width(middle) / 2;
      sum += at(middle) * (std::atan((nodes[k] - e) / half) - std::atan((nodes[k - 1] - e) / half));
    }
    const double half = width(nodes.back()) / 2;
    sum += at(nodes.back()) * (std::numbers::pi / 2 - std::atan((nodes.back() - e) / half));
    out.push_back(sum / std::numbers::pi);
  }
  return out;
}

std::optional<ReadSpectrum> read_spectrum(const std::filesystem::path& path, const std::vector<std::string>& lines) {
  const std::string file = path.filename().string();
  if (std::optional<ReadSpectrum> found = read_ocean(path, lines)) return found;
  if (file.ends_with(".xml") || file.starts_with("OUTCAR")) return read_vasp(path, lines);
  bool feff = false;
  for (const std::string& line : lines) {  // its header lists the paths, of which there may be hundreds
    feff = contains(line, "mu0") && contains(line, "chi") && (contains(line, "omega") || contains(line, "edge"));
    const std::size_t first = line.find_first_not_of(" \t");
    if (feff || (first != std::string::npos && (std::isdigit(static_cast<unsigned char>(line[first])) != 0 || line[first] == '-'))) break;
  }
  if (feff) return read_feff(lines);
  if (std::optional<ReadSpectrum> found = read_fdmnes(path, lines)) return found;
  if (std::optional<ReadSpectrum> found = read_xspectra(path, lines)) return found;
  return read_plain_table(lines);
}

}  // namespace elver
