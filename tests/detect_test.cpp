#include "elver/detect.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "counts_image.hpp"
#include "detect/excess.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "support.hpp"

namespace elver::test {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

const EnergyAxis kAxis{75.0, 0.3, 140};  // 75 to 117 eV
const EdgeWindows kSilicon{"Si_L", {78, 97}, {99, 115}};

/// What the counts are made of: a power law with `per_channel` electrons a channel at 87 eV, from 99 eV on `jump` times
/// as many, each electron `gain` counts.
struct Made {
  double per_channel = 10, jump = 0, gain = 1;
  bool coupled = false;  ///< each electron gives its counts to two neighbouring channels
  double r = 3.0;
};

std::unique_ptr<CountsImage> made(std::uint64_t pixels, const Made& how, std::uint32_t seed) {
  auto made_up = std::make_unique<CountsImage>(pixel_row(pixels), kAxis);
  CountsImage& image = *made_up;
  std::mt19937 random(seed);
  std::vector<std::poisson_distribution<int>> counts;
  for (std::size_t c = 0; c < kAxis.size; ++c) {
    const double energy = kAxis.energy(static_cast<double>(c));
    const double mean = how.per_channel * std::pow(energy / 87.0, -how.r);
    counts.emplace_back(energy >= 99 ? mean * (1 + how.jump) : mean);
  }
  for (std::uint64_t p = 0; p < pixels; ++p) {
    for (std::size_t c = 0; c < kAxis.size; ++c) {
      const auto each = static_cast<float>(counts[c](random) * how.gain);
      if (!how.coupled) {
        image.at(p, c) += each;
        continue;
      }
      image.at(p, c) += 0.5F * each;
      if (c + 1 < kAxis.size) image.at(p, c + 1) += 0.5F * each;
    }
  }
  return made_up;
}

Detection found_in(const Image& image, double rate = 0.05, double phi = 0) {
  DetectJob job{kSilicon, rate, phi, 10.0, {}};
  return detect(image, job, {});
}
const std::vector<float>& map_of(const Detection& found, const std::string& name) {
  const auto at = std::ranges::find(found.maps.maps, name, &Map::name);
  EXPECT_NE(at, found.maps.maps.end()) << name;
  return at->values;
}
double share_below(const std::vector<float>& p, double limit) {
  return static_cast<double>(std::ranges::count_if(p, [&](float each) { return static_cast<double>(each) <= limit; })) /
         static_cast<double>(p.size());
}

// Twenty thousand pixels: the share below alpha scatters by sqrt(alpha / n); four of these. Counting whole electrons
// makes the share a little less than alpha, never more.
TEST(ExcessPValue, IsUniformWithoutAnEdgeDownToTwentyElectronsInTheFit) {
  for (const double per_channel : {0.3, 1.0, 10.0}) {
    const std::vector<float> p = map_of(found_in(*made(20000, {per_channel}, 5)), "p_Si_L");
    for (const double alpha : {0.05, 0.01, 0.001}) {
      const double scatter = std::sqrt(alpha / 20000);
      EXPECT_LT(share_below(p, alpha), alpha + 4 * scatter) << per_channel << " counts a channel";
      EXPECT_GT(share_below(p, alpha), 0.7 * alpha - 4 * scatter) << per_channel << " counts a channel";
    }
  }
}

// Far out, where the best of an image's pixels is judged: 100,000 pixels at 10 electrons a channel, from the sums
// alone; four standard errors of a share of 1e-3, 1e-4. Half an electron less makes it a little less.
TEST(ExcessPValue, HoldsFarOut) {
  const ExcessTest test(kAxis, kAxis.channels(kSilicon.fit), kAxis.channels(kSilicon.signal));
  std::mt19937_64 random(8);
  std::vector<std::poisson_distribution<int>> fit;
  double in_signal = 0;
  for (const double x : test.fit_ln_energy()) fit.emplace_back(10 * std::exp(-3 * x));
  for (const double x : test.signal_ln_energy()) in_signal += 10 * std::exp(-3 * x);
  std::poisson_distribution<int> signal(in_signal);
  std::vector<float> p;
  for (int pixel = 0; pixel < 100000; ++pixel) {
    WindowSums sums{0, 0, static_cast<double>(signal(random))};
    for (std::size_t c = 0; c < fit.size(); ++c) {
      const double counts = fit[c](random);
      sums.counts += counts;
      sums.moment += counts * test.fit_ln_energy()[c];
    }
    p.push_back(static_cast<float>(test.p_value(sums)));
  }
  EXPECT_NEAR(share_below(p, 1e-3) / 1e-3, 1.0, 0.4);
  EXPECT_NEAR(share_below(p, 1e-4) / 1e-4, 1.0, 1.3);
}

// A gain known from few pixels makes p larger: Student's t, here of 10 degrees of freedom, whose one-sided p at 3 is
// 0.0067. At 1e6 electrons r* is the distance in standard errors.
TEST(ExcessPValue, AllowsForAGainThatWasMeasured) {
  const ExcessTest test(kAxis, kAxis.channels(kSilicon.fit), kAxis.channels(kSilicon.signal));
  const PowerMoments fit = power_moments(test.fit_ln_energy(), 3.0),
                     signal = power_moments(test.signal_ln_energy(), 3.0);
  const double counts = 1e6, foretold = counts * signal.sum / fit.sum, distance = signal.mean - fit.mean;
  const double variance = foretold + foretold * foretold / counts * (1 + distance * distance / fit.variance);
  const WindowSums sums{counts, counts * fit.mean, foretold + 3 * std::sqrt(variance)};
  EXPECT_NEAR(test.p_value(sums, 10), 0.0067, 0.0002);
  EXPECT_NEAR(test.p_value(sums, 1e6), test.p_value(sums), 1e-4 * test.p_value(sums));
}

// What would be used at many counts: R is the difference over its standard error. At 1e6 electrons the likelihood is a
// parabola within 1e-3 of its width.
TEST(ExcessPValue, IsTheGaussOneAtManyCounts) {
  const ExcessTest test(kAxis, kAxis.channels(kSilicon.fit), kAxis.channels(kSilicon.signal));
  const PowerMoments fit = power_moments(test.fit_ln_energy(), 3.0),
                     signal = power_moments(test.signal_ln_energy(), 3.0);
  const double counts = 1e6, foretold = counts * signal.sum / fit.sum;
  const double distance = signal.mean - fit.mean;
  const double variance = foretold + foretold * foretold / counts * (1 + distance * distance / fit.variance);
  for (const double z : {-1.0, 0.0, 1.0, 3.0, 5.0}) {
    const double p = test.p_value({counts, counts * fit.mean, foretold + z * std::sqrt(variance)});
    const double gauss = 0.5 * std::erfc(z / std::sqrt(2.0));
    EXPECT_NEAR(p / gauss, 1.0, 0.03 + 0.02 * z * z * z) << z;  // skewness: 1/6 z^3 over sqrt(foretold), and the fit's
  }
}

TEST(ExcessPValue, NothingIsNoFindAndMoreIsNeverLessLikely) {
  const ExcessTest test(kAxis, kAxis.channels(kSilicon.fit), kAxis.channels(kSilicon.signal));
  EXPECT_EQ(test.p_value({30, 0, 0}), 1.0);
  EXPECT_EQ(test.p_value({30, 0, -4}), 1.0);
  double last = 1.0;
  for (double electrons = 0.5; electrons < 3000; electrons *= 1.3) {
    const double p = test.p_value({30, 0.3, electrons});
    EXPECT_LE(p, last) << electrons;
    EXPECT_GT(p, 0.0);
    last = p;
  }
  EXPECT_LT(last, 1e-8);  // no less: so few electrons leave the slope open that a steep rise may be background
}

TEST(BenjaminiHochberg, IsTheLargestThatItsRankAllows) {
  // Ranks 1 to 5 allow 0.01, 0.02, 0.03, 0.04, 0.05 at a rate of 0.05: the third is the last that is small enough.
  EXPECT_FLOAT_EQ(static_cast<float>(benjamini_hochberg({0.5F, 0.012F, 0.03F, 0.9F, 0.011F}, 0.05)), 0.03F);
  EXPECT_EQ(benjamini_hochberg({0.2F, 0.3F}, 0.05), 0.0);
  EXPECT_FLOAT_EQ(static_cast<float>(benjamini_hochberg({NAN, 0.04F, NAN}, 0.05)), 0.04F);  // NaN is no test
  EXPECT_EQ(benjamini_hochberg({}, 0.05), 0.0);
}

/// Of this many images of 56 pixels without the edge, the share in which something was found.
double false_finds(const Made& how, int images) {
  int any = 0;
  for (int seed = 0; seed < images; ++seed) {
    any += found_in(*made(56, how, 100 + static_cast<std::uint32_t>(seed))).found > 0 ? 1 : 0;
  }
  return static_cast<double>(any) / images;
}

// Where no pixel has the edge, every find is false, and the rate is the chance of any. 200 images: its standard error
// at 0.05 is 0.015; three of these. A Gaussian z gives 0.3 and more at one count a channel.
TEST(FalseDiscoveryRate, IsAtMostThatAskedForWhateverTheCounts) {
  EXPECT_LE(false_finds({.per_channel = 1}, 200), 0.05 + 0.046);
  EXPECT_LE(false_finds({.per_channel = 20}, 200), 0.05 + 0.046);
  EXPECT_LE(false_finds({.per_channel = 20, .gain = 7.3}, 200), 0.05 + 0.046);
  EXPECT_LE(false_finds({.per_channel = 20, .gain = 0.2}, 200), 0.05 + 0.046);
  EXPECT_LE(false_finds({.per_channel = 20, .gain = 3, .coupled = true}, 200), 0.05 + 0.046);
}

// Electrons of `gain` counts: over 2000 pixels of 9 blocks the measured number scatters by 1.2 %; four of these.
TEST(Phi, IsTheGainOfTheCamera) {
  for (const double gain : {0.2, 1.0, 7.3}) {
    EXPECT_NEAR(found_in(*made(2000, {.per_channel = 20, .gain = gain}, 3)).phi / gain, 1.0, 0.05);
  }
  EXPECT_EQ(found_in(*made(20, {.per_channel = 20}, 3), 0.05, 2.5).phi, 2.5);
}

TEST(Detection, FindsAnEdgeThatIsThereAndMoreOfItAtAHigherDose) {
  double last = -1;
  for (const double per_channel : {1.0, 10.0, 100.0}) {
    const Detection found = found_in(*made(300, {.per_channel = per_channel, .jump = 0.3}, 11));
    EXPECT_GE(static_cast<double>(found.found), last);
    last = static_cast<double>(found.found);
  }
  EXPECT_EQ(last, 300);  // at 100 counts the edge stands at seven standard errors
}

// 150 of 300 pixels have it: of the finds, the share that does not is at most the rate, 0.1 and three standard errors
// of a share of 150.
TEST(Detection, CallsFewPixelsPresentThatAreNot) {
  const std::unique_ptr<CountsImage> image_made = made(300, {.per_channel = 60}, 1);
  CountsImage& image = *image_made;
  const std::unique_ptr<CountsImage> with_made = made(300, {.per_channel = 60, .jump = 0.5}, 2);
  const CountsImage& with = *with_made;
  std::copy_n(with.values.begin(), 150 * kAxis.size, image.values.begin());
  const Detection found = found_in(image, 0.1);
  const std::vector<float>& present = map_of(found, "present_Si_L");
  EXPECT_GE(std::count(present.begin(), present.begin() + 150, 1.0F), 145);
  EXPECT_LE(std::count(present.begin() + 150, present.end(), 1.0F), 0.1 * static_cast<double>(found.found) + 12);
}

TEST(Detection, PixelsThatFailAreNoTests) {
  const std::unique_ptr<CountsImage> image_made = made(60, {.per_channel = 60, .jump = 1}, 1);
  CountsImage& image = *image_made;
  std::fill_n(image.values.begin(), kAxis.size, 0.0F);
  image.at(1, 50) = NAN;
  DetectJob job{kSilicon, 0.05, 0, 10.0, std::vector<std::uint8_t>(60, 0)};
  job.mask[2] = 1;
  const Detection found = detect(image, job, {});
  EXPECT_EQ(found.tests, 57U);
  EXPECT_EQ(found.found, 57U);
  EXPECT_EQ(found.maps.status[0], PixelStatus::non_positive_window);
  EXPECT_EQ(found.maps.status[1], PixelStatus::not_finite);
  EXPECT_EQ(found.maps.status[2], PixelStatus::masked);
  for (const Map& map : found.maps.maps) {
    for (const std::size_t p : {0U, 1U, 2U}) EXPECT_TRUE(std::isnan(map.values[p])) << map.name;
    EXPECT_FALSE(std::isnan(map.values[3])) << map.name;
  }
  std::fill(job.mask.begin(), job.mask.end(), 1);  // nothing left: nothing found, and no failure
  EXPECT_EQ(detect(image, job, {}).tests, 0U);
}

// A straight line is no power law: 56 pixels of 1000 counts a channel tell, one of 20 cannot.
TEST(Detection, SaysThatThePowerLawDoesNotHold) {
  CountsImage image(pixel_row(56), kAxis);
  std::mt19937 random(1);
  for (std::uint64_t p = 0; p < 56; ++p) {
    for (std::size_t c = 0; c < kAxis.size; ++c) {
      const double bump = 80 * std::exp(-std::pow((kAxis.energy(static_cast<double>(c)) - 86) / 3, 2));
      image.at(p, c) = static_cast<float>(std::poisson_distribution<int>(400 + bump)(random));
    }
  }
  const Detection found = found_in(image);
  EXPECT_GT(found.misfit, 4.0);
  EXPECT_THAT(found.maps.notes, ::testing::Contains(HasSubstr("no power law")));
  EXPECT_LT(found_in(*made(56, {.per_channel = 400}, 1)).misfit, 4.0);  // chi-square over 7: 3.5 at p = 1e-3
}

TEST(Detection, IsTheSameWhateverTheThreads) {
  const std::unique_ptr<CountsImage> image_made = made(500, {.per_channel = 5, .jump = 0.4}, 4);
  CountsImage& image = *image_made;
  const DetectJob job{kSilicon, 0.05, 0, 10.0, {}};
  const Detection one = detect(image, job, {.threads = 1}), two = detect(image, job, {.threads = 2});
  for (std::size_t m = 0; m < one.maps.maps.size(); ++m) {
    EXPECT_EQ(one.maps.maps[m].values, two.maps.maps[m].values);
  }
}

TEST(DefaultWindows, CoverTheEdgeAndEndTheFitBeforeIt) {
  for (const char* edge : {"Li_K", "C_K", "N_K", "O_K", "F_K", "Al_L", "Si_L", "P_L", "Ti_L3", "Mn_L", "Mn_L2", "Fe_L",
                           "Co_L3", "Ni_L", "La_M5", "Mo_L", "S_K"}) {
    const EdgeWindows windows = default_windows(edge);
    EXPECT_LT(windows.fit.start_ev + 5, windows.fit.stop_ev) << edge;
    EXPECT_LT(windows.fit.stop_ev, windows.signal.start_ev) << edge;
    EXPECT_LT(windows.signal.start_ev + 5, windows.signal.stop_ev) << edge;
  }
  EXPECT_EQ(default_windows("Mn_L3").edge, "Mn_L");
  EXPECT_EQ(default_windows("Mn_L3").signal.start_ev, default_windows("Mn_L").signal.start_ev);
  try {
    default_windows("Xx_K");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("Si_L"));
  }
}

class DetectCommand : public ::testing::Test {
 protected:
  DetectCommand() {
    const std::unique_ptr<CountsImage> image_made = made(40, {.per_channel = 60, .jump = 1}, 1);
    save_image(*image_made, dir / "image.hspy");
  }
  Ran run(std::vector<std::string> more) const {
    std::vector<std::string> words{"detect", (dir / "image.hspy").string(), "--out", (dir / "out").string()};
    words.insert(words.end(), more.begin(), more.end());
    return run_elver(words);
  }
  TempDir dir;
};

TEST_F(DetectCommand, WritesMapsPicturesAndARecord) {
  const Ran ran = run({"--edge", "Si_L", "--fit", "78:97"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("present in 40 of 40 pixels"));
  EXPECT_THAT(ran.out, HasSubstr("99:115 eV (elver's window)"));
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(dir / "out")) files.push_back(entry.path().filename().string());
  EXPECT_THAT(files, UnorderedElementsAre("maps.hspy", "detect.json", "signal_Si_L.png", "snr_Si_L.png", "p_Si_L.png",
                                          "present_Si_L.png", "status.png"));
  std::vector<std::string> titles;
  for (const auto& image : open_file(dir / "out/maps.hspy").images) titles.push_back(image->info().title);
  EXPECT_THAT(titles, UnorderedElementsAre("signal_Si_L", "snr_Si_L", "p_Si_L", "present_Si_L", "status"));
  const auto json = nlohmann::json::parse(run({"--edge", "Si_L", "--json"}).out);
  EXPECT_EQ(json["edge"], "Si_L");
  EXPECT_EQ(json["windows"]["fit"]["ev"], nlohmann::json::array({80.0, 97.0}));
  EXPECT_EQ(json["fdr"], 0.05);
  EXPECT_EQ(json["n"], 40);
  EXPECT_EQ(json["found"], 40);
}

TEST_F(DetectCommand, ErrorsLeaveNothing) {
  EXPECT_EQ(run({"--edge", "Xx_K"}).code, 2);
  EXPECT_EQ(run({"--edge", "Si_L", "--fdr", "1.5"}).code, 2);
  EXPECT_EQ(run({"--edge", "O_K"}).code, 4);  // beyond the axis
  EXPECT_FALSE(fs::exists(dir / "out"));
  EXPECT_EQ(run({"--edge", "any_name", "--fit", "78:97", "--signal", "99:115"}).code, 0);
}

// The Si L edge of 5 % Si-doped NMC. The file's axis is off: with the offset and gain that white lines gave the same
// session's TM+O image the edge rises at 97 eV.
TEST(RealSilicon, IsThereInManyPixels) {
  const fs::path file = shared_data("si-nmc-eels/si/Si EELS Spectrum Image.dm3");
  ELVER_NEEDS(file);
  OpenOptions open;
  open.offset_ev = 39.04;
  open.dispersion_ev = 0.31217;
  const std::unique_ptr<Image> image = open_image(file, open);
  DetectJob job;
  job.windows = {"Si_L", {82, 96}, {96.5, 105}};
  const Detection found = detect(*image, job, {});
  EXPECT_EQ(found.tests, 56U);
  EXPECT_GE(found.found, 14U);  // a quarter; without the edge any at all is one chance in twenty
  EXPECT_GT(found.phi, 2.0);    // a camera's counts
}

}  // namespace
}  // namespace elver::test
