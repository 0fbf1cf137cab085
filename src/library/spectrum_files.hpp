#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "elver/import.hpp"
#include "library/text_table.hpp"

namespace elver {

/// A spectrum as its file has it.
struct ReadSpectrum {
  SpectrumCode code = SpectrumCode::table;
  std::string format;               ///< "FEFF xmu.dat", "FDMNES site", ...
  std::string edge;                 ///< "" where the file does not say
  std::vector<double> energy_ev;    ///< rising
  std::vector<double> absorption;   ///< in the code's own unit
  bool relative = false;            ///< energies count from the edge, or from a zero of the code's own
  std::optional<double> fermi_ev;   ///< on the energies of the file
  double norm = 0.0;                ///< what `absorption` is already divided by, square Angstrom; 0 if it is not
  double square_angstrom = 0.0;     ///< unit of `absorption`, per atom; 0 if arbitrary
  std::string note;

  // FDMNES
  bool convolved = false;           ///< occupied states are cut off, and the lifetime is in
  std::string stem;                 ///< the name without site number and _conv
  int site = 0;                     ///< 1-based among the sites of the run; 0 if the name gives none
  double atoms = 1.0;               ///< equivalent atoms that the sum is over
  double edge_ev = 0.0;             ///< E_edge of the header; 0 if absent
  double core_level_ev = 0.0;       ///< Epsii of the header: sites are shifted against each other by it
  // OCEAN: 1-based among the atoms of the element; VASP: number of the absorbing species (CLNT)
  int number = 0;
};

/// Reads a file if its content (or, for OCEAN and VASP, its name) says that it is a spectrum; nothing if it does not.
/// Throws Error{input} for one that does and is malformed.
std::optional<ReadSpectrum> read_spectrum(const std::filesystem::path& path, const std::vector<std::string>& lines);

/// Of a table that does not say who wrote it: energies and values by the names of the columns, else the first two that count
/// no lines; the unit that the header names. Nothing if there is none. Throws Error{input}.
std::optional<ReadSpectrum> read_plain_table(const std::vector<std::string>& lines);
/// Adds two columns of a table to the spectrum, energies rising, and notes what is left out of them.
/// Throws Error{input} when they hold less than one spectrum, or more.
void take_columns(ReadSpectrum& out, const TextTable& table, std::size_t energy, std::size_t value);
/// Puts a plain table's energies into eV where only keV, Ry or Hartree fit its edge, and marks them as relative where they
/// begin near 0 and do not come near it; adds to the note what was done. Throws Error{input} where nothing fits.
void fit_unit(ReadSpectrum& table, const std::string& edge, std::string& note);
/// Leaves out what lies so far from the edge (on the file's energies) that no library holds it, and adds that to the note.
void cut_to_edge(ReadSpectrum& spectrum, double edge_ev, std::string& note);
inline constexpr std::size_t kFewestPoints = 8;  ///< fewer make no spectrum

/// Energies sorted and strictly rising, values of equal energies averaged.
void make_rising(std::vector<double>& energy, std::vector<double>& values);
/// Mean over the upper third of what lies above the onset; the onset is where half of it is first reached.
struct EdgeJump {
  double jump = 0, onset_ev = 0;
};
EdgeJump find_jump(const std::vector<double>& energy, const std::vector<double>& values);

/// What FDMNES's own convolution does to the unconvolved spectrum of a site: nothing below the Fermi level, a Lorentzian
/// whose width grows from that of the core hole by the arctangent of FDMNES's manual (15 eV at most, centred at 30 eV).
std::vector<double> fdmnes_convolution(const ReadSpectrum& site, double hole_width_ev);

}  // namespace elver
