#include <cmath>
#include <nlohmann/json.hpp>

#include "elver/calibrate_library.hpp"
#include "elver/error.hpp"
#include "library/broadening.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kStep = 0.2;  ///< eV

const EdgeCalibration* of_element(const LibraryCalibration& calibration, const std::string& element) {
  for (const EdgeCalibration& edge : calibration.edges) {
    if (edge.element == element) return &edge;
  }
  return nullptr;
}

/// All spectra of a subshell, changed; `tables` are theirs, in the order of its sites.
void change(const Subshell& subshell, const EdgeCalibration& how, double resolution_ev, double old_shift_ev,
            const std::vector<SpectrumTable*>& tables) {
  const bool l2 = subshell.name.ends_with("_L2");
  const WideGrid grid = wide_grid(subshell, kStep);
  std::vector<std::span<const float>> columns;
  for (std::size_t i = 0; i < subshell.sites.size(); ++i) columns.push_back(subshell.spectrum(i));
  std::vector<double> energy;
  for (double e = subshell.start_ev; e <= subshell.energy(subshell.points - 1) + 1e-6; e += kStep) energy.push_back(e);
  const double own = how.gauss_fwhm_ev * how.gauss_fwhm_ev - resolution_ev * resolution_ev;
  const Lifetime lifetime{how.lorentz_ev + (l2 ? how.l2_lorentz_ev : 0.0), how.lorentz_growth};
  const Eigen::Map<const Eigen::RowVectorXd> jumps(subshell.jump.data(), static_cast<Eigen::Index>(subshell.jump.size()));
  Eigen::MatrixXd edge = lorentz_matrix(grid, subshell.onset_ev, lifetime) * on_wide_grid(subshell, grid, columns, subshell.jump);
  edge += how.continuum * rising_continuum(grid, subshell.onset_ev) * jumps;
  const Eigen::MatrixXd seen = gauss_matrix(grid, energy, own > 0 ? std::sqrt(own) : 0.0) * edge;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    SpectrumTable& table = *tables[i];
    const double jump = subshell.jump[i] * (1 + how.continuum);
    table.energy_ev.clear();
    table.mu.clear();
    table.curves.clear();  // of the old energies, and not changed as mu is
    table.kept.erase("points");
    for (std::size_t k = 0; k < energy.size(); ++k) {
      table.energy_ev.push_back(energy[k] - old_shift_ev);
      table.mu.push_back(static_cast<float>(seen(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(i)) / jump));
    }
    table.norm = jump * (l2 ? how.l2_ratio : 1.0);
  }
}

}  // namespace

LibraryTables calibrated_tables(LibraryTables tables, const Library& library, const LibraryCalibration& calibration) {
  for (const Subshell& subshell : library.subshells) {
    const EdgeCalibration* how = of_element(calibration, subshell.element);
    if (how == nullptr) continue;
    std::vector<SpectrumTable*> own;
    for (SpectrumTable& table : tables.spectra) {
      if (table.edge == subshell.name) own.push_back(&table);
    }
    if (own.size() != subshell.sites.size())
      throw Error(ErrorKind::input, "library", text("its %s tables are not those that were fitted", subshell.name.c_str()));
    double& shift = tables.shift_ev[subshell.name];
    change(subshell, *how, calibration.resolution_ev, shift, own);
    const double moved = how->shift_ev + (subshell.name.ends_with("_L2") ? how->splitting_ev : 0.0);
    shift += moved;
    tables.anchor[subshell.name] += text("%smoved by %+.3f eV to fit %s", tables.anchor[subshell.name].empty() ? "" : "; ", moved,
                                         calibration.reference.c_str());
  }
  tables.calibration = calibration_json(calibration);
  return tables;
}

std::string calibration_json(const LibraryCalibration& c) {
  nlohmann::ordered_json edges = nlohmann::ordered_json::array(), mixture = nlohmann::ordered_json::object();
  const auto alike = [](const Similarity& s) { return nlohmann::ordered_json{{"cosine", s.cosine}, {"pearson", s.pearson}}; };
  for (const EdgeCalibration& e : c.edges) {
    nlohmann::ordered_json one{{"edge", e.edge},
                               {"shift_ev", e.shift_ev},
                               {"gauss_fwhm_ev", e.gauss_fwhm_ev},
                               {"lorentz_fwhm_ev", e.lorentz_ev},
                               {"lorentz_growth_ev_per_ev", e.lorentz_growth},
                               {"continuum_over_jump", e.continuum},
                               {"atoms_over_mixture", e.amount}};
    if (e.edge.ends_with("_L"))
      one.update({{"l3_l2_splitting_added_ev", e.splitting_ev}, {"l2_factor", e.l2_ratio}, {"l2_lorentz_fwhm_added_ev", e.l2_lorentz_ev}});
    one["before"] = alike(e.before);
    one["after"] = alike(e.after);
    edges.push_back(std::move(one));
  }
  for (const auto& [name, share] : c.mixture) mixture[name] = share;
  const nlohmann::ordered_json json{{"reference", c.reference},
                                    {"edges", edges},
                                    {"thickness_t_over_lambda", c.thickness},
                                    {"continuum_power", c.continuum_power},
                                    {"resolution_left_out_ev", c.resolution_ev},
                                    {"put_into_the_library", "shift, splitting, l2_factor, Lorentzians, continuum, and the Gaussian without the resolution"},
                                    {"mixture", mixture},
                                    {"notes", c.notes}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace elver
