#include <algorithm>
#include <array>
#include <optional>

#include "elver/detect.hpp"
#include "elver/error.hpp"
#include "energy/edges.hpp"

namespace elver {
namespace {

struct Known {
  std::string_view edge;
  EnergyWindow fit, signal;
};
/// Chosen by hand: the fit begins past the edge below that is usually there, the signal ends before the one above.
/// Li K lies on the slopes of the 3d metals' M2,3 edges, so that its fit is short.
constexpr std::array kKnown{
    Known{"Li_K", {46, 54}, {55, 66}},     Known{"Al_L", {62, 72}, {73, 95}},     Known{"Si_L", {80, 97}, {99, 115}},
    Known{"P_L", {116, 130}, {132, 155}},  Known{"B_K", {165, 186}, {188, 230}},  Known{"C_K", {245, 280}, {284, 325}},
    Known{"N_K", {360, 397}, {401, 435}},  Known{"O_K", {480, 525}, {530, 570}},  Known{"F_K", {640, 680}, {685, 730}},
    Known{"Ti_L", {415, 452}, {456, 480}}, Known{"V_L", {475, 510}, {514, 530}},  Known{"Cr_L", {555, 571}, {574, 600}},
    Known{"Mn_L", {595, 634}, {638, 670}}, Known{"Fe_L", {665, 702}, {706, 740}}, Known{"Co_L", {735, 774}, {778, 810}},
    Known{"Ni_L", {805, 846}, {850, 890}}, Known{"Cu_L", {885, 924}, {929, 970}}};

/// "Mn_L3", "Mn_L2" and "Mn_L" are one edge, as are "La_M5", "La_M4" and "La_M".
std::string family(std::string_view name) {
  const std::size_t at = name.find('_');
  const bool line = at != std::string_view::npos && name.size() == at + 3 && name[at + 1] != 'K';
  return std::string(line ? name.substr(0, at + 2) : name);
}

/// Onset, and the line that ends the edge, where it has two.
struct Extent {
  double first_ev, last_ev;
};
std::optional<Extent> extent(const std::string& edge) {
  for (const char* const line : {"", "3", "5"}) {
    const auto feature = energy::find_feature(edge + line);
    if (feature) return Extent{feature->energy_ev, std::max(feature->energy_ev, feature->partner_ev)};
  }
  return std::nullopt;
}

}  // namespace

EdgeWindows default_windows(std::string_view name) {
  const std::string edge = family(name);
  for (const Known& known : kKnown) {
    if (known.edge == edge) return {edge, known.fit, known.signal};
  }
  const auto lies = extent(edge);
  if (!lies) {
    throw Error(ErrorKind::usage, "no edge \"" + std::string(name) + "\"", "elver knows " + energy::feature_names(),
                "Choose one of these, or give both --fit and --signal");
  }
  // By rule: the fit is a tenth of the energy long, at least 12 eV, and ends a little before the onset.
  const double onset = lies->first_ev, gap = std::max(2.0, 0.006 * onset);
  const double length = std::clamp(0.1 * onset, 12.0, 80.0);
  return {edge, {onset - gap - length, onset - gap}, {onset - 0.3 * gap, lies->last_ev + std::max(15.0, 0.03 * onset)}};
}

}  // namespace elver
