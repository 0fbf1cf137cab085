#include "elver/energy.hpp"
#include "elver/error.hpp"

namespace elver {

Mark parse_mark(const std::string& text) { throw Error(ErrorKind::usage, "--mark " + text, "calibration is not built in yet"); }

Calibration calibrate(const EnergyAxis& axis, std::span<const double> /*mean_spectrum*/, std::span<const Mark> /*marks*/) {
  return {axis, axis, {}};
}

}  // namespace elver
