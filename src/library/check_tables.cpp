#include <algorithm>
#include <cmath>
#include <set>

#include "elver/compare.hpp"
#include "elver/error.hpp"
#include "elver/import.hpp"
#include "library/structure_files.hpp"
#include "types/median.hpp"
#include "types/piecewise_linear.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

/// The spectra of an edge as vectors over E - E_Fermi, on what all of them cover.
std::vector<std::vector<double>> on_one_grid(const std::vector<const SpectrumTable*>& spectra) {
  constexpr double kStep = 0.2;
  double low = -1e9, high = 1e9;
  for (const SpectrumTable* s : spectra) {
    low = std::max(low, s->energy_ev.front() - s->fermi_ev);
    high = std::min(high, s->energy_ev.back() - s->fermi_ev);
  }
  low = std::max(low, -5.0);
  std::vector<std::vector<double>> out;
  if (!(high - low > 5)) return out;
  for (const SpectrumTable* s : spectra) {
    std::vector<double> row;
    for (double x = low; x < high; x += kStep) row.push_back(piecewise_linear<double, float>(s->energy_ev, s->mu, x + s->fermi_ev));
    out.push_back(std::move(row));
  }
  return out;
}

void find_outliers(const LibraryTables& tables, const std::string& edge, const std::vector<const SpectrumTable*>& spectra,
                   std::vector<Finding>& out) {
  constexpr std::size_t kFewest = 5;  // of fewer, nobody can say which one lies apart
  constexpr double kDeviations = 8, kFarEv = 3;
  if (spectra.size() < kFewest) return;
  const auto tell = [&](const SpectrumTable& s, std::string what) {
    out.push_back({FindingKind::outlier, edge, tables.structures[s.structure].id, static_cast<long long>(s.atom), std::move(what)});
  };
  std::vector<double> onsets, deviations;
  for (const SpectrumTable* s : spectra) onsets.push_back(s->fermi_ev);
  const double middle = upper_median(onsets);
  for (const double x : onsets) deviations.push_back(std::abs(x - middle));
  const double spread = upper_median(deviations);
  for (std::size_t i = 0; i < spectra.size(); ++i) {
    if (deviations[i] > std::max(kFarEv, kDeviations * spread))
      tell(*spectra[i], text("its edge lies %+.2f eV from the median one", onsets[i] - middle));
  }
  const std::vector<std::vector<double>> rows = on_one_grid(spectra);
  if (rows.empty()) {
    out.push_back({FindingKind::outlier, edge, "", -1, "its spectra share no 5 eV around their edges: they were not compared"});
    return;
  }
  std::vector<double> typical;
  for (std::size_t k = 0; k < rows.front().size(); ++k) {
    std::vector<double> values;
    for (const auto& row : rows) values.push_back(row[k]);
    typical.push_back(upper_median(std::move(values)));
  }
  std::vector<double> apart;  // 1 - r
  for (const auto& row : rows) {
    const double r = similarity(row, typical).pearson;
    apart.push_back(std::isfinite(r) ? 1 - r : 2);
  }
  const double usual = upper_median(apart);
  deviations.clear();
  for (const double x : apart) deviations.push_back(std::abs(x - usual));
  const double scatter = std::max(upper_median(deviations), 1e-6);
  for (std::size_t i = 0; i < spectra.size(); ++i) {
    if (apart[i] > usual + kDeviations * scatter)
      tell(*spectra[i], text("it correlates with the edge's median spectrum by %.4f, where %.4f is usual", 1 - apart[i], 1 - usual));
  }
}

}  // namespace

std::string_view name_of(FindingKind kind) {
  constexpr std::array<std::string_view, 3> kNames{"missing", "duplicate", "outlier"};
  return kNames[static_cast<std::size_t>(kind)];
}

LibrarySummary summarise(const LibraryTables& tables) {
  LibrarySummary out;
  std::map<std::string, std::vector<const SpectrumTable*>> edges;
  for (const SpectrumTable& s : tables.spectra) {
    edges[s.edge].push_back(&s);
    ++out.codes[s.code.empty() ? "not said" : s.code];
  }
  for (const auto& [edge, spectra] : edges) {
    EdgeSummary row;
    row.edge = edge;
    row.spectra = spectra.size();
    std::set<std::size_t> cells;
    std::vector<double> onsets;
    row.first_ev = INFINITY;
    row.last_ev = -INFINITY;
    row.fewest_points = spectra.front()->energy_ev.size();
    for (const SpectrumTable* s : spectra) {
      cells.insert(s->structure);
      onsets.push_back(s->fermi_ev);
      row.first_ev = std::min(row.first_ev, s->energy_ev.front());
      row.last_ev = std::max(row.last_ev, s->energy_ev.back());
      row.fewest_points = std::min(row.fewest_points, s->energy_ev.size());
      row.most_points = std::max(row.most_points, s->energy_ev.size());
    }
    row.structures = cells.size();
    row.median_onset_ev = upper_median(std::move(onsets));
    const auto shift = tables.shift_ev.find(edge);
    row.shift_ev = shift == tables.shift_ev.end() ? 0 : shift->second;
    out.edges.push_back(row);
  }
  std::sort(out.edges.begin(), out.edges.end(), [](const EdgeSummary& a, const EdgeSummary& b) {
    return a.median_onset_ev + a.shift_ev < b.median_onset_ev + b.shift_ev;
  });
  out.lithiation_low = INFINITY;
  out.lithiation_high = -INFINITY;
  for (const Structure& s : tables.structures) {
    ++out.compositions[s.composition];
    ++out.defects[std::string(name_of(s.defect))];
    out.lithiation_low = std::min(out.lithiation_low, s.lithiation);
    out.lithiation_high = std::max(out.lithiation_high, s.lithiation);
  }
  return out;
}

std::vector<Finding> check_tables(const LibraryTables& tables) {
  std::vector<Finding> out;
  std::map<std::string, std::vector<const SpectrumTable*>> edges;
  std::map<std::string, std::set<std::string>> of_element;
  std::map<std::pair<std::string, std::size_t>, std::set<std::size_t>> sites;  // edge, structure: atoms
  for (const SpectrumTable& s : tables.spectra) {
    edges[s.edge].push_back(&s);
    of_element[s.edge.substr(0, s.edge.find('_'))].insert(s.edge);
    if (!sites[{s.edge, s.structure}].insert(s.atom).second) {
      out.push_back({FindingKind::duplicate, s.edge, tables.structures[s.structure].id, static_cast<long long>(s.atom),
                     "the site is there more than once"});
    }
  }
  for (std::size_t i = 0; i < tables.structures.size(); ++i) {
    const Structure& cell = tables.structures[i];
    for (const auto& [element, names] : of_element) {
      if (cell.count(element) == 0) continue;
      bool any = false;
      for (const std::string& edge : names) any = any || sites.count({edge, i}) != 0;
      if (!any) out.push_back({FindingKind::missing, *names.begin(), cell.id, -1, "no site of its " + element + " has a spectrum"});
    }
  }
  for (const auto& [edge, spectra] : edges) {
    const bool two = edge.ends_with("_L2"), three = edge.ends_with("_L3");
    if (!two && !three) continue;
    const std::string other = edge.substr(0, edge.size() - 1) + (two ? "3" : "2");
    for (const SpectrumTable* s : spectra) {
      const auto found = sites.find({other, s->structure});
      if (found == sites.end() || found->second.count(s->atom) == 0) {
        out.push_back({FindingKind::missing, other, tables.structures[s->structure].id, static_cast<long long>(s->atom),
                       "the site has " + edge + " only"});
      }
    }
  }
  for (const auto& [edge, spectra] : edges) {
    std::map<std::vector<float>, const SpectrumTable*> known;
    for (const SpectrumTable* s : spectra) {
      const auto [it, fresh] = known.emplace(s->mu, s);
      if (fresh || it->second->energy_ev.size() != s->energy_ev.size()) continue;
      if (it->second->structure == s->structure && it->second->atom == s->atom) continue;  // told above
      out.push_back({FindingKind::duplicate, edge, tables.structures[s->structure].id, static_cast<long long>(s->atom),
                     text("the same numbers as structure %s, atom %zu", tables.structures[it->second->structure].id.c_str(),
                          it->second->atom)});
    }
    find_outliers(tables, edge, spectra, out);
  }
  return out;
}

}  // namespace elver
