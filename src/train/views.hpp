#pragma once
#include <string>
#include <vector>

#include "elver/dataset.hpp"

namespace elver::train {

/// A way to look at held-out specimens.
struct View {
  std::string name;
  Exposure exposure;
};
/// Those of TrainReport::views, in its order.
std::vector<View> standard_views();

}  // namespace elver::train
