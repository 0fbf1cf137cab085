#include <algorithm>
#include <cmath>
#include <limits>

#include "elver/energy.hpp"
#include "elver/error.hpp"
#include "energy/axis_search.hpp"
#include "energy/coarse.hpp"
#include "energy/edge_shape.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using energy::EdgeShape;
using energy::Likeness;

constexpr double kNearEv = 4.0;          ///< the axis that the search found is right to less than this
constexpr double kFound = 12.0;          ///< evidence of an edge; noise alone reaches 8
constexpr double kLead = 10.0;           ///< of the best axis' score over the second one's
constexpr double kMostChiSquare = 12.0;  ///< of the residuals
constexpr double kMostResidualEv = 2.0;
constexpr double kMostErrorEv = 0.6;
constexpr double kRepeatsEv = 0.1;  ///< an axis found again from itself moves less
/// Simulated K edges lie less surely than white lines, whose library is moved to where experiments show their maxima.
constexpr double kWeightOfKEdgesEv = 1.0;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(
      ErrorKind::mismatch, "cannot put the energy axis right by the model's edges", why,
      "Give marks, for example --mark Mn_L3=642.0, or bring the axis nearer with --offset-ev and --dispersion-ev");
}

double sigma_ev(const EdgeShape& shape) {
  return shape.edge().ends_with("_K") ? kWeightOfKEdgesEv : energy::kChemistryEv;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

/// The edges as they are found near where an axis expects them, and the axis of the straight line through them.
struct Fit {
  std::vector<const EdgeShape*> edges;
  std::vector<Likeness> places;  ///< on the axis that the fit started from
  std::vector<std::string> missing;
  EnergyAxis axis;
  double error_ev = std::numeric_limits<double>::infinity();  ///< of noise and chemistry, at the edge where it is worst
  std::string worst_edge;
};

/// Weighted least squares of the anchors on the places.
void draw_line(const EnergyAxis& from, const std::vector<const EdgeShape*>& on_axis, Fit& fit) {
  std::vector<double> weight;
  double sum = 0, mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (std::size_t i = 0; i < fit.edges.size(); ++i) {
    const double error = fit.places[i].error_ev, sigma = sigma_ev(*fit.edges[i]);
    weight.push_back(1.0 / (sigma * sigma + error * error));
    sum += weight[i];
    mean_x += weight[i] * fit.places[i].energy_ev;
    mean_y += weight[i] * fit.edges[i]->anchor_ev();
  }
  mean_x /= sum;
  mean_y /= sum;
  for (std::size_t i = 0; i < fit.edges.size(); ++i) {
    const double x = fit.places[i].energy_ev - mean_x;
    xx += weight[i] * x * x;
    xy += weight[i] * x * (fit.edges[i]->anchor_ev() - mean_y);
  }
  const double gain = xy / xx;
  fit.axis = {mean_y + gain * (from.offset_ev - mean_x), gain * from.dispersion_ev, from.size};
  fit.error_ev = 0;
  for (const EdgeShape* edge : on_axis) {
    double variance = 0;
    for (std::size_t i = 0; i < fit.edges.size(); ++i) {
      const double share =
          weight[i] * (1 / sum + (edge->anchor_ev() - mean_x) * (fit.places[i].energy_ev - mean_x) / xx);
      const double error = fit.places[i].error_ev;
      variance += share * share * (energy::kChemistryEv * energy::kChemistryEv + error * error);
    }
    if (std::sqrt(variance) > fit.error_ev) {
      fit.error_ev = std::sqrt(variance);
      fit.worst_edge = edge->edge();
    }
  }
}

Fit fit_axis(const EnergyAxis& axis, std::span<const double> spectrum, const std::vector<EdgeShape>& shapes) {
  Fit out;
  out.axis = axis;
  const energy::Coarse coarse = energy::coarsen(axis, spectrum);
  const double last_ev = axis.energy(static_cast<double>(axis.size) - 1.0);
  std::vector<const EdgeShape*> on_axis;
  for (const EdgeShape& shape : shapes) {
    if (shape.surroundings().start_ev < axis.offset_ev || shape.surroundings().stop_ev > last_ev) continue;
    on_axis.push_back(&shape);
    const Likeness place = shape.best(coarse, 1.0, shape.anchor_ev() - kNearEv, shape.anchor_ev() + kNearEv);
    if (place.evidence < kFound) {
      out.missing.push_back(shape.edge());
    } else {
      out.edges.push_back(&shape);
      out.places.push_back(place);
    }
  }
  if (out.edges.size() >= 2) draw_line(axis, on_axis, out);
  return out;
}

/// The edges of the model, lowest first.
std::vector<EdgeShape> shapes_of(std::span<const ReferenceSpectrum> references) {
  std::vector<EdgeShape> shapes(references.begin(), references.end());
  const auto lower = [](const EdgeShape& a, const EdgeShape& b) { return a.anchor_ev() < b.anchor_ev(); };
  std::sort(shapes.begin(), shapes.end(), lower);
  if (shapes.size() < 2 || shapes.back().anchor_ev() - shapes.front().anchor_ev() < energy::kDistinctEv) {
    refuse(text("offset and gain need reference spectra of two edges, and it holds %zu", shapes.size()));
  }
  return shapes;
}

void check_found(const Fit& fit, const energy::AxisSearch& search, const EnergyAxis& axis) {
  std::vector<std::string> found;
  for (const EdgeShape* edge : fit.edges) found.push_back(edge->edge());
  if (found.size() < 2) {
    refuse(text("edges found: %s, missing: %s, score %.1f; offset and gain need two edges", listed(found).c_str(),
                listed(fit.missing).c_str(), search.score));
  }
  if (!fit.missing.empty()) {  // the lines of another element, say Ba M4,5 for Co L2,3, fit three edges of four
    refuse(text("edges found: %s, but missing: %s, score %.1f; it may be another material", listed(found).c_str(),
                listed(fit.missing).c_str(), search.score));
  }
  if (search.score - search.second_score < kLead) {
    const auto gain = [&](const EnergyAxis& a) { return a.dispersion_ev / axis.dispersion_ev; };
    refuse(text("an axis from %.1f eV with gain %.3f scores %.1f, one from %.1f eV with gain %.3f scores %.1f",
                search.best.offset_ev, gain(search.best), search.score, search.second.offset_ev, gain(search.second),
                search.second_score));
  }
}

/// Search and fit from one axis on.
struct Found {
  energy::AxisSearch search;
  EnergyAxis after, from;  ///< `from`: that the last fit started from
  Fit fit;
};
Found find_axis(const EnergyAxis& axis, std::span<const double> spectrum, const std::vector<EdgeShape>& shapes) {
  Found out{energy::search_axis(axis, energy::coarsen(axis, spectrum), shapes), axis, axis, {}};
  out.after = out.search.best;
  // Shapes depend on the axis a little, so they are placed again on the corrected one until nothing moves.
  for (int round = 0; round < 12; ++round) {
    out.from = out.after;
    out.fit = fit_axis(out.from, spectrum, shapes);
    if (out.fit.edges.size() < 2) break;
    out.after = out.fit.axis;
    if (energy::farthest_ev(out.from, out.after) < energy::kSettledEv) break;
  }
  return out;
}

}  // namespace

std::string_view name_of(CalibrationMethod method) {
  if (method == CalibrationMethod::carried) return "carried";
  return method == CalibrationMethod::marks ? "marks" : "automatic";
}

Calibration auto_calibrate(const EnergyAxis& axis, std::span<const double> mean_spectrum,
                           std::span<const ReferenceSpectrum> references) {
  energy::require_spectrum(axis, mean_spectrum);
  const std::vector<EdgeShape> shapes = shapes_of(references);
  const Found first = find_axis(axis, mean_spectrum, shapes);
  const energy::AxisSearch& search = first.search;
  const Fit& fit = first.fit;
  const EnergyAxis& from = first.from;
  Calibration out{axis, first.after, {}, CalibrationMethod::automatic, search.score, search.second_score};
  check_found(fit, search, axis);
  if (energy::farthest_ev(axis, out.after) < energy::kUnmovedEv) out.after = axis;
  double chi_square = 0, largest = 0;
  std::string listing;
  for (std::size_t i = 0; i < fit.edges.size(); ++i) {
    const double channel = from.channel(fit.places[i].energy_ev), sigma = sigma_ev(*fit.edges[i]);
    const double wanted = fit.edges[i]->anchor_ev(), residual = out.after.energy(channel) - wanted;
    out.marks.push_back({fit.edges[i]->edge(), wanted, axis.energy(channel), residual});
    chi_square += residual * residual / (sigma * sigma + fit.places[i].error_ev * fit.places[i].error_ev);
    largest = std::max(largest, std::abs(residual));
    listing += text("%s%s %+.2f eV", i > 0 ? ", " : "", fit.edges[i]->edge().c_str(), residual);
  }
  if (chi_square > kMostChiSquare || largest > kMostResidualEv) {
    refuse(text("no straight axis puts them right: residuals %s, score %.1f", listing.c_str(), search.score));
  }
  if (!(fit.error_ev <= kMostErrorEv)) {
    refuse(text("the axis stays uncertain by %.2f eV at %s, residuals %s, score %.1f", fit.error_ev,
                fit.worst_edge.c_str(), listing.c_str(), search.score));
  }
  // An axis that is right is found again from itself; noise that looks like an edge depends on where intervals begin.
  const Found again = find_axis(out.after, mean_spectrum, shapes);
  const double moved = energy::farthest_ev(out.after, again.after);
  if (!again.fit.missing.empty() || moved > kRepeatsEv) {
    refuse(text("looked for again from the axis found, it moves by %.2f eV, residuals %s, score %.1f", moved,
                listing.c_str(), search.score));
  }
  return out;
}

}  // namespace elver
