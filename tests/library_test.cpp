#include "elver/library.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "elver/error.hpp"
#include "library/geometry.hpp"
#include "library/instrument.hpp"
#include "library_fixture.hpp"
#include "support.hpp"

namespace elver {
namespace {

const std::filesystem::path kLibrary = test::shared_data("nmc-feff10/library.h5");

/// A library of one cell with one O and one Mn spectrum: steps of height 1 at 530 and 640 eV.
Library steps() {
  Library out;
  Structure cell;
  cell.id = "cell";
  cell.composition = "111";
  cell.lithiation = 0.5;
  cell.lattice = {{{4, 0, 0}, {0, 4, 0}, {0, 0, 4}}};
  cell.atoms = {{"Mn", {0, 0, 0}, 4}, {"O", {0.5, 0, 0}, -2}, {"O", {0, 0.5, 0}, -2}};
  out.structures = {cell};
  const auto step = [](const char* name, const char* element, double onset, std::size_t atom, int formal) {
    Subshell s;
    s.name = name;
    s.element = element;
    s.onset_ev = onset;
    s.start_ev = onset - 10;
    s.step_ev = 0.1;
    s.points = 501;
    s.sites = {Site{0, atom, formal, {}, std::nan("")}};
    s.jump = {1.0};
    for (std::size_t i = 0; i < s.points; ++i) s.cross_section.push_back(i < 100 ? 0.0F : i == 100 ? 0.5F : 1.0F);
    return s;
  };
  out.subshells = {step("O_K", "O", 530, 1, -2), step("Mn_L3", "Mn", 640, 0, 4)};
  return out;
}

TEST(Specimen, CountsElementsPerFormulaUnit) {
  const Library library = steps();
  const Specimen specimen = structure_average(library, 0).value();
  EXPECT_FLOAT_EQ(specimen.cross_section[0].back(), 2.0F);  // two O to one Mn
  EXPECT_FLOAT_EQ(specimen.cross_section[1].back(), 1.0F);
}

TEST(Specimen, WeighsSitesByTheFormalStatesOfTheStructure) {
  Library library = steps();
  library.structures[0].atoms = {{"Mn", {0, 0, 0}, 4},
                                 {"Mn", {0, 0, 0.5}, 4},
                                 {"Mn", {0, 0.5, 0}, 4},
                                 {"Mn", {0.5, 0, 0}, 3},
                                 {"O", {0.5, 0.5, 0}, -2}};
  Subshell& mn = library.subshells[1];
  library.subshells[0].sites[0].atom = 4;
  mn.sites = {Site{0, 0, 4, {}, 0}, Site{0, 3, 3, {}, 0}};  // the rare state is half of what was computed
  mn.jump = {1.0, 1.0};
  std::vector<float> rare(mn.points, 5.0F);
  mn.cross_section.insert(mn.cross_section.end(), rare.begin(), rare.end());
  const Specimen specimen = structure_average(library, 0).value();
  EXPECT_NEAR(specimen.cross_section[1].back(), 0.75 * 1 + 0.25 * 5, 1e-6);  // and a quarter of the atoms
}

TEST(Specimen, IsNotMadeUpWhereAnElementHasNoSpectrum) {
  Library library = steps();
  library.subshells[1].sites[0].structure = 1;
  EXPECT_FALSE(structure_average(library, 0).has_value());
}

TEST(Neighbours, CountPeriodicImages) {
  const Structure cell = steps().structures[0];
  EXPECT_EQ(neighbours(cell, 0, 2.5).size(), 4U);       // O along +-x and +-y at 2
  EXPECT_EQ(neighbours(cell, 0, 4.1).size(), 4U + 6U);  // and its own six images at 4
}

TEST(SymmetryClasses, DoNotDependOnOriginOrderOrTheChoiceOfCell) {
  Structure cell;
  cell.lattice = {{{2.85, 0, 0}, {0, 2.85, 0}, {0, 0, 9}}};
  cell.atoms = {{"Mn", {0, 0, 0}, 4}, {"O", {0, 0, 0.2}, -2}};
  Structure doubled = cell;
  doubled.lattice[0][0] *= 2;
  doubled.atoms = {
      {"O", {0.3, 0.1, 0.5}, -2}, {"Mn", {0.3, 0.1, 0.3}, 4}, {"Mn", {0.8, 0.1, 0.3}, 3}, {"O", {0.8, 0.1, 0.5}, -2}};
  Structure different = doubled;
  different.atoms[1].element = "Co";
  const std::vector<std::size_t> classes = symmetry_classes({cell, doubled, different});
  EXPECT_EQ(classes[0], classes[1]);
  EXPECT_NE(classes[0], classes[2]);
}

TEST(Instrument, ShowsThePowerLawWhereThereIsNoEdge) {
  const Library library = steps();
  Instrument instrument;
  instrument.counts_per_channel = 1000;
  instrument.background_power = 3;
  const EnergyAxis axis{440, 0.5, 200};
  const std::vector<double> counts = expected_counts(library, structure_average(library, 0).value(), instrument, axis);
  EXPECT_NEAR(counts[160], 1000, 1e-6 * 1000);  // 520 eV
  EXPECT_NEAR(counts[0], 1000 * std::pow(440.0 / 520.0, -3), 1e-6 * 1000);
}

TEST(Instrument, PutsTheJumpWhereAndAsHighAsAsked) {
  const Library library = steps();
  Instrument instrument;
  instrument.counts_per_channel = 1000;
  instrument.jump_ratio = 2;
  instrument.fwhm_ev = 1;
  instrument.continuum_power = 3;
  instrument.shift_ev = 0.7;
  const EnergyAxis axis{440, 0.1, 4000};
  Specimen none;
  none.add(structure_average(library, 0).value(), 0.0);
  const std::vector<double> with = expected_counts(library, structure_average(library, 0).value(), instrument, axis);
  const std::vector<double> without = expected_counts(library, none, instrument, axis);
  const auto edge = [&](double energy) {
    const auto c = static_cast<std::size_t>(std::lround(axis.channel(energy)));
    return with[c] - without[c];
  };
  EXPECT_NEAR(edge(530.7), 1000, 5);   // half way up at the shifted onset; the edge already falls by 2 in 0.4 eV
  EXPECT_NEAR(edge(529.7 - 1), 0, 1);  // 2 eV below, 4.7 standard deviations of the resolution
  EXPECT_NEAR(edge(610.7), 2000 * std::pow(610.0 / 530.0, -3), 1);  // and the tail lies under the next edge
}

TEST(Instrument, PluralScatteringKeepsWhatItMoves) {
  const Library library = steps();
  Instrument thin;
  thin.jump_ratio = 1;
  thin.thickness = 0;
  Instrument thick = thin;
  thick.thickness = 0.5;
  const EnergyAxis axis{440, 0.5, 1200};
  Specimen specimen = structure_average(library, 0).value();
  const std::vector<double> a = expected_counts(library, specimen, thin, axis);
  const std::vector<double> b = expected_counts(library, specimen, thick, axis);
  const auto at = [&](double e) { return static_cast<std::size_t>(std::lround(axis.channel(e))); };
  EXPECT_NEAR(b[at(500)], a[at(500)], 1e-9 * a[at(500)]);  // nothing before the first edge
  const double background = thin.counts_per_channel * std::pow(620.0 / kDoseEnergy, -thin.background_power);
  const double single = a[at(620)] - background;
  // 90 eV above a step that falls slowly, what comes in from below is about (t + t^2/2) of what is there: more, as it
  // was higher.
  EXPECT_GT(b[at(620)] - background, single * (1 + 0.5 + 0.125));
  EXPECT_LT(b[at(620)] - background, single * (1 + 0.5 + 0.125) * 1.2);
}

TEST(Instrument, NoiseIsPoisson) {
  std::mt19937_64 random(7);
  std::vector<double> counts(40000, 9.0);
  add_poisson_noise(counts, random);
  const double mean = std::accumulate(counts.begin(), counts.end(), 0.0) / 40000;
  double variance = 0;
  for (const double c : counts) variance += (c - mean) * (c - mean) / 40000;
  EXPECT_NEAR(mean, 9, 4 * 3 / std::sqrt(40000.0));  // four standard errors
  EXPECT_NEAR(variance, 9, 4 * 9 * std::sqrt(2.2 / 40000.0));
}

TEST(Library, ReadsBackWhatWasWritten) {
  const test::TempDir dir;
  const Library made = test::synthetic_library(1);
  test::write_library(made, dir / "library.h5");
  const Library read = load_library(dir / "library.h5");
  ASSERT_EQ(read.structures.size(), made.structures.size());
  EXPECT_EQ(read.structures[4].atoms.size(), made.structures[4].atoms.size());
  EXPECT_EQ(read.structures[4].atoms[3].element, made.structures[4].atoms[3].element);
  EXPECT_EQ(read.structures[4].lithiation, made.structures[4].lithiation);
  ASSERT_EQ(read.subshells.size(), made.subshells.size());
  for (std::size_t s = 0; s < made.subshells.size(); ++s) {
    EXPECT_EQ(read.subshells[s].name, made.subshells[s].name);
    EXPECT_NEAR(read.subshells[s].onset_ev, made.subshells[s].onset_ev, 1e-9);
    for (std::size_t i = 0; i < made.subshells[s].points; ++i) {
      // The same grid, up to the rounding of its energies: a linear step between points of 0.1 eV.
      ASSERT_NEAR(read.subshells[s].spectrum(2)[i], made.subshells[s].spectrum(2)[i], 1e-4);
    }
  }
}

/// A file that is wrong in one way must give Error{input} that names the way.
struct Wrong {
  const char* how;
  void (*spoil)(Library& library);
  const char* says;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.how; }

class MalformedLibrary : public testing::TestWithParam<Wrong> {};

TEST_P(MalformedLibrary, IsRefusedInWords) {
  const test::TempDir dir;
  Library library = test::synthetic_library(1);
  GetParam().spoil(library);
  test::write_library(library, dir / "library.h5");
  try {
    static_cast<void>(load_library(dir / "library.h5"));
    FAIL() << "it was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().says));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Library, MalformedLibrary,
    testing::Values(
        Wrong{"structure out of range", [](Library& l) { l.subshells[0].sites[3].structure = 99; }, "structure 99"},
        Wrong{"structure wraps around", [](Library& l) { l.subshells[0].sites[3].structure = 0xffffffff; },
              "structure -1"},
        Wrong{"atom out of range", [](Library& l) { l.subshells[0].sites[3].atom = 4000; }, "atom 4000"},
        Wrong{"atom of another element", [](Library& l) { l.subshells[0].sites[3].atom = 0; }, "names an atom of"},
        Wrong{"not a number", [](Library& l) { l.subshells[0].cross_section[700] = std::nanf(""); }, "not finite"},
        Wrong{"energies stand still", [](Library& l) { l.subshells[0].step_ev = 0; }, "do not rise"},
        Wrong{"energies without end", [](Library& l) { l.subshells[0].step_ev = 1e7; }, "span"},
        Wrong{"edge outside", [](Library& l) { l.subshells[0].onset_ev = 100; }, "lies outside"},
        Wrong{"no jump", [](Library& l) { l.subshells[0].jump[2] = 0; }, "norm of spectrum 2 is 0"},
        Wrong{"absurd lithiation", [](Library& l) { l.structures[1].lithiation = -3; }, "lithiation is -3"},
        Wrong{"no metal",
              [](Library& l) {
                l.structures[1].atoms = {Atom{"O", {0, 0, 0}, -2}};
              },
              "no transition metal"},
        Wrong{"no spectra", [](Library& l) { l.subshells.clear(); }, "no group spectra"},
        Wrong{"name of no edge", [](Library& l) { l.subshells[0].name = "OK"; }, "ELEMENT_EDGE"}),
    [](const auto& tested) {
      std::string name = tested.param.how;
      std::replace(name.begin(), name.end(), ' ', '_');
      return name;
    });

TEST(Library, RefusesWhatIsNoLibrary) {
  const test::TempDir dir;
  std::ofstream(dir / "text.h5") << "not a library";
  EXPECT_THROW(static_cast<void>(load_library(dir / "text.h5")), Error);
  static_cast<void>(hdf5::create_file((dir / "empty.h5").string()));
  EXPECT_THROW(static_cast<void>(load_library(dir / "empty.h5")), Error);
  EXPECT_THROW(static_cast<void>(load_library(dir / "absent.h5")), Error);
}

TEST(Library, ReadsTheNmcLibrary) {
  ELVER_NEEDS(kLibrary);
  const Library library = load_library(kLibrary);
  EXPECT_GE(library.structures.size(), 250U);
  ASSERT_EQ(library.subshells.size(), 7U);
  EXPECT_EQ(library.subshells.front().name, "O_K");
  EXPECT_EQ(library.subshells.back().name, "Ni_L2");
  // The neighbours that the file counts are those that the geometry gives.
  const Subshell& oxygen = library.subshells[library.find("O_K").value()];
  std::size_t complete = 0;
  for (std::size_t i = 0; i < oxygen.sites.size(); ++i) {
    const Site& site = oxygen.sites[i];
    const Structure& cell = library.structures[site.structure];
    std::array<int, 5> counted{};
    for (const Neighbour& near : neighbours(cell, site.atom, 3.0)) {
      const auto element =
          std::find(kNeighbourElements.begin(), kNeighbourElements.end(), cell.atoms[near.atom].element);
      ++counted[static_cast<std::size_t>(element - kNeighbourElements.begin())];
    }
    EXPECT_EQ(counted, site.neighbours) << cell.id << " atom " << site.atom;
    complete += neighbourhood(library, i).has_value() ? 1 : 0;
  }
  EXPECT_GE(complete, 600U);
  const std::vector<std::size_t> classes = symmetry_classes(library.structures);
  const std::set<std::size_t> distinct(classes.begin(), classes.end());
  EXPECT_LT(distinct.size(), library.structures.size());
  for (std::size_t i = 0; i < classes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (classes[i] == classes[j]) {
        EXPECT_EQ(library.structures[i].lithiation, library.structures[j].lithiation);
      }
    }
  }
}

}  // namespace
}  // namespace elver
