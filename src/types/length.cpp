#include "types/length.hpp"

#include <utility>

namespace elver {

double metres_in(const std::string& unit) {
  for (const auto& [name, value] : {std::pair{"nm", 1e-9},
                                    {"um", 1e-6},
                                    {"\xC2\xB5m", 1e-6},
                                    {"\xCE\xBCm", 1e-6},
                                    {"A", 1e-10},
                                    {"\xC3\x85", 1e-10},
                                    {"\xE2\x84\xAB", 1e-10},
                                    {"Angstrom", 1e-10},
                                    {"angstrom", 1e-10},
                                    {"pm", 1e-12},
                                    {"mm", 1e-3},
                                    {"m", 1.0},
                                    {"micrometer", 1e-6},
                                    {"nanometer", 1e-9}}) {
    if (unit == name) return value;
  }
  return 0;
}

}  // namespace elver
