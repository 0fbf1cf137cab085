#include "elver/prepare.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "elver/engine.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "map_samples.hpp"
#include "support.hpp"

/// Binning, alignment and their record, in the one place where an image is prepared.
namespace elver::test {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// An image whose value at (row, column, channel) is a function of them.
std::unique_ptr<MemoryImage> make(std::uint64_t rows, std::uint64_t columns, std::size_t channels,
                                  const std::function<double(std::uint64_t, std::uint64_t, std::size_t)>& value,
                                  EnergyAxis axis = {500.0, 0.5, 0}) {
  std::vector<float> counts;
  for (std::uint64_t r = 0; r < rows; ++r) {
    for (std::uint64_t c = 0; c < columns; ++c) {
      for (std::size_t e = 0; e < channels; ++e) counts.push_back(static_cast<float>(value(r, c, e)));
    }
  }
  ImageInfo info;
  info.id = "0";
  info.title = "made";
  info.kind = ImageKind::spectrum_image;
  info.axes = {navigation("y", "nm", 2.0, rows), navigation("x", "nm", 3.0, columns),
               Axis{"Energy loss", "eV", axis.dispersion_ev, axis.offset_ev, channels, AxisRole::energy}};
  info.signal_type = "EELS";
  info.selected = true;
  return std::make_unique<MemoryImage>(std::move(info), std::move(counts));
}

std::vector<float> tile_of(const Image& image) {
  std::vector<float> out(image.pixels() * image.channels());
  image.read_tile({0, image.pixels()}, {0, static_cast<std::size_t>(image.channels())}, out);
  return out;
}

// Whole numbers stay whole, and what lies below the pedestal is negative: it is noise about nothing.
TEST(Pedestal, IsTakenOffOnceAndStandsInTheRecord) {
  const auto image = [] { return make(2, 3, 8, [](auto r, auto c, auto e) { return 95.0 + static_cast<double>(r * 8 + c + e); }); };
  Preparation options;
  options.pedestal = 100;
  const Prepared prepared = prepare(image(), options, {});
  EXPECT_EQ(tile_of(*prepared.image).front(), -5.0F);
  EXPECT_EQ(tile_of(*prepared.image).back(), 95.0F + 8 + 2 + 7 - 100);
  const auto record = nlohmann::json::parse(preparation_json(prepared.record));
  EXPECT_EQ(record["pedestal"]["counts"], 100.0);

  const TempDir dir;
  HspyWriter writer(dir / "off.hspy");
  SignalHeader header = header_of(*prepared.image);
  header.record_json = nlohmann::json{{"preparation", record}}.dump();
  writer.add(header, *prepared.image);
  writer.commit();
  const Prepared again = prepare(open_image(dir / "off.hspy"), options, {});
  EXPECT_EQ(tile_of(*again.image), tile_of(*prepared.image));
  EXPECT_THAT(again.record.notes, Contains(HasSubstr("was taken off before")));
}

TEST(Binning, IsRowsByColumns) {
  EXPECT_EQ(parse_binning("2x3"), (Binning{2, 3}));
  for (const char* wrong : {"", "2", "2x", "x2", "0x1", "2x2x2", "-1x2", "2 x 2"}) {
    EXPECT_THROW(parse_binning(wrong), Error) << wrong;
  }
}

// 5 x 7 pixels in 2 x 3: 2 x 2 are left, the fifth row and the seventh column are dropped. Small whole numbers: exact.
TEST(Binning, SumsPixelsAndMovesTheAxes) {
  const auto value = [](std::uint64_t r, std::uint64_t c, std::size_t e) {
    return 100.0 * static_cast<double>(r) + 10.0 * static_cast<double>(c) + static_cast<double>(e);
  };
  const auto binned = binned_image(make(5, 7, 3, value), {2, 3});
  ASSERT_EQ(binned->rows(), 2U);
  ASSERT_EQ(binned->columns(), 2U);
  const Axis &y = binned->info().axes[0], &x = binned->info().axes[1];
  EXPECT_EQ(y.scale, 4.0);
  EXPECT_EQ(y.offset, 0.5 + 1.0);  // the middle of the first two rows
  EXPECT_EQ(x.scale, 9.0);
  EXPECT_EQ(x.offset, 0.5 + 3.0);
  const std::vector<float> tile = tile_of(*binned);
  std::vector<float> bytes(tile.size());
  binned->read({0, 4}, {0, 3}, std::as_writable_bytes(std::span(bytes)));
  for (std::uint64_t p = 0; p < 4; ++p) {
    for (std::size_t e = 0; e < 3; ++e) {
      double sum = 0;
      for (std::uint64_t r = 0; r < 2; ++r) {
        for (std::uint64_t c = 0; c < 3; ++c) sum += value(2 * (p / 2) + r, 3 * (p % 2) + c, e);
      }
      EXPECT_EQ(static_cast<double>(tile[e * 4 + p]), sum);
      EXPECT_EQ(static_cast<double>(bytes[p * 3 + e]), sum);
    }
  }
}

TEST(Binning, MorePixelsThanThereAreIsRefused) {
  try {
    binned_image(make(2, 2, 2, [](auto, auto, auto) { return 1; }), {3, 1});
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::mismatch);
    EXPECT_THAT(error.what(), HasSubstr("the image has 2"));
  }
}

// Offsets of whole channels: every pixel's channel is moved, nothing else, and what not all have falls away.
TEST(AlignedImage, ShiftsWholeChannelsExactly) {
  const auto image = make(1, 4, 20, [](auto, std::uint64_t c, std::size_t e) {
    return 1000.0 * static_cast<double>(c) + static_cast<double>(e);
  });
  const std::vector<double> offsets{0.0, 1.0, -1.5, 0.0};  // 0, 2, -3, 0 channels
  auto source = make(1, 4, 20, [](auto, std::uint64_t c, std::size_t e) {
    return 1000.0 * static_cast<double>(c) + static_cast<double>(e);
  });
  const auto aligned = aligned_image(std::move(source), offsets);
  ASSERT_EQ(aligned->channels(), 15U);
  EXPECT_EQ(aligned->energy().offset_ev, 500.0 + 3 * 0.5);
  EXPECT_THAT(std::vector<std::int8_t>(aligned->eighths().begin(), aligned->eighths().end()), Each(0));
  const std::vector<float> tile = tile_of(*aligned);
  std::vector<float> bytes(4 * 15);
  aligned->read({0, 4}, {0, 15}, std::as_writable_bytes(std::span(bytes)));
  const int whole[] = {0, 2, -3, 0};
  for (std::size_t p = 0; p < 4; ++p) {
    for (std::size_t c = 0; c < 15; ++c) {
      const auto expected = static_cast<float>(1000 * static_cast<int>(p) + static_cast<int>(c) + 3 + whole[p]);
      EXPECT_EQ(tile[c * 4 + p], expected);
      EXPECT_EQ(bytes[p * 15 + c], expected);
    }
  }
}

// Whole channels and eighths make up the offset to a sixteenth of a channel, the rounding to the next eighth.
TEST(AlignedImage, KeepsTheRestOfTheOffsetInEighths) {
  std::vector<double> offsets;
  for (int i = -60; i <= 60; ++i) offsets.push_back(0.037 * i);
  const auto value = [&](auto, std::uint64_t c, std::size_t e) {  // counts say where on the true axis a channel lies
    return 500.0 + 0.5 * static_cast<double>(e) - offsets[c];
  };
  const auto aligned = aligned_image(make(1, offsets.size(), 40, value), offsets);
  const std::vector<float> tile = tile_of(*aligned);
  for (std::size_t p = 0; p < offsets.size(); ++p) {
    const int eighths = aligned->eighths()[p];
    EXPECT_GE(eighths, -3);
    EXPECT_LE(eighths, 4);
    const double energy = aligned->energy().energy(7 - eighths / 8.0);
    EXPECT_NEAR(static_cast<double>(tile[7 * offsets.size() + p]), energy, 0.5 / 16 + 1e-4);
  }
}

TEST(AlignedImage, TheMedianMovesTheAxisAndNoCounts) {
  const auto aligned = aligned_image(make(1, 3, 10, [](auto, auto, std::size_t e) { return static_cast<double>(e); }),
                                     std::vector<double>{-3.03, -3.03, -3.03});
  EXPECT_EQ(aligned->channels(), 10U);
  EXPECT_DOUBLE_EQ(aligned->energy().offset_ev, 503.03);
  EXPECT_EQ(tile_of(*aligned)[3], 1.0F);
}

// The whole point: an aligned pixel has the same features and fits as the same spectrum on its own axis. Equal bits,
// since the same plan reads the same counts.
TEST(AlignedImage, PlansMeetEachPixelOnItsOwnAxis) {
  const Model model = sample_model();
  std::mt19937 random(1);
  std::vector<double> offsets;
  for (int p = 0; p < 90; ++p) offsets.push_back(0.0625 * static_cast<double>(random() % 33) - 1.0);
  offsets[0] = offsets[1] = 0.0;
  std::ranges::nth_element(offsets, offsets.begin() + 45);
  const double median = offsets[45];
  for (double& offset : offsets) offset -= median;
  const auto counts = [&](std::uint64_t, std::uint64_t c, std::size_t e) {
    const double energy = kFirstEv + kPerChannelEv * static_cast<double>(e) - offsets[c];
    return std::round(500.0 * std::pow(energy / 500.0, -3.0) + (energy >= 530 ? 200.0 : 0.0));
  };
  const EnergyAxis axis{kFirstEv, kPerChannelEv, kChannels};
  const auto aligned = aligned_image(make(1, 90, kChannels, counts, axis), offsets);
  const Plans plans(model, *aligned);
  const std::vector<float> tile = tile_of(*aligned);
  TileFeatures together;
  plans.extract({{0, 90}, {tile.data(), 90, {0, static_cast<std::size_t>(aligned->channels())}}}, {}, together);
  for (std::size_t p = 0; p < 90; ++p) {
    const auto alone = make(1, 1, kChannels, [&](auto, auto, std::size_t e) { return counts(0, p, e); });
    const std::vector<float> spectrum = tile_of(*alone);
    const Plan plan(model, {kFirstEv - offsets[p], kPerChannelEv, kChannels});
    TileFeatures own;
    plan.extract({spectrum.data(), 1, {0, kChannels}}, {}, own);
    EXPECT_EQ(together.fits[p].A, own.fits[0].A) << p;
    EXPECT_EQ(together.fits[p].signal, own.fits[0].signal) << p;
    for (std::size_t f = 0; f < kFeatures; ++f) EXPECT_EQ(together.features[p * kFeatures + f], own.features[f]) << p;
  }
}

// Electrons dealt out whole: sums stay, counts stay Poisson's. Variance over mean of 20,000 channels scatters by 1 %.
TEST(OnOneAxis, KeepsSumsAndPoissonCounts) {
  constexpr std::size_t kWide = 4000;
  std::mt19937_64 random(3);
  for (const double mean : {2.0, 100.0}) {
    std::poisson_distribution<int> poisson(mean);
    const auto aligned = aligned_image(make(1, 5, kWide, [&](auto, auto, auto) { return poisson(random); }),
                                       std::vector<double>{0.0, 0.0, 0.0625, 0.125, 0.25});
    const auto written = on_one_axis(*aligned);
    const std::vector<float> before = tile_of(*aligned), after = tile_of(*written);
    double variance = 0, covariance = 0;
    for (std::size_t p = 0; p < 5; ++p) {
      double sum_before = 0, sum_after = 0;
      for (std::size_t c = 0; c < written->channels(); ++c) {
        sum_before += static_cast<double>(before[(c + 1) * 5 + p]);
        sum_after += static_cast<double>(after[c * 5 + p]);
        EXPECT_EQ(after[c * 5 + p], std::round(after[c * 5 + p]));
        const double d = static_cast<double>(after[c * 5 + p]) - mean;
        variance += d * d;
        if (c > 0) covariance += d * (static_cast<double>(after[(c - 1) * 5 + p]) - mean);
      }
      EXPECT_NEAR(sum_after, sum_before, 6 * std::sqrt(mean)) << "only the ends give and take";
    }
    const double n = 5.0 * static_cast<double>(written->channels());
    EXPECT_NEAR(variance / n / mean, 1.0, 0.05);
    EXPECT_NEAR(covariance / n / mean, 0.0, 0.05) << "neighbours stay independent";
  }
}

// A ramp says where its counts lie: after dealing out, on the channels' energies. Values that are not whole: exact.
TEST(OnOneAxis, PutsCountsWhereTheyBelong) {
  const std::vector<double> offsets{0.0, 0.0, 0.0625, 0.125, 0.25, -0.0625, -0.1875};
  const auto value = [&](auto, std::uint64_t c, std::size_t e) {
    return 0.1 + static_cast<double>(e) - offsets[c] / 0.5;
  };
  const auto aligned = aligned_image(make(1, 7, 30, value), offsets);
  const auto written = on_one_axis(*aligned);
  EXPECT_DOUBLE_EQ(written->energy().offset_ev, aligned->energy().energy(1));
  const std::vector<float> tile = tile_of(*written);
  for (std::size_t p = 0; p < 7; ++p) {
    for (std::size_t c = 0; c < written->channels(); ++c) {
      EXPECT_NEAR(static_cast<double>(tile[c * 7 + p]),
                  0.1 + (written->energy().energy(static_cast<double>(c)) - 500) / 0.5, 1e-5);
    }
  }
}

// What was summed stands in the file; the same request on it changes nothing, a larger one counts from the acquisition.
TEST(Prepare, BinningOnceIsEnough) {
  const TempDir dir;
  save_image(*make(4, 8, 6, [](auto, auto, std::size_t e) { return static_cast<double>(e); }), dir / "raw.hspy");
  const Ran first = run_elver({"convert", (dir / "raw.hspy").string(), (dir / "binned.hspy").string(), "--bin", "2x2"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.err, "");
  const Prepared again = prepare(open_image(dir / "binned.hspy"), {.bin = {2, 2}}, {});
  EXPECT_EQ(again.image->rows(), 2U);
  EXPECT_EQ(again.image->columns(), 4U);
  EXPECT_THAT(again.record.notes, ElementsAre(HasSubstr("binned 2x2 already")));
  EXPECT_EQ(tile_of(*again.image), tile_of(*open_image(dir / "binned.hspy")));
  const Prepared more = prepare(open_image(dir / "binned.hspy"), {.bin = {4, 2}}, {});
  EXPECT_EQ(more.image->rows(), 1U);
  EXPECT_EQ(more.image->columns(), 4U);
  EXPECT_EQ(nlohmann::json::parse(preparation_json(more.record))["bin"]["rows"], 4);
  EXPECT_THROW(prepare(open_image(dir / "binned.hspy"), {.bin = {3, 2}}, {}), Error);
}

double bell(double distance, double sigma) { return std::exp(-0.5 * distance * distance / (sigma * sigma)); }

/// A power law, a step and a white line of 1.25 eV, `offset` eV too high.
double edge_at(double energy, double offset) {
  const double e = energy - offset;
  return std::pow(e / 520, -3.0) + 0.8 * bell(e - 642, 1.25) + 0.45 * bell(e - 653, 1.4) +
         0.1 * (1 + std::erf(e - 644)) / 2;
}

/// Electrons of a field whose axis drifts over 5 eV from the first pixel to the last, with a wave along the rows.
std::vector<double> drift(std::uint64_t rows, std::uint64_t columns) {
  std::vector<double> out;
  for (std::uint64_t p = 0; p < rows * columns; ++p) {
    const double t = static_cast<double>(p) / static_cast<double>(rows * columns);
    out.push_back(5 * t * t - 1.5 + 0.6 * std::sin(11 * t) + 0.02 * static_cast<double>(p % columns));
  }
  return out;
}

double residual_of(const std::vector<double>& found, const std::vector<double>& truth) {
  double mean = 0, square = 0;
  const auto n = static_cast<double>(truth.size());
  for (std::size_t p = 0; p < truth.size(); ++p) mean += (found[p] - truth[p]) / n;
  for (std::size_t p = 0; p < truth.size(); ++p) square += std::pow(found[p] - truth[p] - mean, 2) / n;
  return std::sqrt(square);
}

constexpr EnergyAxis kLines{590.0, 0.3, 340};

std::unique_ptr<MemoryImage> drifting(std::uint64_t rows, std::uint64_t columns, double counts, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::vector<double> truth = drift(rows, columns);
  return make(
      rows, columns, kLines.size,
      [&](std::uint64_t r, std::uint64_t c, std::size_t e) {
        const double mean = counts * edge_at(kLines.energy(static_cast<double>(e)), truth[r * columns + c]);
        return static_cast<double>(std::poisson_distribution<int>(mean)(random));
      },
      kLines);
}

// 0.1 eV is what issue 4 asks for at 100 counts a channel; a single pixel's own error is larger than that. At 10,000 a
// pixel says more than its neighbours: the limit is its own error, 0.01 eV, and the rest of an imperfect model.
TEST(AlignEdges, FollowsADriftOfSeveralEv) {
  for (const auto& [counts, most] : {std::pair{100.0, 0.1}, std::pair{10000.0, 0.03}}) {
    const Alignment found = align_edges(*drifting(14, 18, counts, 5), std::vector<std::string>{"Mn_L3"}, {});
    EXPECT_LT(residual_of(found.offset_ev, drift(14, 18)), most);
    EXPECT_GT(found.measured, 240U);
    double mean_error = 0;
    for (const double error : found.error_ev) mean_error += error / 252;
    EXPECT_LT(mean_error, 2 * most);
  }
}

TEST(AlignEdges, WhatIsNotThereIsRefused) {
  const auto image = drifting(2, 4, 100, 1);
  const auto kind = [&](const std::string& edge) {
    try {
      align_edges(*image, std::vector<std::string>{edge}, {});
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::interrupted;
  };
  EXPECT_EQ(kind("Ni_L3"), ErrorKind::mismatch);
  EXPECT_EQ(kind("Xx_K"), ErrorKind::usage);
}

// The same command on what it wrote: nothing moves, it says so, and a measurement of what is left finds next to
// nothing.
TEST(AlignEdges, TwiceIsAsOnce) {
  const TempDir dir;
  save_image(*drifting(6, 12, 400, 9), dir / "raw.hspy");
  const std::string raw = (dir / "raw.hspy").string(), once = (dir / "once.hspy").string(),
                    twice = (dir / "twice.hspy").string();
  const Ran first = run_elver({"calibrate", raw, "--align", "edge", "Mn_L3", "--out", once});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.err, "");
  const Ran second = run_elver({"calibrate", once, "--align", "edge", "Mn_L3", "--out", twice, "--json"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("aligned so before"));
  const auto said = nlohmann::json::parse(second.out);
  EXPECT_EQ(said["preparation"]["align"]["edges"][0], "Mn_L3");
  const auto a = open_image(once), b = open_image(twice);
  EXPECT_EQ(tile_of(*a), tile_of(*b));
  EXPECT_EQ(a->energy().offset_ev, b->energy().offset_ev);
  const Alignment left = align_edges(*a, std::vector<std::string>{"Mn_L3"}, {});
  EXPECT_LT(residual_of(left.offset_ev, std::vector<double>(72, 0.0)), 0.06);
}

// Pictures of what was found stand beside the file, whatever command wrote it.
TEST(AlignEdges, OffsetsAreDrawnBesideTheFile) {
  const TempDir dir;
  save_image(*drifting(6, 12, 400, 9), dir / "raw.hspy");
  const std::string raw = (dir / "raw.hspy").string();
  const auto aligned = [&](std::vector<std::string> words, const std::string& out) {
    words.insert(words.end(), {"--align", "edge", "Mn_L3", "--out", (dir / out).string()});
    const Ran ran = run_elver(words);
    EXPECT_EQ(ran.code, 0) << ran.err;
  };
  aligned({"background", raw, "--fit", "600:630", "--signal", "636:660"}, "b.hspy");
  aligned({"calibrate", raw}, "c.hspy");
  aligned({"detect", raw, "--edge", "Mn_L", "--fit", "600:630", "--signal", "636:660"}, "folder");
  for (const char* picture : {"b_energy_offset.png", "c_energy_offset.png", "folder/energy_offset.png"})
    EXPECT_TRUE(fs::exists(dir / picture)) << picture;
  const auto maps = open_file(dir / "folder/maps.hspy");
  EXPECT_TRUE(std::ranges::any_of(maps.images, [](const auto& i) { return i->info().title == "energy_offset"; }));
}

// Two acquisitions of one spectrometer, both wrong by the same shift at the first channel and the same gain: the one's
// marks put the other right, once.
TEST(Prepare, AnAxisIsCarriedOverToTheSameSetting) {
  const TempDir dir;
  const EnergyAxis truth{kLines.offset_ev, kLines.dispersion_ev, kLines.size};
  const auto stretched = [&](const EnergyAxis& of) {
    return EnergyAxis{of.offset_ev - 6.0, of.dispersion_ev / 1.03, of.size};
  };
  const auto line = [&](const EnergyAxis& axis, double at) {
    return make(
        1, 2, axis.size,
        [&](auto, auto, std::size_t e) {
          const double energy = axis.energy(static_cast<double>(e));
          return 1e4 * edge_at(energy + 642 - at, 0);
        },
        axis);
  };
  auto first = line(truth, 642);
  first->set_energy(stretched(truth));
  save_image(*first, dir / "first.hspy");
  const std::string calibrated = (dir / "calibrated.hspy").string();
  ASSERT_EQ(run_elver({"calibrate", (dir / "first.hspy").string(), "--mark", "Mn_L3=642", "--mark", "Mn_L2=653", "--out",
                       calibrated})
                .code,
            0);
  const EnergyAxis other{700, kLines.dispersion_ev, kLines.size};
  auto second = line(other, 750);
  second->set_energy(stretched(other));
  save_image(*second, dir / "second.hspy");
  const std::string moved = (dir / "moved.hspy").string();
  const Ran ran =
      run_elver({"calibrate", (dir / "second.hspy").string(), "--axis-from", calibrated, "--out", moved, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["method"], "carried");
  EXPECT_EQ(json["preparation"]["calibration"]["carried_over_from"], calibrated);
  // As right as the two marks, 11 eV apart, are: some hundredths of an eV over their distance.
  EXPECT_NEAR(open_image(moved)->energy().energy(166), other.energy(166), 0.5);
  EXPECT_NEAR(json["gain"].get<double>(), 1.03, 0.01);
  Preparation carried;
  carried.axis_from = calibrated;
  const Prepared again = prepare(open_image(moved), carried, {});
  EXPECT_THAT(again.record.notes, ElementsAre(HasSubstr("nothing is carried over")));
  EXPECT_EQ(again.image->energy().offset_ev, open_image(moved)->energy().offset_ev);
  second->set_energy({694, 0.5, other.size});
  save_image(*second, dir / "coarse.hspy");
  EXPECT_EQ(run_elver({"calibrate", (dir / "coarse.hspy").string(), "--axis-from", calibrated}).code, 4);
  EXPECT_EQ(run_elver({"calibrate", (dir / "coarse.hspy").string(), "--axis-from", (dir / "first.hspy").string()}).code, 4);
}

// A record is whatever a file holds: nonsense in it is nothing that was done.
TEST(Prepare, NonsenseInARecordIsNoRecord) {
  const auto all = {"",
                    "[]",
                    "{",
                    R"({"preparation": 3})",
                    R"({"preparation": {"bin": {"rows": -4, "columns": "x"}}})",
                    R"({"preparation": {"bin": 2, "align": {"by": 7, "edges": 1}}})"};
  for (const char* record : all) {
    ImageInfo info = make(2, 2, 40, [](auto, auto, auto) { return 1; })->info();
    info.record_json = record;
    auto image = std::make_unique<MemoryImage>(info, std::vector<float>(160, 1.0F));
    const Prepared prepared = prepare(std::move(image), {.bin = {2, 2}}, {});
    EXPECT_EQ(prepared.image->pixels(), 1U) << record;
    EXPECT_NO_THROW(preparation_json(prepared.record)) << record;
  }
}

// A peak of 3e5 electrons is known to a hundredth of its width; its top goes to 0 eV.
TEST(AlignZeroLoss, PutsThePeakAtZero) {
  constexpr EnergyAxis kLow{-20.0, 0.3, 200};
  std::mt19937_64 random(2);
  const std::vector<double> truth = drift(3, 20);
  const auto image = make(
      3, 20, kLow.size,
      [&](std::uint64_t r, std::uint64_t c, std::size_t e) {
        const double at = kLow.energy(static_cast<double>(e)) - truth[r * 20 + c] + 3.0;
        return static_cast<double>(
            std::poisson_distribution<int>(5e4 * bell(at, 0.5) + 300 * bell(at - 22, 5) + 5)(random));
      },
      kLow);
  const Alignment found = align_zero_loss(*image, {});
  for (std::size_t p = 0; p < truth.size(); ++p) EXPECT_NEAR(found.offset_ev[p], truth[p] - 3.0, 0.03) << p;
}

/// A field with a white line on one half of it.
std::unique_ptr<MemoryImage> half_field(double counts, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  return make(8, 16, 300,
              [&](std::uint64_t, std::uint64_t c, std::size_t e) {
                const double x = static_cast<double>(e);
                const double mean = counts * (std::pow(1 + x / 1000, -3.0) + (c < 8 ? 2 * bell(x - 150, 2.0) : 0.0));
                return static_cast<double>(std::poisson_distribution<int>(mean)(random));
              },
              {500.0, 0.3, 300});
}

TEST(Spikes, NoiseAndSharpLinesAreLeftAlone) {
  for (const double counts : {1.0, 100.0, 10000.0}) {
    SpikeCount count;
    std::vector<float> map;
    const auto image = half_field(counts, 4);
    const std::vector<float> before = tile_of(*image);
    const auto same = despiked_image(half_field(counts, 4), count, map, {});
    EXPECT_EQ(count.values, 0U) << counts;
    EXPECT_EQ(tile_of(*same), before);
  }
}

// A spike goes, what is beside it stays; what comes in its place is within the neighbours' noise.
TEST(Spikes, AreReplacedByWhatTheNeighboursShow) {
  auto image = half_field(100, 4);
  const std::size_t pixel = 3 * 16 + 5, channel = 220;
  image->counts()[pixel * 300 + channel] += 500;
  std::vector<float> expected = tile_of(*image);
  SpikeCount count;
  std::vector<float> map;
  const auto clean = despiked_image(std::move(image), count, map, {});
  EXPECT_EQ(count.values, 1U);
  EXPECT_EQ(count.pixels, 1U);
  EXPECT_EQ(map[pixel], 1.0F);
  std::vector<float> found = tile_of(*clean), bytes(300);
  float& at = found[channel * 128 + pixel];
  EXPECT_NEAR(static_cast<double>(at), 100 * std::pow(1.22, -3.0), 5 * std::sqrt(55.0));
  clean->read({pixel, pixel + 1}, {0, 300}, std::as_writable_bytes(std::span(bytes)));
  EXPECT_EQ(bytes[channel], at);
  at = expected[channel * 128 + pixel];
  EXPECT_EQ(found, expected);
}

// Words for counts that are not sums of electrons, and none for electrons whatever their number.
TEST(LookAtCounts, SaysWhatCountsAre) {
  const auto notes = [](double counts, const std::function<float(float)>& turned) {
    auto image = half_field(counts, 8);
    for (float& value : image->counts()) value = turned(value);
    return look_at_counts(*image, {});
  };
  for (const double counts : {0.3, 3.0, 30.0, 1000.0, 100000.0}) {
    EXPECT_THAT(notes(counts, [](float v) { return v; }), IsEmpty()) << counts;
  }
  EXPECT_THAT(notes(100, [](float v) { return 4 * v; }), ElementsAre(HasSubstr("whole multiples of 4")));
  EXPECT_THAT(notes(100, [](float v) { return v / 8; }), ElementsAre(HasSubstr("whole multiples of 1/8")));
  EXPECT_THAT(notes(100, [](float v) { return 3.7F * v; }), ElementsAre(HasSubstr("whole multiples of 3.7")));
  EXPECT_THAT(notes(100, [](float v) { return 2.345678F * v; }), ElementsAre(HasSubstr("one electron gave 2.")));
}

// Velox adds 100 counts to each frame. The counts fall from 400 to 6 along the axis: the scatter tells one from the
// other.
TEST(LookAtCounts, FindsAPedestal) {
  std::mt19937_64 random(3);
  const auto image = make(8, 16, 400, [&](auto, auto, std::size_t e) {
    const double mean = 400 * std::pow(1 + static_cast<double>(e) / 100, -2.6);
    return 100.0 + static_cast<double>(std::poisson_distribution<int>(mean)(random));
  });
  EXPECT_THAT(look_at_counts(*image, {}), ElementsAre(HasSubstr("pedestal")));
}

}  // namespace
}  // namespace elver::test
