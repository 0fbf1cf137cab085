#include "energy/edges.hpp"

#include <array>

namespace elver::energy {
namespace {

struct Onset {
  std::string_view name;
  double energy_ev;
};
/// Thresholds as tabulated for electron energy loss (R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron
/// Microscope, 3rd ed., appendix D), rounded.
constexpr std::array kOnsets{Onset{"Li_K", 55},   Onset{"Be_K", 111},  Onset{"B_K", 188},   Onset{"C_K", 284},
                             Onset{"N_K", 401},   Onset{"O_K", 532},   Onset{"F_K", 685},   Onset{"Ne_K", 867},
                             Onset{"Na_K", 1072}, Onset{"Mg_K", 1305}, Onset{"Al_K", 1560}, Onset{"Si_K", 1839},
                             Onset{"P_K", 2146},  Onset{"S_K", 2472},  Onset{"Cl_K", 2822}, Onset{"Mg_L", 51},
                             Onset{"Al_L", 73},   Onset{"Si_L", 99},   Onset{"P_L", 132},   Onset{"S_L", 165},
                             Onset{"Cl_L", 200}};

struct Pair {
  std::string_view first, second;
  double first_ev, second_ev;
};
/// White lines of the 3d metals' L edges, the 4d metals' L edges and the lanthanides' M edges.
constexpr std::array kPairs{
    Pair{"K_L3", "K_L2", 297, 300},     Pair{"Ca_L3", "Ca_L2", 349, 352},   Pair{"Sc_L3", "Sc_L2", 403, 407},
    Pair{"Ti_L3", "Ti_L2", 458, 464},   Pair{"V_L3", "V_L2", 517, 524},     Pair{"Cr_L3", "Cr_L2", 577, 586},
    Pair{"Mn_L3", "Mn_L2", 642, 653},   Pair{"Fe_L3", "Fe_L2", 709, 722},   Pair{"Co_L3", "Co_L2", 780, 795},
    Pair{"Ni_L3", "Ni_L2", 855, 872},   Pair{"Cu_L3", "Cu_L2", 932, 952},   Pair{"Sr_L3", "Sr_L2", 1943, 2010},
    Pair{"Y_L3", "Y_L2", 2083, 2158},   Pair{"Zr_L3", "Zr_L2", 2225, 2309}, Pair{"Nb_L3", "Nb_L2", 2374, 2468},
    Pair{"Mo_L3", "Mo_L2", 2524, 2629}, Pair{"Ba_M5", "Ba_M4", 784, 799},   Pair{"La_M5", "La_M4", 834, 851},
    Pair{"Ce_M5", "Ce_M4", 884, 902},   Pair{"Pr_M5", "Pr_M4", 932, 952},   Pair{"Nd_M5", "Nd_M4", 981, 1003},
    Pair{"Sm_M5", "Sm_M4", 1081, 1108}, Pair{"Eu_M5", "Eu_M4", 1132, 1161}, Pair{"Gd_M5", "Gd_M4", 1187, 1218},
    Pair{"Tb_M5", "Tb_M4", 1242, 1276}, Pair{"Dy_M5", "Dy_M4", 1296, 1333}, Pair{"Ho_M5", "Ho_M4", 1352, 1392},
    Pair{"Er_M5", "Er_M4", 1409, 1453}, Pair{"Tm_M5", "Tm_M4", 1468, 1515}, Pair{"Yb_M5", "Yb_M4", 1528, 1576}};

}  // namespace

std::optional<Feature> find_feature(std::string_view name) {
  for (const Onset& onset : kOnsets) {
    if (onset.name != name) continue;
    const bool has_pre_peak = name == "O_K" || name == "F_K";
    return Feature{onset.name, onset.energy_ev, has_pre_peak ? FeatureKind::main_onset : FeatureKind::onset, 0.0};
  }
  for (const Pair& pair : kPairs) {
    if (pair.first == name) return Feature{pair.first, pair.first_ev, FeatureKind::white_line, pair.second_ev};
    if (pair.second == name) return Feature{pair.second, pair.second_ev, FeatureKind::white_line, pair.first_ev};
  }
  return std::nullopt;
}

std::string feature_names() {
  std::string names;
  for (const Onset& onset : kOnsets) names += std::string(onset.name) + " ";
  for (const Pair& pair : kPairs) names += std::string(pair.first) + " " + std::string(pair.second) + " ";
  names.pop_back();
  return names;
}

}  // namespace elver::energy
