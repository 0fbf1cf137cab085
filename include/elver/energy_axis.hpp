#pragma once
#include <cstddef>

namespace elver {

/// Energies [start_ev, stop_ev), half-open, in eV.
struct EnergyWindow {
  double start_ev = 0.0;
  double stop_ev = 0.0;
};

/// Channels [first, last), half-open.
struct ChannelRange {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t size() const { return last - first; }
  bool operator==(const ChannelRange&) const = default;
};

/// A linear energy axis: channel i lies at offset_ev + i * dispersion_ev (eV).
struct EnergyAxis {
  double offset_ev = 0.0;
  double dispersion_ev = 1.0;
  std::size_t size = 0;

  double energy(double channel) const { return offset_ev + channel * dispersion_ev; }
  double channel(double energy_ev) const { return (energy_ev - offset_ev) / dispersion_ev; }
  /// The one window rule of elver, for every method:
  /// [round((a-offset)/scale), round((b-offset)/scale)).
  /// Throws Error{mismatch} with the numbers when the window is empty, reversed or leaves the axis.
  ChannelRange channels(EnergyWindow window) const;
};

}  // namespace elver
