#include <nlohmann/json.hpp>

#include "io_support.hpp"

// Real files, where they are at hand; and the program, which must say the same as the library.
namespace elver {
namespace {

using test::refusal_of;
using test::run_elver;
using test::shared_data;
using ::testing::HasSubstr;

const auto kSpectrumImage = [] { return shared_data("si-nmc-eels/tm-o/TM+O EELS Spectrum Image.dm3"); };

// The microscope's own program wrote the sum over rows 0-1 and columns 8-12 as a text file of 7 digits.
TEST(RealFiles, SumOfPixelsIsTheSumThatDigitalMicrographWrote) {
  const auto text = shared_data("si-nmc-eels/tm-o/Extracted Spectrum 1.msa");
  ELVER_NEEDS(kSpectrumImage());
  ELVER_NEEDS(text);
  const auto cube = open_image(kSpectrumImage());
  const auto sum = open_image(text);
  ASSERT_EQ(cube->channels(), sum->channels());
  EXPECT_NEAR(cube->energy().offset_ev, sum->energy().offset_ev, 1e-4);
  EXPECT_NEAR(cube->energy().dispersion_ev, sum->energy().dispersion_ev, 1e-7);
  const std::vector<float> tile = test::tile_of(*cube);
  const std::vector<double> wanted = test::values_of<double>(*sum);
  for (std::size_t channel = 0; channel < cube->channels(); ++channel) {
    double found = 0;
    for (std::size_t row = 0; row < 2; ++row) {
      for (std::size_t column = 8; column <= 12; ++column) found += tile[channel * cube->pixels() + row * 21 + column];
    }
    ASSERT_NEAR(found, wanted[channel], 2e-6 * wanted[channel]) << channel;  // 7 digits, and float32 in their sum
  }
}

TEST(RealFiles, TheTwinsSayTheSame) {
  const auto dm3 = shared_data("dm-files/scifireaders/DMReader_EELS_STO.dm3");
  const auto dm4 = shared_data("dm-files/scifireaders/DMReader_EELS_STO.dm4");
  ELVER_NEEDS(dm3);
  ELVER_NEEDS(dm4);
  const auto first = open_image(dm3), second = open_image(dm4);
  EXPECT_EQ(test::tile_of(*first), test::tile_of(*second));
  EXPECT_EQ(first->info().dwell_s, 20.0);
  EXPECT_EQ(second->info().dwell_s, 20.0);
  EXPECT_EQ(first->energy().offset_ev, 350.0);
  EXPECT_EQ(first->info().collection_mrad, 33.0);
}

TEST(RealFiles, InfoSaysAllOfIt) {
  ELVER_NEEDS(kSpectrumImage());
  const auto ran = run_elver({"info", kSpectrumImage().string(), "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["format"], "dm3");
  ASSERT_EQ(json["images"].size(), 1U);
  const auto& image = json["images"][0];
  EXPECT_EQ(image["shape"], (std::vector<int>{2, 21, 2048}));
  EXPECT_EQ(image["kind"], "spectrum-image");
  EXPECT_EQ(image["dtype"], "float32");
  EXPECT_EQ(image["axes"][2]["role"], "energy");
  EXPECT_EQ(image["axes"][1]["units"], "µm");
  EXPECT_EQ(image["beam_energy_kev"], 300.0);
  EXPECT_EQ(image["dwell_s"], 5.0);
  EXPECT_EQ(image["selected"], true);
}

// Written out of numpy.arange over (rows, columns, channels) or (images, rows, columns), by another program; without a
// unit on any axis. What elver makes of them counts up again.
TEST(RealFiles, SpectrumImagesWithoutUnitsComeInTheirOrder) {
  const std::pair<const char*, std::vector<std::uint64_t>> files[] = {
      {"ref_F_0_1", {3}},       {"ref_F_0_2", {3, 2}},    {"ref_F_1_1", {1, 3, 2}}, {"ref_F_1_2", {4, 3, 2}},
      {"ref_F_2_1", {3, 4, 5}}, {"ref_T_0_1", {1, 3, 2}}, {"ref_T_0_2", {3, 4, 5}}};
  for (const auto& [name, shape] : files) {
    for (const char* ending : {".dm3", ".dm4"}) {
      const auto path = shared_data(std::string("dm-files/nionswift-io/") + name + ending);
      ELVER_NEEDS(path);
      const File file = open_file(path);
      const Image& image = *file.images.front();
      std::vector<std::uint64_t> found;
      for (const Axis& axis : image.info().axes) found.push_back(axis.size);
      EXPECT_EQ(found, shape) << path;
      const std::vector<float> values = test::values_of<float>(image);
      for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<float>(i)) << path;
    }
  }
}

TEST(RealFiles, Dm5IsRefusedByItsName) {
  const auto dm5 = shared_data("dm-files/nionswift-io/ref_F_2_1.dm5");
  ELVER_NEEDS(dm5);
  EXPECT_THAT(refusal_of(ErrorKind::input, [&] { open_file(dm5); }), HasSubstr("DM5"));
}

// Half a listing on a full disk is no listing.
TEST(Info, SaysWhenItsOutputHasNoPlace) {
  ELVER_NEEDS("/dev/full");
  const test::TempDir dir;
  const auto path = test::write_text(dir / "counts.msa", "#FORMAT : EMSA/MAS\n#NPOINTS : 2\n#SPECTRUM\n1\n2\n");
  for (const std::string& words : {"info " + test::quoted(path.string()), std::string("--help")}) {
    const int status = std::system(
        (test::quoted(ELVER_PROGRAM) + " " + words + " >/dev/full 2>" + test::quoted((dir / "err").string())).c_str());
    EXPECT_EQ(WEXITSTATUS(status), 5) << words;
    EXPECT_THAT(test::read_text(dir / "err"), HasSubstr("elver: error: cannot write to standard output"));
  }
}

TEST(Info, UnknownIsNullAndErrorsAreOneLine) {
  const test::TempDir dir;
  const auto path = test::write_text(dir / "counts.msa", "#FORMAT : EMSA/MAS\n#NPOINTS : 2\n#SPECTRUM\n1\n2\n");
  const auto ran = run_elver({"info", path.string(), "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  for (const char* key : {"beam_energy_kev", "convergence_mrad", "collection_mrad", "dwell_s"}) {
    EXPECT_TRUE(json["images"][0].at(key).is_null()) << key;
  }
  EXPECT_THAT(run_elver({"info", path.string()}).out, HasSubstr("spectrum"));
  const auto missing = run_elver({"info", (dir / "nothing.dm3").string()});
  EXPECT_EQ(missing.code, 3);
  EXPECT_EQ(missing.out, "");
  EXPECT_EQ(std::ranges::count(missing.err, '\n'), 1);
  EXPECT_THAT(missing.err, HasSubstr("elver: error: cannot read"));
  EXPECT_EQ(run_elver({"info", path.string(), "--dataset", "7"}).code, 2);
}

}  // namespace
}  // namespace elver
