#include <gmock/gmock.h>

#include "elver/model.hpp"
#include "io/partial_file.hpp"
#include "io_support.hpp"
#include "types/inputs.hpp"

// What a command reads it does not write over, by whatever name.
namespace elver::test {
namespace {

std::string refused(const std::function<void()>& work) { return refusal_of(ErrorKind::usage, work); }

TEST(Inputs, AreNotWrittenOver) {
  const TempDir dir;
  write_text(dir / "in.txt", "kept");
  fs::create_symlink("in.txt", dir / "link.txt");
  fs::create_hard_link(dir / "in.txt", dir / "hard.txt");
  const std::vector<std::byte> bytes(3);
  {
    const KeepInputs keep;
    map_file(dir / "in.txt");
    for (const char* name : {"in.txt", "link.txt", "hard.txt"}) {
      EXPECT_THAT(refused([&] { write_file(dir / name, bytes); }), testing::HasSubstr(std::string("cannot write ") + (dir / name).string()));
      refused([&] { OutputSet(dir.path()).stage(name); });
      refused([&] { OutputSet(dir.path()).supersede(name); });
    }
    write_file(dir / "other.txt", bytes);
  }
  EXPECT_EQ(read_text(dir / "in.txt"), "kept");
  write_file(dir / "in.txt", bytes);  // nobody keeps them any more
}

// As any program does that opens a link to write.
TEST(Inputs, ALinkIsWrittenThrough) {
  const TempDir dir;
  fs::create_directory(dir / "far");
  write_text(dir / "far/a.txt", "older");
  fs::create_symlink("far/a.txt", dir / "a.txt");
  fs::create_symlink("far/new.txt", dir / "new.txt");
  const std::string word = "newer";
  write_file(dir / "a.txt", std::as_bytes(std::span(word)));
  write_file(dir / "new.txt", std::as_bytes(std::span(word)));
  EXPECT_TRUE(fs::is_symlink(dir / "a.txt"));
  EXPECT_EQ(read_text(dir / "far/a.txt"), "newer");
  EXPECT_EQ(read_text(dir / "far/new.txt"), "newer");
}

TEST(Inputs, OfEveryCommandStayAsTheyAre) {
  const TempDir dir;
  const fs::path samples = fs::path(ELVER_SOURCE_DIR) / "samples", image = dir / "maps.hspy", model = dir / "m.elver";
  fs::copy_file(samples / "phantom.hspy", image);
  fs::copy_file(samples / "nmc.elver", model);
  const std::string before = read_text(image), model_before = read_text(model);
  ASSERT_EQ(run_elver({"model", "extract", model.string(), "--out", (dir / "parts").string()}).code, 0);
  const std::string recipe = read_text(dir / "parts/recipe.json");
  const std::vector<std::vector<std::string>> commands{
      {"map", image, "--model", model, "--pictures", "none", "--out", dir.path()},
      {"detect", image, "--edge", "Mn_L", "--out", dir.path()},
      {"background", image, "--fit", "600:634", "--signal", "636:674", "--out", image},
      {"calibrate", image, "--mark", "Mn_L3=642", "--out", image},
      {"convert", image, image},
      {"features", image, "--model", model, "--out", model},
      {"model", "make", dir / "parts/recipe.json", "--out", dir / "parts/recipe.json"},
  };
  for (const std::vector<std::string>& words : commands) {
    const Ran ran = run_elver(words);
    EXPECT_EQ(ran.code, 2) << words[0] << ": " << ran.err;
    EXPECT_THAT(ran.err, testing::HasSubstr("it is a file that is read")) << words[0];
    EXPECT_TRUE(read_text(image) == before && read_text(model) == model_before && read_text(dir / "parts/recipe.json") == recipe)
        << words[0];
  }
}

// Where standard output or error is closed, what is printed goes into no file.
TEST(Streams, ThatAreClosedWriteIntoNoFile) {
  const TempDir dir;
  const std::string line = quoted(ELVER_PROGRAM) + " convert " + quoted(std::string(ELVER_SOURCE_DIR) + "/samples/phantom.hspy") + " ";
  const auto run = [&](const std::string& name, const std::string& streams) {
    const int status = std::system((line + quoted((dir / name).string()) + " " + streams).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  ASSERT_EQ(run("a.npy", ">/dev/null 2>&1"), 0);
  const std::string whole = read_text(dir / "a.npy");
  EXPECT_EQ(run("b.npy", "--quiet <&- >&- 2>&-"), 0);
  EXPECT_EQ(run("c.npy", "<&- >&- 2>/dev/null"), 5) << "what was to be printed is lost";
  for (const char* name : {"b.npy", "c.npy"}) EXPECT_TRUE(read_text(dir / name) == whole) << name;
}

TEST(Names, ThatReadLikeOptionsAreSpokenOf) {
  const TempDir dir;
  write_text(dir / "-a.npy", "x");
  const int status = std::system(("cd " + quoted(dir.path().string()) + " && " + quoted(ELVER_PROGRAM) + " info -a.npy 2>err").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_THAT(read_text(dir / "err"), testing::HasSubstr("write ./-a.npy"));
}

}  // namespace
}  // namespace elver::test
