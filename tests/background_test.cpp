#include "elver/background.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "counts_image.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "support.hpp"

namespace elver {
namespace {

using test::CountsImage;
using test::pixel_row;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

RunContext one_thread() {
  RunContext context;
  context.threads = 1;
  return context;
}

double power_law(double energy, double at_500, double r) { return at_500 * std::pow(energy / 500.0, -r); }

/// One spectrum, fitted.
EdgeFit fit_one(const EnergyAxis& axis, const std::vector<float>& counts, const BackgroundJob& job) {
  CountsImage image({}, axis);
  image.values = counts;
  return fit_background(image, job, one_thread()).fits.at(0);
}

class EveryMethod : public testing::TestWithParam<BackgroundMethod> {};
INSTANTIATE_TEST_SUITE_P(Methods, EveryMethod,
                         testing::Values(BackgroundMethod::poisson_ml, BackgroundMethod::log_lsq,
                                         BackgroundMethod::two_area),
                         [](const auto& method) {
                           std::string name(name_of(method.param));
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// Of a power law without noise every method finds A, r and the background. The two-area formula is an approximation
// (its r is off by 5e-4 of its value in a window this wide); float32 counts are what limits the others.
TEST_P(EveryMethod, RecoversAPowerLawWithoutNoise) {
  const EnergyAxis axis{440.0, 0.25, 800};
  for (const double r : {0.5, 1.0, 2.0, 3.0, 4.5, 6.0}) {
    std::vector<float> counts(axis.size);
    double background = 0;
    for (std::size_t c = 0; c < axis.size; ++c) {
      const double y = power_law(axis.energy(static_cast<double>(c)), 1e6, r);
      counts[c] = static_cast<float>(y);
      if (c >= 320 && c < 560) background += y;
    }
    const EdgeFit fit = fit_one(axis, counts, {{490, 520}, {520, 580}, {.method = GetParam()}, {}});
    const double tolerance = GetParam() == BackgroundMethod::two_area ? 4e-3 : 2e-5;
    EXPECT_EQ(fit.status, PixelStatus::ok);
    EXPECT_NEAR(fit.r, r, tolerance);
    EXPECT_NEAR(static_cast<double>(fit.A) / (1e6 * std::pow(500.0, r)), 1.0, 7 * tolerance);
    EXPECT_NEAR(static_cast<double>(fit.background) / background, 1.0, tolerance);
    EXPECT_NEAR(fit.signal / fit.background, 0.0, tolerance);
  }
}

TEST_P(EveryMethod, ScalingTheCountsScalesAAndLeavesR) {
  const EnergyAxis axis{440.0, 0.5, 400};
  std::mt19937_64 random(7);
  std::vector<float> counts(axis.size);
  for (std::size_t c = 0; c < axis.size; ++c) {
    counts[c] =
        static_cast<float>(std::poisson_distribution<>(power_law(axis.energy(static_cast<double>(c)), 400, 3))(random));
  }
  const BackgroundJob job{{490, 520}, {520, 580}, {.method = GetParam()}, {}};
  const EdgeFit electrons = fit_one(axis, counts, job);
  EXPECT_EQ(electrons.phi, 1.0f);
  for (const float gain : {0.03125f, 64.0f}) {  // powers of two: the same bits but for the exponent
    std::vector<float> scaled = counts;
    for (float& y : scaled) y *= gain;
    const EdgeFit fit = fit_one(axis, scaled, job);
    EXPECT_EQ(fit.status, PixelStatus::ok);
    EXPECT_FLOAT_EQ(fit.r, electrons.r);
    EXPECT_FLOAT_EQ(fit.A, gain * electrons.A);
    EXPECT_FLOAT_EQ(fit.phi, fit.reduced_chi_square);
    // The relative error is that of the electrons, up to what one window's chi-square scatters: sqrt(2/58) / 2.
    EXPECT_NEAR(fit.background_error / fit.background, electrons.background_error / electrons.background,
                0.5 * electrons.background_error / electrons.background);
    EXPECT_NEAR(fit.background / gain, electrons.background, 0.01 * electrons.background);
  }
}

TEST_P(EveryMethod, SaysWhyAPixelHasNoValueAndLeavesItsNeighboursAlone) {
  const EnergyAxis axis{480.0, 1.0, 120};
  constexpr std::size_t kPixels = 40;  // more than are fitted together
  CountsImage image(pixel_row(kPixels), axis);
  for (std::size_t p = 0; p < kPixels; ++p) {
    for (std::size_t c = 0; c < axis.size; ++c)
      image.at(p, c) = static_cast<float>(std::floor(power_law(axis.energy(static_cast<double>(c)), 1000, 3)));
  }
  BackgroundJob job{{490, 520}, {520, 580}, {.method = GetParam()}, std::vector<std::uint8_t>(kPixels, 0)};
  const EdgeFit good = fit_background(image, job, one_thread()).fits[0];

  job.mask[1] = 1;
  image.at(2, 15) = kNaN;                                    // in the fit window
  image.at(3, 70) = std::numeric_limits<float>::infinity();  // in the signal window
  image.at(4, 119) = kNaN;                                   // in neither
  for (std::size_t c = 0; c < axis.size; ++c) image.at(5, c) = 0;
  for (std::size_t c = 0; c < axis.size; ++c) image.at(6, c) = -5;
  for (std::size_t c = 0; c < axis.size; ++c)
    image.at(7, c) = c % 8 == 0 ? 1.0f : 0.0f;  // four electrons in the window
  for (std::size_t c = 0; c < axis.size; ++c)
    image.at(8, c) = static_cast<float>(power_law(axis.energy(static_cast<double>(c)), 1000, -9));
  for (std::size_t c = 0; c < axis.size; ++c)
    image.at(9, c) = static_cast<float>(power_law(axis.energy(static_cast<double>(c)), 1000, 200));
  const BackgroundResult result = fit_background(image, job, one_thread());
  std::vector<PixelStatus> expected(kPixels, PixelStatus::ok);
  expected[1] = PixelStatus::masked;
  expected[2] = expected[3] = PixelStatus::not_finite;
  expected[5] = expected[6] = PixelStatus::non_positive_window;
  expected[7] = PixelStatus::too_few_counts;
  expected[8] = expected[9] = PixelStatus::r_out_of_range;
  for (std::size_t p = 0; p < kPixels; ++p) {
    const EdgeFit& fit = result.fits[p];
    EXPECT_EQ(fit.status, expected[p]) << "pixel " << p << " is " << name_of(fit.status);
    for (const float value :
         {fit.A, fit.r, fit.reduced_chi_square, fit.background, fit.background_error, fit.signal, fit.snr}) {
      EXPECT_EQ(std::isnan(value), failed(expected[p])) << "pixel " << p;
    }
    if (expected[p] == PixelStatus::ok) {
      EXPECT_EQ(fit.r, good.r) << "pixel " << p;
      EXPECT_EQ(fit.background, good.background) << "pixel " << p;
    }
  }
  EXPECT_EQ(result.status_counts, (std::array<std::uint64_t, 7>{32, 1, 2, 2, 1, 2, 0}));
}

/// What a detector, a file or a processing step may have done to a spectrum.
std::vector<void (*)(std::span<float>, std::mt19937_64&)> mishaps() {
  const auto any = [](std::span<float> y, std::mt19937_64& random) -> float& {
    return y[std::uniform_int_distribution<std::size_t>(80, 225)(random)];
  };
  static const auto somewhere = any;
  return {[](auto y, auto& random) { somewhere(y, random) = kNaN; },
          [](auto y, auto& random) { somewhere(y, random) = std::numeric_limits<float>::infinity(); },
          [](auto y, auto& random) { somewhere(y, random) = -std::numeric_limits<float>::infinity(); },
          [](auto y, auto& random) { somewhere(y, random) = 4294967295.0f; },
          [](auto y, auto&) { std::ranges::fill(y, 0.0f); },
          [](auto y, auto&) { std::ranges::fill(y, 65535.0f); },
          [](auto y, auto&) { std::ranges::fill(y, std::numeric_limits<float>::max()); },
          [](auto y, auto&) { std::ranges::fill(y, std::numeric_limits<float>::denorm_min()); },
          [](auto y, auto&) {
            for (float& v : y) v = -v;
          },
          [](auto y, auto&) {
            for (float& v : y) v *= 1e-30f;
          },
          [](auto y, auto&) {
            for (float& v : y) v *= 1e30f;
          },
          [](auto y, auto& random) {
            for (float& v : y) v = std::normal_distribution(0.0f, 50.0f)(random);
          },
          [](auto y, auto&) {
            std::fill_n(y.begin() + 80, 60, 0.0f);
            y[100] = 1e6f;
          },
          [](auto y, auto&) {
            y[80] = 3e38f;
            y[139] = -3e38f;
          }};
}

// Whatever befalls some pixels: the others keep their bits, a pixel that failed is NaN in every map, and one that did
// not is finite in every map.
TEST_P(EveryMethod, KeepsEveryPixelToItself) {
  const EnergyAxis axis{450.0, 0.5, 240};
  std::mt19937_64 random(5);
  const auto wrong = mishaps();
  for (const std::size_t pixels : {1U, 31U, 32U, 33U, 70U}) {  // blocks that are full and that are not
    CountsImage good(pixel_row(pixels), axis);
    for (std::size_t p = 0; p < pixels; ++p) {
      for (std::size_t c = 0; c < axis.size; ++c) {
        const double mean = power_law(axis.energy(static_cast<double>(c)), 100, 3) + (c >= 150 ? 50 : 0);
        good.at(p, c) = static_cast<float>(std::poisson_distribution<>(mean)(random));
      }
    }
    CountsImage image(pixel_row(pixels), axis);
    image.values = good.values;
    std::vector<bool> spoiled(pixels);
    for (std::size_t p = 0; p < pixels; ++p) {
      spoiled[p] = random() % 3 == 0;
      if (spoiled[p]) wrong[random() % wrong.size()](std::span(image.values).subspan(p * axis.size, axis.size), random);
    }
    const BackgroundJob job{{490, 520}, {525, 563}, {.method = GetParam()}, {}};
    const BackgroundResult before = fit_background(good, job, one_thread());
    const BackgroundResult after = fit_background(image, job, one_thread());
    for (std::size_t p = 0; p < pixels; ++p) {
      const EdgeFit &a = before.fits[p], &b = after.fits[p];
      for (const auto value : {&EdgeFit::A, &EdgeFit::r, &EdgeFit::reduced_chi_square, &EdgeFit::background,
                               &EdgeFit::background_error, &EdgeFit::signal, &EdgeFit::snr, &EdgeFit::phi}) {
        if (spoiled[p]) {
          EXPECT_EQ(std::isfinite(b.*value), !failed(b.status))
              << b.*value << " in a pixel that is " << name_of(b.status);
        } else {
          EXPECT_EQ(a.*value, b.*value) << "pixel " << p << " of " << pixels;
        }
      }
    }
  }
}

// A detector that is saturated everywhere shows no edge: no signal-to-noise ratio is made of rounding.
TEST_P(EveryMethod, SeesNoSignalInASaturatedPixel) {
  const EnergyAxis axis{450.0, 0.5, 240};
  const EdgeFit fit =
      fit_one(axis, std::vector<float>(axis.size, 65535.0f), {{490, 520}, {525, 563}, {.method = GetParam()}, {}});
  EXPECT_EQ(fit.status, PixelStatus::ok);
  EXPECT_LT(std::abs(fit.snr), 3.0f);
}

TEST(TwoArea, FailsWhereEitherHalfIsEmpty) {
  const EnergyAxis axis{480.0, 1.0, 120};
  std::vector<float> counts(axis.size, 10.0f);
  std::fill(counts.begin() + 25, counts.begin() + 40, 0.0f);
  const auto status = [&](BackgroundMethod method) {
    return fit_one(axis, counts, {{490, 520}, {520, 580}, {.method = method, .r_maximum = 1000}, {}}).status;
  };
  EXPECT_EQ(status(BackgroundMethod::two_area), PixelStatus::non_positive_window);
  EXPECT_EQ(status(BackgroundMethod::poisson_ml), PixelStatus::ok);  // a steep background, as far as it can tell
}

// Zeros and negative counts have no logarithm: log-lsq leaves those channels out, and needs three that are left.
TEST(LogLsq, LeavesOutChannelsThatHaveNoLogarithm) {
  const EnergyAxis axis{480.0, 1.0, 120};
  std::vector<float> counts(axis.size);
  for (std::size_t c = 0; c < axis.size; ++c)
    counts[c] = static_cast<float>(power_law(axis.energy(static_cast<double>(c)), 1e4, 3));
  counts[15] = 0;
  counts[20] = -3;
  const BackgroundJob job{{490, 520}, {520, 580}, {.method = BackgroundMethod::log_lsq}, {}};
  EXPECT_NEAR(fit_one(axis, counts, job).r, 3.0, 1e-5);
  std::fill(counts.begin() + 12, counts.begin() + 40, 0.0f);
  EXPECT_EQ(fit_one(axis, counts, job).status, PixelStatus::non_positive_window);
}

/// Counts that a reader can make again: integers of a formula.
std::vector<float> formula_counts(const EnergyAxis& axis, int k) {
  std::vector<float> counts(axis.size);
  for (std::size_t i = 0; i < axis.size; ++i) {
    const double e = axis.offset_ev + axis.dispersion_ev * static_cast<double>(i);
    counts[i] =
        static_cast<float>(std::floor(2000 * std::pow(e / 500.0, -(2.5 + 0.25 * k)) +
                                      static_cast<double>((i * i * 7 + static_cast<std::size_t>(k) * 13) % 31)));
  }
  return counts;
}

// HyperSpy 2.5.0: EELSSpectrum.remove_background(signal_range=..., background_type="PowerLaw", fast=True) of
// formula_counts; its A times the dispersion is counts per channel.
TEST(TwoArea, IsHyperSpysToSinglePrecision) {
  struct Golden {
    EnergyAxis axis;
    EnergyWindow fit;
    std::size_t channel;
    double A[3], r[3], net[3], net_first[3];
  };
  const Golden even{{450.0, 0.5, 400},
                    {490, 520},
                    180,
                    {11149737621.47536, 45799856829.51578, 240950713854.4032},
                    {2.4984223211824137, 2.725526586843974, 2.992716424383135},
                    {-8.847192638646675, -0.5065293491165903, 15.051557989694402},
                    {-18.711897529606176, -3.2080269636103367, 4.506647634158526}};
  Golden odd = even;  // a window of 61 channels loses its last one
  odd.fit.stop_ev = 520.5;
  const Golden shifted{{440.0, 0.3, 2048},
                       {490.1, 519.7},
                       333,
                       {10843323354.294044, 49109943628.1485, 214517964265.22336},
                       {2.4939976681150915, 2.7368272015736275, 2.9741638493828066},
                       {1.4322895073030395, 11.819598453310164, -6.674203251481458},
                       {-16.475949035910617, -5.85762191023332, 12.849739134467654}};
  for (const Golden& golden : {even, odd, shifted}) {
    for (int k = 0; k < 3; ++k) {
      CountsImage image({}, golden.axis);
      image.values = formula_counts(golden.axis, k);
      const BackgroundJob job{golden.fit, {530, 560}, {.method = BackgroundMethod::two_area}, {}};
      const EdgeFit fit = fit_background(image, job, one_thread()).fits[0];
      EXPECT_FLOAT_EQ(fit.A, static_cast<float>(golden.A[k]));
      EXPECT_FLOAT_EQ(fit.r, static_cast<float>(golden.r[k]));
      std::vector<float> net(golden.axis.size);
      net_image(image, job)->read({0, 1}, {0, net.size()}, std::as_writable_bytes(std::span(net)));
      // A background near 2000 counts in single precision.
      EXPECT_NEAR(net[golden.channel], golden.net[k], 1e-3);
      EXPECT_NEAR(net[0], golden.net_first[k], 1e-3);
    }
  }
}

TEST(LogLsq, IsTheLeastSquaresLineOfTheLogarithms) {
  const EnergyAxis axis{450.0, 0.5, 400};
  for (int k = 0; k < 3; ++k) {
    const std::vector<float> counts = formula_counts(axis, k);
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (std::size_t c = 80; c < 140; ++c) {
      const double x = std::log(axis.energy(static_cast<double>(c)) / 505),
                   y = std::log(static_cast<double>(counts[c]));
      n += 1;
      sx += x;
      sy += y;
      sxx += x * x;
      sxy += x * y;
    }
    const double slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
    const double A = std::exp((sy - slope * sx) / n - slope * std::log(505.0));
    const EdgeFit fit = fit_one(axis, counts, {{490, 520}, {520, 580}, {.method = BackgroundMethod::log_lsq}, {}});
    EXPECT_FLOAT_EQ(fit.r, static_cast<float>(-slope));
    EXPECT_NEAR(static_cast<double>(fit.A) / A, 1.0, 1e-6);
  }
}

TEST(FitBackground, RefusesWindowsThatTheAxisDoesNotHold) {
  CountsImage image({}, {480.0, 1.0, 120});
  const auto refused = [&](EnergyWindow fit, EnergyWindow signal) {
    try {
      fit_background(image, {fit, signal, {}, {}}, one_thread());
      return std::string();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::mismatch);
      return std::string(error.what());
    }
  };
  EXPECT_NE(refused({470, 520}, {520, 580}).find("480"), std::string::npos);
  EXPECT_NE(refused({490, 520}, {520, 700}).find("600"), std::string::npos);
  EXPECT_NE(refused({490, 492}, {520, 580}).find("2 channels"), std::string::npos);
  CountsImage low_loss({}, {-20.0, 1.0, 120});
  EXPECT_THROW(fit_background(low_loss, {{-10, 10}, {20, 50}, {}, {}}, one_thread()), Error);
}

// The whole cube is what the maps say: its sum over the signal window is the signal; below 0 eV it is the counts.
TEST(NetImage, IsCountsMinusTheFittedBackgroundInEveryChannel) {
  const EnergyAxis axis{-10.0, 1.0, 140};
  CountsImage image(pixel_row(70), axis);
  std::mt19937_64 random(11);
  for (std::size_t p = 0; p < 70; ++p) {
    for (std::size_t c = 0; c < axis.size; ++c) {
      const double energy = axis.energy(static_cast<double>(c));
      const double mean = energy < 5 ? 50.0 : 300 * std::pow(energy / 80, -2.0) + (energy >= 95 ? 60.0 : 0.0);
      image.at(p, c) = static_cast<float>(std::poisson_distribution<>(mean)(random));
    }
  }
  BackgroundJob job{{60, 92}, {95, 120}, {}, std::vector<std::uint8_t>(70, 0)};
  job.mask[3] = 1;
  const BackgroundResult result = fit_background(image, job, one_thread());
  const std::unique_ptr<Image> net = net_image(image, job);
  std::vector<float> spectra(70 * axis.size);
  net->read({0, 70}, {0, axis.size}, std::as_writable_bytes(std::span(spectra)));
  for (std::size_t p = 0; p < 70; ++p) {
    double signal = 0;
    for (std::size_t c = 105; c < 130; ++c) signal += static_cast<double>(spectra[p * axis.size + c]);
    if (p == 3) {
      EXPECT_TRUE(std::isnan(signal));
      continue;
    }
    EXPECT_NEAR(signal, result.fits[p].signal, 1e-5 * static_cast<double>(result.fits[p].background));
    for (std::size_t c = 0; c <= 10; ++c) EXPECT_EQ(spectra[p * axis.size + c], image.at(p, c));
    for (std::size_t c = 0; c < axis.size; ++c) EXPECT_TRUE(std::isfinite(spectra[p * axis.size + c]));
  }
}

}  // namespace
}  // namespace elver
