#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "elver/import.hpp"
#include "library/labels.hpp"
#include "library/spectrum_files.hpp"
#include "library/structure_files.hpp"

namespace elver {

struct StructureFile {
  std::filesystem::path path, folder;
  FoundStructure found;
};
struct SpectrumFile {
  std::filesystem::path path, folder;
  std::string name;        ///< in the reports
  std::size_t report = 0;  ///< index into ImportResult::files
  ReadSpectrum spectrum;
};

/// A file that is known to be a structure, of whatever kind. Throws Error{input}.
FoundStructure read_structure(const std::filesystem::path& path);

/// A name that HDF5 takes for one group.
std::string as_id(std::string name);
/// Id of a structure that its file does not name: the material's number in its path, else the folder.
std::string id_from_path(const std::filesystem::path& folder);

/// What a structure has its name from.
enum class NameOf : std::uint8_t { structure, folder };

/// What was read, brought together: which spectrum belongs to which site of which structure.
class ImportRun {
 public:
  ImportRun(const ImportOptions& options, ImportResult& result);
  void read_incar(const std::filesystem::path& path, const std::vector<std::string>& lines, FileReport& report);
  /// Makes the tables and completes the reports.
  void finish(const RunContext& context);

  std::vector<StructureFile> structures;
  std::vector<SpectrumFile> spectra;

 private:
  using Cells = std::map<std::string, std::string>;
  void join_fdmnes();
  void join_polarisations();
  void add(SpectrumFile& file);
  /// The structure of a spectrum, or nothing and why.
  const FoundStructure* structure_for(const SpectrumFile& file, const Cells& labels, std::string& why);
  std::size_t atom_of(const SpectrumFile& file, const FoundStructure& found, const std::string& element,
                      const Cells& labels, std::string& note) const;
  std::size_t fdmnes_atom(const SpectrumFile& file, const FoundStructure& found, const std::vector<std::size_t>& absorbers,
                          std::string& note) const;
  /// The cell of a folder above for a run whose input is a cluster about its absorber; the input itself if it is of another.
  const FoundStructure* in_cell(const SpectrumFile& file, const FoundStructure& input);
  std::size_t place(Structure cell, NameOf name, std::size_t& atom, std::string& note);
  void choose_shifts();
  void leave_out_apart(const std::string& edge);
  bool of_layered_oxides(const std::string& edge) const;
  FileReport& report(const SpectrumFile& file) { return result_.files[file.report]; }
  void leave_out(const SpectrumFile& file, const std::string& why);

  const ImportOptions& options_;
  ImportResult& result_;
  Labels labels_;
  std::optional<Structure> reference_;
  std::map<std::filesystem::path, FoundStructure> named_;  ///< by labels
  std::map<std::filesystem::path, std::map<std::string, int>> incar_;
  std::map<std::string, std::string> networks_;            ///< [id]: of structures that their folder names
  std::map<std::filesystem::path, std::string> codes_;  ///< whose spectra lie in a folder
};

}  // namespace elver
