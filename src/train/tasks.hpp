#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "elver/library.hpp"

namespace elver::train {

/// Which structures are kept out of the training: about a quarter of each composition, defect and lithiation, symmetry
/// copies together. One byte a structure, 1: held out.
std::vector<std::uint8_t> hold_out(const std::vector<Structure>& structures, std::uint64_t seed);

/// Everything a spectrum can be made of, once.
struct Pool {
  std::vector<Specimen> specimens;
  std::vector<std::optional<std::size_t>> averages;        ///< [structure] -> specimen
  std::vector<std::optional<std::size_t>> neighbourhoods;  ///< [site of O_K] -> specimen
};
Pool make_pool(const Library& library);

struct Part {
  std::size_t specimen = 0;
  double weight = 1.0;
};

/// What one spectrum shows, and the truth about it.
struct Example {
  std::vector<Part> parts;
  std::vector<float> labels;  ///< one a task of the group; class index or value
  float weight = 1.0F;
  std::size_t structure = 0;  ///< that it was made of, or of a mixture the first one
};

struct TaskSpec {
  std::string name, unit;
  std::vector<double> classes;  ///< empty unless multi-class
  bool binary = false;
};

/// Tasks that learn from the same spectra.
struct TaskGroup {
  std::string name;
  std::vector<TaskSpec> tasks;
  std::vector<Example> training;
  std::vector<Example> held_out;
  std::size_t training_structures = 0, held_out_structures = 0;
};

/// li_content: averages of structures, 70 % of them mixtures of two to four of one composition, with or without
/// vacancies, since a pixel sees many cells along the beam; Li averaged as the spectra are.
/// local_counts: oxygen sites with three transition metals and at most three Li within 0.3 nm; half of the training
/// spectra are mixtures of two neighbourhoods of the same counts.
/// oxygen_vacancy: averages of structures with a vacancy against pristine ones, mixed within their own kind; pristine
/// structures with more Li than any vacancy structure has count a quarter, and are not in the held-out figure.
/// antisite: neighbourhoods of 0.3 nm that hold the antisite, against neighbourhoods and averages of pristine
/// structures; those with less than 0.8 Li (antisite cells have 1.0) count a quarter, and are not in the held-out
/// figure. The two sides of a binary task weigh the same. Groups without both sides, or without spectra, are left out.
std::vector<TaskGroup> make_tasks(const Library& library, const Pool& pool, const std::vector<std::uint8_t>& held_out,
                                  std::size_t samples, std::uint64_t seed);

}  // namespace elver::train
