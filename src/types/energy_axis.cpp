#include "elver/energy_axis.hpp"

#include <cmath>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {

ChannelRange EnergyAxis::channels(EnergyWindow window) const {
  const double first = std::round(channel(window.start_ev));
  const double last = std::round(channel(window.stop_ev));
  const std::string name = text("energy window %g:%g eV", window.start_ev, window.stop_ev);
  if (dispersion_ev < 0) {
    throw Error(ErrorKind::mismatch, name, text("the energy axis runs backwards, from %g eV down by %g eV a channel", energy(0), -dispersion_ev),
                "Write the spectra with ascending energies, or put the axis right with --offset-ev and --dispersion-ev");
  }
  if (!(last > first)) {
    throw Error(ErrorKind::mismatch, name, text("holds no channel of %g eV", dispersion_ev),
                "Give start and stop in eV, start first");
  }
  if (first < 0 || last > static_cast<double>(size)) {
    throw Error(ErrorKind::mismatch, name,
                text("the energy axis runs from %g to %g eV", energy(0), energy(static_cast<double>(size))),
                "Choose a window on the axis, or put the axis right with --mark, --offset-ev or --dispersion-ev");
  }
  return {static_cast<std::size_t>(first), static_cast<std::size_t>(last)};
}

}  // namespace elver
