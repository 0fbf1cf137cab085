#include "elver/report.hpp"

#include <cairo.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "elver/error.hpp"
#include "report/colours.hpp"
#include "report/layout.hpp"
#include "support.hpp"

namespace elver::report {

void PrintTo(const Colour& c, std::ostream* out) { *out << int{c.r} << ',' << int{c.g} << ',' << int{c.b}; }

namespace {

using test::TempDir;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

Axis axis(std::string name, std::string units, double scale, std::uint64_t size) {
  return {std::move(name), std::move(units), scale, 0.0, size, AxisRole::navigation};
}
Axis rows(std::uint64_t size, double scale = 0.4, std::string units = "nm") {
  return axis("y", std::move(units), scale, size);
}
Axis columns(std::uint64_t size, double scale = 0.4, std::string units = "nm") {
  return axis("x", std::move(units), scale, size);
}
std::vector<PixelStatus> all_ok(std::size_t pixels) { return std::vector<PixelStatus>(pixels, PixelStatus::ok); }

/// A PNG, read back.
class Png {
 public:
  explicit Png(const std::filesystem::path& path) : surface_(cairo_image_surface_create_from_png(path.c_str())) {
    if (cairo_surface_status(surface_) != CAIRO_STATUS_SUCCESS)
      throw std::runtime_error("no picture at " + path.string());
  }
  ~Png() { cairo_surface_destroy(surface_); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
  int width() const { return cairo_image_surface_get_width(surface_); }
  int height() const { return cairo_image_surface_get_height(surface_); }
  Colour at(int x, int y) const {
    const unsigned char* const p =
        cairo_image_surface_get_data(surface_) + y * cairo_image_surface_get_stride(surface_) + 4 * x;
    return {p[2], p[1], p[0]};
  }
  /// Where the panel begins: inside the first line of ink that is as long as its frame.
  std::pair<int, int> panel(const Panel& panel) const {
    for (int y = 0; y < height(); ++y) {
      int run = 0;
      for (int x = 0; x < width(); ++x) {
        run = at(x, y) == kInk ? run + 1 : 0;
        if (run == panel.width() + 2) return {x - panel.width(), y + 1};
      }
    }
    throw std::runtime_error("no panel");
  }
  /// The colours of one map pixel.
  std::vector<Colour> block(const Panel& of, int row, int column) const {
    const auto [left, top] = panel(of);
    std::vector<Colour> out;
    for (int y = 0; y < of.row_pixels; ++y) {
      for (int x = 0; x < of.column_pixels; ++x)
        out.push_back(at(left + column * of.column_pixels + x, top + row * of.row_pixels + y));
    }
    return out;
  }
  bool border_is_paper(int width_of_border) const {
    for (int y = 0; y < height(); ++y) {
      for (int x = 0; x < width(); ++x) {
        const bool inside = x >= width_of_border && y >= width_of_border && x < width() - width_of_border &&
                            y < height() - width_of_border;
        if (!inside && !(at(x, y) == kPaper)) return false;
      }
    }
    return true;
  }

 private:
  cairo_surface_t* surface_;
};

double luminance(Colour c) {
  const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
  return 0.2126 * linear(c.r / 255.0) + 0.7152 * linear(c.g / 255.0) + 0.0722 * linear(c.b / 255.0);
}

// What makes a gradient readable without its colour.
TEST(Colours, GetLighterAllTheWay) {
  for (std::size_t i = 1; i < 256; ++i) EXPECT_GT(luminance(perceptual()[i]), luminance(perceptual()[i - 1])) << i;
  EXPECT_LT(luminance(perceptual()[0]), 0.03);
  EXPECT_GT(luminance(perceptual()[255]), 0.75);
}

TEST(Colours, OfMissingPixelsAreNoneOfTheGradient) {
  for (const Colour c : perceptual()) {
    const int spread = std::max({c.r, c.g, c.b}) - std::min({c.r, c.g, c.b});
    EXPECT_GT(spread, 20);  // greys are kept for what has no value
  }
}

TEST(Picture, ShowsEveryPixelAsABlockOfItsOwnColour) {
  const TempDir dir;
  Map map{"probability_antisite", "", {}, {}, "Probability of antisite", MapScale::probability};
  for (int i = 0; i < 42; ++i) map.values.push_back(static_cast<float>(i) / 84);  // half of the range: 0 to 0.5
  draw_map(map, all_ok(42), rows(2), columns(21), dir / "map.png");
  const Png png(dir / "map.png");
  const Panel panel = panel_for(2, 21, rows(2), columns(21));
  EXPECT_EQ(panel.row_pixels, panel.column_pixels);
  EXPECT_GE(panel.row_pixels, 24);
  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 21; ++column) {
      EXPECT_THAT(png.block(panel, row, column), ::testing::Each(perceptual_at((row * 21 + column) / 84.0)))
          << row << " " << column;
    }
  }
}

TEST(Picture, ShowsMaskedAndFailedPixelsEachInTheirOwnWay) {
  const TempDir dir;
  std::vector<PixelStatus> status = all_ok(12);
  status[1] = PixelStatus::masked;
  status[6] = PixelStatus::too_few_counts;
  Map map{"li_content", "Li per formula unit", std::vector<float>(12, 0.5F)};
  map.values[0] = 0.25F;
  map.values[1] = map.values[6] = kNaN;
  draw_map(map, status, rows(3), columns(4), dir / "map.png");
  const Png png(dir / "map.png");
  const Panel panel = panel_for(3, 4, rows(3), columns(4));
  EXPECT_THAT(png.block(panel, 0, 1), ::testing::Each(kMasked));
  const std::vector<Colour> failed = png.block(panel, 1, 2);
  EXPECT_THAT(failed, ::testing::Each(::testing::AnyOf(kFailed, kHatch)));
  EXPECT_THAT(failed, Contains(kHatch));
  EXPECT_THAT(failed, Contains(kFailed));
}

TEST(Picture, GivesClassesAColourEach) {
  const TempDir dir;
  Map map{"count_Ni", "", {0, 1, 3, 3, 1, 0}, {0, 1, 3}};
  draw_map(map, all_ok(6), rows(2), columns(3), dir / "map.png");
  const Png png(dir / "map.png");
  const Panel panel = panel_for(2, 3, rows(2), columns(3));
  EXPECT_EQ(png.block(panel, 0, 0)[0], class_colour(0, 3));
  EXPECT_EQ(png.block(panel, 0, 1)[0], class_colour(1, 3));
  EXPECT_EQ(png.block(panel, 1, 0)[0], class_colour(2, 3));
}

TEST(Picture, OfTheStatusHasOneColourACode) {
  const TempDir dir;
  std::vector<PixelStatus> status;
  for (std::size_t code = 0; code < status_count; ++code) status.push_back(static_cast<PixelStatus>(code));
  draw_status(status, rows(1, 1, ""), columns(7), dir / "status.png");
  const Png png(dir / "status.png");
  const Panel panel = panel_for(1, 7, rows(1, 1, ""), columns(7));
  std::set<std::string> seen;
  for (int i = 0; i < 7; ++i) {
    const Colour c = png.block(panel, 0, i)[0];
    EXPECT_EQ(c, status_colour(static_cast<PixelStatus>(i)));
    seen.insert(::testing::PrintToString(c));
  }
  EXPECT_EQ(seen.size(), 7U);
}

// The picture is as large as what is drawn on it, and a margin more.
TEST(Picture, NeverCutsTextOff) {
  const TempDir dir;
  const std::string title =
      "A title which is very much longer than the picture of four pixels under it is wide, by far";
  Map map{"m",
          "a unit that takes some room as well, for example counts per channel at one electron volt",
          {1, 2, 3, 4},
          {},
          title};
  draw_map(map, all_ok(4), rows(2), columns(2), dir / "map.png");
  EXPECT_TRUE(Png(dir / "map.png").border_is_paper(20));
}

TEST(Picture, IsDrawnOfDegenerateMapsToo) {
  const TempDir dir;
  const float inf = std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::max();
  const std::vector<std::vector<float>> values{{kNaN, kNaN, kNaN, kNaN},     {0, 0, 0, 0},         {7, 7, 7, 7},
                                               {-1e-30F, 0, 1e-30F, 1e-38F}, {inf, -inf, 1, 2},    {most, -most, 0, 1},
                                               {-5, 3, 1e9F, kNaN},          {1, 1.0000001F, 1, 1}};
  int n = 0;
  for (const std::vector<float>& v : values) {
    for (const MapScale scale : {MapScale::linear, MapScale::logarithmic, MapScale::probability}) {
      const auto path = dir / (std::to_string(n++) + ".png");
      draw_map({"bad \xFF\xC3 name\n", "\xE9", v, {}, "", scale}, all_ok(4), rows(2, 0), columns(2, -1, "\xB5m"), path);
      EXPECT_TRUE(Png(path).border_is_paper(20));
    }
  }
  draw_map({"one", "", {1}}, all_ok(1), rows(1), columns(1), dir / "one.png");
  EXPECT_GT(Png(dir / "one.png").width(), 100);
  draw_map({"classes", "", {kNaN}, {0, 1}}, {PixelStatus::masked}, rows(1), columns(1), dir / "none.png");
}

TEST(Picture, ThatCannotBeWrittenSaysSo) {
  const TempDir dir;
  try {
    draw_map({"m", "", {1}}, all_ok(1), rows(1), columns(1), dir.path() / "no" / "such" / "folder.png");
    FAIL() << "wrote into a folder that is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::output);
  }
}

TEST(Layout, KeepsTheCalibratedShapeUnlessItIsExtreme) {
  const auto shape = [](const Panel& p) { return static_cast<double>(p.row_pixels) / p.column_pixels; };
  EXPECT_NEAR(shape(panel_for(20, 30, rows(20, 0.8), columns(30, 0.4))), 2.0, 0.1);
  EXPECT_NEAR(shape(panel_for(400, 300, rows(400, 0.5), columns(300, 0.4))), 1.25, 0.1);
  EXPECT_NEAR(shape(panel_for(20, 30, rows(20, 0.2), columns(30, 0.5))), 0.4, 0.05);
  EXPECT_EQ(shape(panel_for(20, 30, rows(20, 90), columns(30, 0.4))), 1.0);  // 225 times as high as wide
  EXPECT_EQ(shape(panel_for(20, 30, rows(20, 0.8, "um"), columns(30, 0.4))), 1.0);
  EXPECT_FALSE(panel_for(20, 30, rows(20, 90), columns(30, 0.4)).to_scale);
}

TEST(Layout, MakesSmallImagesLargeAndLargeOnesFit) {
  for (const auto& [r, c] : {std::pair<int, int>{1, 1},
                             {1, 40},
                             {40, 1},
                             {2, 21},
                             {21, 2},
                             {3, 2000},
                             {512, 512},
                             {700, 1500},
                             {9000, 7000},
                             {1, 100000}}) {
    const Panel panel = panel_for(r, c, rows(r), columns(c));
    EXPECT_GE(panel.width(), 48) << r << "x" << c;
    EXPECT_GE(panel.height(), 48) << r << "x" << c;
    EXPECT_LE(panel.width(), 2200) << r << "x" << c;
    EXPECT_LE(panel.height(), 2200) << r << "x" << c;
    EXPECT_LT(panel.pixel(panel.width() - 1, panel.height() - 1), static_cast<std::uint64_t>(r) * c);
  }
}

TEST(Layout, ScaleBarIsARoundLengthInItsOwnUnit) {
  EXPECT_EQ(scale_bar_for(21, columns(21, 1.2)).label, "5 nm");
  EXPECT_DOUBLE_EQ(scale_bar_for(21, columns(21, 1.2)).length, 5 / 1.2);
  EXPECT_EQ(scale_bar_for(512, columns(512, 10)).label, "1 \xC2\xB5m");
  EXPECT_EQ(scale_bar_for(64, columns(64, 0.002, "\xC2\xB5m")).label, "20 nm");
  EXPECT_EQ(scale_bar_for(64, columns(64, 0.02, "um")).label, "200 nm");
  EXPECT_EQ(scale_bar_for(40, columns(40, 0.1, "\xC3\x85")).label, "1 \xC3\x85");
  EXPECT_EQ(scale_bar_for(40, columns(40, 1, "")).label, "10 px");
  EXPECT_EQ(scale_bar_for(1, columns(1, 1, "")).length, 1);
  EXPECT_EQ(scale_bar_for(40, columns(40, -3, "mrad")).label, "20 mrad");
}

TEST(Layout, TicksAreRoundAndInside) {
  std::vector<std::string> labels;
  for (const Tick& tick : linear_ticks(0.31, 0.92).ticks) labels.push_back(tick.label);
  EXPECT_THAT(labels, ElementsAre("0.4", "0.6", "0.8"));
  EXPECT_EQ(linear_ticks(-2e6, 5e6).exponent, 6);
  for (const auto& [low, high] : {std::pair{-1.0, 1.0}, {0.0, 1e-9}, {123.0, 124.0}, {-7e8, -6e8}, {0.999, 1.001}}) {
    const Ticks ticks = linear_ticks(low, high);
    EXPECT_GE(ticks.ticks.size(), 3U) << low;
    EXPECT_LE(ticks.ticks.size(), 8U) << low;
    for (const Tick& tick : ticks.ticks)
      EXPECT_TRUE(tick.value >= low - 1e-6 * (high - low) && tick.value <= high + 1e-6 * (high - low));
  }
  labels.clear();
  for (const Tick& tick : logarithmic_ticks(3e4, 2e7).ticks) labels.push_back(tick.label);
  EXPECT_THAT(labels, ElementsAre("10\xE2\x81\xB5", "10\xE2\x81\xB6", "10\xE2\x81\xB7"));
}

TEST(Layout, RangeLeavesOutTheOuterPercents) {
  std::vector<float> values;
  for (int i = 0; i <= 100; ++i) values.push_back(static_cast<float>(i));
  values.push_back(kNaN);
  const ColourRange range = percentile_range(values);
  EXPECT_DOUBLE_EQ(range.low, 2);
  EXPECT_DOUBLE_EQ(range.high, 98);
  EXPECT_TRUE(range.below && range.above);
}

TEST(Csv, HasALineAPixelAndUnitsInItsHeader) {
  MapResult result;
  result.rows = 1;
  result.columns = 2;
  result.status = {PixelStatus::ok, PixelStatus::too_few_counts};
  result.maps = {{"li_content", "Li per formula unit", {0.1F, kNaN}}, {"odd", "a, \"b\"", {1e20F, kNaN}}};
  Axis column = columns(2);
  column.offset = -1;
  EXPECT_EQ(maps_csv(result, rows(1), column),
            "row,column,x (nm),y (nm),status,li_content (Li per formula unit),\"odd (a, \"\"b\"\")\"\n"
            "0,0,-1,0,0,0.1,1e+20\n"
            "0,1,-0.6,0,4,nan,nan\n");
}

// ---- together or not at all ---------------------------------------------------------------------------------------

std::vector<std::string> listing(const std::filesystem::path& path) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(path)) out.push_back(entry.path().filename().string());
  return out;
}

TEST(OutputSet, AppearsAtCommit) {
  const TempDir dir;
  {
    OutputSet out(dir / "a/b");
    out.write_text("one.txt", "1");
    EXPECT_FALSE(std::filesystem::exists(dir / "a/b/one.txt"));
    out.commit();
  }
  EXPECT_THAT(listing(dir / "a/b"), ElementsAre("one.txt"));
}

TEST(OutputSet, LeavesNothingWithoutCommit) {
  const TempDir dir;
  {
    OutputSet out(dir / "a/b");
    out.write_text("one.txt", "1");
  }
  EXPECT_THAT(listing(dir.path()), ElementsAre());
  std::filesystem::create_directory(dir / "mine");
  { const OutputSet out(dir / "mine"); }
  EXPECT_THAT(listing(dir.path()), ElementsAre("mine"));  // it was there before
}

// A run was killed in the middle of its renames: what it had put aside comes back. One that lives is left alone.
TEST(OutputSet, TakesAwayWhatAKilledRunLeft) {
  const TempDir dir;
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
  const std::filesystem::path left = dir / ("out/.elver-" + std::to_string(gone) + ".partial");
  std::filesystem::create_directories(left / "older");
  std::filesystem::create_directories(dir / ("out/.elver-" + std::to_string(::getppid()) + ".partial"));
  std::ofstream(left / "two.txt") << "newer";
  std::ofstream(left / "older/one.txt") << "older";
  std::ofstream(dir / "out/one.txt") << "newer";
  { const OutputSet out(dir / "out"); }
  EXPECT_THAT(listing(dir / "out"), UnorderedElementsAre("one.txt", ".elver-" + std::to_string(::getppid()) + ".partial"));
  EXPECT_EQ(test::read_text(dir / "out/one.txt"), "older");
}

TEST(OutputSet, KeepsTheOlderResultWhenOneFileCannotBePut) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "out/two.txt/full");  // a folder where a file should go
  std::ofstream(dir / "out/one.txt") << "older";
  {
    OutputSet out(dir / "out");
    out.write_text("one.txt", "newer");
    out.write_text("two.txt", "newer");
    EXPECT_THROW(out.commit(), Error);
  }
  EXPECT_EQ(test::read_text(dir / "out/one.txt"), "older");
  EXPECT_THAT(listing(dir / "out"), UnorderedElementsAre("one.txt", "two.txt"));
}

TEST(OutputSet, TakesAwayWhatIsSuperseded) {
  const TempDir dir;
  std::ofstream(dir / "gone.png") << "older";
  std::ofstream(dir / "stays.png") << "older";
  {
    OutputSet out(dir.path());
    out.supersede("gone.png");
    out.supersede("never.png");
    out.write_text("new.png", "newer");
    out.commit();
  }
  EXPECT_THAT(listing(dir.path()), UnorderedElementsAre("new.png", "stays.png"));
}

TEST(OutputSet, FolderThatCannotBeMadeIsAnOutputError) {
  const TempDir dir;
  std::ofstream(dir / "file") << "";
  try {
    const OutputSet out(dir / "file" / "below");
    FAIL() << "made a folder below a file";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::output);
  }
}

}  // namespace
}  // namespace elver::report
