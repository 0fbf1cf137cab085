#pragma once
#include <cmath>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "elver/import.hpp"
#include "types/text.hpp"

namespace elver::test {

inline void put(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << content;
}

/// An edge at `edge`: an arctangent and a white line, every 0.5 eV.
inline std::string table(double edge, double scale, int columns = 2) {
  std::string out;
  for (double e = -20; e <= 40; e += 0.5) {
    const double value = scale * (0.5 + std::atan(2 * e) / 3.14159265 + 2 * std::exp(-0.5 * (e - 2) * (e - 2)));
    out += text("%12.5f %14.7E", edge + e, value);
    for (int k = 2; k < columns; ++k) out += " 0.0";
    out += "\n";
  }
  return out;
}

/// Rock salt NiO, 4.18 Angstrom, as POSCAR: 4 Ni, 4 O.
inline constexpr const char* kNickelOxide =
    "NiO\n1.0\n4.18 0 0\n0 4.18 0\n0 0 4.18\nNi O\n4 4\nDirect\n0 0 0\n0.5 0.5 0\n0.5 0 0.5\n0 0.5 0.5\n"
    "0.5 0.5 0.5\n0 0 0.5\n0 0.5 0\n0.5 0 0\n";

inline ImportResult import_folder(const std::filesystem::path& folder, const std::filesystem::path& labels = {}) {
  ImportOptions options;
  options.labels = labels;
  return import_library({folder}, options, {});
}

inline const FileReport& report_of(const ImportResult& result, const std::string& end) {
  for (const FileReport& file : result.files) {
    if (file.file.ends_with(end)) return file;
  }
  throw std::runtime_error("no report of " + end);
}

}  // namespace elver::test
