#include <cairo.h>
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "elver/report.hpp"
#include "io_support.hpp"
#include "overlay_support.hpp"
#include "report/overlay_plots.hpp"
#include "report/parts.hpp"

/// `elver overlay` as a user runs it, what it leaves behind, and its picture.
namespace elver::test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

std::vector<std::string> listing(const fs::path& path) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(path)) out.push_back(entry.path().filename().string());
  return out;
}

/// Two files of maps of one square: a.hspy with "si" and "other", and one map in a file with ':' in its name.
class OverlayCommand : public ::testing::Test {
 protected:
  OverlayCommand() {
    const SmoothField field(7, 0.15);
    si_ = filled(map_of(20, 24, 40, 48), [&](double x, double y) { return field(x / 48, y / 40); });
    vacancy_ = filled(map_of(16, 30, 40, 48), [&](double x, double y) { return field(x / 48, y / 40); });
    si_.map.values[5] = std::numeric_limits<float>::quiet_NaN();
    save_maps({{"si", si_}, {"other", si_}}, dir / "a.hspy");
    save_maps({{"vacancy", vacancy_}}, dir / "b:1.hspy");
  }
  std::string a() const { return (dir / "a.hspy").string() + ":si"; }
  std::string b() const { return (dir / "b:1.hspy").string(); }
  Ran lay(const std::vector<std::string>& more) const {
    std::vector<std::string> words{"overlay"};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {"--out", (dir / "out").string()});
    return run_elver(words);
  }
  TempDir dir;
  PlacedMap si_, vacancy_;
};

TEST_F(OverlayCommand, WritesNumbersMapsAndAPicture) {
  const Ran ran = lay({a(), b() + ":vacancy", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(listing(dir / "out"), UnorderedElementsAre("overlay.json", "overlay.hspy", "overlay.png"));
  const json out = json::parse(read_text(dir / "out/overlay.json"));
  EXPECT_EQ(out, json::parse(ran.out));
  for (const char* key : {"a", "b", "grid", "n", "thresholds", "jaccard", "odds_ratio", "odds_ratio_interval",
                          "p_value", "null", "rank_correlation", "curve", "elver", "command"})
    EXPECT_TRUE(out.contains(key)) << key;
  EXPECT_EQ(out["a"], a());
  EXPECT_EQ(out["grid"], json({{"rows", 16}, {"columns", 24}}));
  EXPECT_EQ(out["null"].size(), 2U);
  EXPECT_LT(out["p_value"], 0.01);  // one field seen twice
  EXPECT_EQ(out["field_of_view"], "axes");
  EXPECT_EQ(out["inputs"]["b"]["placed_by"], "axes");
  EXPECT_EQ(out["inputs"]["b"]["to_a"], json({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}));
  EXPECT_EQ(out["inputs"]["b"]["to_a_units"], json({{"from", "nm"}, {"to", "nm"}}));

  // The numbers are those of the maps that were written: value >= threshold, as float32.
  const File maps = open_file(dir / "out/overlay.hspy");
  ASSERT_EQ(maps.images.size(), 2U);
  EXPECT_EQ(maps.images[0]->info().title, "a");
  EXPECT_EQ(maps.images[1]->info().title, "b");
  const std::vector<float> first = tile_of(*maps.images[0]), second = tile_of(*maps.images[1]);
  ASSERT_EQ(first.size(), 16U * 24U);
  std::uint64_t n = 0, both = 0, any = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!std::isfinite(first[i]) || !std::isfinite(second[i])) continue;
    const bool in_a = first[i] >= out["thresholds"]["a"].get<float>(),
               in_b = second[i] >= out["thresholds"]["b"].get<float>();
    n += 1, both += in_a && in_b, any += in_a || in_b;
  }
  EXPECT_EQ(out["n"], n);
  EXPECT_EQ(out["jaccard"].get<double>(), static_cast<double>(both) / static_cast<double>(any));
}

// The same maps in every format; what an earlier run left and this one does not bring goes.
TEST_F(OverlayCommand, WritesMapsInEveryFormat) {
  ASSERT_EQ(lay({a(), b(), "--format", "csv,tiff,nexus,hspy"}).code, 0);
  EXPECT_THAT(listing(dir / "out"), UnorderedElementsAre("overlay.json", "overlay.hspy", "overlay.nxs", "overlay.csv", "a.tif", "b.tif", "overlay.png"));
  const File hspy = open_file(dir / "out/overlay.hspy"), nexus = open_file(dir / "out/overlay.nxs");
  ASSERT_EQ(nexus.images.size(), 2U);
  std::vector<std::vector<float>> values;
  for (std::size_t i = 0; i < 2; ++i) {
    values.push_back(tile_of(*hspy.images[i]));
    EXPECT_THAT(tile_of(*nexus.images[i]), testing::Pointwise(testing::NanSensitiveFloatEq(), values[i]));
    EXPECT_EQ(nexus.images[i]->info().quantity, hspy.images[i]->info().quantity);
    EXPECT_EQ(nexus.images[i]->info().axes[1].scale, hspy.images[i]->info().axes[1].scale);
  }
  std::istringstream csv(read_text(dir / "out/overlay.csv"));
  std::string line;
  std::getline(csv, line);
  EXPECT_THAT(line, StartsWith("row,column,x (nm),y (nm),a,b"));
  for (std::size_t i = 0; std::getline(csv, line); ++i) {
    ASSERT_LT(i, values[0].size());
    const float written = std::stof(line.substr(line.rfind(',') + 1));
    EXPECT_TRUE(written == values[1][i] || (std::isnan(written) && std::isnan(values[1][i]))) << line;
  }
  ASSERT_EQ(lay({a(), b(), "--format", "csv"}).code, 0);
  EXPECT_THAT(listing(dir / "out"), UnorderedElementsAre("overlay.json", "overlay.csv", "overlay.png"));
  EXPECT_EQ(lay({a(), b(), "--format", "png"}).code, 2);
}

TEST_F(OverlayCommand, IsTheLibraryCall) {
  const Ran ran =
      lay({a(), b(), "--threshold-a", "0.1", "--threshold-b", "-0.2", "--same-field", "--json", "--threads", "2"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json out = json::parse(ran.out);
  const OverlayResult result = overlay(std::vector{read_placed_map(a()), read_placed_map(b())},
                                       {.field = FieldOfView::same, .thresholds = {0.1, -0.2}}, {});
  EXPECT_EQ(out["p_value"], *result.overlaps[0].at.p_value);
  EXPECT_EQ(out["odds_ratio"], result.overlaps[0].at.odds_ratio);
  EXPECT_EQ(out["thresholds"], json({{"a", 0.1}, {"b", -0.2}}));
  EXPECT_EQ(out["field_of_view"], "same field, as told");
  EXPECT_EQ(out["null"]["draws"], result.overlaps[0].draws);
}

// What a file says its values are is kept, through the overlay too, in HyperSpy's "what (unit)" or as a unit alone.
TEST_F(OverlayCommand, KeepsTheUnitOfAMap) {
  HspyWriter writer(dir / "units.hspy");
  for (const auto& [title, quantity] : {std::pair{"counts", "counts"}, {"mass", "Areal mass (ug/cm2)"}, {"none", ""}}) {
    SignalHeader header;
    header.title = title;
    header.quantity = quantity;
    header.axes = {si_.rows, si_.columns};
    header.map = true;
    writer.add(header, std::as_bytes(std::span(si_.map.values)));
  }
  writer.commit();
  const std::string file = (dir / "units.hspy").string();
  EXPECT_EQ(read_placed_map(file + ":counts").map.unit, "counts");
  EXPECT_EQ(read_placed_map(file + ":mass").map.unit, "ug/cm2");
  EXPECT_EQ(read_placed_map(file + ":none").map.unit, "");
  ASSERT_EQ(lay({file + ":mass", file + ":counts"}).code, 0);
  const std::string written = (dir / "out/overlay.hspy").string();
  EXPECT_EQ(read_placed_map(written + ":a").map.unit, "ug/cm2");
  EXPECT_EQ(open_file(written).images[0]->info().quantity, "mass (ug/cm2)");
}

TEST_F(OverlayCommand, SaysWhenPixelsAreTooFew) {
  save_maps({{"m", filled(map_of(2, 9), SmoothField(1, 0.2))}}, dir / "few.hspy");
  const std::string few = (dir / "few.hspy").string();
  const Ran ran = lay({few, few, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json out = json::parse(ran.out);
  EXPECT_TRUE(out["p_value"].is_null());
  EXPECT_THAT(out["note"].get<std::string>(), StartsWith("too few pixels to say"));
  EXPECT_THAT(lay({few, few}).out, HasSubstr("too few pixels to say"));
}

TEST_F(OverlayCommand, RefusesInOneLineAndLeavesNothing) {
  const auto refused = [&](const std::vector<std::string>& words, int code) {
    const Ran ran = lay(words);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_THAT(ran.err, StartsWith("elver: error: "));
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_FALSE(fs::exists(dir / "out"));
    return ran.err;
  };
  EXPECT_THAT(refused({a(), (dir / "a.hspy").string()}, 2), HasSubstr("other, si"));
  EXPECT_THAT(refused({a(), (dir / "a.hspy").string() + ":nothing"}, 2), HasSubstr("other, si"));
  EXPECT_THAT(refused({a(), (dir / "none.hspy").string() + ":si"}, 3), HasSubstr("none.hspy"));
  EXPECT_THAT(refused({a(), b(), "--colours", "loud"}, 2), HasSubstr("paper or safe"));
  EXPECT_THAT(refused({a(), b(), "--threshold-c", "1"}, 2), HasSubstr("map c"));
  refused({a()}, 2);
  PlacedMap away = si_;
  away.columns.offset += 1000;
  save_maps({{"away", away}}, dir / "away.hspy");
  EXPECT_THAT(refused({a(), (dir / "away.hspy").string()}, 4), HasSubstr("do not overlap"));
  HspyWriter writer(dir / "spectra.hspy");
  SignalHeader header;
  header.title = "spectra";
  header.signal_type = "EELS";
  header.axes = {placed_axis("x", "nm", 1, 0, 3), {"Energy", "eV", 1, 0, 4, AxisRole::energy}};
  const std::vector<float> zeros(12, 0.0F);
  writer.add(header, std::as_bytes(std::span(zeros)));
  writer.commit();
  EXPECT_THAT(refused({a(), (dir / "spectra.hspy").string() + ":spectra"}, 2), HasSubstr("is not a map"));
}

// ---- the picture ----------------------------------------------------------------------------------------------------

namespace rp = report;

/// The colours at the middle of each pixel of the first panel.
std::vector<rp::Colour> panel_colours(const fs::path& png, const rp::Panel& panel) {
  cairo_surface_t* const surface = cairo_image_surface_create_from_png(png.c_str());
  const unsigned char* const data = cairo_image_surface_get_data(surface);
  const int stride = cairo_image_surface_get_stride(surface), width = cairo_image_surface_get_width(surface);
  const auto at = [&](int x, int y) {
    const unsigned char* const p = data + y * stride + 4 * x;
    return rp::Colour{p[2], p[1], p[0]};
  };
  std::vector<rp::Colour> out;
  for (int y = 0, run = 0; y < cairo_image_surface_get_height(surface) && out.empty(); ++y, run = 0) {
    for (int x = 0; x < width && out.empty(); ++x) {
      run = at(x, y) == rp::kInk ? run + 1 : 0;
      if (run != panel.width() + 2) continue;
      for (std::uint64_t i = 0; i < panel.rows; ++i) {
        for (std::uint64_t j = 0; j < panel.columns; ++j) {
          out.push_back(at(x - panel.width() + static_cast<int>(j) * panel.column_pixels + panel.column_pixels / 2,
                           y + 1 + static_cast<int>(i) * panel.row_pixels + panel.row_pixels / 2));
        }
      }
    }
  }
  cairo_surface_destroy(surface);
  return out;
}

TEST(OverlayPicture, ShowsEachMapAndBothInTheirColours) {
  const TempDir dir;
  PlacedMap a = map_of(2, 21), b = map_of(2, 21);
  for (std::size_t i = 0; i < 42; ++i) {
    a.map.values[i] = i % 2 == 0 ? 1.0F : 0.0F;
    b.map.values[i] = i % 3 == 0 ? 1.0F : 0.0F;
  }
  b.map.values[41] = std::numeric_limits<float>::quiet_NaN();
  const OverlayResult result = overlay(std::vector{a, b}, {}, {});
  for (const OverlayColours scheme : {OverlayColours::paper, OverlayColours::safe}) {
    draw_overlay(result, scheme, dir / "overlay.png");
    const rp::Colour first = rp::overlay_colour(0, scheme), second = rp::overlay_colour(1, scheme);
    const auto colours = panel_colours(dir / "overlay.png", rp::panel_for(2, 21, result.rows, result.columns));
    ASSERT_EQ(colours.size(), 42U);
    for (std::size_t i = 0; i < 41; ++i) {
      const rp::Colour wanted = i % 6 == 0   ? rp::added(first, second)
                                : i % 2 == 0 ? first
                                : i % 3 == 0 ? second
                                             : rp::kAbsent;
      EXPECT_TRUE(colours[i] == wanted) << i;
    }
    EXPECT_TRUE(colours[41] == rp::kFailed || colours[41] == rp::kHatch);
  }
}

// Colours after G. Machado et al., IEEE Trans. Vis. Comput. Graph. 15 (2009) 1291, severity 1, told apart in Oklab,
// where 0.02 is just seen side by side.
TEST(OverlayPicture, SafeColoursStayApartWithoutRedAndGreen) {
  using Matrix = std::array<double, 9>;
  constexpr Matrix kSame{1, 0, 0, 0, 1, 0, 0, 0, 1};
  constexpr Matrix kProtan{0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998};
  constexpr Matrix kDeutan{0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881};
  const auto times = [](const Matrix& m, std::array<double, 3> v) {
    return std::array<double, 3>{m[0] * v[0] + m[1] * v[1] + m[2] * v[2], m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
                                 m[6] * v[0] + m[7] * v[1] + m[8] * v[2]};
  };
  const auto seen = [&](const Matrix& eye, rp::Colour c) {
    const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
    std::array<double, 3> light = times(eye, {linear(c.r / 255.0), linear(c.g / 255.0), linear(c.b / 255.0)});
    for (double& v : light) v = std::clamp(v, 0.0, 1.0);
    light = times({0.4122214708, 0.5363325363, 0.0514459929, 0.2119034982, 0.6806995451, 0.1073969566, 0.0883024619,
                   0.2817188376, 0.6299787005},
                  light);
    for (double& v : light) v = std::cbrt(v);
    return times({0.2104542553, 0.7936177850, -0.0040720468, 1.9779984951, -2.4285922050, 0.4505937099, 0.0259040371,
                  0.7827717662, -0.8086757660},
                 light);
  };
  const auto apart = [&](rp::Colour a, rp::Colour b) {
    double least = 9;
    for (const Matrix& eye : {kSame, kProtan, kDeutan}) {
      const auto x = seen(eye, a), y = seen(eye, b);
      least = std::min(least, std::hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]));
    }
    return least;
  };
  std::vector<rp::Colour> safe{rp::kAbsent};
  for (std::size_t m = 0; m < kLargestOverlay; ++m) safe.push_back(rp::overlay_colour(m, OverlayColours::safe));
  for (std::size_t i = 0; i < safe.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_GT(apart(safe[i], safe[j]), 0.15) << i << " " << j;
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_GT(apart(safe[i], rp::added(safe[1], safe[2])), 0.15) << i;  // of two maps
  EXPECT_LT(apart(rp::overlay_colour(0, OverlayColours::paper), rp::overlay_colour(1, OverlayColours::paper)), 0.15);
}

TEST(OverlayPicture, IsDrawnOfOddMapsToo) {
  const TempDir dir;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  PlacedMap line = map_of(1, 40), flat = map_of(3, 4), empty = map_of(3, 4);
  for (float& v : empty.map.values) v = nan;
  for (std::size_t i = 0; i < 40; ++i) line.map.values[i] = static_cast<float>(i % 7);
  int n = 0;
  for (const std::vector<PlacedMap>& maps :
       {std::vector{line, line}, {flat, empty}, {empty, flat}, {line, line, line, line}}) {
    const fs::path png = dir / (std::to_string(n++) + ".png");
    draw_overlay(overlay(maps, {}, {}), OverlayColours::paper, png);
    EXPECT_GT(fs::file_size(png), 1000U);
  }
}

}  // namespace
}  // namespace elver::test
