#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "elver/image.hpp"
#include "elver/library.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// How the energy axis of a phantom moves from pixel to pixel, in the order of the scan.
enum class Drift : std::uint8_t {
  none,
  smooth,  ///< over drift_ev from the first pixel to the last, in a curve with a wave on it
  walk,    ///< a random walk, its steps normal of standard deviation drift_ev
  rows     ///< a jump before each row, normal of standard deviation drift_ev
};
/// "smooth", "walk", "rows"; throws Error{usage} for another name.
Drift drift_named(std::string_view name);

/// How a phantom is taken.
struct PhantomOptions {
  std::uint64_t rows = 48, columns = 64;
  double pixel_nm = 2.0;
  double offset_ev = 450.0, dispersion_ev = 0.3;
  std::uint64_t channels = 1500;
  double counts_per_channel = 1000.0;  ///< expected background just before O K where t/lambda is 0.4
  double fwhm_ev = 0.8;                ///< resolution
  double continuum_power = 3.0;        ///< s: beyond its onset an edge falls as E^-s
  double background_power = 3.0;       ///< r of the background before O K
  double jump_ratio = 1.0;             ///< jump of O K over the background there
  Drift drift = Drift::none;
  double drift_ev = 0.0;
  std::uint64_t seed = 1;              ///< of the choice of structures, and of the noise
  std::uint64_t split_seed = 1;        ///< of the training whose held-out structures it is made of
};

/// A spectrum image whose truth is known: a particle, a flake beside it, and vacuum around both.
///
/// The particle is seen through many cells: its spectra are mixtures of structures of one composition, grain by grain.
/// Li falls from the core to the surface; part of the rim has oxygen vacancies. The flake is seen at 0.3 nm: every
/// pixel is a mixture of two neighbourhoods with the same counts of Li, Ni, Mn and Co, which change along it; spots of
/// it hold antisites, whose neighbourhoods have two or four metals, so that their counts are not asked about. Both are
/// of changing thickness. Where the library allows, only structures are used that a training with `split_seed` holds
/// out.
///
/// Truth, one value a pixel in C order (rows, columns), NaN where the question has no answer: Li content and vacancies
/// are of the particle, counts and antisites of the flake. Of an axis that drifts, "energy_offset" (eV, median 0) too.
class Phantom {
 public:
  /// `library` must outlive the phantom. Throws Error{input} where it holds nothing that a pixel could be made of,
  /// Error{usage} for options that make no image, Error{interrupted}.
  Phantom(const Library& library, const PhantomOptions& options, const RunContext& context = {});
  ~Phantom();
  Phantom(const Phantom&) = delete;
  Phantom& operator=(const Phantom&) = delete;

  struct Truth {
    std::string name;  ///< "li_content", "count_Ni", "oxygen_vacancy", "antisite", "thickness", ...
    std::string unit;
    std::vector<float> values;
  };
  const std::vector<Truth>& truth() const;
  /// Pixels whose truth `name` is 1.
  std::size_t pixels_with(std::string_view name) const;
  std::size_t structures() const;  ///< different ones that its spectra are made of
  bool held_out() const;           ///< none of them was trained on

  /// Counts with Poisson noise, made when they are read: the same whatever is read, in whatever order and by how many
  /// threads.
  std::unique_ptr<Image> image(const RunContext& context) const;
  /// Writes the image, and its truth as maps "truth_NAME" beside it, to a HyperSpy file.
  void write(const std::filesystem::path& path, const RunContext& context) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

/// How far one map is from the truth, over the pixels where both have a value.
struct MapScore {
  std::string map;      ///< as the map is called: "li_content", "count_Ni", "probability_antisite"
  std::string measure;  ///< "RMSE"; "accuracy"; of binary tasks "balanced accuracy", the mean of both sides'
  double value = 0.0;   ///< NaN where no pixel has both, and of a binary task where the truth has one side only
  double guess = 0.0;   ///< the measure of always answering the truth's mean, or its commonest value
  std::uint64_t pixels = 0;
};

/// Compares the maps of a maps.hspy with a phantom's truth: every map that the truth has an answer to.
/// Throws Error{input} for files that cannot be read, Error{mismatch} where the shapes differ or nothing can be
/// compared.
std::vector<MapScore> score_maps(const std::filesystem::path& maps, const std::filesystem::path& phantom);

}  // namespace elver
