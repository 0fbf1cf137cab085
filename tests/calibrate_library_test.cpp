#include "elver/calibrate_library.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "elver/error.hpp"
#include "library/instrument.hpp"
#include "library_fixture.hpp"
#include "support.hpp"
#include "train/edge_model.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr double kShift = 0.4, kSplitting = -1.2, kL2Factor = 0.85, kFwhm = 1.6, kThickness = 0.4;

/// The synthetic library with an L2 for Ni, 17.3 eV above L3 and half as strong.
Library with_l2() {
  Library out = test::synthetic_library(1);
  const Subshell l3 = out.subshells[*out.find("Ni_L3")];
  Subshell l2 = l3;
  l2.name = "Ni_L2";
  l2.onset_ev += 17.3;
  l2.start_ev += 17.3;
  for (float& value : l2.cross_section) value *= 0.5F;
  for (double& jump : l2.jump) jump *= 0.5;
  out.subshells.push_back(l2);
  return out;
}

/// What a spectrometer sees of two of its structures, 0.5 and 0.8 Li, if L2 is nearer and weaker than the library has it.
NamedSpectrum measured(Library library) {
  Subshell& l2 = library.subshells[*library.find("Ni_L2")];
  l2.onset_ev += kSplitting;
  l2.start_ev += kSplitting;
  for (float& value : l2.cross_section) value *= static_cast<float>(kL2Factor);
  for (double& jump : l2.jump) jump *= kL2Factor;
  Specimen mixture;
  mixture.add(*structure_average(library, 5), 0.4);
  mixture.add(*structure_average(library, 8), 0.6);
  Instrument instrument;
  instrument.fwhm_ev = kFwhm;
  instrument.shift_ev = kShift;
  instrument.thickness = kThickness;
  instrument.counts_per_channel = 1e5;
  const EnergyAxis axis{440, 0.3, 1530};
  NamedSpectrum out{"made", {}, expected_counts(library, mixture, instrument, axis)};
  for (std::size_t c = 0; c < axis.size; ++c) out.energy_ev.push_back(axis.energy(static_cast<double>(c)));
  return out;
}

TEST(CalibrateLibrary, FindsWhatAMadeReferenceWasMadeWith) {
  const Library library = with_l2();
  const LibraryCalibration found = calibrate_library(library, measured(library), {}, {});
  ASSERT_EQ(found.edges.size(), 4U);
  // The reference's background lies under other edges' continua, which no power law is: some hundredths of an eV, a few
  // per cent of widths and strengths.
  for (const EdgeCalibration& edge : found.edges) {
    EXPECT_NEAR(edge.shift_ev, kShift, 0.06) << edge.edge;
    EXPECT_NEAR(edge.gauss_fwhm_ev, kFwhm, 0.25) << edge.edge;
    EXPECT_LT(edge.lorentz_ev, 0.4) << edge.edge;
    EXPECT_GT(edge.after.pearson, 0.999) << edge.edge;
    EXPECT_GT(edge.after.pearson, edge.before.pearson) << edge.edge;
  }
  EXPECT_NEAR(found.edges[3].splitting_ev, kSplitting, 0.1);
  EXPECT_NEAR(found.edges[3].l2_ratio, kL2Factor, 0.08);
  double li = 0;
  for (const auto& [name, share] : found.mixture) li += share * std::strtod(name.c_str() + name.find("Li ") + 3, nullptr);
  EXPECT_NEAR(li, 0.4 * 0.5 + 0.6 * 0.8, 0.1);  // the peaks say how much
}

TEST(CalibrateLibrary, SaysWhatItCannotFit) {
  const Library library = test::synthetic_library(1);
  NamedSpectrum flat{"flat", {}, {}};
  for (int c = 0; c < 400; ++c) flat.energy_ev.push_back(100 + 0.5 * c), flat.value.push_back(1000);
  try {
    static_cast<void>(calibrate_library(library, flat, {}, {}));
    FAIL() << "it fitted nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::mismatch);
    EXPECT_THAT(error.what(), testing::HasSubstr("100"));
  }
}

/// The library's file, calibrated by `how`, read again.
Library recalibrated(const test::TempDir& dir, const Library& library, const LibraryCalibration& how) {
  test::write_library(library, dir / "library.h5");
  save_tables(calibrated_tables(load_tables(dir / "library.h5"), load_library(dir / "library.h5"), how), dir / "new.h5");
  return load_library(dir / "new.h5");
}

LibraryCalibration of_nickel(const EdgeCalibration& edge) {
  LibraryCalibration out;
  out.reference = "made";
  out.edges = {edge};
  return out;
}

TEST(CalibratedTables, AreTheSameWhereNothingIsPutIn) {
  const test::TempDir dir;
  const Library library = with_l2();
  EdgeCalibration nothing;
  nothing.edge = "Ni_L";
  nothing.element = "Ni";
  const Library after = recalibrated(dir, library, of_nickel(nothing));
  const Subshell &a = library.subshells[*library.find("Ni_L3")], &b = after.subshells[*after.find("Ni_L3")];
  for (double e = 850; e < 880; e += 0.2) {
    const auto at = [&](const Subshell& s) {
      return static_cast<double>(s.spectrum(3)[static_cast<std::size_t>(std::lround((e - s.start_ev) / s.step_ev))]);
    };
    EXPECT_NEAR(at(a), at(b), 2e-3 * at(a) + 2e-3);  // a Lorentzian of width 0 on a grid, and linear interpolation
  }
}

// Shift, splitting and strength stand in the file where load_library reads them; a Lorentzian keeps the area, and the
// continuum is that of the jump.
TEST(CalibratedTables, HoldWhatWasPutIn) {
  const test::TempDir dir;
  const Library library = with_l2();
  EdgeCalibration how;
  how.edge = "Ni_L";
  how.element = "Ni";
  how.shift_ev = 0.5;
  how.splitting_ev = kSplitting;
  how.l2_ratio = kL2Factor;
  how.lorentz_ev = 0.6;
  how.gauss_fwhm_ev = 1.0;
  how.continuum = 0.3;
  const Library after = recalibrated(dir, library, of_nickel(how));
  for (const char* name : {"Ni_L3", "Ni_L2"}) {
    const bool l2 = name == std::string("Ni_L2");
    const Subshell &a = library.subshells[*library.find(name)], &b = after.subshells[*after.find(name)];
    EXPECT_NEAR(b.onset_ev - a.onset_ev, 0.5 + (l2 ? kSplitting : 0), 1e-6);
    EXPECT_NEAR(b.jump[0] / a.jump[0], 1.3 * (l2 ? kL2Factor : 1.0), 1e-6);
    const auto highest = [](const Subshell& s) { return *std::ranges::max_element(s.spectrum(0)); };
    EXPECT_LT(highest(b) / (l2 ? kL2Factor : 1.0), 0.95 * highest(a));
  }
  const Subshell &oxygen = library.subshells[*library.find("O_K")], &same = after.subshells[*after.find("O_K")];
  EXPECT_EQ(oxygen.onset_ev, same.onset_ev);
  EXPECT_THAT(load_tables(dir / "new.h5").calibration, testing::HasSubstr("\"l2_factor\": 0.85"));
}

TEST(Nonnegative, SolvesWhatCanBeSolvedByHand) {
  // Least squares of A x = b with A = I: what is negative becomes 0; and a pair of columns that pull against each other.
  Eigen::MatrixXd gram = Eigen::MatrixXd::Identity(3, 3);
  EXPECT_TRUE(train::nonnegative(gram, Eigen::Vector3d(2, -1, 0.5)).isApprox(Eigen::Vector3d(2, 0, 0.5)));
  gram << 2, 1, 0, 1, 2, 0, 0, 0, 1;
  // Without a limit x = (3, -1, 0): with it the second is 0 and the first 2.5.
  EXPECT_TRUE(train::nonnegative(gram, Eigen::Vector3d(5, 1, 0)).isApprox(Eigen::Vector3d(2.5, 0, 0)));
}

TEST(LibraryCalibrateCommand, WritesALibraryThatLoadsAndAPictureAnEdge) {
  const test::TempDir dir;
  const Library library = with_l2();
  test::write_library(library, dir / "library.h5");
  const NamedSpectrum reference = measured(library);
  {
    std::ofstream table(dir / "measured.txt");
    for (std::size_t i = 0; i < reference.energy_ev.size(); ++i)
      table << text("%.3f %.8g\n", reference.energy_ev[i], reference.value[i]);
  }
  const std::string to = (dir / "measured.txt").string(), out = (dir / "new.h5").string();
  const test::Ran ran = test::run_elver({"library", "calibrate", (dir / "library.h5").string(), "--to", to, "--out", out, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::HasSubstr("\"l3_l2_splitting_added_ev\""));
  for (const char* name : {"new_O_K.png", "new_Mn_L.png", "new_Co_L.png", "new_Ni_L.png"}) EXPECT_TRUE(std::filesystem::exists(dir / name)) << name;
  EXPECT_EQ(load_library(dir / "new.h5").subshells.size(), library.subshells.size());
  const test::Ran again = test::run_elver({"library", "calibrate", out, "--to", to, "--out", (dir / "twice.h5").string()});
  EXPECT_EQ(again.code, 4);
  EXPECT_THAT(again.err, testing::HasSubstr("calibrated already"));
}

}  // namespace
}  // namespace elver
