#include "library/elements.hpp"
#include "library/import_run.hpp"
#include "types/median.hpp"
#include "types/text.hpp"

namespace elver {

/// An edge's spectra share a grid and an onset, the median: one whose table does not hold that cannot stand among them.
void ImportRun::leave_out_apart(const std::string& edge) {
  std::vector<SpectrumTable>& all = result_.tables.spectra;
  std::vector<double> onsets;
  for (const SpectrumTable& s : all) {
    if (s.edge == edge) onsets.push_back(s.fermi_ev);
  }
  const double middle = upper_median(std::move(onsets));
  std::erase_if(all, [&](const SpectrumTable& s) {
    if (s.edge != edge || (s.energy_ev.front() < middle && middle < s.energy_ev.back())) return false;
    for (FileReport& file : result_.files) {
      if (file.file != s.source) continue;
      file.fate = FileFate::left_out;
      file.reason = text("its energies, %g to %g eV, do not hold the edge's median onset, %g eV", s.energy_ev.front(), s.energy_ev.back(), middle);
    }
    return true;
  });
}

/// Most spectra of the edge are of cells with two O to an atom of Ni, Mn or Co: not of rock salts, not of metals.
bool ImportRun::of_layered_oxides(const std::string& edge) const {
  std::size_t layered = 0, all = 0;
  for (const SpectrumTable& s : result_.tables.spectra) {
    if (s.edge != edge) continue;
    const Structure& cell = result_.tables.structures[s.structure];
    const auto metals = static_cast<double>(cell.count("Ni") + cell.count("Mn") + cell.count("Co"));
    const double ratio = static_cast<double>(cell.count("O")) / metals;
    layered += ratio > 1.7 && ratio < 2.2 ? 1 : 0;  // with vacancies, or some other metals
    ++all;
  }
  return 2 * layered > all;
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
    const double base = upper_median(most->second);
    std::string moved;
    for (const auto& [code, values] : codes) {
      if (code == most->first) continue;
      const double by = base - upper_median(values);
      moved += text("; %s moved by %.2f eV to %s", code.c_str(), by, most->first.c_str());
      for (SpectrumTable& s : result_.tables.spectra) {
        if (s.edge != edge || s.code != code) continue;
        s.fermi_ev += by;
        for (double& e : s.energy_ev) e += by;
      }
    }
    leave_out_apart(edge);
    if (const auto known = options_.shift_ev.find(edge); known != options_.shift_ev.end()) {
      result_.tables.shift_ev[edge] = known->second;
      result_.tables.anchor[edge] = "the shift of another library of the same calculations" + moved;
      continue;
    }
    // An L2 goes with its L3: their distance is the calculation's.
    std::string of = edge;
    if (edge.ends_with("_L2") && onsets.count(edge.substr(0, edge.size() - 1) + "3") != 0) of.back() = '3';
    const auto given = options_.anchor_ev.find(of);
    std::optional<double> place = nominal_edge_ev(of);
    std::string what;
    if (given != options_.anchor_ev.end()) {
      place = given->second;
    } else if (const std::optional<double> layered = layered_oxide_edge_ev(of); layered && of_layered_oxides(edge)) {
      place = layered;
      what = " (layered oxides)";
    }
    double from = base;
    if (of != edge) {
      const auto& others = onsets[of];
      const auto same = others.find(most->first);
      from = upper_median(same == others.end() ? others.begin()->second : same->second);
    }
    result_.tables.shift_ev[edge] = place ? *place - from : 0.0;
    result_.tables.anchor[edge] =
        (place ? "median onset of " + of + text(" -> %g eV", *place) + what : std::string("none: energies are the code's own")) + moved;
  }
}

}  // namespace elver
