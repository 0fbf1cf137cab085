#pragma once
#include <optional>
#include <string>
#include <string_view>

/// The core-loss features that a mark can name.
namespace elver::energy {

/// What the energy of a feature means, and with it how it is looked for.
enum class FeatureKind {
  white_line,  ///< L3, L2, M5, M4: the maximum of the white line
  main_onset,  ///< O K, F K: where the main rise sets in, past the pre-peak that d states make in oxides and fluorides
  onset        ///< other K and L2,3 edges: where the first rise sets in
};

struct Feature {
  std::string_view name;
  double energy_ev;  ///< nominal; only says where the feature may be expected
  FeatureKind kind;
  double partner_ev;  ///< white lines: nominal energy of the other line of the spin-orbit pair
  bool second() const { return kind == FeatureKind::white_line && partner_ev < energy_ev; }
};

/// The feature of that name, for example "Mn_L3" or "O_K".
std::optional<Feature> find_feature(std::string_view name);
/// All names, separated by blanks.
std::string feature_names();

}  // namespace elver::energy
