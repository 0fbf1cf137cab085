#include "library/elements.hpp"

#include <array>
#include <cctype>
#include <map>

namespace elver {
namespace {

constexpr std::array<std::string_view, 97> kSymbols{
    "",   "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si", "P",  "S",  "Cl", "Ar", "K",
    "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",
    "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr",
    "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W",  "Re", "Os", "Ir", "Pt", "Au",
    "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm"};

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
char upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

}  // namespace

std::string_view element_symbol(int z) {
  return z > 0 && z < static_cast<int>(kSymbols.size()) ? kSymbols[static_cast<std::size_t>(z)] : "";
}

std::string tidy_symbol(std::string_view symbol) {
  std::string letters;
  for (const char c : symbol) {
    if (!is_letter(c) || letters.size() == 2) break;
    letters += letters.empty() ? upper(c) : lower(c);
  }
  if (letters.size() == 2 && symbol.size() > 2 && is_letter(symbol[2])) return "";  // a word
  while (!letters.empty()) {
    for (std::size_t z = 1; z < kSymbols.size(); ++z) {
      if (kSymbols[z] == letters) return letters;
    }
    return "";
  }
  return "";
}

int atomic_number(std::string_view symbol) {
  const std::string tidy = tidy_symbol(symbol);
  for (std::size_t z = 1; z < kSymbols.size() && !tidy.empty(); ++z) {
    if (kSymbols[z] == tidy) return static_cast<int>(z);
  }
  return 0;
}

bool is_d_block(std::string_view element) {
  const int z = atomic_number(element);
  return (z >= 21 && z <= 30) || (z >= 39 && z <= 48) || (z >= 72 && z <= 80) || z == 57;
}

std::optional<double> nominal_edge_ev(std::string_view edge) {
  static const std::map<std::string_view, double> kEdges{
      {"Li_K", 54.7},   {"B_K", 188.0},   {"C_K", 284.2},   {"N_K", 409.9},   {"O_K", 530.0},    {"F_K", 696.7},
      {"Na_K", 1070.8}, {"Mg_K", 1303.0}, {"Al_K", 1559.6}, {"Si_K", 1839.0}, {"P_K", 2145.5},   {"S_K", 2472.0},
      {"Cl_K", 2822.4}, {"K_K", 3608.4},  {"Ca_K", 4038.5}, {"Sc_K", 4492.0}, {"Ti_K", 4966.0},  {"V_K", 5465.0},
      {"Cr_K", 5989.0}, {"Mn_K", 6539.0}, {"Fe_K", 7112.0}, {"Co_K", 7709.0}, {"Ni_K", 8333.0},  {"Cu_K", 8979.0},
      {"Zn_K", 9659.0}, {"Si_L3", 99.4},  {"Si_L2", 99.8},  {"Ca_L3", 346.2}, {"Ca_L2", 349.7},  {"Sc_L3", 398.7},
      {"Sc_L2", 403.6}, {"Ti_L3", 453.8}, {"Ti_L2", 460.2}, {"V_L3", 512.1},  {"V_L2", 519.8},   {"Cr_L3", 574.1},
      {"Cr_L2", 583.8}, {"Mn_L3", 638.7}, {"Mn_L2", 649.9}, {"Fe_L3", 706.8}, {"Fe_L2", 719.9},  {"Co_L3", 778.1},
      {"Co_L2", 793.2}, {"Ni_L3", 852.7}, {"Ni_L2", 870.0}, {"Cu_L3", 932.7}, {"Cu_L2", 952.3},  {"Zn_L3", 1021.8},
      {"Zn_L2", 1044.9}};
  std::string name(edge);
  if (name.ends_with("_L23")) name.pop_back(), name.back() = '3';
  const auto found = kEdges.find(name);
  if (found == kEdges.end()) return std::nullopt;
  return found->second;
}

std::optional<double> layered_oxide_edge_ev(std::string_view edge) {
  static const std::map<std::string_view, double> kEdges{{"O_K", 528.3},   {"Mn_L3", 640.9}, {"Mn_L23", 640.9}, {"Co_L3", 779.5},
                                                         {"Co_L23", 779.5}, {"Ni_L3", 854.1}, {"Ni_L23", 854.1}};
  const auto found = kEdges.find(edge);
  return found == kEdges.end() ? std::nullopt : std::optional(found->second);
}

std::string edge_name(std::string_view element, std::string_view edge) {
  static const std::map<std::string, std::string> kNames{
      {"K", "K"},     {"1S", "K"},    {"1", "K"},     {"L1", "L1"},   {"2S", "L1"},   {"2", "L1"},    {"L2", "L2"},
      {"3", "L2"},    {"L3", "L3"},   {"4", "L3"},    {"L", "L23"},   {"L23", "L23"}, {"2P", "L23"},  {"M1", "M1"},
      {"3S", "M1"},   {"M2", "M2"},   {"M3", "M3"},   {"M23", "M23"}, {"3P", "M23"},  {"M4", "M4"},   {"M5", "M5"},
      {"M45", "M45"}, {"3D", "M45"},  {"N45", "N45"}, {"4D", "N45"}};
  const std::string symbol = tidy_symbol(element);
  std::string key;
  for (const char c : edge) {
    if (std::isalnum(static_cast<unsigned char>(c))) key += upper(c);
  }
  const auto found = kNames.find(key);
  return symbol.empty() || found == kNames.end() ? "" : symbol + "_" + found->second;
}

std::string edge_in_path(const std::string& path) {
  std::string found;
  std::size_t at = 0;
  std::string before;  // the word before, if only "-", "_" or a blank lies between
  while (at < path.size()) {
    if (!std::isalnum(static_cast<unsigned char>(path[at]))) {
      if (path[at] != '-' && path[at] != '_' && path[at] != ' ') before.clear();
      ++at;
      continue;
    }
    std::string word;
    while (at < path.size() && std::isalnum(static_cast<unsigned char>(path[at]))) word += path[at++];
    // Digits and orbitals name an edge only in FEFF's and OCEAN's own places, not in anyone's file name.
    if (before.size() <= 2 && (upper(word[0]) == 'K' || upper(word[0]) == 'L' || upper(word[0]) == 'M')) {
      const std::string name = before.empty() ? "" : edge_name(before, word);
      if (!name.empty()) {
        if (!found.empty() && found != name) return "";
        found = name;
      }
    }
    before = word;
  }
  return found;
}

}  // namespace elver
