#include <map>

#include "elver/library.hpp"
#include "library/geometry.hpp"

namespace elver {
namespace {

constexpr double kShellRadius = 3.0;  ///< Angstrom: the 0.3 nm neighbourhood

void add_site(Specimen& specimen, const Library& library, std::size_t subshell, std::size_t site, double weight) {
  const Subshell& s = library.subshells[subshell];
  std::vector<float>& sum = specimen.cross_section[subshell];
  sum.resize(s.points, 0.0F);
  const std::span<const float> values = s.spectrum(site);
  for (std::size_t i = 0; i < s.points; ++i) sum[i] += static_cast<float>(weight) * values[i];
  specimen.jump[subshell] += weight * s.jump[site];
}

Specimen empty_specimen(const Library& library) {
  Specimen out;
  out.cross_section.resize(library.subshells.size());
  out.jump.resize(library.subshells.size(), 0.0);
  return out;
}

}  // namespace

std::string_view name_of(DefectKind kind) {
  constexpr std::array<std::string_view, 3> kNames{"pristine", "oxygen_vacancy", "antisite"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::size_t Structure::count(std::string_view element) const {
  std::size_t n = 0;
  for (const Atom& atom : atoms) n += atom.element == element ? 1 : 0;
  return n;
}

std::size_t Structure::formula_units() const {
  std::size_t n = 0;
  for (const Atom& atom : atoms) n += is_transition_metal(atom.element) ? 1 : 0;
  return n;
}

void Specimen::add(const Specimen& other, double weight) {
  cross_section.resize(other.cross_section.size());
  jump.resize(other.jump.size(), 0.0);
  for (std::size_t s = 0; s < cross_section.size(); ++s) {
    if (other.cross_section[s].empty()) continue;
    cross_section[s].resize(other.cross_section[s].size(), 0.0F);
    for (std::size_t i = 0; i < cross_section[s].size(); ++i) {
      cross_section[s][i] += static_cast<float>(weight) * other.cross_section[s][i];
    }
    jump[s] += weight * other.jump[s];
  }
}

namespace {

/// Area of a site's whole edge (L3 and L2 together), and how many sites of the structure have one.
double edge_area(const Library& library, const std::string& element, std::size_t structure, std::size_t atom) {
  double area = 0;
  for (const Subshell& s : library.subshells) {
    if (s.element != element) continue;
    for (std::size_t i = 0; i < s.sites.size(); ++i) {
      if (s.sites[i].structure != structure || s.sites[i].atom != atom) continue;
      for (const float value : s.spectrum(i)) area += static_cast<double>(value) * s.step_ev;
    }
  }
  return area;
}

/// What to scale each computed atom of an element by, so that all of the structure have their mean area.
std::map<std::size_t, double> equal_areas(const Library& library, const std::string& element, std::size_t structure) {
  std::map<std::size_t, double> out;
  double sum = 0;
  for (const Subshell& s : library.subshells) {
    if (s.element != element) continue;
    for (const Site& site : s.sites) {
      if (site.structure != structure || out.contains(site.atom)) continue;
      sum += out[site.atom] = edge_area(library, element, structure, site.atom);
    }
  }
  for (auto& [atom, area] : out) area = area > 0 ? sum / static_cast<double>(out.size()) / area : 1.0;
  return out;
}

}  // namespace

std::optional<Specimen> structure_average(const Library& library, std::size_t structure, SiteScale scale) {
  const Structure& cell = library.structures[structure];
  Specimen out = empty_specimen(library);
  for (std::size_t s = 0; s < library.subshells.size(); ++s) {
    const Subshell& subshell = library.subshells[s];
    const std::size_t atoms = cell.count(subshell.element);
    if (atoms == 0) continue;
    std::map<int, double> present;   // formal state -> atoms of the structure
    std::map<int, double> computed;  // formal state -> computed sites
    for (const Atom& atom : cell.atoms) {
      if (atom.element == subshell.element) present[atom.formal_state] += 1;
    }
    for (const Site& site : subshell.sites) {
      if (site.structure == structure) computed[site.formal_state] += 1;
    }
    double covered = 0;  // atoms whose formal state was computed: they stand for the others
    for (const auto& [state, sites] : computed) covered += present[state];
    if (covered == 0) return std::nullopt;
    std::map<std::size_t, double> scales;  // by atom
    if (scale == SiteScale::equal_area) scales = equal_areas(library, subshell.element, structure);
    const double per_formula_unit = static_cast<double>(atoms) / static_cast<double>(cell.formula_units());
    for (std::size_t i = 0; i < subshell.sites.size(); ++i) {
      const Site& site = subshell.sites[i];
      if (site.structure != structure) continue;
      double share = present[site.formal_state] / covered / computed[site.formal_state];
      if (!scales.empty()) share *= scales.at(site.atom);
      if (share > 0) add_site(out, library, s, i, per_formula_unit * share);
    }
  }
  return out;
}

std::optional<Specimen> neighbourhood(const Library& library, std::size_t oxygen_site) {
  const std::optional<std::size_t> oxygen = library.find("O_K");
  if (!oxygen) return std::nullopt;
  const Site& centre = library.subshells[*oxygen].sites[oxygen_site];
  const Structure& cell = library.structures[centre.structure];
  Specimen out = empty_specimen(library);
  add_site(out, library, *oxygen, oxygen_site, 2.0);  // two oxygen atoms to a transition metal
  for (const Neighbour& near : neighbours(cell, centre.atom, kShellRadius)) {
    const std::string& element = cell.atoms[near.atom].element;
    if (!is_transition_metal(element)) continue;
    bool found = false;
    for (std::size_t s = 0; s < library.subshells.size(); ++s) {
      if (library.subshells[s].element != element) continue;
      bool here = false;
      for (std::size_t i = 0; i < library.subshells[s].sites.size() && !here; ++i) {
        const Site& site = library.subshells[s].sites[i];
        here = site.structure == centre.structure && site.atom == near.atom;
        if (here) add_site(out, library, s, i, 1.0 / 3.0);  // an oxygen is bonded to three
      }
      if (!here) return std::nullopt;
      found = true;
    }
    if (!found) return std::nullopt;
  }
  return out;
}

}  // namespace elver
