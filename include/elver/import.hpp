#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "elver/library.hpp"
#include "elver/run_context.hpp"

namespace elver {

/// The program whose output a file is; `table`: two columns of numbers without a sign of who wrote them.
enum class SpectrumCode : std::uint8_t { feff, fdmnes, ocean, xspectra, vasp, table };
/// "FEFF", "FDMNES", "OCEAN", "XSPECTRA", "VASP", "table".
std::string_view name_of(SpectrumCode code);

/// What a library's file holds and elver has no use for, kept for those who have: numbers in C order, or words.
struct KeptValue {
  std::vector<double> numbers;
  std::vector<std::string> words;
  std::vector<std::size_t> shape;  ///< of the numbers; empty for a single one
  bool whole = false;              ///< they were whole numbers in the file
};
using KeptValues = std::map<std::string, KeptValue>;  ///< by name

/// The spectrum of one site on its own energies, before any grid: what Subshell is resampled from.
struct SpectrumTable {
  std::string edge;           ///< "O_K", "Ni_L3", "Ni_L23"
  std::size_t structure = 0;  ///< index into LibraryTables::structures
  std::size_t atom = 0;       ///< index into the structure's atoms
  int formal_state = 0;       ///< 0 where nothing says
  std::array<int, 5> neighbours{};        ///< kNeighbourElements within 0.3 nm, itself left out
  double defect_distance_angstrom = 0.0;  ///< NaN where there is none, or nothing says
  std::vector<double> energy_ev;          ///< rising, absolute, as the code gives them
  std::vector<float> mu;                  ///< absorption over the edge jump
  double norm = 1.0;                      ///< that jump: square Angstrom per atom where the code gives a cross section
  double fermi_ev = 0.0;                  ///< energy of the edge: the Fermi level, else where half the jump is reached
  std::string code;                       ///< name_of(SpectrumCode), "" where the library does not say
  std::string source;                     ///< the file, relative to the folder that was imported
  std::map<std::string, std::vector<float>> curves = {};  ///< other columns of the file with a value a point, as mu0
  KeptValues kept = {};                   ///< its other columns, one row each
};

/// A library as its file holds it.
struct LibraryTables {
  std::string title;
  std::vector<Structure> structures;
  std::vector<SpectrumTable> spectra;
  std::map<std::string, double> shift_ev;  ///< [edge]: to be added to energies, to lie where experiment does
  std::map<std::string, std::string> anchor;  ///< [edge]: what the shift was chosen by, in words
  std::map<std::string, KeptValues> structure_values = {};  ///< [id]: data sets of its group that elver does not use
  std::map<std::string, KeptValues> attributes = {};        ///< [path of a group or data set; "/"]: the same of attributes
  std::string calibration = {};  ///< what a calibration put in, JSON as calibration_json has it; "" where none was made
};

/// Reads and writes the layout that load_library reads; spectra of one edge that differ in length are filled up with
/// points on the straight lines between theirs, which changes no value. Columns, data sets of structures and attributes
/// that elver does not use come back as they were. Throw Error{input}, Error{output}.
LibraryTables load_tables(const std::filesystem::path& path);
void save_tables(const LibraryTables& tables, const std::filesystem::path& path);

struct ImportOptions {
  std::filesystem::path labels;            ///< CSV, may be empty; see import_library
  std::filesystem::path reference;         ///< perfect cell (POSCAR, CIF, an input) that defects are found against; may be empty
  std::map<std::string, double> anchor_ev;  ///< [edge]: where its median onset lies in experiment
  std::map<std::string, double> shift_ev = {};  ///< [edge]: of another library of the same calculations; goes before anchors
  std::string title = "imported library";
};

/// What became of a file.
enum class FileFate : std::uint8_t {
  imported,   ///< its spectrum is in the library
  structure,  ///< it gave a structure, labels, or the settings of a run
  left_out,   ///< it was read, and something keeps it out of the library: no structure, no edge, a mean of others
  refused     ///< it cannot be read
};
/// "imported", "structure", "left out", "refused".
std::string_view name_of(FileFate fate);

struct FileReport {
  std::string file;    ///< relative to its folder
  std::string format;  ///< "FEFF xmu.dat", "POSCAR", ...; "" if unknown
  FileFate fate = FileFate::refused;
  std::string edge, structure;  ///< of its spectrum
  std::size_t points = 0;       ///< of its spectrum
  std::string reason;           ///< why it is left out or refused; else what is to be known
};

struct ImportResult {
  LibraryTables tables;
  std::vector<FileReport> files;
};

/// Reads every file under the folders (a file may be named too). Structures are those of feff.inp, of FDMNES's input,
/// or of a POSCAR, CONTCAR or CIF beside the spectrum, in the nearest folder above, or named in the labels. A plain table
/// counts where no code's spectrum lies beside it, or where the labels name it. Labels: a CSV with the column `file`
/// (path from the folder, or its end) and any of structure, structure_file, formula, element, edge, site (0-based
/// index into the atoms), formal_state, composition, lithiation, defect_kind, defect_distance, n_Li, n_Ni, n_Mn, n_Co,
/// n_O; what it gives goes before what files say. Vacancies and antisites are known from there, or against the reference.
/// Throws Error{input} when no folder can be read or the labels are malformed, Error{interrupted}.
ImportResult import_library(const std::vector<std::filesystem::path>& folders, const ImportOptions& options,
                            const RunContext& context);

/// The table of files and a count, as `elver library import --json` prints it.
std::string import_json(const ImportResult& result);

/// What `elver library show` and `check` tell, one entry an edge.
struct EdgeSummary {
  std::string edge;
  std::size_t spectra = 0, structures = 0, fewest_points = 0, most_points = 0;
  double first_ev = 0, last_ev = 0, median_onset_ev = 0, shift_ev = 0;  ///< energies without the shift
};
struct LibrarySummary {
  std::vector<EdgeSummary> edges;
  std::map<std::string, std::size_t> compositions, defects, codes;
  double lithiation_low = 0, lithiation_high = 0;
};
LibrarySummary summarise(const LibraryTables& tables);

enum class FindingKind : std::uint8_t { missing, duplicate, outlier };
/// "missing", "duplicate", "outlier".
std::string_view name_of(FindingKind kind);
struct Finding {
  FindingKind kind = FindingKind::missing;
  std::string edge, structure;
  long long atom = -1;  ///< -1: of the whole structure
  std::string what;
};
/// What is missing (an element of a structure without a spectrum although the library has its edges, an L3 without its
/// L2, labels), what is there twice (a site, or the same numbers under two names), and what lies apart: a spectrum
/// whose correlation with the median one of its edge is low by more than eight times the median deviation, an onset
/// more than 3 eV and eight times the median deviation from the median one.
std::vector<Finding> check_tables(const LibraryTables& tables);

/// The second's structures and spectra behind the first's. A structure of the same name and formula is the same one, its
/// atoms known by their surroundings where their order is another; of the same name and other atoms it is an error. A site
/// that both have is taken from the first. A column that only one of the two has is NaN, or "", for the other's spectra.
/// Energies of the second are moved where the two shifts to experiment differ.
/// Throws Error{mismatch}.
LibraryTables merge_tables(LibraryTables first, const LibraryTables& second);

}  // namespace elver
