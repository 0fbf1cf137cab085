// What people and other versions of the codes write: every way to write a spectrum gives the same library, or is refused
// with the reason; nothing is taken for what it is not.
#include <gmock/gmock.h>

#include <cmath>

#include "elver/import.hpp"
#include "import_support.hpp"
#include "support.hpp"

namespace elver {
namespace {

using namespace test;
using testing::HasSubstr;

/// The curve of `table` at O K as `row` writes a point of it.
template <class Row>
std::string written(Row row) {
  std::string out;
  for (int i = 0; i <= 120; ++i) {
    const double e = -20 + 0.5 * i;
    out += row(i, 530 + e, 0.5 + std::atan(2 * e) / 3.14159265 + 2 * std::exp(-0.5 * (e - 2) * (e - 2)));
  }
  return out;
}
std::string with_comma(std::string number) {
  std::replace(number.begin(), number.end(), '.', ',');
  return number;
}

/// The one file of a folder with the cell of NiO.
ImportResult import_table(const TempDir& dir, const std::string& content) {
  put(dir / "O_K/POSCAR", kNickelOxide);
  put(dir / "O_K/x.txt", content);
  return import_folder(dir / "O_K");
}

TEST(ImportOfTables, IsTheSameHoweverNumbersAreWritten) {
  const auto plain = [](int, double e, double y) { return text("%.6f %.8e\n", e, y); };
  const std::map<std::string, std::string> ways{
      {"comma", written([](int, double e, double y) { return text("%.6f,%.8e\n", e, y); })},
      {"semicolon", written([](int, double e, double y) { return text("%.6f;%.8e\n", e, y); })},
      {"decimal commas, semicolon", "Energie;mu\n" + written([](int, double e, double y) { return with_comma(text("%.6f;%.8e\n", e, y)); })},
      {"decimal commas, tab", written([](int, double e, double y) { return with_comma(text("%.6f\t%.8e\n", e, y)); })},
      {"Windows", written([](int, double e, double y) { return text("%.6f %.8e\r\n", e, y); })},
      {"old Mac", written([](int, double e, double y) { return text("%.6f %.8e\r", e, y); })},
      {"byte order mark", "\xEF\xBB\xBF" + written(plain)},
      {"quotes", written([](int, double e, double y) { return text("\"%.6f\",\"%.8e\"\n", e, y); })},
      {"comments behind", written([](int, double e, double y) { return text("%.6f %.8e # as is\n", e, y); })},
      {"falling", written([](int i, double, double) {
         const double e = 40 - 0.5 * i;
         return text("%.6f %.8e\n", 530 + e, 0.5 + std::atan(2 * e) / 3.14159265 + 2 * std::exp(-0.5 * (e - 2) * (e - 2)));
       })},
      {"numbered", ",energy,mu\n" + written([](int i, double e, double y) { return text("%d,%.6f,%.8e\n", i, e, y); })},
      {"numbered without names", written([](int i, double e, double y) { return text("%d,%.6f,%.8e\n", i, e, y); })},
      {"named columns", "# mu Energy(eV)\n" + written([](int, double e, double y) { return text("%.8e %.6f\n", y, e); })},
      {"keV", "# energy (keV) mu\n" + written([](int, double e, double y) { return text("%.9f %.8e\n", e / 1000, y); })},
      {"keV unsaid", written([](int, double e, double y) { return text("%.9f %.8e\n", e / 1000, y); })},
      {"Ry unsaid", written([](int, double e, double y) { return text("%.9f %.8e\n", e / 13.605693, y); })},
      {"from the edge", written([](int, double e, double y) { return text("%.6f %.8e\n", e - 530, y); })}};
  const TempDir first;
  const ImportResult expected = import_table(first, written(plain));
  ASSERT_EQ(expected.tables.spectra.size(), 1U) << import_json(expected);
  const SpectrumTable& plainly = expected.tables.spectra.front();
  for (const auto& [name, content] : ways) {
    const TempDir dir;
    const ImportResult result = import_table(dir, content);
    ASSERT_EQ(result.tables.spectra.size(), 1U) << name << import_json(result);
    const SpectrumTable& s = result.tables.spectra.front();
    ASSERT_EQ(s.energy_ev.size(), plainly.energy_ev.size()) << name;
    for (std::size_t i = 0; i < s.mu.size(); ++i) {
      EXPECT_NEAR(s.energy_ev[i], plainly.energy_ev[i], 1e-5) << name;  // 1e-9 keV, and Ry to nine digits
      EXPECT_NEAR(s.mu[i], plainly.mu[i], 1e-5F) << name;
    }
  }
}

TEST(ImportOfTables, LeavesOutLinesWithoutANumberAndSaysSo) {
  for (const char* gap : {"NaN", "-inf", "*********"}) {
    const TempDir dir;
    const ImportResult result =
        import_table(dir, written([&](int i, double e, double y) { return i == 44 ? text("%.6f %s\n", e, gap) : text("%.6f %.8e\n", e, y); }));
    ASSERT_EQ(result.tables.spectra.size(), 1U) << gap << import_json(result);
    EXPECT_EQ(result.tables.spectra.front().energy_ev.size(), 120U) << gap;
    EXPECT_THAT(report_of(result, "x.txt").reason, HasSubstr("1 lines without a number were left out"));
  }
}

TEST(ImportOfTables, RefusesWhatHoldsLessOrMoreThanOneSpectrum) {
  const auto plain = [](int, double e, double y) { return text("%.6f %.8e\n", e, y); };
  const std::map<std::string, std::string> wrong{
      {written(plain) + "\n" + written(plain), "its energies begin again at 510"},
      {written([](int i, double e, double y) { return text(i < 44 ? "%.6f %.8e\n" : "%.6f %.8e 1.0\n", e, y); }), "other lines of numbers"},
      {written([&](int i, double e, double y) { return i < 50 ? std::string() : plain(i, e, y); }), "begins above the edge"},
      {written([&](int i, double e, double y) { return i < 35 ? plain(i, e, y) : std::string(); }), "its table ends on the edge"},
      {written([](int, double e, double) { return text("%.6f 1.0\n", e); }), "or shows none"},
      {written([](int, double e, double y) { return text("%.6f %.8e\n", e + 330, y); }), "energies that are not of O_K"}};
  for (const auto& [content, reason] : wrong) {
    const TempDir dir;
    const ImportResult result = import_table(dir, content);
    EXPECT_TRUE(result.tables.spectra.empty()) << reason;
    EXPECT_THAT(report_of(result, "x.txt").reason, HasSubstr(reason));
  }
}

// A library that was written can be read: tables of 1000 eV are cut to what its grid holds, and one that does not hold the
// others' edge is left out.
TEST(ImportOfTables, KeepsWhatALibraryHolds) {
  const TempDir dir;
  std::string wide;
  for (double e = -100; e <= 900; e += 2) wide += text("%g %g\n", 530 + e, 0.5 + std::atan(2 * e) / 3.14159265);
  put(dir / "run/O_K/POSCAR", kNickelOxide);
  for (const char* name : {"a", "b"}) put(dir / "run/O_K" / name / "x.txt", wide);
  put(dir / "run/O_K/far/x.txt", table(600, 1));
  const ImportResult result = import_folder(dir / "run");
  ASSERT_EQ(result.tables.spectra.size(), 2U) << import_json(result);
  EXPECT_THAT(report_of(result, "a/x.txt").reason, HasSubstr("cut to 80 eV below and 280 eV above the edge"));
  EXPECT_THAT(report_of(result, "far/x.txt").reason, HasSubstr("do not hold the edge's median onset"));
  save_tables(result.tables, dir / "lib.h5");
  EXPECT_EQ(load_library(dir / "lib.h5").subshells.front().sites.size(), 2U);
}

// Calculations of one code go by one shift, whatever the chemistry of those at hand; without it, a layered oxide's edges lie
// where they do in layered oxides, and a rock salt's where the table has them.
TEST(Import, MovesEnergiesByTheShiftsOfAnotherLibraryOrBySubstance) {
  const TempDir dir;
  const std::string layered = "LiNiO2\n1.0\n4 0 0\n0 4 0\n0 0 8\nNi Li O\n1 1 2\nDirect\n0 0 0\n0 0 0.5\n0 0 0.25\n0 0 0.75\n";
  for (const auto& [name, cell] : {std::pair{"layered", layered}, {"rock_salt", std::string(kNickelOxide)}}) {
    put(dir / name / "POSCAR", cell);
    put(dir / name / "Ni_L3/x.txt", table(870, 1));
  }
  const auto onset = [&](const char* name, const ImportOptions& options) {
    const LibraryTables tables = import_library({dir / name}, options, {}).tables;
    return tables.spectra.at(0).fermi_ev + tables.shift_ev.at("Ni_L3");
  };
  EXPECT_NEAR(onset("layered", {}), 854.1, 1e-9);
  EXPECT_NEAR(onset("rock_salt", {}), 852.7, 1e-9);
  ImportOptions anchored, shifted;
  anchored.anchor_ev["Ni_L3"] = 860;
  shifted.shift_ev["Ni_L3"] = -18.5;
  EXPECT_NEAR(onset("layered", anchored), 860, 1e-9);
  EXPECT_NEAR(onset("layered", shifted), 870 - 18.5, 0.5);  // half the jump is reached 0.3 eV before the step
}

// A code's folder is full of tables that are no spectra.
TEST(Import, TakesNoTableBesideASpectrumOfACode) {
  const TempDir dir;
  put(dir / "O_K/POSCAR", kNickelOxide);
  put(dir / "O_K/xanes.dat", "# final state angular momentum: 1\n" + table(0, 1e-3));
  put(dir / "O_K/dos.txt", table(0, 1));
  const ImportResult result = import_folder(dir / "O_K");
  EXPECT_EQ(result.tables.spectra.size(), 1U) << import_json(result);
  EXPECT_THAT(report_of(result, "dos.txt").reason, HasSubstr("beside a spectrum of XSPECTRA"));
}

TEST(Import, FindsTheCellInTheFolderAboveAndSaysWhatIsThereTwice) {
  const TempDir dir;
  put(dir / "run/POSCAR", kNickelOxide);
  for (const char* name : {"x", "y"}) put(dir / "run/O_K" / name / "xanes.dat", "# final state angular momentum: 1\n" + table(0, 1e-3));
  const ImportResult result = import_folder(dir / "run");
  EXPECT_EQ(result.tables.spectra.size(), 2U) << import_json(result);
  EXPECT_THAT(report_of(result, "y/xanes.dat").reason, HasSubstr("the site has a spectrum already"));
}

/// NiO as FEFF's input, a cluster of 9 Angstrom; `potentials` are its lines.
std::string feff_input(const std::string& potentials, const std::string& comment = "") {
  std::string out = "TITLE x\nEDGE K\nPOTENTIALS\n" + comment + potentials + "ATOMS\n" + comment;
  for (int x = -4; x <= 4; ++x) {
    for (int y = -4; y <= 4; ++y) {
      for (int z = -4; z <= 4; ++z) {
        if (2.09 * std::sqrt(x * x + y * y + z * z) > 9) continue;
        const int kind = x == 0 && y == 0 && z == 0 ? 0 : (x + y + z) % 2 == 0 ? 1 : 2;
        out += text("%9.5f %9.5f %9.5f %d\n", 2.09 * x, 2.09 * y, 2.09 * z, kind);
      }
    }
  }
  return out + "END\n";
}

/// The absorption of O K as FEFF writes it, over the jump `unit`.
std::string feff_output(const std::string& label, double unit) {
  std::string out = "# NiO  FEFF 8.50\n# Abs   Z= 8 Rmt= 0.97 Rnm= 1.0 K  shell\n";
  for (int i = 0; i < 100; ++i) out += text("# %d 0.003 2.0 3.0\n", i);
  out += "# xsedge+ 50, used to normalize mu  4.0E-03\n# " + label + "\n";
  return out + written([&](int, double e, double y) {
           const double k = std::copysign(std::sqrt(std::abs(e - 530) / 3.80998212), e - 530);
           return text("%.7f %.7f %.7f %.8E %.8E %.8E\n", e, e - 530, k, unit * y, unit, 0.0);
         });
}

TEST(ImportOfFeff, IsTheSameOfEveryVersion) {
  const std::string labels = "omega    e    k    mu    mu0     chi     @#";
  const std::string named = " 0 8 O 1 1 0.01\n 1 8 O 1 1 1\n 2 28 Ni 2 2 1\n", bare = " 0 8\n 1 8\n 2 28\n";
  const std::map<std::string, std::pair<std::string, std::string>> ways{
      {"named", {feff_input(named), feff_output(labels, 1)}},
      {"bare potentials", {feff_input(bare), feff_output(labels, 1)}},
      {"comments", {feff_input(named, "# x y z\n* ipot Z\n; x\n"), feff_output(labels, 1)}},
      {"FEFF 6", {feff_input(named), feff_output("e    e(wrt edge)    k    mu    mu0     chi     @#", 1)}},
      {"absolute", {feff_input(named), feff_output(labels, 4e-3)}}};
  for (const auto& [name, files] : ways) {
    const TempDir dir;
    put(dir / "run/feff.inp", files.first);
    put(dir / "run/xmu.dat", files.second);
    const ImportResult result = import_folder(dir / "run");
    ASSERT_EQ(result.tables.spectra.size(), 1U) << name << import_json(result);
    const SpectrumTable& s = result.tables.spectra.front();
    EXPECT_EQ(s.edge, "O_K") << name;
    EXPECT_NEAR(s.norm, 4e-3, 1e-9) << name;
    EXPECT_NEAR(s.mu.back(), 1.0F, 0.01F) << name;  // the arctangent is 0.996 at 40 eV
    EXPECT_NEAR(s.fermi_ev, 530, 1e-3) << name;     // k to seven digits
    EXPECT_THAT(s.neighbours, testing::ElementsAre(0, 6, 0, 0, 12)) << name;
  }
}

// Runs of one crystal's sites are one structure: by the cell above them, or by their own lattices where those can be told.
TEST(ImportOfFeff, PutsTheSitesOfACrystalTogether) {
  const std::string o_k = feff_output("omega    e    k    mu    mu0     chi     @#", 1);
  std::string ni_l3 = o_k;
  ni_l3.replace(ni_l3.find("Z= 8"), 4, "Z=28").replace(ni_l3.find("K  shell"), 8, "L3 shell");
  const std::string oxygen = feff_input(" 0 8 O 1 1 1\n 1 8 O 1 1 1\n 2 28 Ni 2 2 1\n"), nickel = feff_input(" 0 28 Ni 2 2 1\n 1 28 Ni 2 2 1\n 2 8 O 1 1 1\n");
  const auto shorter = [](const std::string& input) { return input.substr(0, input.find("ATOMS\n") + 6) + "%s" + "END\n"; };
  // Within 5.1 Angstrom no translation can be told.
  const auto small = [&](const std::string& input) {
    std::string atoms;
    std::istringstream lines(input.substr(input.find("ATOMS\n") + 6));
    for (std::string line; std::getline(lines, line) && line != "END";) {
      std::istringstream numbers(line);
      double x = 0, y = 0, z = 0;
      numbers >> x >> y >> z;
      if (x * x + y * y + z * z < 5.1 * 5.1) atoms += line + "\n";
    }
    return shorter(input).replace(shorter(input).find("%s"), 2, atoms);
  };
  for (const bool clusters : {false, true}) {
    const TempDir dir;
    put(dir / "run/a/feff.inp", clusters ? small(oxygen) : oxygen);
    put(dir / "run/a/xmu.dat", o_k);
    put(dir / "run/b/feff.inp", clusters ? small(nickel) : nickel);
    put(dir / "run/b/xmu.dat", ni_l3);
    if (clusters) put(dir / "run/POSCAR", kNickelOxide);
    const ImportResult result = import_folder(dir / "run");
    ASSERT_EQ(result.tables.spectra.size(), 2U) << import_json(result);
    EXPECT_EQ(result.tables.structures.size(), 1U) << import_json(result);
    for (const SpectrumTable& s : result.tables.spectra)
      EXPECT_EQ(s.edge.substr(0, s.edge.find('_')), result.tables.structures[0].atoms[s.atom].element);
    EXPECT_EQ(result.tables.structures[0].count("Ni"), result.tables.structures[0].count("O"));
  }
}

TEST(ImportOfVasp, ReadsOneRunOnceAndItsTensorAsText) {
  std::string rows;
  for (double e = 500; e <= 560; e += 0.5) rows += text("%10.4f 0.3 0.3 0.6 0 0 0\n", e).replace(10, 12, e < 530 ? " 0 0 0" : " 0.3 0.3 0.6");
  const std::string outcar = " CLNT = 2\n CLN = 1\n CLL = 0\n frequency dependent IMAGINARY DIELECTRIC FUNCTION\n E(ev) X Y Z XY YZ ZX\n" + rows + "\n";
  std::string xml = "<modeling>\n<imag>\n";
  for (std::size_t at = 0; at < rows.size(); at = rows.find('\n', at) + 1) xml += "<r>" + rows.substr(at, rows.find('\n', at) - at) + "</r>\n";
  const TempDir dir;
  put(dir / "a_O_K/POSCAR", kNickelOxide);
  put(dir / "a_O_K/OUTCAR", outcar);
  put(dir / "a_O_K/vasprun.xml", xml + "</imag>\n</modeling>\n");
  put(dir / "b_O_K/POSCAR", kNickelOxide);
  put(dir / "b_O_K/IMAG.in", "# energy xx yy zz xy yz zx\n" + rows);
  const ImportResult a = import_folder(dir / "a_O_K"), b = import_folder(dir / "b_O_K");
  ASSERT_EQ(a.tables.spectra.size(), 1U) << import_json(a);
  ASSERT_EQ(b.tables.spectra.size(), 1U) << import_json(b);
  EXPECT_THAT(report_of(a, "vasprun.xml").reason, HasSubstr("read from OUTCAR"));
  EXPECT_EQ(b.tables.spectra.front().code, "VASP");
  EXPECT_NEAR(b.tables.spectra.front().mu.back(), a.tables.spectra.front().mu.back(), 1e-6F);
}

TEST(ImportOfFdmnes, KnowsTheFermiLevelOfAConvolutionAlone) {
  const TempDir dir;
  put(dir / "run/in.txt", "Filout\nrun\nRange\n-20 0.5 40\nEdge\nK\nZ_absorber\n8\nCrystal\n4.18 4.18 4.18 90 90 90\n28 0 0 0\n8 0.5 0.5 0.5\nEnd\n");
  put(dir / "run/run_conv.txt", "    Energy    <xanes>\n" + table(0, 1e-2));
  put(dir / "absolute/in.txt", "Filout\nrun\nRange\n-20 0.5 40\nEdge\nK\nZ_absorber\n8\nCrystal\n4.18 4.18 4.18 90 90 90\n28 0 0 0\n8 0.5 0.5 0.5\nEnd\n");
  put(dir / "absolute/run_conv.txt", "    Energy    <xanes>\n" + table(530, 1e-2));
  const ImportResult relative = import_folder(dir / "run"), absolute = import_folder(dir / "absolute");
  ASSERT_EQ(relative.tables.spectra.size(), 1U) << import_json(relative);
  ASSERT_EQ(absolute.tables.spectra.size(), 1U) << import_json(absolute);
  EXPECT_NEAR(relative.tables.spectra.front().fermi_ev, 530, 1e-9);
  EXPECT_NEAR(absolute.tables.spectra.front().energy_ev.front(), 510, 1e-9);
}

std::string cif(const std::string& group, const std::string& cell = "4.18 4.18 4.18 90 90 90") {
  static const char* const kTags[] = {"length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"};
  std::string out = "data_x\n";
  std::istringstream numbers(cell);
  std::string number;
  for (const char* tag : kTags) {
    numbers >> number;
    out += "_cell_" + std::string(tag) + " " + number + "\n";
  }
  return out + group + "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n";
}

TEST(ImportOfCif, ExpandsTheCellHoweverItsGroupIsNamed) {
  const std::string rock_salt = "Ni1 Ni2+ 0 0 0\nO1 O2- 0.5 0.5 0.5\n", layered = "Li1 Li 0 0 0.5\nNi1 Ni 0 0 0\nO1 O 0 0 0.2583\n";
  const std::string centring = "\n'x,y,z'\n'x+1/2,y+1/2,z'\n'x+1/2,y,z+1/2'\n'x,y+1/2,z+1/2'\n", hexagonal = "2.87 2.87 14.2 90 90 120";
  struct Case {
    std::string text;
    std::array<int, 5> around;
  };
  const std::array<int, 5> cubic{0, 6, 0, 0, 12}, layers{3, 3, 0, 0, 9};
  const std::vector<Case> cases{
      {cif("_symmetry_space_group_name_H-M 'F m -3 m'\n") + rock_salt, cubic},
      {cif("loop_\n_symmetry_equiv_pos_as_xyz" + centring) + rock_salt, cubic},
      {cif("loop_\n_space_group_symop_operation_xyz" + centring) + rock_salt, cubic},
      {cif("_symmetry_Int_Tables_number 225\n") + rock_salt, cubic},
      {cif("_symmetry_space_group_name_H-M 'R -3 m H'\n", hexagonal) + layered, layers},
      {cif("_symmetry_space_group_name_H-M 'R -3 m'\n", hexagonal) + layered, layers},
      {cif("_space_group_IT_number 166\n", hexagonal) + layered, layers},
      {cif("_symmetry_space_group_name_H-M 'R -3 m'\n", "5.014 5.014 5.014 33.26 33.26 33.26") +
           "Li1 Li 0.5 0.5 0.5\nNi1 Ni 0 0 0\nO1 O 0.2583 0.2583 0.2583\n", layers}};
  for (const Case& c : cases) {
    const TempDir dir;
    put(dir / "O_K/x.cif", c.text);
    put(dir / "O_K/x.txt", table(530, 1));
    const ImportResult result = import_folder(dir / "O_K");
    ASSERT_EQ(result.tables.spectra.size(), 1U) << c.text << import_json(result);
    EXPECT_EQ(result.tables.spectra.front().neighbours, c.around) << c.text;
  }
  const TempDir dir;
  put(dir / "O_K/x.cif", cif("_symmetry_space_group_name_H-M 'Q x y'\n") + rock_salt);
  put(dir / "two/x.cif", "data_first\n" + cif("").substr(7) + rock_salt + cif("") + layered);
  const ImportResult result = import_folder(dir.path());
  EXPECT_THAT(report_of(result, "O_K/x.cif").reason, HasSubstr("\"Q x y\" is no space group"));
  EXPECT_THAT(report_of(result, "two/x.cif").reason, HasSubstr("it names no space group: its atoms were taken for all of the cell"));
  EXPECT_THAT(report_of(result, "two/x.cif").reason, HasSubstr("the first of 2 structures in it"));
}

TEST(ImportOfPoscar, ReadsVasp4AndThreeScales) {
  const std::map<std::string, std::string> ways{
      {"VASP 4", "Ni O\n1.0\n4.18 0 0\n0 4.18 0\n0 0 4.18\n4 4\n"},
      {"three scales", "x\n4.18 4.18 4.18\n1 0 0\n0 1 0\n0 0 1\nNi O\n4 4\n"},
      {"a volume", "x\n-73.034632\n1 0 0\n0 1 0\n0 0 1\nNi_pv/93c0a2 O/77\n4 4\nSelective\n"}};
  const std::string places = std::string(kNickelOxide).substr(std::string(kNickelOxide).find("Direct"));
  for (const auto& [name, head] : ways) {
    const TempDir dir;
    put(dir / "O_K/POSCAR", head + places);
    put(dir / "O_K/x.txt", table(530, 1));
    const ImportResult result = import_folder(dir / "O_K");
    ASSERT_EQ(result.tables.spectra.size(), 1U) << name << import_json(result);
    EXPECT_THAT(result.tables.spectra.front().neighbours, testing::ElementsAre(0, 6, 0, 0, 12)) << name;
  }
  const TempDir dir;
  put(dir / "POSCAR", "x\n1.0\n4.18 0 0\n0 4.18 0\n0 0 0\nNi O\n4 4\n" + places);
  EXPECT_THAT(report_of(import_folder(dir.path()), "POSCAR").reason, HasSubstr("its vectors make no volume"));
}

}  // namespace
}  // namespace elver
