#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "elver/energy.hpp"
#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/model.hpp"
#include "support.hpp"

namespace elver {
namespace {

using ::testing::HasSubstr;

const Model& nmc() {
  static const Model model = load_model(std::filesystem::path(ELVER_SOURCE_DIR) / "samples" / "nmc.elver");
  return model;
}

/// The sample phantom's mean spectrum: structures that the model's training never saw.
struct Spectrum {
  EnergyAxis axis;
  std::vector<double> expected;
};
const Spectrum& phantom() {
  static const Spectrum spectrum = [] {
    const auto image = open_image(std::filesystem::path(ELVER_SOURCE_DIR) / "samples" / "phantom.hspy");
    return Spectrum{image->energy(), mean_spectrum(*image, {})};
  }();
  return spectrum;
}

/// Poisson counts of this expectation, brought to `counts` in the first channel.
std::vector<double> counted(const std::vector<double>& expected, double counts, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> out;
  for (const double value : expected)
    out.push_back(static_cast<double>(std::poisson_distribution<int>(value * counts / expected.front())(random)));
  return out;
}

/// `truth`, wrong by up to 20 eV and 5 % in gain; every other time stretched about 0 eV, as a whole.
EnergyAxis made_wrong(const EnergyAxis& truth, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const double shift = 20 * uniform(random), gain = 1 + 0.05 * uniform(random);
  return {(seed % 2 == 0 ? gain : 1.0) * truth.offset_ev + shift, gain * truth.dispersion_ev, truth.size};
}

/// How far a corrected axis is off where the model's edges have their maxima, at worst.
double worst_error(const EnergyAxis& truth, const EnergyAxis& found) {
  double worst = 0;
  for (const ReferenceSpectrum& reference : nmc().references) {
    const auto top = std::max_element(reference.intensity.begin(), reference.intensity.end());
    const auto energy =
        static_cast<double>(reference.energy_ev[static_cast<std::size_t>(top - reference.intensity.begin())]);
    if (truth.channel(energy) > static_cast<double>(truth.size)) continue;
    worst = std::max(worst, std::abs(found.energy(truth.channel(energy)) - energy));
  }
  return worst;
}

std::string refusal(const EnergyAxis& axis, const std::vector<double>& spectrum,
                    std::span<const ReferenceSpectrum> references = nmc().references) {
  try {
    const Calibration found = auto_calibrate(axis, spectrum, references);
    ADD_FAILURE() << "was accepted: offset " << found.after.offset_ev << ", score " << found.score;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::mismatch);
    return error.what();
  }
  return "";
}

// One spectrum of 100 counts a channel: the noise of a single dim pixel. 0.5 eV at every edge: what the noise leaves of
// a white line's place is 0.1 to 0.2 eV, and an edge may be as far off the mean reference. Doses of 10 to 100,000 lie
// about it: the dimmest may be refused, none may be wrong.
TEST(AutoAxis, FindsOffsetAndGainOfPhantoms) {
  for (const double counts : {10.0, 100.0, 1000.0, 1e5}) {
    int found = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const EnergyAxis wrong = made_wrong(phantom().axis, seed);
      try {
        const Calibration here = auto_calibrate(wrong, counted(phantom().expected, counts, seed), nmc().references);
        EXPECT_LT(worst_error(phantom().axis, here.after), counts < 50 ? 1.0 : 0.5) << counts << ", seed " << seed;
        EXPECT_EQ(here.method, CalibrationMethod::automatic);
        EXPECT_GT(here.score, here.second_score + 10);
        EXPECT_EQ(here.marks.size(), 4U);
        ++found;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::mismatch) << error.what();
      }
    }
    EXPECT_GE(found, counts >= 100 ? 19 : 0) << counts;
  }
}

TEST(AutoAxis, ACorrectedAxisIsLeftAsItIs) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const std::vector<double> spectrum = counted(phantom().expected, 300, seed);
    const Calibration first = auto_calibrate(made_wrong(phantom().axis, seed), spectrum, nmc().references);
    const Calibration second = auto_calibrate(first.after, spectrum, nmc().references);
    EXPECT_EQ(second.after.offset_ev, first.after.offset_ev);
    EXPECT_EQ(second.after.dispersion_ev, first.after.dispersion_ev);
    for (std::size_t m = 0; m < first.marks.size(); ++m)
      EXPECT_NEAR(first.marks[m].residual_ev, second.marks[m].residual_ev, 0.01);  // twice kUnmovedEv
  }
}

TEST(AutoAxis, DoesNotDependOnTheUnitOfTheCounts) {
  std::vector<double> spectrum = counted(phantom().expected, 1000, 1);
  const EnergyAxis wrong = made_wrong(phantom().axis, 3);
  const EnergyAxis before = auto_calibrate(wrong, spectrum, nmc().references).after;
  for (double& value : spectrum) value *= 1e-7;
  const EnergyAxis after = auto_calibrate(wrong, spectrum, nmc().references).after;
  EXPECT_NEAR(before.offset_ev, after.offset_ev, 1e-4);  // both are settled to 0.001 eV
  EXPECT_NEAR(before.dispersion_ev, after.dispersion_ev, 1e-6);
}

// Two edges in range give offset and gain; one does not.
TEST(AutoAxis, NeedsTwoEdgesInRange) {
  const auto part = [&](double from_ev, double to_ev) {
    const EnergyAxis& axis = phantom().axis;
    const auto first = static_cast<std::size_t>(axis.channel(from_ev)),
               last = static_cast<std::size_t>(axis.channel(to_ev));
    const auto begin = phantom().expected.begin();
    return Spectrum{{axis.energy(static_cast<double>(first)), axis.dispersion_ev, last - first},
                    {begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(last)}};
  };
  const Spectrum two = part(455, 740), one = part(590, 720), none = part(660, 740);
  const EnergyAxis wrong{two.axis.offset_ev - 12, 1.03 * two.axis.dispersion_ev, two.axis.size};
  EXPECT_LT(worst_error(two.axis, auto_calibrate(wrong, two.expected, nmc().references).after), 0.5);
  EXPECT_THAT(refusal(one.axis, one.expected), HasSubstr("Mn_L"));
  EXPECT_THAT(refusal(none.axis, none.expected), HasSubstr("none"));
  EXPECT_THAT(refusal(two.axis, two.expected, std::span(nmc().references).first(1)), HasSubstr("holds 1"));
  EXPECT_THAT(refusal(two.axis, two.expected, {}), HasSubstr("holds 0"));
}

double bell(double d, double w) { return std::exp(-0.5 * d * d / (w * w)); }
double step(double d, double w) { return 0.5 * (1 + std::erf(d / w / std::sqrt(2.0))); }

/// Another material: a power law with white-line pairs, and O K with its pre-peak.
struct Pair {
  double first_ev, second_ev, height, ratio;
};
std::vector<double> material(const EnergyAxis& axis, const std::vector<Pair>& pairs, double oxygen) {
  std::vector<double> out;
  for (std::size_t i = 0; i < axis.size; ++i) {
    const double e = axis.energy(static_cast<double>(i));
    double value = std::pow(e / axis.offset_ev, -3.0);
    value +=
        oxygen * (0.3 * step(e - 532, 1) * (0.5 + std::exp(-std::max(0.0, e - 532) / 12)) + 0.25 * bell(e - 529, 1.2));
    for (const Pair& pair : pairs) {
      value += pair.height * (bell(e - pair.first_ev, 1.5) + pair.ratio * bell(e - pair.second_ev, 1.6) +
                              0.1 * step(e - pair.first_ev - 2, 1.5) + 0.05 * step(e - pair.second_ev - 2, 1.5));
    }
    out.push_back(value);
  }
  return out;
}

// Whatever the noise and however wrong the axis: the lines of other elements are not taken for those of the model, also
// where they lie near (Ba M4,5 at 784 and 799 eV, La M4,5 at 834 and 851).
TEST(AutoAxis, OtherMaterialsAreRefused) {
  const EnergyAxis truth{440, 0.3, 1800};
  const Pair ti{458, 463.5, 0.5, 0.9}, cr{577, 586, 0.5, 0.6}, mn{642, 653, 0.4, 0.5}, fe{709, 722, 0.4, 0.4},
      ba{784, 799, 0.4, 0.9}, la{834, 851, 0.4, 0.9}, ce{884, 902, 0.4, 0.9}, cu{932, 952, 0.25, 0.5};
  const std::vector<std::pair<std::string, std::vector<double>>> spectra{
      {"a power law", material(truth, {}, 0)},        {"oxygen alone", material(truth, {}, 1)},
      {"BaTiO3", material(truth, {ti, ba}, 1)},       {"BaMnO3", material(truth, {mn, ba}, 1)},
      {"LaMnO3", material(truth, {mn, la}, 1)},       {"LaFeO3", material(truth, {fe, la}, 1)},
      {"LaBaMnO3", material(truth, {mn, ba, la}, 1)}, {"CeO2", material(truth, {ce}, 1)},
      {"Fe-Cr", material(truth, {cr, fe}, 0)},        {"FeCuO2", material(truth, {fe, cu}, 1)}};
  for (const auto& [name, expected] : spectra) {
    for (const double counts : {30.0, 1000.0, 1e5}) {
      for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        SCOPED_TRACE(name + ", " + std::to_string(counts) + " counts, seed " + std::to_string(seed));
        refusal(made_wrong(truth, seed), counted(expected, counts, seed));
      }
    }
  }
}

// What marks at the maxima of the model's white lines find, the automatic mode finds: within 0.3 eV at every edge.
TEST(AutoAxis, RealFileAgreesWithMarks) {
  const auto path = test::shared_data("si-nmc-eels/tm-o/TM+O EELS Spectrum Image.dm3");
  ELVER_NEEDS(path);
  const auto image = open_image(path);
  const std::vector<double> spectrum = mean_spectrum(*image, {});
  const Calibration found = auto_calibrate(image->energy(), spectrum, nmc().references);
  ASSERT_EQ(found.marks.size(), 4U);
  std::vector<Mark> marks;
  for (std::size_t m = 1; m < 4; ++m) marks.push_back({found.marks[m].feature + "3", found.marks[m].wanted_ev});
  const Calibration marked = calibrate(image->energy(), spectrum, marks);
  for (const MarkResidual& edge : found.marks) {
    const double channel = image->energy().channel(edge.found_ev);
    EXPECT_NEAR(found.after.energy(channel), marked.after.energy(channel), 0.3) << edge.feature;
    EXPECT_LT(std::abs(edge.residual_ev), 1.2) << edge.feature;
  }
  EXPECT_GT(found.score, found.second_score + 50);
  const Calibration again = auto_calibrate(found.after, spectrum, nmc().references);
  EXPECT_EQ(again.after.offset_ev, found.after.offset_ev);
}

// The command prints what it found and writes the corrected file; the same request on that file changes nothing.
TEST(AutoAxisCommand, WritesTheCorrectedAxisOnce) {
  const test::TempDir dir;
  const std::filesystem::path samples = std::filesystem::path(ELVER_SOURCE_DIR) / "samples";
  const std::string model = (samples / "nmc.elver").string(), image = (samples / "phantom.hspy").string();
  const std::string out = (dir / "c.hspy").string();
  const std::vector<std::string> wrong{"--offset-ev", "436", "--dispersion-ev", "0.309"};
  const auto run = [](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return test::run_elver(words);
  };
  const test::Ran first = run({"calibrate", image, "--model", model, "--auto-axis", "--json", "--out", out}, wrong);
  ASSERT_EQ(first.code, 0) << first.err;
  auto found = nlohmann::json::parse(first.out);
  EXPECT_EQ(found["out"], out);
  found.erase("out");
  EXPECT_EQ(found.size(), 5U);
  EXPECT_EQ(found["residual_ev"].size(), 4U);
  EXPECT_GT(found["score"].get<double>(), found["second_score"].get<double>());
  const EnergyAxis axis = open_image(out)->energy();
  EXPECT_EQ(axis.offset_ev, found["offset_ev"].get<double>());
  EXPECT_LT(worst_error(phantom().axis, axis), 0.3);  // as for the same spectrum above, its noise smaller

  const test::Ran second = run({"calibrate", out, "--model", model, "--auto-axis", "--json"}, {});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(nlohmann::json::parse(second.out)["offset_ev"], found["offset_ev"]);
  EXPECT_EQ(nlohmann::json::parse(second.out)["dispersion_ev"], found["dispersion_ev"]);
  EXPECT_THAT(test::run_elver({"calibrate", out, "--model", model, "--auto-axis"}).out, HasSubstr("next best"));

  const std::vector<std::string> windows{"--fit", "490:522", "--signal", "525:560", "--auto-axis"};
  EXPECT_EQ(run({"background", out, "--axis-model", model}, windows).code, 0);
  const test::Ran no_model = run({"background", out}, windows);
  EXPECT_EQ(no_model.code, 2);
  EXPECT_THAT(no_model.err, HasSubstr("--axis-model"));
  EXPECT_EQ(test::run_elver({"calibrate", out, "--model", model, "--auto-axis", "--mark", "Mn_L3=642"}).code, 2);
  EXPECT_EQ(run({"calibrate", image, "--model", model, "--auto-axis", "--offset-ev", "100"}, {}).code, 4);

  const test::Ran mapped = run(
      {"map", image, "--model", model, "--auto-axis", "--pictures", "none", "--out", (dir / "maps").string()}, wrong);
  ASSERT_EQ(mapped.code, 0) << mapped.err;
  const auto record = nlohmann::json::parse(test::read_text(dir / "maps" / "run.json"))["energy_axis"];
  EXPECT_EQ(record["method"], "automatic");
  EXPECT_EQ(record["after"]["offset_ev"], found["offset_ev"]);
  EXPECT_EQ(record["score"], found["score"]);
  EXPECT_EQ(record["marks"].size(), 4U);
}

}  // namespace
}  // namespace elver
