#include "library/structure_files.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "library/elements.hpp"
#include "library/geometry.hpp"
#include "library/malformed.hpp"
#include "library/text_table.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

std::vector<double> numbers_at(const std::vector<std::string>& lines, std::size_t at, std::size_t least, const char* what) {
  if (at >= lines.size()) malformed(what, "it ends too early");
  std::vector<double> out;
  for (const std::string& word : split_words(lines[at])) {
    double value = 0;
    if (!to_number(word, value)) break;
    out.push_back(value);
  }
  if (out.size() < least) malformed(what, text("line %zu has %zu numbers where %zu belong", at + 1, out.size(), least));
  return out;
}

using Lattice = std::array<std::array<double, 3>, 3>;

std::array<double, 3> fractional(const Lattice& m, const std::array<double, 3>& r) {
  const double volume = dot(m[0], cross(m[1], m[2]));
  return {dot(r, cross(m[1], m[2])) / volume, dot(r, cross(m[2], m[0])) / volume, dot(r, cross(m[0], m[1])) / volume};
}

/// Atoms without a lattice, in a box that keeps images 12 Angstrom apart.
Structure boxed(const std::vector<ClusterAtom>& cluster) {
  Structure out;
  std::array<double, 3> low{1e9, 1e9, 1e9}, high{-1e9, -1e9, -1e9};
  for (const ClusterAtom& atom : cluster) {
    for (std::size_t k = 0; k < 3; ++k) {
      low[k] = std::min(low[k], atom.position[k]);
      high[k] = std::max(high[k], atom.position[k]);
    }
  }
  for (std::size_t k = 0; k < 3; ++k) out.lattice[k][k] = high[k] - low[k] + 12;
  for (const ClusterAtom& atom : cluster) {
    out.atoms.push_back({atom.element, fractional(out.lattice, atom.position), atom.formal_state});
  }
  return out;
}

std::string keyword(const std::string& line) {
  const std::vector<std::string> words = split_words(line.substr(0, line.find('!')));
  return words.empty() ? "" : upper_case(words.front());
}

}  // namespace

Lattice cell_vectors(const std::array<double, 6>& cell) {
  const auto radians = [](double degrees) { return degrees * std::numbers::pi / 180; };
  const double ca = std::cos(radians(cell[3])), cb = std::cos(radians(cell[4])), cg = std::cos(radians(cell[5]));
  const double sg = std::sin(radians(cell[5]));
  const double y = (ca - cb * cg) / sg;
  const double z2 = 1 - cb * cb - y * y;
  if (!(cell[0] > 0 && cell[1] > 0 && cell[2] > 0 && std::abs(sg) > 1e-6 && z2 > 1e-6))
    malformed("cell", "its lengths and angles make no volume");
  return {{{cell[0], 0, 0}, {cell[1] * cg, cell[1] * sg, 0}, {cell[2] * cb, cell[2] * y, cell[2] * std::sqrt(z2)}}};
}

FoundStructure read_poscar(const std::vector<std::string>& lines) {
  constexpr const char* kWhat = "POSCAR";
  FoundStructure out;
  out.format = kWhat;
  const std::vector<double> scale = numbers_at(lines, 1, 1, kWhat);
  Structure& cell = out.structure;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::vector<double> row = numbers_at(lines, 2 + i, 3, kWhat);
    for (std::size_t k = 0; k < 3; ++k) cell.lattice[i][k] = row[k];
  }
  const auto& m = cell.lattice;
  const double volume = std::abs(dot(m[0], cross(m[1], m[2])));
  if (!(volume > 1e-6)) malformed(kWhat, "its vectors make no volume");
  std::array<double, 3> factor{};  // along x, y and z; below 0: the wanted volume
  factor.fill(scale[0] < 0 ? std::cbrt(-scale[0] / volume) : scale[0]);
  for (std::size_t k = 0; scale.size() >= 3 && k < 3; ++k) factor[k] = scale[k];
  for (auto& row : cell.lattice) {
    for (std::size_t k = 0; k < 3; ++k) row[k] *= factor[k];
  }
  if (lines.size() < 8) malformed(kWhat, "it ends too early");
  const auto words_of = [&](std::size_t line) { return split_words(lines[line].substr(0, lines[line].find('!'))); };
  std::vector<std::string> elements = words_of(5);
  std::size_t at = 6;
  double number = 0;
  if (elements.empty() || to_number(elements.front(), number)) {  // VASP 4: the title may name them
    at = 5;
    elements = words_of(0);
    const bool named = std::ranges::none_of(elements, [](const std::string& word) { return tidy_symbol(word).empty(); });
    if (!named || elements.size() != line_numbers(lines[5]).size())
      malformed(kWhat, "it names no elements (VASP 4)", "Put a line with the elements above that of their numbers");
    out.note = "elements of its first line";
  }
  const std::vector<std::string> counts = words_of(at++);
  if (counts.size() < elements.size()) malformed(kWhat, "there are fewer numbers of atoms than elements");
  if (keyword(lines[at]).starts_with("S")) ++at;  // selective dynamics
  if (at >= lines.size()) malformed(kWhat, "it ends too early");
  const std::string mode = keyword(lines[at++]);
  const bool cartesian = mode.starts_with("C") || mode.starts_with("K");
  for (std::size_t e = 0; e < elements.size(); ++e) {
    const std::string element = tidy_symbol(elements[e].substr(0, elements[e].find('_')));  // "Ti_pv" of a POTCAR
    if (element.empty()) malformed(kWhat, "\"" + elements[e] + "\" is no element");
    double count = 0;
    if (!to_number(counts[e], count) || count < 0 || count > 1e6) malformed(kWhat, "\"" + counts[e] + "\" is no number of atoms");
    for (int i = 0; i < static_cast<int>(count); ++i, ++at) {
      const std::vector<double> row = numbers_at(lines, at, 3, kWhat);
      std::array<double, 3> place{row[0], row[1], row[2]};
      if (cartesian) {
        for (std::size_t k = 0; k < 3; ++k) place[k] *= factor[k];
        place = fractional(cell.lattice, place);
      }
      cell.atoms.push_back({element, place, 0});
    }
  }
  return out;
}

FoundStructure read_feff_input(const std::vector<std::string>& lines) {
  constexpr const char* kWhat = "feff.inp";
  struct Potential {
    std::string element, tag;
  };
  FoundStructure out;
  out.format = "FEFF input";
  std::map<int, Potential> potentials;
  std::vector<ClusterAtom> cluster;
  char block = ' ';  // P: potentials, A: atoms
  bool formal_tags = false;
  for (const std::string& raw : lines) {
    const std::size_t first = raw.find_first_not_of(" \t");
    if (first == std::string::npos || std::string_view("#%;").find(raw[first]) != std::string_view::npos) continue;
    const std::vector<std::string> words = split_words(raw.substr(0, raw.find_first_of("*!")));
    if (words.empty()) continue;
    const std::string key = upper_case(words[0]);
    double number = 0;
    if (!to_number(words[0], number)) {
      block = key.starts_with("POTE") ? 'P' : key.starts_with("ATOM") ? 'A' : ' ';
      if (key == "END") break;
      if (key.starts_with("EDGE") || key.starts_with("HOLE")) out.edge = words.size() > 1 ? words[1] : std::string();
      if (key.starts_with("TITLE") && words.size() >= 7 && words[2] == "site" && words[5] == "formal") {
        out.structure.id = words[1];  // as elver's own runs are titled: NAME site N ELEMENT formal STATE
        formal_tags = to_number(words[6], number);
      }
      continue;
    }
    if (block == 'P') {
      const std::string element{words.size() > 1 && to_number(words[1], number) ? element_symbol(static_cast<int>(number)) : ""};
      if (element.empty()) malformed(kWhat, "a potential has no atomic number");
      potentials[std::stoi(words[0])] = {element, words.size() > 2 ? words[2] : ""};
    } else if (block == 'A') {
      const std::vector<double> row = [&] {
        std::vector<double> values;
        for (const std::string& word : words) {
          if (values.size() == 4 || !to_number(word, number)) break;
          values.push_back(number);
        }
        return values;
      }();
      const auto potential = row.size() < 4 ? potentials.end() : potentials.find(static_cast<int>(row[3]));
      if (potential == potentials.end()) malformed(kWhat, "an atom has no potential");
      ClusterAtom atom{potential->second.element, {row[0], row[1], row[2]}, 0};
      if (formal_tags) {
        const std::string& tag = potential->second.tag;
        const std::size_t digit = tag.find_first_of("0123456789");
        atom.formal_state = atom.element == "O"    ? -2
                            : atom.element == "Li" ? 1
                            : digit != std::string::npos ? std::stoi(tag.substr(digit, 1))
                                                         : 0;
      }
      if (potential->first == 0) cluster.insert(cluster.begin(), atom);
      else cluster.push_back(atom);
    }
  }
  if (potentials.count(0) == 0 || cluster.empty() || cluster.front().element != potentials[0].element)
    malformed(kWhat, "it has no absorbing atom (potential 0)");
  if (formal_tags) {  // the absorber's own state stands in the title only
    for (const std::string& line : lines) {
      const std::vector<std::string> words = split_words(line);
      if (words.size() >= 7 && words[2] == "site" && words[5] == "formal") {
        double state = 0;
        if (to_number(words[6], state)) cluster.front().formal_state = static_cast<int>(state);
      }
    }
  }
  const std::array<double, 3> origin = cluster.front().position;
  for (ClusterAtom& atom : cluster) {
    for (std::size_t k = 0; k < 3; ++k) atom.position[k] -= origin[k];
  }
  const std::string id = out.structure.id;
  if (std::optional<Structure> cell = cell_of_cluster(cluster)) {
    out.structure = std::move(*cell);
  } else {
    out.structure = boxed(cluster);
    out.note = "no lattice found in the cluster: the structure is the cluster itself, so composition and Li are its own";
  }
  out.structure.id = id;
  out.absorbers = {0};
  out.edge = edge_name(cluster.front().element, out.edge.empty() ? "K" : out.edge);
  return out;
}

FoundStructure read_fdmnes_input(const std::vector<std::string>& lines, const std::filesystem::path& folder) {
  constexpr const char* kWhat = "FDMNES input";
  FoundStructure out;
  out.format = kWhat;
  std::string edge = "K", group;
  std::vector<std::string> kinds;  // of the keyword Atom
  std::vector<ClusterAtom> molecule;
  std::vector<int> absorbers;
  int z_absorber = 0;
  bool found = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string key = keyword(lines[i]);
    std::size_t next = i + 1;
    while (next < lines.size() && keyword(lines[next]).empty()) ++next;
    const std::string value = next < lines.size() ? lines[next].substr(0, lines[next].find('!')) : "";
    const std::vector<std::string> words = split_words(value);
    if (key == "FILOUT" && !words.empty()) out.output = std::filesystem::path(words[0]).filename().string();
    if (key == "EDGE" && !words.empty()) edge = words[0];
    if (key == "SPGROUP" || key == "SPACE_GROUP") group = value;
    if (key == "Z_ABSORBER") z_absorber = static_cast<int>(numbers_at(lines, next, 1, kWhat)[0]);
    if (key == "ABSORBER") {
      for (const double n : line_numbers(value)) absorbers.push_back(static_cast<int>(n));
    }
    if (key == "ATOM") {
      for (std::size_t k = next; k < lines.size(); ++k) {
        const std::vector<std::string> row = split_words(lines[k].substr(0, lines[k].find('!')));
        double z = 0;
        if (row.empty()) continue;
        if (!to_number(row[0], z)) break;
        kinds.emplace_back(element_symbol(static_cast<int>(z)));
      }
    }
    if (key == "CIF_FILE" && !words.empty()) {
      FoundStructure cif = read_cif(folder / words[0]);
      out.structure = std::move(cif.structure);
      out.note = "structure of " + words[0];
      found = true;
    }
    const bool crystal = key.starts_with("CRYSTAL");
    if (!crystal && !key.starts_with("MOLECULE")) continue;
    const std::vector<double> cell = numbers_at(lines, next, 3, kWhat);
    std::array<double, 6> full{cell[0], cell[1], cell[2], 90, 90, 90};
    for (std::size_t k = 3; k < 6 && k < cell.size(); ++k) full[k] = cell[k];
    const Lattice lattice = cell_vectors(full);
    for (std::size_t k = next + 1; k < lines.size(); ++k) {
      const std::vector<std::string> row = split_words(lines[k].substr(0, lines[k].find('!')));
      if (row.empty()) continue;
      double which = 0;
      std::array<double, 3> place{};
      if (!to_number(row[0], which) && (tidy_symbol(row[0]).empty() || row.size() < 4)) break;
      bool good = row.size() >= 4;
      for (std::size_t n = 0; n < 3 && good; ++n) good = to_number(row[n + 1], place[n]);
      if (!good) {
        double ignored = 0;
        if (to_number(row[0], ignored)) continue;  // a line of occupations under an atom
        break;
      }
      std::string element = which == 0 ? tidy_symbol(row[0]) : "";
      if (element.empty()) {
        const auto index = static_cast<std::size_t>(which);
        if (!kinds.empty() && which >= 1 && index <= kinds.size()) element = kinds[index - 1];
        else if (kinds.empty()) element = element_symbol(static_cast<int>(which));
      }
      if (element.empty()) malformed(kWhat, text("line %zu names no element", k + 1));
      out.structure.atoms.push_back({element, place, 0});
    }
    out.structure.lattice = lattice;
    found = true;
    if (crystal) continue;
    for (const Atom& atom : out.structure.atoms) {
      ClusterAtom a{atom.element, {}, 0};
      for (std::size_t x = 0; x < 3; ++x) {
        for (std::size_t n = 0; n < 3; ++n) a.position[x] += atom.fractional[n] * lattice[n][x];
      }
      molecule.push_back(a);
    }
    out.structure = boxed(molecule);
    out.note = "a molecule: it stands in an empty box";
  }
  if (!found || out.structure.atoms.empty()) malformed(kWhat, "it holds no Crystal, Molecule or Cif_file");
  const std::size_t listed = out.structure.atoms.size();
  std::vector<std::size_t> chosen;
  for (const int n : absorbers) {
    if (n < 1 || n > static_cast<int>(listed)) malformed(kWhat, text("absorber %d is no atom", n));
    chosen.push_back(static_cast<std::size_t>(n - 1));
  }
  std::string element{element_symbol(z_absorber)};
  if (element.empty()) element = out.structure.atoms[chosen.empty() ? 0 : chosen.front()].element;
  if (!group.empty()) expand_by_space_group(out.structure, group);  // keeps the listed atoms in front
  out.absorbers = chosen;
  if (chosen.empty()) {
    for (std::size_t k = 0; k < out.structure.atoms.size(); ++k) {
      if (out.structure.atoms[k].element == element) out.absorbers.push_back(k);
    }
  }
  out.edge = edge_name(element, edge);
  return out;
}

std::string structure_kind(const std::vector<std::string>& lines) {
  bool atoms = false, potentials = false, fdmnes_cell = false, fdmnes_out = false;
  for (const std::string& line : lines) {
    const std::string key = keyword(line);
    atoms = atoms || key.starts_with("ATOM");
    potentials = potentials || key.starts_with("POTE");
    fdmnes_cell = fdmnes_cell || key.starts_with("CRYSTAL") || key.starts_with("MOLECULE") || key == "CIF_FILE";
    fdmnes_out = fdmnes_out || key == "FILOUT" || key == "RADIUS" || key == "RANGE" || key == "Z_ABSORBER";
  }
  if (atoms && potentials) return "feff";
  if (fdmnes_cell && fdmnes_out) return "fdmnes";
  if (lines.size() < 8) return "";
  const std::vector<double> scale = line_numbers(lines[1]);
  if ((scale.size() != 1 && scale.size() != 3) || scale[0] == 0) return "";
  for (std::size_t i = 2; i < 5; ++i) {
    if (line_numbers(lines[i]).size() != 3) return "";
  }
  for (const double count : line_numbers(lines[5])) {  // or words: elements
    if (count != std::round(count)) return "";
  }
  return "poscar";
}

}  // namespace elver
