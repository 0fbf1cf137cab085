#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "elver/energy.hpp"
#include "elver/error.hpp"
#include "energy/coarse.hpp"
#include "energy/edges.hpp"
#include "energy/find.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using energy::Candidate;
using energy::Feature;
using energy::FeatureKind;

constexpr double kReachEv = 40.0;        ///< a feature is looked for this far from where it is wanted,
constexpr double kReachShare = 0.06;     ///< or this share of its energy, if that is more
constexpr double kNearEv = 6.0;          ///< where it is looked for again on the corrected axis
constexpr double kLeastEvidence = 10.0;  ///< noise alone reaches 8 somewhere in a hundred places
constexpr double kNominalEv = 20.0;      ///< a mark further from the nominal energy is a slip of the pen
constexpr double kLeastGain = 0.8, kMostGain = 1.25;
constexpr double kMostResidualEv = 3.0;  ///< chemical shifts and the marks' own errors are smaller
constexpr double kShiftEv = 20.0, kGain = 0.05, kResidualEv = 1.0;  ///< how wrong axes and marks usually are
constexpr double kDecided = 3.0;  ///< ln of the odds below which two explanations are as good

struct Line {
  double offset = 0.0, gain = 1.0;  ///< energy wanted = offset + gain * energy on the axis as it is
};

/// Least squares of wanted on found; one mark moves the axis and leaves its gain.
Line fit_line(std::span<const double> found, std::span<const double> wanted) {
  const auto n = static_cast<double>(found.size());
  double mean_found = 0, mean_wanted = 0, variance = 0, covariance = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    mean_found += found[i] / n;
    mean_wanted += wanted[i] / n;
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    variance += (found[i] - mean_found) * (found[i] - mean_found);
    covariance += (found[i] - mean_found) * (wanted[i] - mean_wanted);
  }
  const double gain = variance > 0 ? covariance / variance : 1.0;
  return {mean_wanted - gain * mean_found, gain};
}

/// One way to explain the marks: a candidate each.
struct Explanation {
  double score = -std::numeric_limits<double>::infinity();
  std::vector<double> found_ev;
};

/// Scores a choice of candidates: their evidence, less the price of an unusual axis and of residuals.
Explanation explain(const EnergyAxis& axis, std::span<const Mark> marks,
                    const std::vector<std::vector<Candidate>>& candidates, std::span<const std::size_t> choice) {
  Explanation out;
  std::vector<double> wanted;
  double score = 0, mean_shift = 0;
  for (std::size_t m = 0; m < marks.size(); ++m) {
    const Candidate& candidate = candidates[m][choice[m]];
    out.found_ev.push_back(axis.energy(candidate.channel));
    wanted.push_back(marks[m].energy_ev);
    score += candidate.evidence;
    mean_shift += (wanted[m] - out.found_ev[m]) / static_cast<double>(marks.size());
  }
  const Line line = fit_line(out.found_ev, wanted);
  if (!(line.gain >= kLeastGain && line.gain <= kMostGain)) return out;
  const auto price = [](double x, double sigma) { return 0.5 * x * x / (sigma * sigma); };
  score -= price(mean_shift, kShiftEv) + price(line.gain - 1.0, kGain);
  for (std::size_t m = 0; m < marks.size(); ++m) {
    score -= price(line.offset + line.gain * out.found_ev[m] - wanted[m], kResidualEv);
  }
  out.score = score;
  return out;
}

/// All choices that a line through some two marks' candidates leads to (for one mark: each of its candidates).
std::vector<Explanation> explanations(const EnergyAxis& axis, std::span<const Mark> marks,
                                      const std::vector<std::vector<Candidate>>& candidates) {
  std::vector<Explanation> out;
  std::vector<std::size_t> choice(marks.size(), 0);
  if (marks.size() == 1) {
    for (choice[0] = 0; choice[0] < candidates[0].size(); ++choice[0])
      out.push_back(explain(axis, marks, candidates, choice));
    return out;
  }
  for (std::size_t a = 0; a < marks.size(); ++a) {
    for (std::size_t b = a + 1; b < marks.size(); ++b) {
      for (std::size_t ca = 0; ca < candidates[a].size(); ++ca) {
        for (std::size_t cb = 0; cb < candidates[b].size(); ++cb) {
          const double found[] = {axis.energy(candidates[a][ca].channel), axis.energy(candidates[b][cb].channel)};
          const double wanted[] = {marks[a].energy_ev, marks[b].energy_ev};
          const Line line = fit_line(found, wanted);
          if (!(line.gain > 0.5 * kLeastGain && line.gain < 2 * kMostGain)) continue;
          for (std::size_t m = 0; m < marks.size(); ++m) {
            double best = -std::numeric_limits<double>::infinity();
            for (std::size_t c = 0; c < candidates[m].size(); ++c) {
              const double residual =
                  line.offset + line.gain * axis.energy(candidates[m][c].channel) - marks[m].energy_ev;
              const double score = candidates[m][c].evidence - 0.5 * residual * residual / (kResidualEv * kResidualEv);
              if (score > best) {
                best = score;
                choice[m] = c;
              }
            }
          }
          choice[a] = ca;
          choice[b] = cb;
          out.push_back(explain(axis, marks, candidates, choice));
        }
      }
    }
  }
  return out;
}

std::string positions(std::span<const Mark> marks, const Explanation& explanation) {
  std::string out;
  for (std::size_t m = 0; m < marks.size(); ++m) {
    out += text("%s%s at %.1f eV", m > 0 ? ", " : "", marks[m].feature.c_str(), explanation.found_ev[m]);
  }
  return out;
}

std::vector<Feature> features_of(std::span<const Mark> marks) {
  std::vector<Feature> features;
  for (const Mark& mark : marks) {
    const std::optional<Feature> feature = energy::find_feature(mark.feature);
    if (!feature) {
      throw Error(ErrorKind::usage, "--mark " + mark.feature, "not a feature that elver knows",
                  "Known are: " + energy::feature_names());
    }
    for (const Feature& other : features) {
      if (other.name == feature->name) {
        throw Error(ErrorKind::usage, "--mark " + mark.feature, "given twice", "Give each feature once");
      }
    }
    if (!(std::abs(mark.energy_ev - feature->energy_ev) <= kNominalEv)) {
      throw Error(ErrorKind::mismatch, text("--mark %s=%g is absurd", mark.feature.c_str(), mark.energy_ev),
                  text("%s lies near %g eV", mark.feature.c_str(), feature->energy_ev),
                  "Give the energy at which it is wanted, in eV");
    }
    features.push_back(*feature);
  }
  return features;
}

/// The energies of the marked features on this axis. `again`: near where they are wanted; nothing if one is lost.
std::optional<Explanation> find(const EnergyAxis& axis, std::span<const double> spectrum, std::span<const Mark> marks,
                                std::span<const Feature> features, bool again) {
  std::vector<std::vector<Candidate>> candidates;
  for (std::size_t m = 0; m < marks.size(); ++m) {
    const double wanted = marks[m].energy_ev;
    const double reach = again ? kNearEv : std::min(std::max(kReachEv, kReachShare * wanted), 0.25 * wanted);
    candidates.push_back(energy::find_candidates(axis, spectrum, features[m], wanted, reach,
                                                 again ? 0.5 * kLeastEvidence : kLeastEvidence));
    if (candidates.back().empty() && again) return std::nullopt;
    if (candidates.back().empty()) {
      throw Error(ErrorKind::mismatch, "cannot find " + marks[m].feature + " in the mean spectrum",
                  text("nothing like it between %.0f and %.0f eV on an axis from %.1f to %.1f eV", wanted - reach,
                       wanted + reach, axis.offset_ev, axis.energy(static_cast<double>(axis.size) - 1)),
                  "Leave this mark out, or bring the axis nearer with --offset-ev and --dispersion-ev");
    }
  }
  const std::vector<Explanation> all = explanations(axis, marks, candidates);
  const auto by_score = [](const Explanation& a, const Explanation& b) { return a.score < b.score; };
  const auto best = std::max_element(all.begin(), all.end(), by_score);
  if (best == all.end() || !std::isfinite(best->score)) {
    if (again) return std::nullopt;
    std::string nearest;
    for (std::size_t m = 0; m < marks.size(); ++m) {
      nearest += text("%s%s at %.1f eV", m > 0 ? ", " : "", marks[m].feature.c_str(),
                      axis.energy(candidates[m].front().channel));
    }
    throw Error(ErrorKind::mismatch, "the marks do not fit the mean spectrum",
                text("found %s: no gain between %g and %g puts them right", nearest.c_str(), kLeastGain, kMostGain),
                "Check the marks, or bring the axis nearer with --offset-ev and --dispersion-ev");
  }
  for (const Explanation& other : all) {
    double apart = 0;
    if (other.score < best->score - kDecided) continue;
    for (std::size_t m = 0; m < marks.size(); ++m)
      apart = std::max(apart, std::abs(other.found_ev[m] - best->found_ev[m]));
    if (apart > kMostResidualEv) {
      throw Error(ErrorKind::mismatch, "the marks are ambiguous",
                  "as likely are " + positions(marks, *best) + " and " + positions(marks, other),
                  "Give more marks, or bring the axis nearer with --offset-ev and --dispersion-ev");
    }
  }
  return *best;
}

}  // namespace

Mark parse_mark(const std::string& value) {
  const std::size_t equals = value.find('=');
  Mark mark;
  if (equals != std::string::npos && equals > 0) {
    mark.feature = value.substr(0, equals);
    const char* const begin = value.data() + equals + 1;
    const char* const end = value.data() + value.size();
    const auto [rest, code] = std::from_chars(begin, end, mark.energy_ev);
    if (code == std::errc{} && rest == end && std::isfinite(mark.energy_ev) && mark.energy_ev > 0) return mark;
  }
  throw Error(ErrorKind::usage, "--mark " + value, "not a mark",
              "Write FEATURE=ENERGY in eV, for example --mark Mn_L3=642.0");
}

Calibration calibrate(const EnergyAxis& axis, std::span<const double> mean_spectrum, std::span<const Mark> marks) {
  Calibration out{axis, axis, {}};
  if (marks.empty()) return out;
  const std::vector<Feature> features = features_of(marks);
  energy::require_spectrum(axis, mean_spectrum);
  std::vector<double> wanted, found;
  for (const Mark& mark : marks) wanted.push_back(mark.energy_ev);
  // How features are looked for depends on the axis a little, so they are looked for again on the corrected one until
  // nothing moves: then calibrating the result changes nothing.
  for (int round = 0; round < 8; ++round) {
    const std::optional<Explanation> explanation = find(out.after, mean_spectrum, marks, features, round > 0);
    if (!explanation) break;
    const Line line = fit_line(explanation->found_ev, wanted);
    const EnergyAxis next{line.offset + line.gain * out.after.offset_ev, line.gain * out.after.dispersion_ev,
                          axis.size};
    found.clear();
    for (const double e : explanation->found_ev) found.push_back(axis.energy(out.after.channel(e)));
    const bool settled = energy::farthest_ev(out.after, next) < energy::kSettledEv;
    out.after = next;
    if (settled) break;
  }
  if (energy::farthest_ev(axis, out.after) < energy::kUnmovedEv) out.after = axis;
  const double gain = out.after.dispersion_ev / axis.dispersion_ev;
  double largest = 0;
  std::string listing;
  for (std::size_t m = 0; m < marks.size(); ++m) {
    const double residual = out.after.energy(axis.channel(found[m])) - wanted[m];
    out.marks.push_back({marks[m].feature, wanted[m], found[m], residual});
    largest = std::max(largest, std::abs(residual));
    listing += text("%s%s %+.2f eV", m > 0 ? ", " : "", marks[m].feature.c_str(), residual);
  }
  if (largest > kMostResidualEv || !(gain >= kLeastGain && gain <= kMostGain)) {
    throw Error(ErrorKind::mismatch, "no straight axis fits the marks",
                text("gain %.4f, residuals %s", gain, listing.c_str()),
                "Check the energies wanted, or leave out the mark that is far off");
  }
  return out;
}

}  // namespace elver
