#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "elver/import.hpp"

namespace elver {

/// Labels that a person gives: a CSV as import_library describes it.
class Labels {
 public:
  Labels() = default;
  /// Throws Error{input}.
  explicit Labels(const std::filesystem::path& csv);
  /// What rows say of this file (path from its folder); later rows go before earlier ones.
  std::map<std::string, std::string> of(const std::string& file);
  /// The entries of `file` that no file was met for.
  std::vector<std::string> unmet() const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  struct Row {
    std::map<std::string, std::string> cells;
    bool met = false;
  };
  std::filesystem::path folder_;
  std::vector<Row> rows_;
};

/// A cell's number. Throws Error{input} naming the column if it is none.
std::optional<double> number_in(const std::map<std::string, std::string>& labels, const std::string& column);
/// A structure without geometry from "Li0.5Ni0.8Mn0.1Co0.1O2": all atoms in one place. Throws Error{input}.
Structure structure_of_formula(const std::string& formula);
/// Puts what labels say into structure or site. Throws Error{input}.
void apply_labels(const std::map<std::string, std::string>& labels, Structure& structure);
void apply_labels(const std::map<std::string, std::string>& labels, SpectrumTable& site);

}  // namespace elver
