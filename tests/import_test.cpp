#include "elver/import.hpp"

#include <gmock/gmock.h>

#include <Eigen/Geometry>
#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "elver/compare.hpp"
#include "elver/error.hpp"
#include "library/defects.hpp"
#include "library/elements.hpp"
#include "library/lattice_relation.hpp"
#include "library/spectrum_files.hpp"
#include "library/structure_files.hpp"
#include "library/text_table.hpp"
#include "import_support.hpp"
#include "support.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using namespace test;

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

/// LiNiO2 in the hexagonal setting of R-3m: layers O Ni O Li with the stacking A B C, which a half turn about c makes A C B.
Structure layered_cell() {
  Structure out;
  out.lattice = {{{2.87, 0, 0}, {-1.435, 2.48549, 0}, {0, 0, 14.2}}};
  for (const auto& [element, z] : {std::pair{"Ni", 0.0}, {"Li", 0.5}, {"O", 0.26}, {"O", 0.74}}) {
    for (const auto& centre : {std::array{0.0, 0.0, 0.0}, {2 / 3.0, 1 / 3.0, 1 / 3.0}, {1 / 3.0, 2 / 3.0, 2 / 3.0}})
      out.atoms.push_back({element, {centre[0], centre[1], std::fmod(z + centre[2], 1.0)}, 0});
  }
  return out;
}

/// Twice the cell along a, described by axes that are whole multiples of the old ones (rows), then turned in space.
Structure described(const Structure& unit, const Eigen::Matrix3d& axes, const Eigen::Matrix3d& turn) {
  const auto matrix = [](const std::array<std::array<double, 3>, 3>& rows) {
    Eigen::Matrix3d out;
    for (int i = 0; i < 3; ++i) {
      for (int k = 0; k < 3; ++k) out(i, k) = rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)];
    }
    return out;
  };
  Structure out;
  const Eigen::Matrix3d lattice = axes * matrix(unit.lattice) * turn.transpose();
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 3; ++k) out.lattice[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)] = lattice(i, k);
  }
  for (const int copy : {0, 1}) {
    for (const Atom& atom : unit.atoms) {
      const Eigen::RowVector3d place = Eigen::RowVector3d(atom.fractional[0] + copy, atom.fractional[1], atom.fractional[2]) * axes.inverse();
      out.atoms.push_back({atom.element, {place(0), place(1), place(2)}, 0});
    }
  }
  return out;
}

// A cell of ten formula units is no supercell of a hexagonal one, which holds three, but of the primitive one, which holds one.
TEST(Defects, AreFoundAgainstThePrimitiveCellOfAConventionalOne) {
  const Structure hexagonal = layered_cell(), primitive = primitive_cell(hexagonal);
  EXPECT_EQ(hexagonal.atoms.size(), 12U);
  ASSERT_EQ(primitive.atoms.size(), 4U);
  EXPECT_EQ(count_neighbours(primitive, 3), count_neighbours(hexagonal, 9));  // an O
  EXPECT_EQ(network_name(primitive), network_name(hexagonal));
  EXPECT_EQ(primitive_cell(primitive).atoms.size(), 4U);
  Eigen::Matrix3d twice;
  twice << 2, 0, 0, 0, 1, 0, 0, 0, 1;
  Structure gap = described(primitive, twice, Eigen::Matrix3d::Identity());
  ASSERT_EQ(gap.atoms.back().element, "O");
  gap.atoms.pop_back();
  EXPECT_FALSE(find_defects(gap, hexagonal));
  const auto found = find_defects(gap, primitive);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->vacancies, 1U);
}

// Whatever axes a crystal is written by, and however it is turned, its defects are the same ones.
TEST(Defects, AreFoundInAnyOrientation) {
  const Structure reference = layered_cell();
  const Eigen::Matrix3d turn = Eigen::AngleAxisd(0.7, Eigen::Vector3d(1, 2, 3).normalized()).toRotationMatrix();
  Eigen::Matrix3d plain, permuted, half_turn, slanted;
  plain << 2, 0, 0, 0, 1, 0, 0, 0, 1;
  permuted << 0, 0, 1, 2, 0, 0, 0, 1, 0;
  half_turn << -2, 0, 0, 0, -1, 0, 0, 0, 1;
  slanted << 2, 1, 0, 0, 1, 0, 0, 0, -1;
  for (const Eigen::Matrix3d& axes : {plain, permuted, half_turn, slanted}) {
    for (const Eigen::Matrix3d& turned : {Eigen::Matrix3d(Eigen::Matrix3d::Identity()), turn}) {
      Structure cell = described(reference, axes, turned);
      for (std::size_t i = 0; i < cell.atoms.size(); ++i) cell.atoms[i].fractional[2] += 0.004 * static_cast<double>(i % 3);  // relaxed
      for (auto& row : cell.lattice) row[1] *= 1.01;  // and strained
      const auto perfect = find_defects(cell, reference);
      ASSERT_TRUE(perfect) << axes;
      EXPECT_EQ(perfect->vacancies + perfect->antisites, 0U) << axes;
      std::swap(cell.atoms[0].element, cell.atoms[3].element);  // Ni and Li
      Structure gap = cell;
      gap.atoms.erase(gap.atoms.begin() + 7);  // an O
      const auto swapped = find_defects(cell, reference), both = find_defects(gap, reference);
      ASSERT_TRUE(swapped && both) << axes;
      EXPECT_EQ(swapped->antisites, 2U);
      EXPECT_EQ(swapped->kind, DefectKind::antisite);
      EXPECT_NEAR(distance_to(*swapped, cell, 0), 0, 0.3);  // Angstrom: it and the origin are relaxed by up to 0.11
      EXPECT_EQ(both->vacancies, 1U);
    }
  }
  EXPECT_EQ(lattice_relations(Eigen::Matrix3d::Identity() * 4, Eigen::Matrix3d::Identity() * 4).size(), 24U);  // rotations of a cube
  Structure other = described(reference, plain, turn);
  other.lattice = {{{5, 0, 0}, {0, 5, 0}, {0, 0, 5}}};
  EXPECT_FALSE(find_defects(other, reference));
}

TEST(Import, SaysWhatIsNoSupercellOfTheReference) {
  const TempDir dir;
  put(dir / "run/POSCAR", kNickelOxide);
  put(dir / "run/xanes.dat", "# final state angular momentum: 1\n# Energy (eV) sigmatot\n" + table(0, 1e-3));
  put(dir / "labels.csv", "file,element,edge\nrun,O,K\n");
  put(dir / "POSCAR", "LiNiO2\n1.0\n3 0 0\n0 5 0\n0 0 8\nNi Li O\n1 1 2\nDirect\n0 0 0\n0 0 0.5\n0 0 0.25\n0 0 0.75\n");
  ImportOptions options;
  options.labels = dir / "labels.csv";
  options.reference = dir / "POSCAR";
  EXPECT_THAT(report_of(import_library({dir / "run"}, options, {}), "xanes.dat").reason,
              testing::HasSubstr("it is no supercell of the reference, so its defects are not known"));
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

/// One NiO cell with an O K spectrum of so many points for site 4 or 5.
LibraryTables one_spectrum(const TempDir& dir, int site, double step) {
  const std::string run = text("run%d", site);
  put(dir / (run + "/POSCAR"), kNickelOxide);
  std::string rows;
  for (double e = 500; e <= 580; e += step) rows += text("%g %g\n", e, e < 530 ? 0.0 : 1 + 0.1 * std::sin(e));
  put(dir / (run + "/a_O_K.txt"), rows);
  put(dir / (run + ".csv"), text("file,site,element,edge,structure\na_O_K.txt,%d,O,K,cell\n", site));
  return import_folder(dir / run, dir / (run + ".csv")).tables;
}

// Columns that elver has no use for come back from a file as they were, and from a merge too; where one library has none
// there is NaN, or "".
TEST(Library, KeepsColumnsThatItDoesNotUse) {
  const TempDir dir;
  LibraryTables first = one_spectrum(dir, 4, 2), second = one_spectrum(dir, 5, 0.5);
  ASSERT_EQ(first.spectra.size() + second.spectra.size(), 2U);
  SpectrumTable& rich = first.spectra[0];
  for (const double e : rich.energy_ev) rich.curves["mu0"].push_back(static_cast<float>(e / 100));
  rich.kept["mean_bond"] = {{1.93}, {}, {}, false};
  rich.kept["n_bond"] = {{6}, {}, {}, true};
  rich.kept["env_first_shell"] = {{0, 1, 2, 3, 4}, {}, {5}, true};
  rich.kept["remark"] = {{}, {"of a friend"}, {}, false};
  first.structure_values["cell"]["M"] = {{5, 0, 0, 1, 2, 0, 0, 0, 1}, {}, {3, 3}, true};
  first.structure_values["cell"]["defects"] = {{}, {}, {0, 3}, false};
  first.attributes["structures/cell"]["seed"] = {{700}, {}, {}, true};
  first.attributes["structures/cell"]["a"] = {{2.87}, {}, {}, false};
  first.attributes["spectra/O_K/n_bond"]["unit"] = {{}, {"bonds"}, {}, false};
  save_tables(first, dir / "first.h5");
  save_tables(second, dir / "second.h5");
  const LibraryTables alone = load_tables(dir / "first.h5");
  EXPECT_EQ(alone.spectra[0].curves, rich.curves);
  save_tables(merge_tables(alone, load_tables(dir / "second.h5")), dir / "both.h5");
  const LibraryTables both = load_tables(dir / "both.h5");
  ASSERT_EQ(both.spectra.size(), 2U);
  const SpectrumTable &a = both.spectra[0], &b = both.spectra[1];
  EXPECT_EQ(a.kept.at("points").numbers, std::vector<double>{41});  // filled up to 161
  for (std::size_t i = 0; i < a.energy_ev.size(); ++i) {  // where mu was filled up, mu0 was as well
    EXPECT_NEAR(a.curves.at("mu0")[i], a.energy_ev[i] / 100, 1e-6);
    EXPECT_TRUE(std::isnan(b.curves.at("mu0")[i]));
  }
  EXPECT_EQ(a.kept.at("mean_bond").numbers, std::vector<double>{1.93});
  EXPECT_EQ(a.kept.at("n_bond").numbers, std::vector<double>{6});
  EXPECT_EQ(a.kept.at("env_first_shell").numbers, (std::vector<double>{0, 1, 2, 3, 4}));
  EXPECT_EQ(a.kept.at("remark").words, std::vector<std::string>{"of a friend"});
  EXPECT_TRUE(std::isnan(b.kept.at("mean_bond").numbers[0]));
  EXPECT_EQ(b.kept.at("env_first_shell").numbers.size(), 5U);
  EXPECT_EQ(b.kept.at("remark").words, std::vector<std::string>{""});
  EXPECT_EQ(both.structure_values.at("cell").at("M").numbers, first.structure_values["cell"]["M"].numbers);
  EXPECT_EQ(both.structure_values.at("cell").at("M").shape, (std::vector<std::size_t>{3, 3}));
  EXPECT_EQ(both.structure_values.at("cell").at("defects").shape, (std::vector<std::size_t>{0, 3}));
  EXPECT_EQ(both.attributes.at("structures/cell").at("seed").numbers, std::vector<double>{700});
  EXPECT_EQ(both.attributes.at("structures/cell").at("a").numbers, std::vector<double>{2.87});
  EXPECT_EQ(both.attributes.at("spectra/O_K/n_bond").at("unit").words, std::vector<std::string>{"bonds"});
}

// And so of our own library, bond by bond.
TEST(Library, KeepsAllOfOurs) {
  const auto ours = test::shared_data("nmc-feff10/library.h5");
  ELVER_NEEDS(ours);
  const TempDir dir;
  const LibraryTables was = load_tables(ours);
  save_tables(was, dir / "again.h5");
  const LibraryTables is = load_tables(dir / "again.h5");
  const SpectrumTable& sample = was.spectra.front();
  for (const char* name : {"mean_bond", "n_bond", "env_first_shell", "scf_iterations", "sublattice", "defect_kind", "fermi"})
    EXPECT_EQ(sample.kept.count(name), 1U) << name;
  EXPECT_EQ(sample.curves.count("mu0"), 1U);
  const auto same = [](const KeptValues& a, const KeptValues& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
             return x.first == y.first && x.second.numbers == y.second.numbers && x.second.words == y.second.words &&
                    x.second.shape == y.second.shape;
           });
  };
  ASSERT_EQ(is.spectra.size(), was.spectra.size());
  for (std::size_t i = 0; i < was.spectra.size(); ++i) {
    EXPECT_EQ(is.spectra[i].curves, was.spectra[i].curves) << i;
    EXPECT_TRUE(same(is.spectra[i].kept, was.spectra[i].kept)) << i;
  }
  for (const auto part : {&LibraryTables::structure_values, &LibraryTables::attributes}) {
    EXPECT_GE((was.*part).size(), was.structures.size());
    for (const auto& [path, values] : was.*part) EXPECT_TRUE(same((is.*part).at(path), values)) << path;
  }
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

TEST(Compare, RefusesWhatHasNoShapeAndALibraryWithoutAnEdge) {
  NamedSpectrum flat{"flat", {}, {}}, rising{"rising", {}, {}};
  for (int i = 0; i < 100; ++i) {
    for (NamedSpectrum* s : {&flat, &rising}) s->energy_ev.push_back(0.5 * i);
    flat.value.push_back(1);
    rising.value.push_back(i < 50 ? 0 : 1);
  }
  EXPECT_THROW(static_cast<void>(compare_spectra(flat, rising, {})), Error);
  EXPECT_THROW(static_cast<void>(read_named_spectrum("library.h5")), Error);
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
      // The library has the level of the self-consistency as FEFF's log prints it, to 1 meV, and an L2 that of its L3: the
      // L2 runs add one iteration to the L3's density (SCF 4.0 0 1), which moved their own level by up to 1.6 meV.
      const bool one_more = s.edge.ends_with("_L2");
      EXPECT_NEAR(s.fermi_ev, other.fermi_ev, one_more ? 2e-3 : 0.5e-3 + 1e-6) << folder;
      EXPECT_NEAR(s.norm / other.norm, 1, 1e-6);
      EXPECT_EQ(s.neighbours, other.neighbours) << folder;
      EXPECT_EQ(s.formal_state, other.formal_state);
    }
    EXPECT_TRUE(found) << folder;
  }
}

// The Fermi level is where FEFF's own k is zero, and the mu of its header to the three digits that this has.
TEST(ImportOfOurRuns, TakesTheFermiLevelOfEachRun) {
  const auto raw = test::shared_data("nmc-feff10/raw");
  ELVER_NEEDS(raw);
  const ImportResult result = import_folder(raw);
  ASSERT_EQ(result.tables.spectra.size(), 14U);
  for (const SpectrumTable& s : result.tables.spectra) {
    std::ifstream file(raw.parent_path() / s.source);
    double mu = 0, zero = 0, at_zero = 0;
    for (std::string line; std::getline(file, line);) {
      if (const auto at = line.find("Mu="); at != std::string::npos) mu = std::stod(line.substr(at + 3));
      double omega = 0, e = 0, k = 0;
      if (line.starts_with("#") || std::sscanf(line.c_str(), "%lf %lf %lf", &omega, &e, &k) != 3) continue;
      zero = omega - e;
      if (k == 0) at_zero = omega;
    }
    EXPECT_NEAR(s.fermi_ev, at_zero, 1e-9) << s.source;
    EXPECT_NEAR(s.fermi_ev - zero, mu, 0.005 + 1e-6) << s.source;
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
