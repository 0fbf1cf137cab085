#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "contract.hpp"
#include "engine/edge_pipeline.hpp"
#include "io/strided_image.hpp"
#include "map_samples.hpp"
#include "simd_targets.hpp"

// Contracts: from counts to features and maps, every kind of vector register gives the same bits, whatever the number
// of pixels, the type of the counts and their order in memory.
namespace elver {
namespace {

using namespace elver::test;

constexpr std::size_t kWidth = 400;  // 440 to 640 eV
const EnergyAxis kAxis{440.0, 0.5, kWidth};

/// The kind that is chosen now, for the table of contracts: not plain C++, which the others are held against.
std::string target_name() {
  const std::int64_t target = hwy::SupportedTargets();
  return target == HWY_EMU128 || target == HWY_SCALAR ? "" : hwy::TargetName(target);
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// Counts [channel][pixel]: noisy power laws with edges; among them pixels that fail in every way.
std::vector<float> odd_counts(std::size_t pixels) {
  std::mt19937 random(17);
  std::vector<float> counts(kWidth * pixels);
  for (std::size_t p = 0; p < pixels; ++p) {
    const double dose = std::pow(10.0, static_cast<double>(random() % 500) / 100.0 - 1.0);
    for (std::size_t c = 0; c < kWidth; ++c) {
      const double energy = kAxis.energy(static_cast<double>(c));
      const double mean = dose * (std::pow(energy / 500.0, -3.0) + (energy > 530.0 ? 0.4 : 0.0));
      counts[c * pixels + p] = static_cast<float>(std::poisson_distribution<int>(mean)(random));
    }
    const auto set = [&](std::size_t channel, float value) { counts[channel * pixels + p] = value; };
    switch (p % 23) {
      case 3:
        for (std::size_t c = 0; c < kWidth; ++c) set(c, 0.0F);
        break;
      case 5:
        set(110 + p % 60, std::numeric_limits<float>::quiet_NaN());
        break;
      case 7:
        set(190 + p % 60, std::numeric_limits<float>::infinity());
        break;
      case 11:
        for (std::size_t c = 0; c < kWidth; ++c) set(c, c < 130 ? -3.0F : 40.0F);
        break;
      case 13:
        for (std::size_t c = 0; c < kWidth; ++c) set(c, static_cast<float>(c) * 1e30F);
        break;
      case 17:
        for (std::size_t c = 0; c < kWidth; ++c) set(c, 1e-40F * static_cast<float>(1 + c % 5));
        break;
      default:
        break;
    }
  }
  return counts;
}

Model edges_only(std::size_t edges, BackgroundMethod method, const FeatureRule& rule) {
  Model model;
  model.background.method = method;
  model.features = rule;
  for (std::size_t e = 0; e < edges; ++e) {
    const auto shift = static_cast<double>(e);
    model.edges.push_back({"edge", {490.0 - shift, 522.0 - shift}, {525.0 + shift, 563.0 + shift, 60 + e}});
  }
  return model;
}

struct Found {
  std::vector<float> features;
  std::vector<EdgeFit> fits;
  std::vector<PixelStatus> status;
};

Found extract(const engine::EdgePipeline& pipeline, const std::vector<float>& counts, std::size_t pixels) {
  const TileView tile{counts.data() + pipeline.channels().first * pixels, pixels, pipeline.channels()};
  Found found;
  engine::BlockFeatures block;
  for (std::size_t first = 0; first < pixels; first += kBlock) {
    const std::size_t count = std::min(kBlock, pixels - first);
    pipeline.extract(tile, first, count, block);
    for (std::size_t p = 0; p < count; ++p) {
      found.status.push_back(block.status[p]);
      for (std::size_t f = 0; f < pipeline.feature_count(); ++f)
        found.features.push_back(block.features[f * kBlock + p]);
      for (std::size_t e = 0; e < pipeline.edge_count(); ++e) found.fits.push_back(block.fits[e * kBlock + p]);
    }
  }
  return found;
}

/// The padding behind a fit's status is nobody's.
bool same_fits(const std::vector<EdgeFit>& a, const std::vector<EdgeFit>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], 8 * sizeof(float)) != 0 || a[i].status != b[i].status) return false;
  }
  return a.size() == b.size();
}

void expect_same_everywhere(const Model& model, std::size_t pixels) {
  const engine::EdgePipeline pipeline(model, kAxis);
  const std::vector<float> counts = odd_counts(pixels);
  std::vector<Found> all;
  std::vector<std::string> targets;
  for_every_target([&] {
    all.push_back(extract(pipeline, counts, pixels));
    targets.push_back(target_name());
  });
  for (std::size_t t = 0; t < all.size(); ++t) {
    const Found& found = all[t];
    EXPECT_TRUE(found.status == all.back().status);
    EXPECT_TRUE(same_fits(found.fits, all.back().fits));
    EXPECT_TRUE(same_bits(found.features, all.back().features));
    held("fits and features", targets[t],
         std::to_string(pixels) + " pixels, " + std::to_string(model.edges.size()) + " edges, method " +
             std::to_string(static_cast<int>(model.background.method)) + ", rule " +
             std::to_string(static_cast<int>(model.features.kind)) + std::to_string(static_cast<int>(model.features.sum)) +
             std::to_string(static_cast<int>(model.features.divide_by)) + (model.features.clip_negative ? "c" : ""),
         found.features.size() + 8 * found.fits.size());
  }
  if (pixels < 100) return;
  // A law about nothing would hold as well: many pixels have values, and every way to fail occurs.
  std::vector<std::size_t> times(status_count, 0);
  for (const PixelStatus status : all.back().status) ++times[static_cast<std::size_t>(status)];
  EXPECT_GT(times[0], pixels / 4);
  EXPECT_GT(times[static_cast<std::size_t>(PixelStatus::not_finite)], 0u);
  EXPECT_GT(times[static_cast<std::size_t>(PixelStatus::non_positive_window)], 0u);
}

TEST(EdgesOnEveryTarget, EveryNumberOfPixels) {
  const Model model = edges_only(1, BackgroundMethod::poisson_ml, {});
  for (const std::size_t pixels : {1, 31, 33, 63, 64, 65, 257}) expect_same_everywhere(model, pixels);
}

TEST(EdgesOnEveryTarget, EveryNumberOfEdgesAndEveryMethod) {
  for (std::size_t edges = 1; edges <= 8; ++edges) {
    expect_same_everywhere(edges_only(edges, BackgroundMethod::poisson_ml, {}), 130);
  }
  for (const BackgroundMethod method : {BackgroundMethod::log_lsq, BackgroundMethod::two_area}) {
    expect_same_everywhere(edges_only(2, method, {}), 257);
  }
}

TEST(EdgesOnEveryTarget, EveryFeatureRule) {
  for (const bool clip : {true, false}) {
    for (const Divisor divide_by : {Divisor::last, Divisor::max, Divisor::none}) {
      for (const CdfSum sum : {CdfSum::inclusive, CdfSum::exclusive, CdfSum::trapezoid}) {
        expect_same_everywhere(edges_only(1, BackgroundMethod::poisson_ml, {FeatureKind::cdf, sum, divide_by, clip}),
                               129);
      }
    }
    for (const Divisor divide_by : {Divisor::max, Divisor::area, Divisor::none}) {
      const FeatureRule rule{FeatureKind::raw, CdfSum::inclusive, divide_by, clip};
      expect_same_everywhere(edges_only(1, BackgroundMethod::poisson_ml, rule), 129);
    }
  }
}

/// A block's pixels do not know of each other: each is what it is alone.
TEST(EdgesOnEveryTarget, APixelIsTheSameAloneAndAmongOthers) {
  constexpr std::size_t kPixels = 150;
  const engine::EdgePipeline pipeline(edges_only(2, BackgroundMethod::poisson_ml, {}), kAxis);
  const std::vector<float> counts = odd_counts(kPixels);
  const Found together = extract(pipeline, counts, kPixels);
  const std::size_t width = pipeline.feature_count();
  for (std::size_t p = 0; p < kPixels; ++p) {
    std::vector<float> alone(kWidth);
    for (std::size_t c = 0; c < kWidth; ++c) alone[c] = counts[c * kPixels + p];
    const Found one = extract(pipeline, alone, 1);
    ASSERT_EQ(one.status[0], together.status[p]) << p;
    ASSERT_TRUE(same_fits(one.fits, {together.fits.begin() + static_cast<std::ptrdiff_t>(2 * p),
                                     together.fits.begin() + static_cast<std::ptrdiff_t>(2 * p + 2)}));
    ASSERT_EQ(std::memcmp(one.features.data(), &together.features[p * width], width * sizeof(float)), 0) << p;
  }
}

/// The sample's counts, whole numbers, as another type in either order.
template <class Number>
std::unique_ptr<Image> stored_as(const MemoryImage& sample, NumberType type, bool energy_first) {
  const std::size_t pixels = sample.pixels();
  auto values = std::make_shared<std::vector<Number>>(pixels * kChannels);
  std::vector<float> tile(pixels * kChannels);
  sample.read_tile({0, pixels}, {0, kChannels}, tile);
  for (std::size_t c = 0; c < kChannels; ++c) {
    for (std::size_t p = 0; p < pixels; ++p) {
      (*values)[energy_first ? c * pixels + p : p * kChannels + c] = static_cast<Number>(tile[c * pixels + p]);
    }
  }
  ImageInfo info = sample.info();
  info.type = type;
  constexpr auto kSize = static_cast<std::ptrdiff_t>(sizeof(Number));
  const auto columns = static_cast<std::ptrdiff_t>(sample.columns());
  const std::ptrdiff_t pixel = energy_first ? kSize : kSize * static_cast<std::ptrdiff_t>(kChannels);
  const std::ptrdiff_t channel = energy_first ? kSize * static_cast<std::ptrdiff_t>(pixels) : kSize;
  return std::make_unique<StridedImage>(
      std::move(info),
      StridedLayout{{std::as_bytes(std::span(*values)), values}, 0, {pixel * columns, pixel, channel}, false, false});
}

/// Maps of `rows` x `columns` pixels, some of them masked and blank, in every number type and both orders: the plain
/// path's bits. How many pixels are ok.
std::uint64_t expect_same_maps(std::size_t rows, std::size_t columns) {
  const std::size_t pixels = rows * columns;
  MemoryImage image = sample(rows, columns);
  for (float& value : image.counts()) value = std::min(std::floor(value / 4), 250.0F);
  for (const std::size_t p : {5, 400}) {
    if (p < pixels) blank(image, p);
  }
  std::vector<std::uint8_t> mask(pixels, 0);
  for (std::size_t p = 100; p < std::min<std::size_t>(170, pixels); ++p) mask[p] = 1;
  const Model model = sample_model();
  std::vector<std::unique_ptr<Image>> images;
  for (const bool energy_first : {false, true}) {
    images.push_back(stored_as<std::uint8_t>(image, NumberType::u8, energy_first));
    images.push_back(stored_as<std::uint16_t>(image, NumberType::u16, energy_first));
    images.push_back(stored_as<std::int32_t>(image, NumberType::i32, energy_first));
    images.push_back(stored_as<float>(image, NumberType::f32, energy_first));
    images.push_back(stored_as<double>(image, NumberType::f64, energy_first));
  }
  struct Run {
    MapResult result;
    std::string target, shape;
  };
  std::vector<Run> runs;
  for_every_target([&] {
    for (const auto& stored : images) {
      RunContext context;
      context.threads = static_cast<unsigned>(1 + runs.size() % 3);
      runs.push_back({map_image(*stored, model, mask, context), target_name(),
                      std::string(name_of(stored->info().type)) +
                          (stored->channels_first() ? ", energy-major, " : ", pixel-major, ") + std::to_string(pixels) + " pixels"});
    }
  });
  const MapResult& plain = runs.back().result;
  for (const Run& run : runs) {
    EXPECT_TRUE(run.result.status == plain.status);
    for (std::size_t m = 0; m < plain.maps.size(); ++m) {
      EXPECT_TRUE(same_bits(run.result.maps[m].values, plain.maps[m].values)) << plain.maps[m].name;
    }
    held("maps", run.target, run.shape, plain.maps.size() * pixels);
  }
  return plain.status_counts[0];
}

TEST(MapsOnEveryTarget, EveryNumberTypeAndOrderAndNumberOfPixelsAndThreads) {
  EXPECT_EQ(expect_same_maps(1, 1), 1u);
  EXPECT_EQ(expect_same_maps(1, 31), 30u);
  EXPECT_EQ(expect_same_maps(3, 11), 32u);
  EXPECT_EQ(expect_same_maps(9, 73), 657u - 72u);  // full tiles and one pixel more
}

}  // namespace
}  // namespace elver
