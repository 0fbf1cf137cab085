#include "train/card.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "forest/xgboost_api.hpp"
#include "library/instrument.hpp"
#include "types/text.hpp"

namespace elver::train {
namespace {

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

nlohmann::ordered_json json_of(const std::vector<Figure>& figures) {
  nlohmann::ordered_json values = nlohmann::ordered_json::array(), intervals = values, spectra = values;
  for (const Figure& f : figures) {
    values.push_back(rounded(f.value));
    intervals.push_back({rounded(f.interval.low), rounded(f.interval.high)});
    spectra.push_back(f.spectra);
  }
  return {{"values", values}, {"interval_95", intervals}, {"spectra", spectra}};
}

nlohmann::ordered_json json_of(const TaskScore& s) {
  nlohmann::ordered_json contenders = nlohmann::ordered_json::array();
  for (const Contender& c : s.contenders)
    contenders.push_back({{"name", c.name}, {"loss", rounded(c.loss)}, {"cross_validated", json_of(c.figures)}});
  nlohmann::ordered_json out{{"task", s.task},
                             {"measure", s.measure},
                             {"guess", rounded(s.guess)},
                             {"kept", s.kept},
                             {"settings", s.settings},
                             {"training_structures", s.training_structures},
                             {"training_spectra", s.training_spectra},
                             {"fold_structures", s.fold_structures},
                             {"held_out_structures", s.held_out_structures},
                             {"held_out_specimens", s.held_out_specimens},
                             {"contenders", contenders}};
  if (!s.figures.empty()) out["held_out"] = json_of(s.figures);
  if (!s.coverage.empty()) out["held_out_coverage"] = json_of(s.coverage);
  return out;
}

}  // namespace

std::string training_card(const Library& library, const TrainOptions& options, const TrainReport& report,
                          const std::vector<Side>& sides, Backend device) {
  const InstrumentRange range;
  nlohmann::ordered_json scores = nlohmann::ordered_json::array(), held_out = scores, inside = scores,
                         trained_on = scores, networks = scores;
  for (const TaskScore& s : report.scores) scores.push_back(json_of(s));
  for (std::size_t s = 0; s < sides.size(); ++s) {
    if (sides[s] == Side::held_out) held_out.push_back(library.structures[s].id);
    if (sides[s] == Side::held_out && options.final_fit == FinalFit::training_side) continue;
    trained_on.push_back(library.structures[s].id);
    networks.push_back(network_name(library.structures[s]));
  }
  for (const double share : report.inside) inside.push_back(rounded(share));
  const nlohmann::ordered_json out{
      {"library", {{"title", library.title}, {"sha256", library.sha256}, {"structures", library.structures.size()}}},
      {"split",
       {{"by", "structure, symmetry copies together"},
        {"held_out", held_out},
        {"trained_on", trained_on},
        {"trained_on_networks", networks},
        {"model_trained_on",
         options.final_fit == FinalFit::everything
             ? "all structures; the held-out figures are of a model trained the same way without those"
             : "the structures that are not held out"},
        {"folds", options.folds}}},
      {"spectra",
       {{"fwhm_ev", {range.fwhm_low_ev, range.fwhm_high_ev}},
        {"shift_sigma_ev", range.shift_sigma_ev},
        {"gain_sigma", range.gain_sigma},
        {"jitter_sigma_ev", {{"O", range.jitter_oxygen_sigma_ev}, {"metals", range.jitter_metal_sigma_ev}}},
        {"continuum_power", {range.continuum_low, range.continuum_high}},
        {"background_power", {range.background_low, range.background_high}},
        {"jump_ratio", {range.jump_low, range.jump_high}},
        {"thickness", {range.thickness_low, range.thickness_high}},
        {"counts_per_channel", {range.dose_low, range.dose_high}},
        {"noise", "Poisson"}}},
      {"search",
       {{"evaluations", options.evaluations},
        {"rounds", options.rounds},
        {"samples", options.samples},
        {"samples_a_fold", options.search_samples},
        {"samples_of_a_linear_base", base_samples(options)},
        {"seed", options.seed},
        {"xgboost", text("%d.%d.%d", xgboost::library().version[0], xgboost::library().version[1],
                         xgboost::library().version[2])},
        {"device", device == Backend::cuda ? "cuda" : "cpu"}}},
      {"tasks",
       {{"li_content",
         "averages of structures with the weights of their formal states; 70 % mixtures of one composition; with and "
         "without vacancies"},
        {"count_Li, count_Ni, count_Mn, count_Co",
         "oxygen sites with three transition metals and at most three Li within 0.3 nm"},
        {"oxygen_vacancy",
         "averages of structures with a vacancy against pristine ones; those with more Li weigh a quarter in training "
         "and are not in the figure"},
        {"antisite",
         "neighbourhoods of 0.3 nm that hold an antisite, against neighbourhoods and averages of pristine structures; "
         "those below 0.8 Li weigh a quarter and are not in the figure"}}},
      {"views",
       {{"names", report.views},
        {"clean", "one instrument: 0.8 eV, aligned, thin, no noise"},
        {"no noise", "random instruments"},
        {"numbers", "counts per channel just before O K, random instruments"},
        {"foreign", "2.0 to 2.6 eV, t/lambda 0.8 to 1.2, shifts of 0.4 eV: not trained on"}}},
      {"intervals",
       "95 %; a structure is one trial: Wilson's for accuracies and coverage, Newcombe's of both sides for balanced "
       "accuracies, studentised bootstrap of 1000 draws of structures for RMSE"},
      {"in_domain", inside},
      {"scores", scores}};
  return out.dump();
}

}  // namespace elver::train
