#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elver {

enum class DefectKind : std::uint8_t { pristine, oxygen_vacancy, antisite };
/// "pristine", "oxygen_vacancy", "antisite".
std::string_view name_of(DefectKind kind);

struct Atom {
  std::string element;
  std::array<double, 3> fractional{};
  int formal_state = 0;
};

/// A simulated cell with its labels.
struct Structure {
  std::string id;
  std::string composition;  ///< of the transition metals, for example "811" (Ni:Mn:Co)
  DefectKind defect = DefectKind::pristine;
  double lithiation = 0.0;                         ///< Li per formula unit
  std::array<std::array<double, 3>, 3> lattice{};  ///< rows are the cell vectors, Angstrom
  std::vector<Atom> atoms;

  std::size_t count(std::string_view element) const;
  /// Transition metal atoms: one per formula unit.
  std::size_t formula_units() const;
};

/// The elements that neighbours are counted of, in the order of Site::neighbours.
inline constexpr std::array<std::string_view, 5> kNeighbourElements{"Li", "Ni", "Mn", "Co", "O"};

/// An absorbing atom whose spectrum was computed.
struct Site {
  std::size_t structure = 0;
  std::size_t atom = 0;  ///< index into the structure's atoms
  int formal_state = 0;
  std::array<int, 5> neighbours{};        ///< atoms within 0.3 nm, itself left out
  double defect_distance_angstrom = 0.0;  ///< NaN where there is no defect
};

/// The spectra of one absorption edge of one element: "O_K", "Ni_L3", "Ni_L2". Cross sections (up to a factor that all
/// subshells share) on one uniform grid of absolute energies, moved by the library's shift to experiment.
struct Subshell {
  std::string name;
  std::string element;
  double onset_ev = 0.0;  ///< median Fermi energy of its sites
  double start_ev = 0.0;
  double step_ev = 0.0;
  std::size_t points = 0;
  std::vector<Site> sites;
  std::vector<double> jump;          ///< [site]: cross section far above the edge
  std::vector<float> cross_section;  ///< [site][point]

  double energy(std::size_t point) const { return start_ev + static_cast<double>(point) * step_ev; }
  std::span<const float> spectrum(std::size_t site) const {
    return std::span(cross_section).subspan(site * points, points);
  }
};

/// Structures and site spectra: what models and phantoms are made of.
struct Library {
  std::string title;
  std::string sha256;  ///< of the file; "" where it was made in memory
  std::vector<Structure> structures;
  std::vector<Subshell> subshells;  ///< in the order of their onsets

  /// Elements with spectra, each once, in the order of their first onset.
  std::vector<std::string> elements() const;
  /// Index into `subshells`; nothing when there is no such edge.
  std::optional<std::size_t> find(std::string_view subshell) const;
};

/// Reads a library (HDF5: structures/ and spectra/ELEMENT_EDGE/, absorption normalised to the edge jump `norm`, with
/// the attribute `shift_to_experiment`). Throws Error{input} when it is malformed.
Library load_library(const std::filesystem::path& path);

/// What the beam meets, per formula unit: a cross section per subshell. Linear, so specimens mix by weight.
struct Specimen {
  std::vector<std::vector<float>> cross_section;  ///< [subshell][point]; empty where the element is absent
  std::vector<double> jump;                       ///< [subshell]

  void add(const Specimen& other, double weight);
};

/// How spectra are taken: what an instrument is drawn from, uniformly but where it says otherwise.
struct InstrumentRange {
  double fwhm_low_ev = 0.3, fwhm_high_ev = 2.0;
  double shift_sigma_ev = 0.25;         ///< normal
  double gain_sigma = 0.0007;           ///< normal; 0.1 eV at 150 eV from the centre
  double jitter_oxygen_sigma_ev = 0.3;  ///< normal: O K energies of such calculations are not better known
  double jitter_metal_sigma_ev = 0.1;   ///< normal, one draw an element
  double continuum_low = 2.5, continuum_high = 4.0;
  double background_low = 2.2, background_high = 3.6;
  double jump_low = 0.2, jump_high = 2.0;  ///< log-uniform
  double thickness_low = 0.0, thickness_high = 0.8;
  double dose_low = 30.0, dose_high = 30'000.0;  ///< counts per channel just before O K, log-uniform
  /// One instrument: 0.8 eV, aligned, thin, edges as high as the background before O K.
  static InstrumentRange standard();
  /// Outside the default ranges: 2.0 to 2.6 eV, thick (t/lambda 0.8 to 1.2), worse aligned.
  static InstrumentRange foreign();
};

/// What a mean over sites weighs them by: their cross sections as they are, or each edge of a site scaled to the sites'
/// mean area first, as the paper's code does.
enum class SiteScale : std::uint8_t { cross_section, equal_area };

/// The mean over a structure: its computed sites, weighted so that every formal state counts as often as it occurs in
/// the structure (computed sites over-represent rare states), elements in their stoichiometry. Nothing when an element
/// that the structure holds, and the library knows, has no computed site in it.
std::optional<Specimen> structure_average(const Library& library, std::size_t structure,
                                          SiteScale scale = SiteScale::cross_section);

/// The neighbourhood of one oxygen site (index into the sites of "O_K"): the oxygen, and every transition metal within
/// 0.3 nm, one third of a formula unit each. Nothing when one of those metals has no computed spectrum.
std::optional<Specimen> neighbourhood(const Library& library, std::size_t oxygen_site);

/// For every structure the number of its class: structures whose decorated bond networks are the same (symmetry
/// copies, whatever their small displacements) share a class. What a split must not tear apart.
std::vector<std::size_t> symmetry_classes(const std::vector<Structure>& structures);
/// What a symmetry class is known by wherever it is met again: 16 hexadecimal digits, a hash of the bond network.
std::string network_name(const Structure& structure);

}  // namespace elver
