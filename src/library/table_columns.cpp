#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "elver/error.hpp"
#include "library/elements.hpp"
#include "library/malformed.hpp"
#include "library/spectrum_files.hpp"
#include "library/text_table.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kRydbergEv = 13.605693;

void remark(std::string& note, const std::string& more) { note += (note.empty() ? "" : "; ") + more; }

/// The names of a table's columns, in capitals; empty if the line above it does not name each.
std::vector<std::string> column_names(const TextTable& table) {
  for (auto line = table.header.rbegin(); line != table.header.rend(); ++line) {
    std::string plain;
    int depth = 0;  // units in brackets are no names
    for (const char c : *line) {
      if (c == '(' || c == '[') ++depth;
      plain += depth > 0 || c == '"' ? ' ' : c;
      if ((c == ')' || c == ']') && depth > 0) --depth;
    }
    if (plain.starts_with(',')) plain.insert(0, "index");  // as tables of Python are written, with a column of numbers
    plain.erase(0, plain.find_first_not_of(" \t#%*!"));
    if (plain.empty()) continue;
    std::vector<std::string> names = split_words(plain);
    for (std::string& name : names) name = upper_case(name);
    return names.size() == table.columns() ? names : std::vector<std::string>();
  }
  return {};
}

bool counts_rows(const TextTable& table) {
  for (std::size_t i = 1; i < table.rows.size(); ++i) {
    if (table.rows[i][0] - table.rows[i - 1][0] != 1) return false;
  }
  return table.columns() > 2 && (table.rows.front()[0] == 0 || table.rows.front()[0] == 1);
}

/// What energies are to be multiplied by, by the unit in the header.
double named_unit(const TextTable& table) {
  for (auto line = table.header.rbegin(); line != table.header.rend(); ++line) {
    std::string plain = *line;
    for (char& c : plain) c = std::string_view("()[],;:#%\"_/").find(c) != std::string_view::npos ? ' ' : c;
    for (const std::string& word : split_words(plain)) {
      if (word == "keV" || word == "KeV" || word == "kev") return 1000;
      if (word == "Ry" || word == "Ryd" || word == "Rydberg") return kRydbergEv;
      if (word == "Ha" || word == "Hartree") return 2 * kRydbergEv;
      if (word == "eV" || word == "ev") return 1;
    }
  }
  return 1;
}

}  // namespace

void take_columns(ReadSpectrum& out, const TextTable& table, std::size_t energy, std::size_t value) {
  if (table.rows.size() < kFewestPoints) malformed(out.format, text("it holds %zu points", table.rows.size()));
  if (table.columns() <= std::max(energy, value)) malformed(out.format, text("its table has %zu columns", table.columns()));
  for (const std::vector<double>& row : table.rows) {
    out.energy_ev.push_back(row[energy]);
    out.absorption.push_back(row[value]);
  }
  const auto [low, high] = std::ranges::minmax(out.energy_ev);
  const double way = out.energy_ev.back() < out.energy_ev.front() ? -1 : 1;
  for (std::size_t i = 1; i < out.energy_ev.size(); ++i) {
    if (way * (out.energy_ev[i] - out.energy_ev[i - 1]) < -(high - low) / 2)
      malformed(out.format, text("its energies begin again at %g", out.energy_ev[i]), "Put every spectrum into a file of its own");
  }
  const std::size_t points = out.energy_ev.size();
  make_rising(out.energy_ev, out.absorption);
  if (out.energy_ev.size() < kFewestPoints)
    malformed(out.format, text("it holds %zu different energies", out.energy_ev.size()));
  if (std::ranges::max(out.absorption) <= 0) malformed(out.format, "all its values are 0 or below: it ends before the edge");
  if (table.gaps > 0) remark(out.note, text("%zu lines without a number were left out", table.gaps));
  if (out.energy_ev.size() < points)
    remark(out.note, text("%zu energies stand there more than once: the mean was taken", points - out.energy_ev.size()));
}

std::optional<ReadSpectrum> read_plain_table(const std::vector<std::string>& lines) {
  const TextTable table = find_table(lines);
  if (table.rows.size() < kFewestPoints) return std::nullopt;
  ReadSpectrum out;
  out.format = text("table of %zu columns", table.columns());
  if (table.elsewhere > std::max<std::size_t>(3, table.rows.size() / 10))
    malformed(out.format, text("beside its %zu lines it has %zu other lines of numbers", table.rows.size(), table.elsewhere),
              "Put one table into a file, with as many numbers in every line");
  if (table.elsewhere > 0) remark(out.note, text("%zu other lines of numbers were left out", table.elsewhere));
  const std::vector<std::string> names = column_names(table);
  const auto named = [&](std::string_view start) {
    return static_cast<std::size_t>(
        std::ranges::find_if(names, [&](const std::string& name) { return name.starts_with(start); }) - names.begin());
  };
  std::size_t energy = named("ENERG");
  if (energy >= names.size()) energy = counts_rows(table) ? 1 : 0;
  std::size_t value = energy + 1 < table.columns() ? energy + 1 : energy - 1;
  // The dielectric tensor as VASP and the scripts around it write it: E, then xx yy zz and the rest, or x y z xy yz zx.
  const bool tensor = table.columns() == 7 && energy == 0 && named("XY") < names.size();
  if (tensor) {
    TextTable mean = table;
    for (std::vector<double>& row : mean.rows) row[1] = row[0] * (row[1] + row[2] + row[3]) / 3;
    out.code = SpectrumCode::vasp;
    out.format = "VASP dielectric function";
    take_columns(out, mean, 0, 1);
  } else {
    take_columns(out, table, energy, value);
    if (table.columns() > 2)
      remark(out.note, text("energies are column %zu of %zu, values column %zu", energy + 1, table.columns(), value + 1));
  }
  const double unit = named_unit(table);
  for (double& e : out.energy_ev) e *= unit;
  if (unit != 1) remark(out.note, text("energies of the header's unit, %g eV", unit));
  out.relative = out.energy_ev.front() < 0;
  return out;
}

void fit_unit(ReadSpectrum& table, const std::string& edge, std::string& note) {
  const std::optional<double> nominal = nominal_edge_ev(edge);
  if (table.relative || !nominal) return;
  const double low = table.energy_ev.front(), high = table.energy_ev.back();
  if (high > 0.8 * *nominal && low < 1.2 * *nominal) return;  // theory puts edges up to a seventh away
  const double onset = find_jump(table.energy_ev, table.absorption).onset_ev;
  for (const auto& [unit, name] : {std::pair{1000.0, "keV"}, {kRydbergEv, "Ry"}, {2 * kRydbergEv, "Hartree"}}) {
    if (std::abs(onset * unit - *nominal) > 0.03 * *nominal || (high - low) * unit > 0.6 * *nominal) continue;
    for (double& e : table.energy_ev) e *= unit;
    note += text("its energies are taken for %s, which fit %s; ", name, edge.c_str());
    return;
  }
  constexpr double kOwnZeroEv = 50;
  if (low < kOwnZeroEv && high < 0.8 * *nominal) {
    table.relative = true;
    return;
  }
  throw Error(ErrorKind::input, "energies that are not of " + edge, text("they are %g to %g, and the edge is at %g eV", low, high, *nominal),
              "Name another edge in the labels, or write energies in eV");
}

void cut_to_edge(ReadSpectrum& spectrum, double edge_ev, std::string& note) {
  constexpr double kBelowEv = 80, kAboveEv = 280;  // a library's grid is 400 eV at most, of all spectra of an edge together
  std::vector<double> energy, values;
  for (std::size_t i = 0; i < spectrum.energy_ev.size(); ++i) {
    if (spectrum.energy_ev[i] < edge_ev - kBelowEv || spectrum.energy_ev[i] > edge_ev + kAboveEv) continue;
    energy.push_back(spectrum.energy_ev[i]);
    values.push_back(spectrum.absorption[i]);
  }
  if (energy.size() == spectrum.energy_ev.size()) return;
  if (energy.size() < kFewestPoints)
    malformed(spectrum.format, text("it has %zu points around its edge", energy.size()));
  note += text("cut to %g eV below and %g eV above the edge; ", kBelowEv, kAboveEv);
  spectrum.energy_ev = std::move(energy);
  spectrum.absorption = std::move(values);
}

void make_rising(std::vector<double>& energy, std::vector<double>& values) {
  std::vector<std::size_t> order(energy.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return energy[a] < energy[b]; });
  std::vector<double> e, v;
  std::size_t equal = 1;
  for (const std::size_t i : order) {
    if (!e.empty() && energy[i] - e.back() < 1e-9) {
      ++equal;
      v.back() += (values[i] - v.back()) / static_cast<double>(equal);
      continue;
    }
    equal = 1;
    e.push_back(energy[i]);
    v.push_back(values[i]);
  }
  energy = std::move(e);
  values = std::move(v);
}

EdgeJump find_jump(const std::vector<double>& energy, const std::vector<double>& values) {
  EdgeJump out;
  out.onset_ev = energy.front();
  for (int round = 0; round < 3; ++round) {  // the upper third depends on the onset, and that on the jump
    const double from = energy.back() - (energy.back() - out.onset_ev) / 3;
    double area = 0, width = 0;
    for (std::size_t i = 1; i < energy.size(); ++i) {
      if (energy[i] < from) continue;
      area += (energy[i] - energy[i - 1]) * (values[i] + values[i - 1]) / 2;
      width += energy[i] - energy[i - 1];
    }
    out.jump = area / width;
    for (std::size_t i = 0; i < energy.size(); ++i) {
      if (values[i] < out.jump / 2) continue;
      out.onset_ev = energy[i];
      if (i > 0) {
        const double share = (out.jump / 2 - values[i - 1]) / (values[i] - values[i - 1]);
        out.onset_ev = energy[i - 1] + std::clamp(share, 0.0, 1.0) * (energy[i] - energy[i - 1]);
      }
      break;
    }
  }
  return out;
}

}  // namespace elver
