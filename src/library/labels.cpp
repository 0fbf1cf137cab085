#include "library/labels.hpp"

#include <cctype>
#include <cmath>
#include <set>

#include "elver/error.hpp"
#include "library/elements.hpp"
#include "library/text_table.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

const std::set<std::string> kColumns{"file",       "structure",  "structure_file", "formula",         "element",
                                     "edge",       "site",       "formal_state",   "composition",     "lithiation",
                                     "defect_kind", "defect_distance", "n_Li",     "n_Ni",            "n_Mn",
                                     "n_Co",       "n_O"};

[[noreturn]] void malformed(const std::string& why, const std::string& todo = {}) {
  throw Error(ErrorKind::input, "malformed labels", why, todo);
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      out.back() += line[i++];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      out.emplace_back();
    } else {
      out.back() += line[i];
    }
  }
  for (std::string& cell : out) {
    cell.erase(0, std::min(cell.size(), cell.find_first_not_of(" \t")));
    cell.erase(cell.find_last_not_of(" \t") + 1);
  }
  return out;
}

}  // namespace

Labels::Labels(const std::filesystem::path& csv) : folder_(csv.parent_path()) {
  const std::vector<std::string> lines = read_lines(csv);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].find_first_not_of(" \t") == std::string::npos || lines[i][0] == '#') continue;
    const std::vector<std::string> cells = cells_of(lines[i]);
    if (names.empty()) {
      names = cells;
      bool file = false;
      for (const std::string& name : names) {
        if (kColumns.count(name) == 0) malformed("the column \"" + name + "\" is not known", "See elver library import --help");
        file = file || name == "file";
      }
      if (!file) malformed("there is no column named file");
      continue;
    }
    if (cells.size() != names.size()) malformed(text("line %zu has %zu cells where %zu belong", i + 1, cells.size(), names.size()));
    Row row;
    for (std::size_t k = 0; k < cells.size(); ++k) {
      if (!cells[k].empty()) row.cells[names[k]] = cells[k];
    }
    if (row.cells.count("file") == 0) malformed(text("line %zu names no file", i + 1));
    rows_.push_back(std::move(row));
  }
}

std::map<std::string, std::string> Labels::of(const std::string& file) {
  std::map<std::string, std::string> out;
  const std::string path = "/" + file;
  for (Row& row : rows_) {
    std::string wanted = row.cells["file"];
    while (!wanted.empty() && wanted.back() == '/') wanted.pop_back();
    const bool whole = path.ends_with("/" + wanted);
    const bool folder = path.find("/" + wanted + "/") != std::string::npos;
    if (!whole && !folder) continue;
    row.met = true;
    for (const auto& [name, cell] : row.cells) out[name] = cell;
  }
  return out;
}

std::vector<std::string> Labels::unmet() const {
  std::vector<std::string> out;
  for (const Row& row : rows_) {
    if (!row.met) out.push_back(row.cells.at("file"));
  }
  return out;
}

std::optional<double> number_in(const std::map<std::string, std::string>& labels, const std::string& column) {
  const auto found = labels.find(column);
  if (found == labels.end()) return std::nullopt;
  double value = 0;
  if (!to_number(found->second, value)) malformed("\"" + found->second + "\" in the column " + column + " is no number");
  return value;
}

Structure structure_of_formula(const std::string& formula) {
  std::vector<std::pair<std::string, double>> parts;
  for (std::size_t i = 0; i < formula.size();) {
    std::size_t letters = 1;
    while (i + letters < formula.size() && std::islower(static_cast<unsigned char>(formula[i + letters])) != 0) ++letters;
    const std::string element = tidy_symbol(formula.substr(i, letters));
    if (element.empty()) malformed("\"" + formula + "\" is no formula");
    i += letters;
    std::size_t digits = 0;
    while (i + digits < formula.size() && (std::isdigit(static_cast<unsigned char>(formula[i + digits])) != 0 || formula[i + digits] == '.')) ++digits;
    double count = 1;
    if (digits > 0 && !to_number(formula.substr(i, digits), count)) malformed("\"" + formula + "\" is no formula");
    i += digits;
    parts.emplace_back(element, count);
  }
  for (int times = 1; times <= 100; ++times) {  // until every number is whole
    bool whole = !parts.empty();
    double total = 0;
    for (const auto& [element, count] : parts) {
      whole = whole && std::abs(count * times - std::round(count * times)) < 0.005 * times;
      total += count * times;
    }
    if (!whole || total > 10000) continue;
    Structure out;
    out.lattice = {{{20, 0, 0}, {0, 20, 0}, {0, 0, 20}}};
    for (const auto& [element, count] : parts) {
      for (int k = 0; k < static_cast<int>(std::round(count * times)); ++k) out.atoms.push_back({element, {0, 0, 0}, 0});
    }
    return out;
  }
  malformed("the numbers of \"" + formula + "\" have no common cell of up to 100 formula units");
}

void apply_labels(const std::map<std::string, std::string>& labels, Structure& structure) {
  if (const auto found = labels.find("composition"); found != labels.end()) structure.composition = found->second;
  if (const auto value = number_in(labels, "lithiation")) {
    if (!(*value >= 0 && *value <= 2)) malformed(text("a lithiation of %g is not within 0 to 2", *value));
    structure.lithiation = *value;
  }
  if (const auto found = labels.find("defect_kind"); found != labels.end()) {
    const std::string& word = found->second;
    if (word == "pristine") structure.defect = DefectKind::pristine;
    else if (word == "ovac" || word == "oxygen_vacancy") structure.defect = DefectKind::oxygen_vacancy;
    else if (word == "antisite") structure.defect = DefectKind::antisite;
    else malformed("the defect kind \"" + word + "\" is none of pristine, ovac, antisite");
  }
}

void apply_labels(const std::map<std::string, std::string>& labels, SpectrumTable& site) {
  if (const auto value = number_in(labels, "formal_state")) site.formal_state = static_cast<int>(std::lround(*value));
  if (const auto value = number_in(labels, "defect_distance")) site.defect_distance_angstrom = *value;
  for (std::size_t k = 0; k < kNeighbourElements.size(); ++k) {
    if (const auto value = number_in(labels, "n_" + std::string(kNeighbourElements[k])))
      site.neighbours[k] = static_cast<int>(std::lround(*value));
  }
}

}  // namespace elver
