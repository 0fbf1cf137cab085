#include "train/views.hpp"

namespace elver::train {

std::vector<View> standard_views() {
  const double clean = InstrumentRange{}.dose_high;  // noise-free counts, but as many as the training has seen
  // As pixels of a map are read: an absent edge is the line itself.
  return {{"clean", {clean, false, InstrumentRange::standard(), 0}},
          {"no noise", {clean, false, {}, 0}},
          {"10000", {10'000.0, true, {}, 0}},
          {"1000", {1'000.0, true, {}, 0}},
          {"100", {100.0, true, {}, 0}},
          {"foreign", {std::nullopt, true, InstrumentRange::foreign(), 0}}};
}

}  // namespace elver::train
