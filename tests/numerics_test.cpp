#include <gmock/gmock.h>

#include <limits>

#include "elver/background.hpp"
#include "elver/error.hpp"
#include "map_samples.hpp"

/// Spectra that no detector should give and some do: a status for each, never a silent NaN, never a neighbour spoilt.
namespace elver::test {
namespace {

using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

/// What an odd pixel's channel c holds, given what a good one does.
struct Odd {
  const char* name;
  float (*counts)(std::size_t c, float good);
};

const Odd kOdd[] = {
    {"NaN everywhere", [](std::size_t, float) { return kNan; }},
    {"one NaN in the fit window", [](std::size_t c, float good) { return c == 40 ? kNan : good; }},
    {"one NaN on the edge", [](std::size_t c, float good) { return c == 120 ? kNan : good; }},
    {"infinity on the edge", [](std::size_t c, float good) { return c == 120 ? kInfinity : good; }},
    {"minus infinity before it", [](std::size_t c, float good) { return c == 40 ? -kInfinity : good; }},
    {"zeros", [](std::size_t, float) { return 0.0F; }},
    {"minus zeros", [](std::size_t, float) { return -0.0F; }},
    {"negative", [](std::size_t, float good) { return -good; }},
    {"half negative", [](std::size_t c, float good) { return c % 2 == 0 ? good : -good; }},
    {"saturated", [](std::size_t, float) { return 65535.0F; }},
    {"the largest float", [](std::size_t, float) { return std::numeric_limits<float>::max(); }},
    {"the smallest float", [](std::size_t, float) { return std::numeric_limits<float>::denorm_min(); }},
    {"one electron in all", [](std::size_t c, float) { return c == 60 ? 1.0F : 0.0F; }},
    {"one electron a channel", [](std::size_t, float) { return 1.0F; }},
    {"rising", [](std::size_t c, float) { return static_cast<float>(c * c); }},
    {"a cliff", [](std::size_t c, float) { return c < 20 ? 1e30F : 1.0F; }},
    {"dead before the edge", [](std::size_t c, float good) { return c < 100 ? 0.0F : good; }},
    {"dead on the edge", [](std::size_t c, float good) { return c < 100 ? good : 0.0F; }},
};

/// Pixels 2i are good, 2i + 1 odd.
void make_odd(MemoryImage& image) {
  for (std::size_t i = 0; i < std::size(kOdd); ++i) {
    for (std::size_t c = 0; c < kChannels; ++c) {
      float& value = image.counts()[(2 * i + 1) * kChannels + c];
      value = kOdd[i].counts(c, value);
    }
  }
}

TEST(Numerics, EveryOddSpectrumHasAStatusAndNoSilentNan) {
  const MapResult clean = map_image(sample(std::size(kOdd), 2), sample_model(), {}, {});
  MemoryImage image = sample(std::size(kOdd), 2);
  make_odd(image);
  const MapResult result = map_image(image, sample_model(), {}, {});
  for (std::size_t i = 0; i < std::size(kOdd); ++i) {
    SCOPED_TRACE(kOdd[i].name);
    const std::size_t odd = 2 * i + 1;
    for (const Map& map : result.maps) {
      const Map& same = clean.maps[static_cast<std::size_t>(&map - result.maps.data())];
      EXPECT_EQ(map.values[2 * i], same.values[2 * i]) << map.name << ": the good neighbour";
      if (failed(result.status[odd])) {
        EXPECT_TRUE(std::isnan(map.values[odd])) << map.name;
      } else if (map.of_task) {
        EXPECT_TRUE(std::isfinite(map.values[odd])) << map.name << " with status " << name_of(result.status[odd]);
      }
    }
  }
}

TEST(Numerics, EveryMethodOfTheBackgroundSaysWhatItCannotFit) {
  MemoryImage image = sample(std::size(kOdd), 2);
  make_odd(image);
  for (const char* method : {"poisson-ml", "log-lsq", "two-area"}) {
    BackgroundJob job;
    job.fit = {490, 520};
    job.signal = {530, 570};
    job.options.method = background_method(method);
    const BackgroundResult result = fit_background(image, job, {});
    for (std::size_t i = 0; i < std::size(kOdd); ++i) {
      SCOPED_TRACE(std::string(method) + ": " + kOdd[i].name);
      const EdgeFit& fit = result.fits[2 * i + 1];
      for (const float value : {fit.A, fit.r, fit.background, fit.signal}) {
        EXPECT_EQ(std::isnan(value), failed(fit.status)) << "status " << name_of(fit.status);
        EXPECT_FALSE(std::isinf(value)) << "status " << name_of(fit.status);
      }
    }
  }
}

TEST(Numerics, OnePixelIsMappedAsAmongMany) {
  const MapResult many = map_image(sample(4, 5), sample_model(), {}, {}), one = map_image(sample(1, 1), sample_model(), {}, {});
  ASSERT_EQ(one.status.size(), 1U);
  for (std::size_t m = 0; m < many.maps.size(); ++m) EXPECT_EQ(one.maps[m].values[0], many.maps[m].values[0]) << many.maps[m].name;
}

TEST(Numerics, WindowsOfTooFewChannelsAndBackwardAxesAreRefusedInWords) {
  MemoryImage image = sample(2, 2);
  BackgroundJob job;
  job.fit = {490, 490.5};
  job.signal = {530, 530.5};
  const auto refusal = [&] {
    try {
      fit_background(image, job, {});
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::mismatch));
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refusal(), HasSubstr("holds 1 channels"));
  job.fit = {490, 520};
  EXPECT_EQ(refusal(), "");  // a signal of one channel is one
  image.set_energy({580, -0.5, kChannels});
  EXPECT_THAT(refusal(), HasSubstr("runs backwards"));
}

}  // namespace
}  // namespace elver::test
