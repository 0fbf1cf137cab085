#include "train/views.hpp"

namespace elver::train {

std::vector<View> standard_views() {
  const double clean = InstrumentRange{}.dose_high;  // noise-free counts, but as many as the training has seen
  return {{"clean", {clean, false, InstrumentRange::standard()}},
          {"no noise", {clean, false, {}}},
          {"10000", {10'000.0, true, {}}},
          {"1000", {1'000.0, true, {}}},
          {"100", {100.0, true, {}}},
          {"foreign", {std::nullopt, true, InstrumentRange::foreign()}}};
}

}  // namespace elver::train
