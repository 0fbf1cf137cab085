#include "elver/import.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "elver/compare.hpp"
#include "elver/error.hpp"
#include "library/elements.hpp"
#include "library/spectrum_files.hpp"
#include "library/structure_files.hpp"
#include "library/text_table.hpp"
#include "support.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using test::TempDir;

void put(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << content;
}

/// An edge at `edge`: an arctangent and a white line, every 0.5 eV.
std::string table(double edge, double scale, int columns = 2) {
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
const char* const kNickelOxide =
    "NiO\n1.0\n4.18 0 0\n0 4.18 0\n0 0 4.18\nNi O\n4 4\nDirect\n0 0 0\n0.5 0.5 0\n0.5 0 0.5\n0 0.5 0.5\n"
    "0.5 0.5 0.5\n0 0 0.5\n0 0.5 0\n0.5 0 0\n";

ImportResult import_folder(const std::filesystem::path& folder, const std::filesystem::path& labels = {}) {
  ImportOptions options;
  options.labels = labels;
  return import_library({folder}, options, {});
}

const FileReport& report_of(const ImportResult& result, const std::string& end) {
  for (const FileReport& file : result.files) {
    if (file.file.ends_with(end)) return file;
  }
  throw std::runtime_error("no report of " + end);
}

TEST(Import, CountsNeighboursAndFormulaOfAPoscar) {
  const TempDir dir;
  put(dir / "run/POSCAR", kNickelOxide);
  put(dir / "run/xanes.dat", "# final state angular momentum: 1\n# Energy (eV) sigmatot\n" + table(0, 1e-3));
  put(dir / "labels.csv", "file,element,edge\nxanes.dat,O,K\n");
  const ImportResult result = import_folder(dir / "run", dir / "labels.csv");
  ASSERT_EQ(result.tables.spectra.size(), 1U) << import_json(result);
  const SpectrumTable& s = result.tables.spectra.front();
  EXPECT_EQ(s.edge, "O_K");
  EXPECT_EQ(s.code, "XSPECTRA");
  // In rock salt an anion has 6 cations at a/2 = 2.09 and 12 anions at a/sqrt(2) = 2.96 Angstrom.
  EXPECT_THAT(s.neighbours, testing::ElementsAre(0, 6, 0, 0, 12));
  EXPECT_EQ(result.tables.structures.front().lithiation, 0);
  EXPECT_NEAR(s.fermi_ev, 530.0, 1e-9);  // the Fermi level is XSPECTRA's zero
}

// Rock salt NiO as a CIF says it: two sites and a space group. Every anion has 6 cations and 12 anions within 0.3 nm.
TEST(Import, ExpandsACifByItsSpaceGroup) {
  const TempDir dir;
  put(dir / "run/NiO.cif",
      "data_NiO\n_cell_length_a 4.18\n_cell_length_b 4.18\n_cell_length_c 4.18\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
      "_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n_atom_site_label\n_atom_site_type_symbol\n"
      "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_occupancy\nNi1 Ni 0 0 0 1\nO1 O 0.5 0.5 0.5 1\n");
  put(dir / "run/xanes.dat", "# final state angular momentum: 1\n# Energy (eV) sigmatot\n" + table(0, 1e-3));
  put(dir / "labels.csv", "file,element,edge\nxanes.dat,O,K\n");
  const ImportResult result = import_folder(dir / "run", dir / "labels.csv");
  ASSERT_EQ(result.tables.spectra.size(), 1U) << import_json(result);
  EXPECT_EQ(result.tables.structures.front().count("Ni"), 4U);
  EXPECT_EQ(result.tables.structures.front().count("O"), 4U);
  EXPECT_THAT(result.tables.spectra.front().neighbours, testing::ElementsAre(0, 6, 0, 0, 12));
  // A site that is only partly occupied belongs to no cell that spectra are of.
  put(dir / "bad/half.cif",
      "data_x\n_cell_length_a 4\n_cell_length_b 4\n_cell_length_c 4\n_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n"
      "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_occupancy\nNi1 0 0 0 0.5\n");
  EXPECT_THAT(report_of(import_folder(dir / "bad"), "half.cif").reason, testing::HasSubstr("occupied by 0.5"));
}

/// Two by one by one cells of a layered LiNiO2 (a square one: only the places matter), moved by a quarter, atoms displaced by
/// up to 0.1 Angstrom; `change` spoils it.
std::string supercell(const std::function<void(std::vector<std::pair<std::string, std::array<double, 3>>>&)>& change) {
  std::vector<std::pair<std::string, std::array<double, 3>>> atoms;
  for (int copy = 0; copy < 2; ++copy) {
    const double x = 0.5 * copy;
    for (const auto& [element, z] : {std::pair{"Ni", 0.0}, {"O", 0.25}, {"Li", 0.5}, {"O", 0.75}}) atoms.push_back({element, {x + 0.25, 0.25, z}});
  }
  change(atoms);
  std::string out = "cell\n1.0\n8.2 0 0\n0 4.0 0\n0 0 8.1\n", counts, places;
  for (const char* element : {"Ni", "Li", "O"}) {
    int n = 0;
    for (const auto& [own, at] : atoms) {
      if (own != element) continue;
      places += text("%g %g %g\n", at[0] + 0.01 * (n % 2), at[1] - 0.02, at[2] + 0.005 * n);
      ++n;
    }
    if (n == 0) continue;
    out += std::string(element) + " ";
    counts += std::to_string(n) + " ";
  }
  return out + "\n" + counts + "\nDirect\n" + places;
}

TEST(Import, FindsDefectsAgainstAReferenceCell) {
  const TempDir dir;
  put(dir / "reference/POSCAR", "LiNiO2\n1.0\n4 0 0\n0 4 0\n0 0 8\nNi Li O\n1 1 2\nDirect\n0 0 0\n0 0 0.5\n0 0 0.25\n0 0 0.75\n");
  using Atoms = std::vector<std::pair<std::string, std::array<double, 3>>>;
  const std::map<std::string, std::function<void(Atoms&)>> cells{
      {"perfect", [](Atoms&) {}},
      {"no_lithium", [](Atoms& a) { a.erase(a.begin() + 2); }},
      {"vacancy", [](Atoms& a) { a.erase(a.begin() + 1); }},
      {"swapped", [](Atoms& a) { std::swap(a[0].first, a[6].first); }}};
  for (const auto& [name, change] : cells) {
    put(dir / "run" / name / "POSCAR", supercell(change));
    put(dir / "run" / name / "xanes.dat", "# final state angular momentum: 1\n# Energy (eV) sigmatot\n" + table(0, 1e-3));
  }
  put(dir / "labels.csv", "file,element,edge\nrun,O,K\n");
  ImportOptions options;
  options.labels = dir / "labels.csv";
  options.reference = dir / "reference/POSCAR";
  const ImportResult result = import_library({dir / "run"}, options, {});
  ASSERT_EQ(result.tables.spectra.size(), 4U) << import_json(result);
  for (const SpectrumTable& s : result.tables.spectra) {
    const Structure& cell = result.tables.structures[s.structure];
    const bool vacancy = cell.id == "vacancy", antisite = cell.id == "swapped";
    EXPECT_EQ(cell.defect, vacancy ? DefectKind::oxygen_vacancy : antisite ? DefectKind::antisite : DefectKind::pristine) << cell.id;
    EXPECT_EQ(std::isnan(s.defect_distance_angstrom), !vacancy && !antisite) << cell.id;
    if (antisite) {
      EXPECT_NEAR(s.defect_distance_angstrom, 0.25 * 8.1, 0.2);  // O at a quarter of c from the metal layer
    }
  }
}

TEST(Import, AveragesThePolarisationsOfOcean) {
  const TempDir dir;
  put(dir / "run/POSCAR", kNickelOxide);
  put(dir / "run/absspct_Ni.0002_2p_01", "# header\n" + table(0, 1.0, 4));
  put(dir / "run/absspct_Ni.0002_2p_02", "# header\n" + table(0, 3.0, 4));
  const ImportResult result = import_folder(dir / "run");
  ASSERT_EQ(result.tables.spectra.size(), 1U) << import_json(result);
  EXPECT_EQ(result.tables.spectra.front().edge, "Ni_L23");
  EXPECT_EQ(result.tables.spectra.front().atom, 1U);
  EXPECT_EQ(report_of(result, "_02").fate, FileFate::left_out);
}

TEST(Import, ReadsVaspsCoreHoleDielectricFunction) {
  const TempDir dir;
  put(dir / "run/POSCAR", kNickelOxide);
  put(dir / "run/INCAR", "ICORELEVEL = 2\nCLNT = 2\nCLN = 1\nCLL = 0\n");
  std::string outcar = " frequency dependent IMAGINARY DIELECTRIC FUNCTION (independent particle)\n     E(ev)      X  Y  Z  XY YZ ZX\n ------\n";
  for (double e = 520; e < 560; e += 0.5) outcar += text(" %.3f %.7f %.7f %.7f 0.0 0.0 0.0\n", e, e > 530 ? 1 / e : 0.0, e > 530 ? 2 / e : 0.0, e > 530 ? 3 / e : 0.0);
  put(dir / "run/OUTCAR", outcar + "\n frequency dependent REAL DIELECTRIC FUNCTION\n");
  const ImportResult result = import_folder(dir / "run");
  ASSERT_EQ(result.tables.spectra.size(), 1U) << import_json(result);
  EXPECT_EQ(result.tables.spectra.front().edge, "O_K");
  EXPECT_NEAR(result.tables.spectra.front().mu.back(), 1.0F, 1e-3F);  // E * Im(eps) is a step here; four digits are left of it
}

TEST(Import, PutsWhatItCannotReadIntoTheTableWithTheReason) {
  const TempDir dir;
  put(dir / "run/a/POSCAR", "bad\n1.0\n1 0 0\n0 1 0\n0 0 1\nQq\n1\nDirect\n0 0 0\n");
  put(dir / "run/notes.txt", "nothing\n");
  put(dir / "run/ti-k/x.txt", table(4966, 1));
  put(dir / "run/b/feff.inp", "POTENTIALS\n 0 29 Cu\nATOMS\n 0 0 0 7\nEND\n");
  const ImportResult result = import_folder(dir / "run");
  EXPECT_TRUE(result.tables.spectra.empty());
  for (const FileReport& file : result.files) EXPECT_FALSE(file.reason.empty()) << file.file;
  EXPECT_EQ(report_of(result, "POSCAR").fate, FileFate::refused);
  EXPECT_EQ(report_of(result, "feff.inp").fate, FileFate::refused);
  EXPECT_EQ(report_of(result, "x.txt").fate, FileFate::left_out);  // read, its structure is unknown
  EXPECT_EQ(report_of(result, "x.txt").edge, "Ti_K");
}

TEST(Import, TakesLabelsBeforeFilesAndSaysWhatTheyDoNotMeet) {
  const TempDir dir;
  put(dir / "run/O_K/x.txt", table(530, 1));
  put(dir / "labels.csv", "file,formula,structure,defect_kind,n_Li,n_O\nx.txt,Li0.5NiO2,cell,ovac,3,12\ny.txt,NiO,other,,,\n");
  const ImportResult result = import_folder(dir / "run", dir / "labels.csv");
  ASSERT_EQ(result.tables.spectra.size(), 1U) << import_json(result);
  EXPECT_THAT(result.tables.spectra.front().neighbours, testing::ElementsAre(3, 0, 0, 0, 12));
  EXPECT_EQ(result.tables.structures.front().defect, DefectKind::oxygen_vacancy);
  EXPECT_DOUBLE_EQ(result.tables.structures.front().lithiation, 0.5);
  EXPECT_EQ(report_of(result, "y.txt").fate, FileFate::refused);
}

TEST(Import, FindsTheLatticeThatAFeffClusterIsCutFrom) {
  std::vector<ClusterAtom> cluster{{"Ni", {0, 0, 0}, 0}};
  for (int x = -5; x <= 5; ++x) {
    for (int y = -5; y <= 5; ++y) {
      for (int z = -5; z <= 5; ++z) {
        const double r = 2.09 * std::sqrt(x * x + y * y + z * z);
        if (r > 0.1 && r < 9) cluster.push_back({(x + y + z) % 2 == 0 ? "Ni" : "O", {2.09 * x, 2.09 * y, 2.09 * z}, 0});
      }
    }
  }
  const std::optional<Structure> cell = cell_of_cluster(cluster);
  ASSERT_TRUE(cell);
  EXPECT_EQ(cell->count("Ni"), cell->count("O"));
  EXPECT_THAT(count_neighbours(*cell, 0), testing::ElementsAre(0, 12, 0, 0, 6));
}

TEST(Library, FilesKeepEveryPointAndShorterRowsTheirCurve) {
  const TempDir dir;
  put(dir / "run/POSCAR", kNickelOxide);
  put(dir / "run/a_O_K.txt", table(530, 1));
  std::string coarse;
  for (double e = 500; e <= 580; e += 2) coarse += text("%g %g\n", e, e < 530 ? 0.0 : 1 + 0.1 * std::sin(e));
  put(dir / "run/b_O_K.txt", coarse);
  put(dir / "labels.csv", "file,site,element,edge\na_O_K.txt,4,O,K\nb_O_K.txt,5,O,K\n");
  const ImportResult result = import_folder(dir / "run", dir / "labels.csv");
  ASSERT_EQ(result.tables.spectra.size(), 2U) << import_json(result);
  save_tables(result.tables, dir / "lib.h5");
  const LibraryTables back = load_tables(dir / "lib.h5");
  for (std::size_t k = 0; k < 2; ++k) {
    const SpectrumTable &was = result.tables.spectra[k], &is = back.spectra[k];
    for (std::size_t i = 0; i < was.energy_ev.size(); ++i) {
      const auto at = std::find(is.energy_ev.begin(), is.energy_ev.end(), was.energy_ev[i]);
      ASSERT_NE(at, is.energy_ev.end());
      EXPECT_EQ(is.mu[static_cast<std::size_t>(at - is.energy_ev.begin())], was.mu[i]);
    }
  }
  const LibraryTables twice = merge_tables(back, back);
  EXPECT_EQ(twice.spectra.size(), back.spectra.size());  // the same sites are the same
  LibraryTables moved = back;  // and so they are where another import has put the atoms into another order and place
  Structure& cell = moved.structures[0];
  std::reverse(cell.atoms.begin(), cell.atoms.end());
  for (Atom& atom : cell.atoms) atom.fractional[0] += 0.25;
  for (SpectrumTable& s : moved.spectra) s.atom = cell.atoms.size() - 1 - s.atom;
  EXPECT_EQ(merge_tables(back, moved).structures.size(), back.structures.size());
  for (Atom& atom : cell.atoms) atom.fractional[1] *= atom.fractional[1] > 0.4 ? 1.1 : 1.0;
  EXPECT_THROW(static_cast<void>(merge_tables(back, moved)), Error);
}

TEST(Compare, IsOneForTheSameCurveMovedAndScaled) {
  NamedSpectrum a{"a", {}, {}}, b{"b", {}, {}};
  for (double e = 500; e < 560; e += 0.1) {
    a.energy_ev.push_back(e);
    a.value.push_back(0.5 + std::atan(e - 530) / 3.14159265 + std::exp(-0.5 * (e - 533) * (e - 533)));
    b.energy_ev.push_back(e + 17.3);
    b.value.push_back(5 * a.value.back());
  }
  const Comparison same = compare_spectra(a, b, {});
  EXPECT_NEAR(same.shift_ev, -17.3, 0.006);  // the fine search goes in steps of 0.005 eV
  EXPECT_GT(same.similarity.pearson, 0.99999);
  EXPECT_GT(same.similarity.cosine, 0.99999);
}

TEST(ImportOfOurRuns, AreTheRowsOfTheLibrary) {
  const auto raw = test::shared_data("nmc-feff10/raw"), ours = test::shared_data("nmc-feff10/library.h5");
  ELVER_NEEDS(raw);
  const ImportResult result = import_folder(raw);
  EXPECT_EQ(result.tables.spectra.size(), 14U) << import_json(result);
  const LibraryTables library = load_tables(ours);
  for (const SpectrumTable& s : result.tables.spectra) {
    const std::string folder = std::filesystem::path(s.source).parent_path().filename().string();
    const std::size_t at = folder.find("_site");
    const std::size_t atom = static_cast<std::size_t>(std::stoi(folder.substr(at + 5, 3)));
    bool found = false;
    for (const SpectrumTable& other : library.spectra) {
      if (other.edge != s.edge || other.atom != atom || library.structures[other.structure].id != folder.substr(0, at)) continue;
      found = true;
      EXPECT_EQ(s.mu, other.mu);
      EXPECT_NEAR(s.fermi_ev, other.fermi_ev, 0.005);  // a small part of the tables' spacing, 0.2 eV
      EXPECT_NEAR(s.norm / other.norm, 1, 1e-6);
      EXPECT_EQ(s.neighbours, other.neighbours) << folder;
      EXPECT_EQ(s.formal_state, other.formal_state);
    }
    EXPECT_TRUE(found) << folder;
  }
}

TEST(ImportOfOthersRuns, ReadsEveryFileOrSaysWhy) {
  const auto folder = test::shared_data("simulation-outputs");
  ELVER_NEEDS(folder);
  const ImportResult result = import_folder(folder);
  for (const FileReport& file : result.files) {
    if (file.fate == FileFate::refused || file.fate == FileFate::left_out) {
      EXPECT_FALSE(file.reason.empty()) << file.file;
    }
    if (file.file.ends_with("xmu.dat") || file.file.ends_with("run_0_conv.txt")) {
      EXPECT_EQ(file.fate, FileFate::imported) << file.reason;
    }
  }
  EXPECT_EQ(report_of(result, "run_2_1.txt").edge, "Ti_K");
  // Its headers say two atoms, one and one: the last two are alike in their surroundings, and not related for FDMNES.
  std::vector<std::size_t> atoms;
  for (const SpectrumTable& s : result.tables.spectra) {
    if (s.source.find("run_5_") != std::string::npos) atoms.push_back(s.atom);
  }
  EXPECT_THAT(atoms, testing::ElementsAre(0, 2, 3));
  EXPECT_THAT(report_of(result, "ZnO_FDMNES.txt").reason, testing::Not(testing::HasSubstr("in the library")));
}

}  // namespace
}  // namespace elver
