#include "elver/coregister.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "coregister/picture.hpp"
#include "counts_image.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "support.hpp"

namespace elver::test {
namespace {

using pictures::Picture;
using ::testing::HasSubstr;

constexpr std::size_t kSide = 96;

/// A smooth random field of unit variance, its bumps some `width` pixels wide.
Picture field(std::size_t side, double width, std::mt19937& random) {
  Picture out{side, side, std::vector<double>(side * side)};
  std::normal_distribution<double> normal;
  for (double& value : out.values) value = normal(random);
  out = pictures::smoothed(out, width);
  double squares = 0;
  for (const double value : out.values) squares += value * value;
  for (double& value : out.values) value /= std::sqrt(squares / static_cast<double>(out.values.size()));
  return out;
}

/// `side` pixels of 2 nm; pixel (y, x) is the field's (scale y + dy, scale x + dx), and noise.
PlacedMap seen(const Picture& of, double scale, double dy, double dx, double noise, std::mt19937& random) {
  PlacedMap out;
  out.rows = {"y", "nm", 2, 0, kSide, AxisRole::navigation};
  out.columns = {"x", "nm", 2, 0, kSide, AxisRole::navigation};
  out.source = "picture";
  std::normal_distribution<double> normal;
  for (std::size_t y = 0; y < kSide; ++y) {
    for (std::size_t x = 0; x < kSide; ++x) {
      const double value =
          pictures::sampled(of, scale * static_cast<double>(y) + dy, scale * static_cast<double>(x) + dx);
      out.map.values.push_back(static_cast<float>(value + noise * normal(random)));
    }
  }
  return out;
}

// Noise as strong as a half of the picture: what is found is off by less than a pixel in the worst corner. Ten seeds of
// fifty that were measured (the median is a fifth of a pixel).
TEST(PictureMatch, FindsShiftAndScaleToLessThanAPixel) {
  for (std::uint32_t seed = 0; seed < 4; ++seed) {
    std::mt19937 random(seed);
    const Picture of = field(2 * kSide, 3, random);
    std::uniform_real_distribution<double> uniform(-1, 1);
    const double scale = 1 + 0.06 * uniform(random), dy = 15 * uniform(random), dx = 15 * uniform(random);
    const PlacedMap first = seen(of, 1, 40, 40, 0.5, random), second = seen(of, scale, 40 + dy, 40 + dx, 0.5, random);
    const PictureMatch match = match_pictures(first, second, {});
    for (const double y : {0.0, kSide - 1.0}) {
      EXPECT_NEAR(match.scale * y + match.dy, scale * y + dy, 1.0) << seed;
      EXPECT_NEAR(match.scale * y + match.dx, scale * y + dx, 1.0) << seed;
    }
    EXPECT_GT(match.peak, match.chance);
  }
}

TEST(PictureMatch, RefusesWhatItCannotTellWithTheNumbers) {
  for (std::uint32_t seed = 0; seed < 3; ++seed) {
    std::mt19937 random(seed);
    const Picture one = field(2 * kSide, 3, random), other = field(2 * kSide, 3, random);
    try {
      match_pictures(seen(one, 1, 40, 40, 0.5, random), seen(other, 1, 40, 40, 0.5, random), {});
      ADD_FAILURE() << "unrelated pictures were matched, seed " << seed;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::mismatch);
      EXPECT_THAT(error.what(), HasSubstr("does not stand out"));
    }
  }
  PlacedMap flat;
  flat.rows = {"y", "nm", 2, 0, kSide, AxisRole::navigation};
  flat.columns = {"x", "nm", 2, 0, kSide, AxisRole::navigation};
  flat.map.values.assign(kSide * kSide, 1.0F);
  EXPECT_THROW(match_pictures(flat, flat, {}), Error);
  flat.rows.size = 2;
  flat.map.values.resize(2 * kSide);
  EXPECT_THROW(match_pictures(flat, flat, {}), Error);
}

/// A map of 2 x 20 pixels of 1 nm, from (0, 0).
Acquisition strip() {
  Acquisition out;
  out.map.rows = {"y", "nm", 1, 0.5, 2, AxisRole::navigation};
  out.map.columns = {"x", "nm", 1, 0.5, 20, AxisRole::navigation};
  out.map.map.values.assign(40, 0.0F);
  return out;
}

// By hand: the second field begins 10 to the right and 1 below, in coordinates in which the first is 20 wide and 2
// high.
TEST(Coregistration, CornersAndOneSurveySayTheSame) {
  Acquisition first = strip(), second = strip();
  first.corners = ScanPlace::Outline{100, 200, 102, 220};
  second.corners = ScanPlace::Outline{101, 210, 103, 230};
  const Registration by_corners = coregister(first, second, {});
  EXPECT_EQ(by_corners.by, RegisteredBy::corners);
  first.place = {first.corners, "7", {}, {}, {}};
  second.place = {second.corners, "7", {}, {}, {}};
  first.corners = second.corners = std::nullopt;
  const Registration by_survey = coregister(first, second, {});
  EXPECT_EQ(by_survey.by, RegisteredBy::survey);
  for (const Registration& found : {by_corners, by_survey}) {
    EXPECT_NEAR(found.to_first.xx, 1, 1e-12);
    EXPECT_NEAR(found.to_first.yy, 1, 1e-12);
    EXPECT_NEAR(found.to_first.dx, 10, 1e-9);
    EXPECT_NEAR(found.to_first.dy, 1, 1e-9);
    EXPECT_EQ(found.notes.size(), 1U);  // a quarter in common is said
  }
}

TEST(Coregistration, RefusesAStageThatIsCoarserThanTheField) {
  Acquisition first = strip(), second = strip();
  first.place.stage_x_um = first.place.stage_y_um = second.place.stage_y_um = 0.0;
  second.place.stage_x_um = 0.06;
  try {
    coregister(first, second, {});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::mismatch);
    EXPECT_THAT(error.what(), HasSubstr("60 nm"));
  }
  for (Acquisition* each : {&first, &second}) {
    each->map.rows.scale = each->map.columns.scale = 1000;  // 2 um and 20 um: large enough
  }
  const Registration found = coregister(first, second, {});
  EXPECT_EQ(found.by, RegisteredBy::stage);
  EXPECT_NEAR(found.to_first.xx, 1, 1e-9);
  second.place.scan_rotation_deg = 90.0;
  first.place.scan_rotation_deg = 0.0;
  EXPECT_THROW(coregister(first, second, {}), Error);
  EXPECT_THROW(coregister(strip(), strip(), {}), Error);  // nothing to go by
}

// Both survey images show one edge of one particle: 50 rows and 4 columns apart, as eyes and a plain correlation of the
// smoothed pictures say.
TEST(RealSurveys, LieFiftyRowsApart) {
  const fs::path a = shared_data("si-nmc-eels/si/Si ADF Image (SI Survey).dm3");
  const fs::path b = shared_data("si-nmc-eels/tm-o/TM ADF Image (SI Survey).dm3");
  ELVER_NEEDS(a);
  const PictureMatch match = match_pictures(read_placed_map(a.string()), read_placed_map(b.string()), {});
  EXPECT_NEAR(match.dy, -50, 2);
  EXPECT_NEAR(match.dx, 4, 2);
  EXPECT_NEAR(match.scale, 1, 0.005);
  EXPECT_GT(match.peak, 2 * match.chance);
  const ScanPlace place = scan_place(shared_data("si-nmc-eels/si/Si EELS Spectrum Image.dm3"));
  ASSERT_TRUE(place.in_survey.has_value());
  EXPECT_EQ(place.in_survey->top, 180);
  EXPECT_EQ(place.in_survey->right, 189);
  EXPECT_EQ(place.survey, scan_place(a).survey);
  EXPECT_NE(place.survey, scan_place(b).survey);
  EXPECT_NEAR(place.stage_x_um.value(), 21.8757, 1e-9);
}

/// Two spectrum images whose left halves have an edge at 99 eV.
class OverlayOfFiles : public ::testing::Test {
 protected:
  OverlayOfFiles() {
    for (const char* name : {"a.hspy", "b.hspy"}) {
      CountsImage image({{"y", "nm", 1, 0, 8, AxisRole::navigation}, {"x", "nm", 1, 0, 16, AxisRole::navigation}},
                        {75, 0.3, 140});
      std::mt19937 random(name[0]);
      for (std::uint64_t p = 0; p < 128; ++p) {
        for (std::size_t c = 0; c < 140; ++c) {
          const double energy = 75 + 0.3 * static_cast<double>(c);
          const double jump = energy >= 99 && p % 16 < 8 ? 2.0 : 1.0;
          image.at(p, c) =
              static_cast<float>(std::poisson_distribution<int>(100 * jump * std::pow(energy / 87, -3))(random));
        }
      }
      save_image(image, dir / name);
    }
  }
  Ran run(std::vector<std::string> more) const {
    std::vector<std::string> words{"overlay", (dir / "a.hspy").string(), (dir / "b.hspy").string(), "--out",
                                   (dir / "out").string()};
    words.insert(words.end(), more.begin(), more.end());
    return run_elver(words);
  }
  TempDir dir;
};

TEST_F(OverlayOfFiles, MakesTheMapsAndSaysWhatTheyAreMadeOf) {
  const Ran ran =
      run({"--edge", "Si_L", "--fit", "78:97", "--corners-a", "0,0,8,16", "--corners-b", "0,0,8,16", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["computed"].size(), 2U);
  EXPECT_EQ(json["computed"][0]["edge"], "Si_L");
  EXPECT_GE(json["computed"][0]["found"].get<int>(), 60);
  EXPECT_EQ(json["registration"][0]["by"], "corners");
  EXPECT_EQ(json["n"], 128);
  EXPECT_GT(json["jaccard"].get<double>(), 0.8);
}

// Fields that lie apart are an error; the picture of them stays, and nothing else.
TEST_F(OverlayOfFiles, ThatLieApartLeaveThePictureOfIt) {
  HspyWriter writer(dir / "adf.hspy");
  SignalHeader header;
  header.title = "adf";
  header.axes = {{"y", "nm", 1, 0, 8, AxisRole::navigation}, {"x", "nm", 1, 0, 16, AxisRole::navigation}};
  header.map = true;
  std::vector<float> values(128);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7);
  writer.add(header, std::as_bytes(std::span(values)));
  writer.commit();
  std::vector<std::string> words{"--edge", "Si_L", "--fit", "78:97", "--adf-a", (dir / "adf.hspy").string(),
                                 "--corners-a", "0,0,8,16", "--corners-b", "9,20,17,36"};
  const Ran apart = run(words);
  EXPECT_EQ(apart.code, 4);
  EXPECT_THAT(apart.err, HasSubstr("do not overlap"));
  EXPECT_THAT(apart.err, HasSubstr("out/registration_b.png"));
  EXPECT_EQ(std::count(apart.err.begin(), apart.err.end(), '\n'), 1);
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(dir / "out")) left.push_back(entry.path().filename().string());
  EXPECT_EQ(left, std::vector<std::string>{"registration_b.png"});
  EXPECT_GT(fs::file_size(dir / "out/registration_b.png"), 1000U);
  words.back() = "1,2,9,18";
  words.push_back("--json");
  const Ran together = run(words);
  ASSERT_EQ(together.code, 0) << together.err;
  const auto json = nlohmann::json::parse(together.out);
  EXPECT_EQ(json["field_of_view"], "corners");
  EXPECT_EQ(json["inputs"]["b"]["placed_by"], "corners");
  EXPECT_NEAR(json["inputs"]["b"]["to_a"][0][2].get<double>(), 2, 1e-9);
  EXPECT_NEAR(json["inputs"]["b"]["to_a"][1][2].get<double>(), 1, 1e-9);
}

// Half the rows of the first, a quarter of the second's columns: the common grid is the coarser one in each direction.
TEST_F(OverlayOfFiles, AreEachPreparedAsTheirLetterSays) {
  const Ran ran = run({"--edge", "Si_L", "--fit", "78:97", "--same-field", "--bin-a", "2x1", "--bin-b", "1x4", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["grid"], nlohmann::json({{"rows", 4}, {"columns", 4}}));
  EXPECT_EQ(json["computed"][0]["preparation"]["bin"]["rows"], 2);
  EXPECT_EQ(json["computed"][1]["preparation"]["bin"]["columns"], 4);
  const Ran both = run({"--edge", "Si_L", "--fit", "78:97", "--same-field", "--bin", "2x2", "--bin-b", "2x1", "--json"});
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_EQ(nlohmann::json::parse(both.out)["inputs"]["a"]["columns"]["size"], 8);
  EXPECT_EQ(nlohmann::json::parse(both.out)["inputs"]["b"]["columns"]["size"], 16);
  EXPECT_EQ(run({"--edge", "Si_L", "--same-field", "--align-b", "edge", "nothing"}).code, 2);
}

TEST_F(OverlayOfFiles, SaysWhatIsMissing) {
  const Ran nothing = run({});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("--edge"));
  EXPECT_EQ(run({"--edge", "Si_L", "--corners-a", "0,0,8"}).code, 2);
  EXPECT_EQ(run({"--edge", "Si_L", "--corners-a", "0,0,8,16"}).code, 2);  // of the other nothing is known
  EXPECT_FALSE(fs::exists(dir / "out"));
}

}  // namespace
}  // namespace elver::test
