#include <gmock/gmock.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "elver/io.hpp"
#include "io/hdf5.hpp"
#include "support.hpp"

namespace elver {
namespace {

using nlohmann::json;
using test::Ran;
using test::run_elver;
using test::TempDir;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::vector<std::byte> all_values(const Image& image) {
  std::vector<std::byte> out(image.pixels() * image.channels() * bytes_of(image.info().type));
  image.read({0, image.pixels()}, {0, image.channels()}, out);
  return out;
}

/// A cube of (4, 6, 200) counts in `name`, on an axis of 0.5 eV from 400 eV.
fs::path write_cube(const TempDir& dir, const std::string& name) {
  SignalHeader header;
  header.title = "cube";
  header.axes = {
      {"y", "nm", 0.2, 0, 4}, {"x", "nm", 0.2, 0, 6}, {"Energy loss", "eV", 0.5, 400, 200, AxisRole::energy}};
  header.type = NumberType::u16;
  header.signal_type = "EELS";
  std::vector<std::uint16_t> counts(4 * 6 * 200);
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = static_cast<std::uint16_t>(i * i % 1009);
  HspyWriter writer(dir / name);
  writer.add(header, std::as_bytes(std::span(counts)));
  writer.commit();
  return dir / name;
}

std::vector<std::string> names_in(const TempDir& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir.path())) names.push_back(entry.path().filename());
  return names;
}

json record_of(const fs::path& path) {
  const hdf5::Handle file = hdf5::open_file(path.string());
  const std::string name = hdf5::children(hdf5::open_group(file.get(), "Experiments").get()).front();
  const hdf5::Handle group = hdf5::open_group(file.get(), "Experiments/" + name + "/original_metadata");
  return json::parse(hdf5::string_attribute(group.get(), "elver"));
}

void expect_same(const Image& a, const Image& b) {
  EXPECT_EQ(a.info().title, b.info().title);
  EXPECT_EQ(a.info().kind, b.info().kind);
  EXPECT_EQ(a.info().type, b.info().type);
  EXPECT_EQ(a.info().beam_energy_kev, b.info().beam_energy_kev);
  EXPECT_EQ(a.info().convergence_mrad, b.info().convergence_mrad);
  EXPECT_EQ(a.info().collection_mrad, b.info().collection_mrad);
  EXPECT_EQ(a.info().dwell_s, b.info().dwell_s);
  ASSERT_EQ(a.info().axes.size(), b.info().axes.size());
  for (std::size_t i = 0; i < a.info().axes.size(); ++i) {
    const Axis &x = a.info().axes[i], &y = b.info().axes[i];
    EXPECT_EQ(std::tie(x.name, x.units, x.scale, x.offset, x.size, x.role),
              std::tie(y.name, y.units, y.scale, y.offset, y.size, y.role));
  }
  EXPECT_EQ(all_values(a), all_values(b));
}

// Every image of every Gatan file at hand: the same numbers, axes and conditions, bit for bit.
TEST(Convert, GatanFilesKeepTheirNumbersAndAxes) {
  ELVER_NEEDS(test::shared_data("si-nmc-eels"));
  const TempDir dir;
  std::size_t converted = 0;
  for (const auto& entry : fs::recursive_directory_iterator(test::shared_data(""))) {
    if (entry.path().extension() != ".dm3" && entry.path().extension() != ".dm4") continue;
    for (const auto& image : open_file(entry.path()).images) {
      if (!image->info().refusal.empty()) continue;
      const fs::path out = dir / "out.hspy";
      const Ran ran = run_elver({"convert", entry.path(), out, "--dataset", image->info().id, "--quiet"});
      ASSERT_EQ(ran.code, 0) << entry.path() << ran.err;
      EXPECT_EQ(ran.out + ran.err, "");
      SCOPED_TRACE(entry.path().string() + " " + image->info().id);
      expect_same(*open_image(out), *image);
      ++converted;
    }
  }
  EXPECT_GE(converted, 7U);
}

TEST(Convert, AnAxisPutRightStaysRight) {
  const TempDir dir;
  const fs::path in = write_cube(dir, "in.hspy");
  const Ran first = run_elver({"convert", in, dir / "a.hspy", "--offset-ev", "450", "--dispersion-ev", "0.25"});
  ASSERT_EQ(first.code, 0) << first.err;
  const std::unique_ptr<Image> a = open_image(dir / "a.hspy");
  EXPECT_EQ(a->energy().offset_ev, 450);
  EXPECT_EQ(a->energy().dispersion_ev, 0.25);
  EXPECT_EQ(record_of(dir / "a.hspy")["energy_axis"]["given_offset_ev"], 450);
  EXPECT_EQ(all_values(*a), all_values(*open_image(in)));
  ASSERT_EQ(run_elver({"convert", dir / "a.hspy", dir / "b.hspy"}).code, 0);
  expect_same(*open_image(dir / "b.hspy"), *a);
}

TEST(Convert, SaysWhatItWrote) {
  const TempDir dir;
  const fs::path in = write_cube(dir, "in.hspy");
  const Ran human = run_elver({"convert", in, dir / "a.hspy"});
  EXPECT_THAT(human.out, testing::AllOf(HasSubstr("spectrum-image"), HasSubstr("4 x 6 x 200"), HasSubstr("uint16")));
  EXPECT_EQ(human.err, "") << "a progress bar in a pipe";
  const json result = json::parse(run_elver({"convert", in, dir / "a.hspy", "--json"}).out);
  EXPECT_EQ(result["shape"], (json{4, 6, 200}));
  EXPECT_EQ(result["dataset"], "cube");
}

TEST(Convert, RefusesWhatCannotBeAndLeavesWhatIsThere) {
  const TempDir dir;
  const fs::path in = write_cube(dir, "in.hspy");
  const std::string before = test::read_text(in);
  EXPECT_EQ(run_elver({"convert", in, in}).code, 2);
  fs::create_symlink(in, dir / "link.hspy");
  EXPECT_EQ(run_elver({"convert", dir / "link.hspy", in}).code, 2);
  EXPECT_EQ(run_elver({"convert", in, dir / "out.dm4"}).code, 2);
  EXPECT_EQ(run_elver({"convert", in}).code, 2);
  EXPECT_EQ(run_elver({"convert", in, dir / "no" / "out.hspy"}).code, 5);
  EXPECT_EQ(run_elver({"convert", dir / "absent.dm3", dir / "out.hspy"}).code, 3);
  EXPECT_EQ(run_elver({"convert", in, dir / "out.hspy", "--dataset", "other"}).code, 2);
  EXPECT_EQ(test::read_text(in), before);
  EXPECT_THAT(names_in(dir), testing::UnorderedElementsAre("in.hspy", "link.hspy"));
}

// A disk that is full at any moment: one line that says so, code 5, nothing left behind, the old file as it was.
TEST(Convert, AFullDiskIsOneErrorAndNothingIsLeft) {
  const TempDir dir;
  const fs::path in = write_cube(dir, "in.hspy"), out = dir / "out.hspy";
  std::ofstream(out) << "old";
  const auto size = static_cast<int>(fs::file_size(in) / 512);
  for (int blocks = 0; blocks < size;
       blocks += 3) {  // sh counts blocks of 512 bytes; in.hspy is about as large as out.hspy
    const std::string command = "ulimit -f " + std::to_string(blocks) + "; " + test::quoted(ELVER_PROGRAM) +
                                " convert " + test::quoted(in) + " " + test::quoted(out) + " >/dev/null 2>&1";
    const int status = std::system(command.c_str());
    ASSERT_TRUE(WIFEXITED(status)) << "killed at " << blocks;
    ASSERT_EQ(WEXITSTATUS(status), 5) << "at " << blocks;
    ASSERT_EQ(test::read_text(out), "old");
    ASSERT_THAT(names_in(dir), testing::UnorderedElementsAre("in.hspy", "out.hspy"));
  }
  EXPECT_EQ(run_elver({"convert", in, out}).code, 0);
  expect_same(*open_image(out), *open_image(in));
}

}  // namespace
}  // namespace elver
