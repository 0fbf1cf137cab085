#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "elver/energy.hpp"

namespace elver::energy {

/// How an axis was put right, as records tell it: the method, its scores, and what it went by.
inline nlohmann::ordered_json calibration_json(const Calibration& found) {
  nlohmann::ordered_json out{{"method", std::string(name_of(found.method))}};
  if (found.method == CalibrationMethod::automatic) {
    out["score"] = found.score;
    out["second_score"] = found.second_score;
  }
  out["marks"] = nlohmann::ordered_json::array();
  for (const MarkResidual& mark : found.marks) {
    out["marks"].push_back({{"feature", mark.feature},
                            {"wanted_ev", mark.wanted_ev},
                            {"found_ev", mark.found_ev},
                            {"residual_ev", mark.residual_ev}});
  }
  return out;
}

}  // namespace elver::energy
