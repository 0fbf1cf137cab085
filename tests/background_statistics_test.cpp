#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <random>
#include <vector>

#include "counts_image.hpp"
#include "elver/background.hpp"

/// The statistical laws of the default method, by Monte-Carlo with a seed: no bias, the scatter of maximum likelihood,
/// and an error that tells the scatter.
namespace elver {
namespace {

struct Case {
  const char* name;
  EnergyWindow fit, signal;
  double dispersion_ev, r;
  double level;  ///< counts per channel, mean over the fit window
  std::size_t pixels;
  double bias;  ///< bound of |relative bias|; holds the Monte-Carlo's own standard error twice over
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name << " at " << c.level << " counts, " << c.dispersion_ev << " eV/channel";
}

/// Poisson spectra of a power law and nothing else, with the background that is really there.
struct Spectra {
  test::CountsImage image;
  double background = 0;
  Spectra(const Case& c, const EnergyAxis& axis, double gain = 1.0);
};

Spectra::Spectra(const Case& c, const EnergyAxis& axis, double gain) : image(test::pixel_row(c.pixels), axis) {
  const ChannelRange fit = axis.channels(c.fit), signal = axis.channels(c.signal);
  const auto mean_of = [&](std::size_t channel) {
    return std::pow(axis.energy(static_cast<double>(channel)) / c.fit.start_ev, -c.r);
  };
  double window = 0;
  for (std::size_t i = fit.first; i < fit.last; ++i) window += mean_of(i);
  const double scale = c.level * static_cast<double>(fit.size()) / window;
  for (std::size_t i = signal.first; i < signal.last; ++i) background += gain * scale * mean_of(i);
  std::mt19937_64 random(20240607);
  for (std::size_t i = fit.first; i < fit.last; ++i) {
    std::poisson_distribution<int> counts(scale * mean_of(i));
    for (std::size_t p = 0; p < c.pixels; ++p) image.at(p, i) = static_cast<float>(gain * counts(random));
  }
}

EnergyAxis axis_of(const Case& c) {
  const double first = c.fit.start_ev - 2 * c.dispersion_ev;
  return {first, c.dispersion_ev,
          static_cast<std::size_t>(std::lround((c.signal.stop_ev - first) / c.dispersion_ev)) + 2};
}

struct Moments {
  double sum = 0, squares = 0, n = 0;
  void add(double value) {
    sum += value;
    squares += value * value;
    n += 1;
  }
  double mean() const { return sum / n; }
  double deviation() const { return std::sqrt(squares / n - mean() * mean()); }
  double rms() const { return std::sqrt(squares / n); }
};

/// Maximum likelihood by Newton's iteration in (ln A, r), double precision, not corrected: the background under the
/// signal window, and r.
std::pair<double, double> newton(const test::CountsImage& image, std::uint64_t pixel, ChannelRange fit,
                                 ChannelRange signal) {
  const EnergyAxis axis = image.energy();
  const double e0 = axis.energy(0.5 * static_cast<double>(fit.first + fit.last));
  double counts = 0, moment = 0;
  std::vector<double> l;
  for (std::size_t c = fit.first; c < fit.last; ++c) {
    l.push_back(std::log(axis.energy(static_cast<double>(c)) / e0));
    const auto y = static_cast<double>(image.values[pixel * image.channels() + c]);
    counts += y;
    moment += y * l.back();
  }
  double r = 3, s0 = 0;
  for (int i = 0; i < 50; ++i) {
    double s1 = 0, s2 = 0;
    s0 = 0;
    for (const double li : l) {
      const double w = std::exp(-r * li);
      s0 += w;
      s1 += w * li;
      s2 += w * li * li;
    }
    const double step = (s1 / s0 - moment / counts) / (s2 / s0 - s1 * s1 / (s0 * s0));
    r += std::clamp(step, -20.0, 20.0);
    if (std::abs(step) < 1e-10) break;
  }
  s0 = 0;
  for (const double li : l) s0 += std::exp(-r * li);
  double under = 0;
  for (std::size_t c = signal.first; c < signal.last; ++c)
    under += std::pow(axis.energy(static_cast<double>(c)) / e0, -r);
  return {counts / s0 * under, r};
}

class PoissonMl : public testing::TestWithParam<Case> {};

TEST_P(PoissonMl, IsUnbiasedAndTellsItsScatter) {
  const Case& c = GetParam();
  const EnergyAxis axis = axis_of(c);
  const Spectra spectra(c, axis);
  RunContext context;
  context.threads = 1;
  const BackgroundResult result = fit_background(spectra.image, {c.fit, c.signal, {}, {}}, context);
  Moments found, reported;
  for (const EdgeFit& fit : result.fits) {
    if (failed(fit.status)) continue;
    found.add(static_cast<double>(fit.background) / spectra.background);
    reported.add(static_cast<double>(fit.background_error) / spectra.background);
  }
  EXPECT_GT(found.n, 0.999 * static_cast<double>(c.pixels)) << "too many pixels without a value";
  EXPECT_LT(std::abs(found.mean() - 1), c.bias) << "scatter " << found.deviation();
  // Both the usual reported error and its root mean square, within 10 % of the scatter found.
  EXPECT_NEAR(reported.rms() / found.deviation(), 1.0, 0.10);
  EXPECT_NEAR(reported.mean() / found.deviation(), 1.0, 0.10);
}

constexpr EnergyWindow kOxygenFit{490, 525}, kOxygenSignal{525, 563};
INSTANTIATE_TEST_SUITE_P(Oxygen, PoissonMl,
                         testing::Values(Case{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 1, 20000, 0.010},
                                         Case{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 3, 20000, 0.005},
                                         Case{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 10, 10000, 0.005},
                                         Case{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 100, 5000, 0.003}));
// A shorter window and a longer reach: the errors are half as large again.
INSTANTIATE_TEST_SUITE_P(OxygenFar, PoissonMl,
                         testing::Values(Case{"O K", {490, 520}, {520, 580}, 0.25, 3, 1, 20000, 0.015},
                                         Case{"O K", {490, 520}, {520, 580}, 0.25, 3, 3, 20000, 0.008},
                                         Case{"O K", {490, 520}, {520, 580}, 0.05, 2, 1, 5000, 0.010},
                                         Case{"O K", {490, 520}, {520, 580}, 1.0, 3, 10, 20000, 0.010}));
INSTANTIATE_TEST_SUITE_P(OtherEdges, PoissonMl,
                         testing::Values(Case{"Si L", {80, 95}, {99, 120}, 0.25, 4, 3, 20000, 0.010},
                                         Case{"Si L", {80, 95}, {99, 120}, 0.05, 4, 1, 10000, 0.010},
                                         Case{"Mn L", {590, 635}, {635, 680}, 0.5, 3, 3, 20000, 0.006},
                                         Case{"Ni L", {820, 850}, {850, 890}, 0.25, 2.5, 1, 20000, 0.012},
                                         Case{"Ni L", {820, 850}, {850, 890}, 0.5, 5, 10, 20000, 0.005},
                                         Case{"Ni L", {800, 845}, {848, 885}, 1.0, 2, 1, 20000, 0.015},
                                         Case{"Si L", {80, 95}, {99, 120}, 0.1, 5, 1, 10000, 0.012}));

TEST(PoissonMlAgainstNewton, ScattersLessAndHasTheSameExponent) {
  for (const Case& c : {Case{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 1, 3000, 0},
                        Case{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 3, 2000, 0},
                        Case{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 100, 1000, 0},
                        Case{"Si L", {80, 95}, {99, 120}, 0.25, 4, 3, 2000, 0}}) {
    const EnergyAxis axis = axis_of(c);
    const ChannelRange fit = axis.channels(c.fit), signal = axis.channels(c.signal);
    const Spectra spectra(c, axis);
    RunContext context;
    context.threads = 1;
    const BackgroundResult result = fit_background(spectra.image, {c.fit, c.signal, {}, {}}, context);
    Moments ours, theirs;
    double worst = 0;
    for (std::size_t p = 0; p < c.pixels; ++p) {
      const auto [background, r] = newton(spectra.image, p, fit, signal);
      ours.add(static_cast<double>(result.fits[p].background));
      theirs.add(background);
      worst = std::max(worst, std::abs(static_cast<double>(result.fits[p].r) - r));
    }
    EXPECT_LE(ours.deviation(), 1.0005 * theirs.deviation()) << c.name << " at " << c.level;
    EXPECT_LT(worst, 2e-4) << c.name << " at " << c.level;  // single precision; r itself scatters by 0.4 or more
  }
}

// Counts that are not electrons: averaged over 16 frames, or multiplied by a camera's gain.
TEST(PoissonMlOfScaledCounts, TellsItsScatterAllTheSame) {
  const Case c{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 10, 5000, 0.01};
  for (const double gain : {1.0 / 16, 7.3}) {
    const Spectra spectra(c, axis_of(c), gain);
    for (const double phi : {0.0, gain}) {  // found from each pixel's own scatter, and given
      RunContext context;
      context.threads = 1;
      const BackgroundResult result = fit_background(spectra.image, {c.fit, c.signal, {.phi = phi}, {}}, context);
      Moments found, reported;
      for (const EdgeFit& fit : result.fits) {
        ASSERT_EQ(fit.status, PixelStatus::ok);
        found.add(static_cast<double>(fit.background) / spectra.background);
        reported.add(static_cast<double>(fit.background_error) / spectra.background);
      }
      EXPECT_NEAR(found.mean(), 1.0, c.bias);
      EXPECT_NEAR(reported.rms() / found.deviation(), 1.0, 0.10) << "gain " << gain << ", phi " << phi;
    }
  }
}

// The other two methods report an error as well. Theirs is judged where their own bias is small.
TEST(OtherMethods, TellTheirScatter) {
  const Case c{"O K", kOxygenFit, kOxygenSignal, 0.25, 3, 100, 4000, 0};
  const Spectra spectra(c, axis_of(c));
  for (const BackgroundMethod method : {BackgroundMethod::two_area, BackgroundMethod::log_lsq}) {
    RunContext context;
    context.threads = 1;
    const BackgroundResult result = fit_background(spectra.image, {c.fit, c.signal, {.method = method}, {}}, context);
    Moments found, reported;
    for (const EdgeFit& fit : result.fits) {
      found.add(static_cast<double>(fit.background) / spectra.background);
      reported.add(static_cast<double>(fit.background_error) / spectra.background);
    }
    EXPECT_NEAR(found.mean(), 1.0, 0.01) << name_of(method);
    EXPECT_NEAR(reported.rms() / found.deviation(), 1.0, 0.10) << name_of(method);
  }
}

}  // namespace
}  // namespace elver
