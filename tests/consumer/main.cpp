#include <elver/elver.hpp>
#include <iostream>

// Reaches the file formats, the forest and the model file, so that whatever the library needs must have come along.
int main() {
  const elver::EnergyAxis axis{440.0, 0.3, 2048};
  if (axis.channels({490.0, 520.0}) != elver::ChannelRange{167, 267}) return 1;
  try {
    elver::load_model("no-such-file.elver");
    return 2;
  } catch (const elver::Error& error) {
    if (error.kind() != elver::ErrorKind::input) return 3;
  }
  try {
    elver::open_image("no-such-file.dm3");
    return 4;
  } catch (const elver::Error& error) {
    if (error.kind() != elver::ErrorKind::input) return 5;
  }
  std::cout << "elver " << elver::version() << "\n" << elver::build_summary() << "\n";
  return 0;
}
