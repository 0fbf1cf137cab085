#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "elver/error.hpp"
#include "elver/report.hpp"
#include "io/hdf5.hpp"
#include "map_samples.hpp"
#include "support.hpp"

/// `elver map` as a user runs it, and what it leaves behind.
namespace elver::test {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

std::vector<std::string> listing(const fs::path& path) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(path)) out.push_back(entry.path().filename().string());
  return out;
}

/// A folder with an image, 2 x 21 pixels of which one is empty, and a model.
class MapCommand : public ::testing::Test {
 protected:
  MapCommand() {
    MemoryImage image = sample(2, 21);
    blank(image, 30);
    save_image(image, dir / "image.hspy");
    save_model(sample_model(), dir / "sample.elver");
  }
  Ran map(std::vector<std::string> more) const {
    std::vector<std::string> words{"map",   (dir / "image.hspy").string(), "--model", (dir / "sample.elver").string(),
                                   "--out", (dir / "out").string()};
    words.insert(words.end(), more.begin(), more.end());
    return run_elver(words);
  }
  TempDir dir;
};

TEST_F(MapCommand, WritesMapsPicturesAndARecord) {
  const Ran ran = map({"--format", "hspy,csv", "--keep", "edges", "--threads", "2"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(listing(dir / "out"),
              UnorderedElementsAre("maps.hspy", "maps.csv", "run.json", "li_content.png", "count_Ni.png",
                                   "probability_oxygen_vacancy.png", "status.png"));
  EXPECT_THAT(ran.out, HasSubstr("li_content"));
  EXPECT_THAT(ran.out, HasSubstr("41 (97.6 %)"));

  const hdf5::Handle file = hdf5::open_file((dir / "out/maps.hspy").string());
  const hdf5::Handle signals = hdf5::open_group(file.get(), "Experiments");
  EXPECT_THAT(hdf5::children(signals.get()),
              UnorderedElementsAre("li_content", "count_Ni", "probability_count_Ni_0", "probability_count_Ni_2",
                                   "probability_count_Ni_5", "probability_oxygen_vacancy", "A_O_K", "r_O_K", "snr_O_K",
                                   "status", "edge_O_K"));
  const std::vector<float> li = hdf5::read<float>(signals.get(), "li_content/data");
  ASSERT_EQ(li.size(), 42U);
  EXPECT_EQ(li[3], 0.75F);
  EXPECT_EQ(li[4], 0.25F);
  EXPECT_TRUE(std::isnan(li[30]));
  const hdf5::Handle axis = hdf5::open_group(signals.get(), "li_content/axis-1");
  EXPECT_EQ(hdf5::number_attribute(axis.get(), "scale", 0), 0.4);
  EXPECT_EQ(hdf5::number_attribute(axis.get(), "offset", 0), 0.5);
  EXPECT_EQ(hdf5::string_attribute(axis.get(), "units"), "nm");
  const hdf5::Handle energy = hdf5::open_group(signals.get(), "edge_O_K/axis-2");
  EXPECT_EQ(hdf5::number_attribute(energy.get(), "offset", 0), 490.0);

  const json run = json::parse(read_text(dir / "out/run.json"));
  std::uint64_t pixels = 0;
  for (const auto& [name, count] : run["status"].items()) pixels += count.get<std::uint64_t>();
  EXPECT_EQ(run["status"].size(), 7U);
  EXPECT_EQ(pixels, 42U);
  EXPECT_EQ(run["rows"], 2);
  EXPECT_EQ(run["columns"], 21);
  EXPECT_EQ(run["threads"], 2);
  EXPECT_EQ(run["windows"][0]["fit"]["channels"], json::array({20, 90}));
  EXPECT_EQ(run["model"]["sha256"].get<std::string>().size(), 64U);
  EXPECT_EQ(run["input"]["sha256"].get<std::string>().size(), 64U);
  for (const char* stage : {"read", "background", "features", "rank", "trees", "write", "total"})
    EXPECT_GE(run["seconds"][stage].get<double>(), 0.0);
  EXPECT_THAT(read_text(dir / "out/maps.csv"),
              StartsWith("row,column,x (nm),y (nm),status,li_content (Li per formula unit)"));
}

TEST_F(MapCommand, PrintsJsonOrNothingWhenAsked) {
  const json printed = json::parse(map({"--json", "--pictures", "none"}).out);
  EXPECT_EQ(printed["rows"], 2);
  EXPECT_TRUE(printed.contains("seconds") && printed.contains("threads") && printed.contains("status"));
  const Ran quiet = map({"--quiet"});
  EXPECT_EQ(quiet.out + quiet.err, "");
  EXPECT_EQ(quiet.code, 0);
}

TEST_F(MapCommand, ReplacesAnEarlierResultAndNothingElse) {
  ASSERT_EQ(map({"--format", "hspy,csv", "--pictures", "all"}).code, 0);
  std::ofstream(dir / "out/mine.txt") << "notes";
  ASSERT_EQ(map({"--pictures", "none"}).code, 0);
  EXPECT_THAT(listing(dir / "out"), UnorderedElementsAre("maps.hspy", "run.json", "mine.txt"));
}

TEST_F(MapCommand, ErrorsAreOneLineWithTheirCodeAndLeaveNothing) {
  const auto check = [&](const Ran& ran, int code) {
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_THAT(ran.err, StartsWith("elver: error: "));
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_FALSE(fs::exists(dir / "out"));
  };
  check(run_elver({"map", (dir / "image.hspy").string()}), 2);
  check(map({"--pictures", "many"}), 2);
  check(map({"--keep", "everything"}), 2);
  check(map({"--threads", "1000000000"}), 2);
  check(map({"--memory", "plenty"}), 2);
  check(run_elver({"map", (dir / "image.hspy").string(), "--model", (dir / "sample.elver").string(), "--out", ""}), 2);
  check(map({"--dispersion-ev", "0.1"}), 4);  // 480 to 500 eV: the windows are off the axis
  check(map({"--dispersion-ev", "2.2"}), 4);  // twice and a tenth the steps of the model's grid
  std::ofstream(dir / "sample.elver") << "no model";
  check(map({}), 3);
  save_model(sample_model(), dir / "sample.elver");
  std::ofstream(dir / "image.hspy") << "no image";
  check(map({}), 3);
}

TEST_F(MapCommand, FolderThatCannotBeWrittenIsFive) {
  std::ofstream(dir / "out") << "a file where the folder should be";
  const Ran ran = map({});
  EXPECT_EQ(ran.code, 5) << ran.err;
  EXPECT_EQ(read_text(dir / "out"), "a file where the folder should be");
}

TEST_F(MapCommand, LineScanAndSpectrumAreMapped) {
  save_image(sample({navigation("x", "nm", 0.4, 40)}), dir / "image.hspy");
  ASSERT_EQ(map({}).code, 0);
  EXPECT_EQ(json::parse(read_text(dir / "out/run.json"))["columns"], 40);
  save_image(sample(std::vector<Axis>{}), dir / "image.hspy");
  ASSERT_EQ(map({}).code, 0);
  EXPECT_EQ(json::parse(read_text(dir / "out/run.json"))["status"]["ok"], 1);
}

/// Asks to stop as soon as so many pixels are done.
class Stopper : public Progress {
 public:
  explicit Stopper(std::string stage) : stage_(std::move(stage)) {}
  void begin(std::string_view stage, std::uint64_t, std::string_view) override {
    if (stage == stage_) stop = true;
  }
  std::atomic<bool> stop{false};

 private:
  std::string stage_;
};

// As the command does it: the set of files is opened, the maps made, the files written, then committed.
TEST(Interruption, LeavesTheFolderAsItWas) {
  for (const char* stage : {"map", "write"}) {
    for (const bool earlier : {false, true}) {
      const TempDir dir;
      if (earlier) {
        fs::create_directory(dir / "out");
        std::ofstream(dir / "out/maps.hspy") << "earlier";
      }
      const MemoryImage image = sample(40, 60);
      const Model model = sample_model();
      Stopper stopper(stage);
      const RunContext context{.threads = 2, .progress = &stopper, .interrupted = &stopper.stop};
      try {
        OutputSet out(dir / "out");
        MapResult result = map_image(image, model, {}, context);
        RunRecord record;
        write_maps(out, image, model, result, record, context);
        out.commit();
        ADD_FAILURE() << "went on";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::interrupted);
      }
      if (earlier) {
        EXPECT_THAT(listing(dir / "out"), ElementsAre("maps.hspy"));
        EXPECT_EQ(read_text(dir / "out/maps.hspy"), "earlier");
      } else {
        EXPECT_THAT(listing(dir.path()), IsEmpty());
      }
    }
  }
}

}  // namespace
}  // namespace elver::test
