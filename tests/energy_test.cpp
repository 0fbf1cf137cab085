#include "elver/energy.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "support.hpp"

namespace elver {
namespace {

using ::testing::HasSubstr;

double bell(double distance, double sigma) { return std::exp(-0.5 * distance * distance / (sigma * sigma)); }
double step(double distance, double sigma) { return 0.5 * (1 + std::erf(distance / sigma / std::sqrt(2.0))); }

constexpr double kMn = 642.0, kCo = 780.0, kNi = 855.0;
constexpr double kLine = 1.25;     ///< standard deviation of the white lines and of the pre-peak, eV
constexpr double kOxygen = 532.0;  ///< where O K's straight main rise begins

/// An oxide of Mn, Co and Ni: a power law, O K with its pre-peak and a straight main rise of 6 eV, three pairs of white
/// lines on their continua. Counts a channel before O K; Poisson noise of as many as `pixels` pixels.
std::vector<double> oxide(const EnergyAxis& axis, double counts, double pixels, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> out(axis.size);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double e = axis.energy(static_cast<double>(i));
    double value = std::pow(e / 520, -3.0) + 0.25 * bell(e - 528, kLine);
    const double rise = std::clamp((e - kOxygen) / 6.0, 0.0, 1.0);
    value += 0.5 * rise * std::exp(-std::max(0.0, e - kOxygen - 6.0) / 12.0) + 0.2 * rise;
    const struct {
      double first, splitting, height, ratio;
    } pairs[] = {{kMn, 11.2, 0.5, 0.55}, {kCo, 15.0, 0.15, 0.4}, {kNi, 17.3, 0.25, 0.35}};
    for (const auto& pair : pairs) {
      const double first = e - pair.first, second = first - pair.splitting;
      value += pair.height * (bell(first, kLine) + pair.ratio * bell(second, 1.15 * kLine) +
                              0.1 * step(first - 2, 1.5) + 0.05 * step(second - 2, 1.5));
    }
    out[i] = static_cast<double>(std::poisson_distribution<std::int64_t>(value * counts * pixels)(random)) / pixels;
  }
  return out;
}

std::vector<Mark> marks(const std::vector<std::string>& words) {
  std::vector<Mark> out;
  for (const std::string& word : words) out.push_back(parse_mark(word));
  return out;
}

/// How far the corrected axis is off where the marks lie, at worst.
double worst_error(const EnergyAxis& truth, const Calibration& found) {
  double worst = 0;
  for (const MarkResidual& mark : found.marks) {
    worst = std::max(worst, std::abs(found.after.energy(truth.channel(mark.wanted_ev)) - mark.wanted_ev));
  }
  return worst;
}

std::string refusal(const std::function<void()>& work, ErrorKind kind) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "was accepted";
  return "";
}

TEST(Mark, IsAFeatureAndAnEnergy) {
  const Mark mark = parse_mark("Mn_L3=642.5");
  EXPECT_EQ(mark.feature, "Mn_L3");
  EXPECT_EQ(mark.energy_ev, 642.5);
  for (const char* wrong :
       {"", "=", "Mn_L3", "Mn_L3=", "=642", "Mn_L3=642eV", "Mn_L3=nan", "Mn_L3=inf", "Mn_L3=-5", "Mn_L3=6 4"}) {
    refusal([&] { parse_mark(wrong); }, ErrorKind::usage);
  }
}

// An axis wrong by up to 25 eV and 5 % is put right, whatever the dispersion. 0.5 eV: the continuum under a white line
// and the smoothing in which positions are read move a maximum by 0.1 to 0.2 eV, and round off the foot of the onset.
TEST(Calibrate, FindsOffsetAndGainOfAWrongAxis) {
  std::mt19937_64 random(20);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const std::vector<std::vector<std::string>> sets{{"Mn_L3=642", "O_K=532"},
                                                   {"Mn_L3=642", "Ni_L3=855"},
                                                   {"Ni_L3=855", "Co_L3=780"},
                                                   {"Mn_L3=642", "Co_L3=780", "Ni_L3=855"},
                                                   {"O_K=532", "Ni_L3=855", "Mn_L3=642", "Co_L3=780", "Mn_L2=653.2"}};
  for (const double dispersion : {0.1, 0.3, 0.5, 1.0}) {
    const EnergyAxis truth{440, dispersion, static_cast<std::size_t>(500 / dispersion)};
    const std::vector<double> spectrum = oxide(truth, 1e4, 1000, 1);
    for (const auto& set : sets) {
      const EnergyAxis wrong{440 + 25 * uniform(random), dispersion * (1 + 0.05 * uniform(random)), truth.size};
      const Calibration found = calibrate(wrong, spectrum, marks(set));
      EXPECT_LT(worst_error(truth, found), 0.5) << set[0] << " and so on, " << dispersion << " eV a channel";
      for (std::size_t m = 0; m < set.size(); ++m) {
        EXPECT_EQ(found.marks[m].feature, set[m].substr(0, set[m].find('=')));
        const double on_it = found.after.energy(found.before.channel(found.marks[m].found_ev));
        EXPECT_NEAR(found.marks[m].residual_ev, on_it - found.marks[m].wanted_ev, 1e-9);
      }
    }
  }
}

TEST(Calibrate, OneMarkMovesTheAxisAndLeavesItsDispersion) {
  const EnergyAxis truth{440, 0.3, 1600};
  const std::vector<double> spectrum = oxide(truth, 1e4, 1000, 2);
  for (const char* mark : {"O_K=532", "Mn_L3=642", "Mn_L2=653.2", "Co_L3=780", "Ni_L3=855", "Ni_L2=872.3"}) {
    const Calibration found = calibrate({440 - 19, 0.3, 1600}, spectrum, marks({mark}));
    EXPECT_EQ(found.after.dispersion_ev, 0.3);
    EXPECT_LT(worst_error(truth, found), 0.5) << mark;
  }
}

// Forty pixels of 30 counts a channel: what a dim phantom's mean holds. 0.7 eV: the noise moves a maximum by 0.2 eV.
TEST(Calibrate, FindsTheMarksInNoise) {
  const EnergyAxis truth{440, 0.3, 1600};
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> uniform(-1, 1);
    const EnergyAxis wrong{440 + 25 * uniform(random), 0.3 * (1 + 0.05 * uniform(random)), truth.size};
    const std::vector<double> spectrum = oxide(truth, 30, 40, seed);
    EXPECT_LT(worst_error(truth, calibrate(wrong, spectrum, marks({"Mn_L3=642", "Ni_L3=855"}))), 0.7) << seed;
    EXPECT_LT(worst_error(truth, calibrate(wrong, spectrum, marks({"Mn_L3=642", "Co_L3=780", "Ni_L3=855"}))), 0.7)
        << seed;
  }
}

TEST(Calibrate, ACalibratedAxisIsLeftAsItIs) {
  const EnergyAxis truth{440, 0.3, 1600};
  const std::vector<double> spectrum = oxide(truth, 1e4, 100, 3);
  const auto wanted = marks({"O_K=532", "Mn_L3=642", "Ni_L3=855"});
  const Calibration first = calibrate({455, 0.291, 1600}, spectrum, wanted);
  const Calibration second = calibrate(first.after, spectrum, wanted);
  EXPECT_EQ(second.after.offset_ev, first.after.offset_ev);
  EXPECT_EQ(second.after.dispersion_ev, first.after.dispersion_ev);
}

// Counts or counts per second, one pixel's or a million's: the axis is the same.
TEST(Calibrate, DoesNotDependOnTheUnitOfTheCounts) {
  const EnergyAxis truth{440, 0.5, 1000};
  std::vector<double> spectrum = oxide(truth, 1e3, 10, 4);
  const auto wanted = marks({"Mn_L3=642", "Ni_L3=855"});
  const Calibration before = calibrate({430, 0.51, 1000}, spectrum, wanted);
  for (double& value : spectrum) value *= 1e-7;
  const Calibration after = calibrate({430, 0.51, 1000}, spectrum, wanted);
  EXPECT_NEAR(before.after.offset_ev, after.after.offset_ev, 1e-6);
  EXPECT_NEAR(before.after.dispersion_ev, after.after.dispersion_ev, 1e-9);
}

TEST(Calibrate, RefusesWhatIsNotThereAndWhatIsAbsurd) {
  const EnergyAxis axis{440, 0.3, 1600};
  const std::vector<double> spectrum = oxide(axis, 1e4, 100, 5);
  const auto with = [&](const std::vector<std::string>& words) {
    return [&, words] { calibrate(axis, spectrum, marks(words)); };
  };
  EXPECT_THAT(refusal(with({"Fe_L3=709"}), ErrorKind::mismatch), HasSubstr("cannot find Fe_L3"));
  EXPECT_THAT(refusal(with({"Mn_L3=642", "F_K=685"}), ErrorKind::mismatch), HasSubstr("cannot find F_K"));
  EXPECT_THAT(refusal(with({"C_K=284"}), ErrorKind::mismatch), HasSubstr("440"));
  EXPECT_THAT(refusal(with({"Xx_L3=642"}), ErrorKind::usage), HasSubstr("Mn_L3"));
  EXPECT_THAT(refusal(with({"Mn_L3=642", "Mn_L3=640"}), ErrorKind::usage), HasSubstr("twice"));
  EXPECT_THAT(refusal(with({"Mn_L3=855", "Ni_L3=642"}), ErrorKind::mismatch), HasSubstr("absurd"));
  // Three energies that no straight axis gives: Co 9 eV off the line through the others.
  EXPECT_THAT(refusal(with({"Mn_L3=642", "Co_L3=771", "Ni_L3=855"}), ErrorKind::mismatch), HasSubstr("residual"));
  // A pair of lines 11 eV apart asked to lie 20 eV apart.
  EXPECT_THAT(refusal(with({"Mn_L3=640", "Mn_L2=660"}), ErrorKind::mismatch), HasSubstr("gain"));
}

TEST(Calibrate, RefusesSpectraWithoutFeatures) {
  const EnergyAxis axis{440, 0.3, 1600};
  std::vector<double> spectrum(1600);
  const auto work = [&] { calibrate(axis, spectrum, marks({"Mn_L3=642"})); };
  refusal(work, ErrorKind::mismatch);  // nothing but zeros
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i < spectrum.size(); ++i) {
      const double expected = 1e3 * std::pow(axis.energy(static_cast<double>(i)) / 520, -3.0);
      spectrum[i] = static_cast<double>(std::poisson_distribution<int>(expected)(random));
    }
    EXPECT_THAT(refusal(work, ErrorKind::mismatch), HasSubstr("cannot find Mn_L3")) << seed;
  }
  spectrum[700] = std::nan("");
  EXPECT_THAT(refusal(work, ErrorKind::mismatch), HasSubstr("not finite"));
}

const std::string kReal = "si-nmc-eels/tm-o/TM+O EELS Spectrum Image.dm3";

// Read off the file by eye: Mn L3 at 630.2, Co L3 at 764, Ni L3 at 834.5 to 835 on its own axis. O K's pre-peak lies at
// 518.3, its main maximum at 529.7: the onset of the main rise is near 524.
TEST(Calibrate, RealFileNeedsOffsetAndGain) {
  const auto path = test::shared_data(kReal);
  ELVER_NEEDS(path);
  const auto image = open_image(path);
  const std::vector<double> spectrum = mean_spectrum(*image, {});
  const auto on = [&](const std::vector<std::string>& words) {
    return calibrate(image->energy(), spectrum, marks(words));
  };

  const Calibration example = on({"Mn_L3=642.0", "O_K=532.0"});
  EXPECT_NEAR(example.after.dispersion_ev / 0.3, 1.033, 0.003);
  const Calibration metals = on({"Mn_L3=642", "Co_L3=780", "Ni_L3=853"});
  EXPECT_NEAR(metals.after.dispersion_ev / 0.3, 1.031, 0.003);
  const Calibration all = on({"Mn_L3=642", "Co_L3=780.5", "Ni_L3=855", "O_K=532"});
  EXPECT_NEAR(all.after.dispersion_ev / 0.3, 1.037, 0.003);
  for (const MarkResidual& mark : all.marks) EXPECT_LT(std::abs(mark.residual_ev), 1.0) << mark.feature;

  const std::vector<std::pair<std::string, double>> seen{
      {"O_K=532", 523.7}, {"Mn_L3=642", 630.2}, {"Mn_L2=653", 640.5}, {"Co_L3=780.5", 764.0}, {"Ni_L3=855", 834.8}};
  for (std::size_t a = 0; a < seen.size(); ++a) {
    EXPECT_NEAR(on({seen[a].first}).marks[0].found_ev, seen[a].second, 0.4);
    for (std::size_t b = a + 1; b < seen.size(); ++b) {
      const Calibration two = on({seen[a].first, seen[b].first});
      EXPECT_NEAR(two.marks[0].found_ev, seen[a].second, 0.4) << seen[a].first << seen[b].first;
      EXPECT_NEAR(two.marks[1].found_ev, seen[b].second, 0.4) << seen[a].first << seen[b].first;
    }
  }
  for (const char* absent : {"Ti_L3=458", "V_L3=517", "Cr_L3=577", "F_K=685", "Fe_L3=709", "Cu_L3=932"}) {
    refusal([&] { on({absent}); }, ErrorKind::mismatch);
  }
}

// A low edge stands on counts that fall several times within its surroundings: what is found is where it rises, and not
// where the background falls.
TEST(Calibrate, FindsALowOnsetOnASteepBackground) {
  const auto silicon = [](const EnergyAxis& axis, double onset, double jump, double power, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<double> out;
    for (std::size_t i = 0; i < axis.size; ++i) {
      const double e = axis.energy(static_cast<double>(i)), rise = std::clamp((e - onset) / 4.0, 0.0, 1.0);
      const double shape = rise * (0.4 + 0.6 * std::exp(-std::max(0.0, e - onset - 4) / 5.0));
      const double mean = 2e4 * std::pow(e / 90, -power) * (1 + jump * shape);
      out.push_back(static_cast<double>(std::poisson_distribution<std::int64_t>(mean)(random)));
    }
    return out;
  };
  const EnergyAxis axis{40, 0.3, 700};
  for (const double power : {3.0, 4.0, 5.5}) {
    for (const double onset : {89.0, 97.0, 106.0}) {
      const std::vector<double> spectrum = silicon(axis, onset, 0.4, power, 7);
      const Calibration found = calibrate(axis, spectrum, marks({"Si_L=99.5"}));
      // Smoothing by 1 eV rounds a corner of 4 eV off: the tangent then meets the ground half an eV early.
      EXPECT_NEAR(found.marks[0].found_ev, onset, 1.0) << power;
    }
    refusal([&] { calibrate(axis, silicon(axis, 97, 0, power, 8), marks({"Si_L=99.5"})); }, ErrorKind::mismatch);
  }
}

// By eye and by a straight line through the logarithms of 70:84 eV, subtracted: the tangent at the steepest rise (91.1
// eV) meets the lowest level before it at 88.9 eV. What is taken for the background moves it by half an eV.
TEST(Calibrate, SiliconOfTheRealFile) {
  const auto path = test::shared_data("si-nmc-eels/si/Si EELS Spectrum Image.dm3");
  ELVER_NEEDS(path);
  const auto image = open_image(path);
  const Calibration found = calibrate(image->energy(), mean_spectrum(*image, {}), marks({"Si_L=99.5"}));
  EXPECT_NEAR(found.marks[0].found_ev, 88.9, 0.8);
}

/// Counts in memory, (rows, columns, channels).
class Counts : public Image {
 public:
  Counts(std::uint64_t rows, std::uint64_t columns, std::uint64_t channels, std::vector<float> counts)
      : Image(described(rows, columns, channels)), counts_(std::move(counts)) {}
  void read(PixelRange pixels, ChannelRange range, std::span<std::byte> out) const override {
    for (std::uint64_t p = pixels.first; p < pixels.last; ++p) {
      std::memcpy(out.data() + (p - pixels.first) * range.size() * 4, &counts_[p * channels() + range.first],
                  range.size() * 4);
    }
  }
  void read_tile(PixelRange pixels, ChannelRange range, std::span<float> out) const override {
    for (std::size_t c = range.first; c < range.last; ++c) {
      for (std::uint64_t p = pixels.first; p < pixels.last; ++p) {
        out[(c - range.first) * pixels.size() + (p - pixels.first)] = counts_[p * channels() + c];
      }
    }
  }

 private:
  static ImageInfo described(std::uint64_t rows, std::uint64_t columns, std::uint64_t channels) {
    ImageInfo info;
    info.axes = {{"y", "nm", 1, 0, rows, AxisRole::navigation},
                 {"x", "nm", 1, 0, columns, AxisRole::navigation},
                 {"E", "eV", 1, 500, channels, AxisRole::energy}};
    return info;
  }
  std::vector<float> counts_;
};

/// An image of Poisson counts, 4 channels a pixel, each of mean `expected(row, column)`.
template <class Expected>
Counts poisson_image(std::uint64_t rows, std::uint64_t columns, std::uint64_t seed, Expected&& expected) {
  std::mt19937_64 random(seed);
  std::vector<float> counts;
  for (std::uint64_t r = 0; r < rows; ++r) {
    for (std::uint64_t c = 0; c < columns; ++c) {
      std::poisson_distribution<int> channel(expected(static_cast<double>(r), static_cast<double>(c)));
      for (int i = 0; i < 4; ++i) counts.push_back(static_cast<float>(channel(random)));
    }
  }
  return {rows, columns, 4, std::move(counts)};
}

// One bad pixel spoils itself, not the calibration of all.
TEST(MeanSpectrum, LeavesOutPixelsThatAreNotFinite) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  const Counts image(2, 2, 3, {1, 2, 3, 100, kNan, 100, 3, 4, 7, kInf, 0, 0});
  EXPECT_EQ(mean_spectrum(image, {}), (std::vector<double>{2, 3, 5}));
  for (const double value : mean_spectrum(Counts(1, 1, 3, {kNan, 1, 1}), {})) EXPECT_TRUE(std::isnan(value));
}

std::size_t masked(const std::vector<std::uint8_t>& mask) {
  return static_cast<std::size_t>(std::count(mask.begin(), mask.end(), 1));
}

TEST(Mask, MinimumCountsAreOfAllChannelsTogether) {
  const Counts image(1, 3, 4, {1, 2, 3, 4, 2.5F, 2.5F, 2.5F, 2.5F, 3, 3, 3, 3});
  EXPECT_EQ(make_mask(image, {false, 10.5}, {}), (std::vector<std::uint8_t>{1, 1, 0}));
  EXPECT_EQ(make_mask(image, {false, 10.0}, {}), (std::vector<std::uint8_t>{0, 0, 0}));
  EXPECT_EQ(masked(make_mask(image, {}, {})), 0U);
}

// Whatever the dose: no gap, nothing masked. A wedge and a slope of any ratio are not vacuum either.
TEST(Mask, UniformImagesAndWedgesHaveNoVacuum) {
  for (const double dose : {0.5, 1.0, 3.0, 10.0, 100.0, 1e4}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      EXPECT_EQ(masked(make_mask(poisson_image(30, 40, seed, [&](double, double) { return dose; }), {true}, {})), 0U)
          << dose;
    }
  }
  for (const double ratio : {2.0, 10.0, 100.0}) {
    const auto linear = [&](double, double c) { return 1000 * (1 / ratio + (1 - 1 / ratio) * c / 39); };
    EXPECT_EQ(masked(make_mask(poisson_image(30, 40, 1, linear), {true}, {})), 0U) << ratio;
    const auto exponential = [&](double, double c) { return 1000 * std::pow(ratio, -c / 39); };
    EXPECT_EQ(masked(make_mask(poisson_image(30, 40, 1, exponential), {true}, {})), 0U) << ratio;
  }
  EXPECT_EQ(masked(make_mask(Counts(3, 3, 4, std::vector<float>(36, 0.0F)), {true}, {})), 0U);
  EXPECT_EQ(masked(make_mask(Counts(1, 1, 4, {1, 2, 3, 4}), {true}, {})), 0U);
}

// A particle of half to full thickness in vacuum of a few per cent of its counts.
TEST(Mask, VacuumAroundAParticleIsLeftOut) {
  for (const double dose : {20.0, 1000.0}) {
    const auto inside = [](double r, double c) { return std::hypot(r - 14.5, c - 19.5) < 11; };
    const Counts image = poisson_image(30, 40, 7, [&](double r, double c) {
      return inside(r, c) ? dose * (1 - 0.5 * std::hypot(r - 14.5, c - 19.5) / 11) : 0.02 * dose;
    });
    const std::vector<std::uint8_t> mask = make_mask(image, {true}, {});
    std::size_t wrong = 0;
    for (std::size_t p = 0; p < mask.size(); ++p) {
      wrong += (mask[p] == 0) != inside(static_cast<double>(p / 40), static_cast<double>(p % 40)) ? 1 : 0;
    }
    EXPECT_EQ(wrong, 0U) << dose;
  }
}

// Not finite is a status of its own; it neither hides as vacuum nor moves the threshold.
TEST(Mask, PixelsThatAreNotFiniteAreNotVacuum) {
  std::vector<float> counts(4 * 20, 100.0F);
  counts[5] = std::nanf("");
  std::fill(counts.begin() + 40, counts.end(), 1.0F);
  const std::vector<std::uint8_t> mask = make_mask(Counts(4, 5, 4, counts), {true}, {});
  EXPECT_EQ(mask[1], 0);
  EXPECT_EQ(masked(mask), 10U);
}

// Column 0 of the real file is vacuum in both rows; what has a tenth of the specimen's counts beside it is its rim.
TEST(Mask, VacuumOfTheRealFile) {
  const auto path = test::shared_data(kReal);
  ELVER_NEEDS(path);
  const auto image = open_image(path);
  const std::vector<std::uint8_t> mask = make_mask(*image, {true}, {});
  EXPECT_EQ(mask[0], 1);
  EXPECT_EQ(mask[21], 1);
  for (std::size_t p = 0; p < mask.size(); ++p) {
    if (p % 21 > 2) {
      EXPECT_EQ(mask[p], 0) << p;
    }
  }
}

TEST(CalibrateCommand, WritesTheCorrectedAxisOnce) {
  const test::TempDir dir;
  const EnergyAxis axis{450, 0.5, 1000};
  const std::vector<double> spectrum = oxide(axis, 1e4, 100, 6);
  const std::vector<float> values(spectrum.begin(), spectrum.end());
  write_npy(dir / "s.npy", values, 1, values.size());
  const std::vector<std::string> wanted{"--mark", "Mn_L3=642", "--mark", "Ni_L3=855"};
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "calibrate");
    arguments.insert(arguments.end(), wanted.begin(), wanted.end());
    return test::run_elver(arguments);
  };
  const std::string out = (dir / "c.hspy").string();
  const test::Ran first =
      run({(dir / "s.npy").string(), "--offset-ev", "440", "--dispersion-ev", "0.49", "--json", "--out", out});
  ASSERT_EQ(first.code, 0) << first.err;
  const auto json = nlohmann::json::parse(first.out);
  EXPECT_NEAR(json["offset_ev"].get<double>(), 450, 0.5);
  EXPECT_NEAR(json["dispersion_ev"].get<double>(), 0.5, 0.001);
  EXPECT_EQ(json["residual_ev"].size(), 2U);
  EXPECT_LT(std::abs(json["residual_ev"]["Mn_L3"].get<double>()), 0.01);
  EXPECT_EQ(open_image(out)->energy().offset_ev, json["offset_ev"].get<double>());

  const test::Ran second = run({out, "--json"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(nlohmann::json::parse(second.out)["after"], json["after"]);
  const test::Ran table = run({out});
  EXPECT_THAT(table.out, HasSubstr("Mn_L3"));
  EXPECT_THAT(table.out, HasSubstr("dispersion"));

  EXPECT_EQ(run({out, "--out", out}).code, 2);
  EXPECT_EQ(run({out, "--mark", "Fe_L3=709"}).code, 4);
  EXPECT_EQ(run({out, "--mark", "nonsense"}).code, 2);
  EXPECT_EQ(test::run_elver({"calibrate", out}).code, 2);
  EXPECT_EQ(test::run_elver({"calibrate", (dir / "none").string(), "--mark", "Mn_L3=642"}).code, 3);
  EXPECT_EQ(run({out, "--out", (dir / "no" / "such" / "c.hspy").string()}).code, 5);
}

}  // namespace
}  // namespace elver
