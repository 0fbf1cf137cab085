#include "elver/phantom.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "elver/energy.hpp"
#include "elver/error.hpp"
#include "elver/io.hpp"
#include "library_fixture.hpp"
#include "phantom/casting.hpp"
#include "phantom/scene.hpp"
#include "support.hpp"

namespace elver {
namespace {

const std::filesystem::path kLibrary = test::shared_data("nmc-feff10/library.h5");

std::vector<float> truth_of(const Phantom& phantom, const std::string& name) {
  for (const Phantom::Truth& truth : phantom.truth()) {
    if (truth.name == name) return truth.values;
  }
  return {};
}

std::size_t count(const std::vector<float>& values, float value) {
  return static_cast<std::size_t>(std::ranges::count(values, value));
}

// A truth that is the same everywhere scores nothing: both sides of a question have pixels.
TEST(PhantomOfTheNmcLibrary, HasBothSidesOfEveryQuestion) {
  ELVER_NEEDS(kLibrary);
  const Library library = load_library(kLibrary);
  PhantomOptions options;
  options.rows = 32;
  options.columns = 48;
  const Phantom phantom(library, options);
  EXPECT_TRUE(phantom.held_out());
  for (const char* const question : {"oxygen_vacancy", "antisite"}) {
    const std::vector<float> truth = truth_of(phantom, question);
    EXPECT_GE(count(truth, 0.0F), 40U) << question;
    EXPECT_GE(count(truth, 1.0F), 40U) << question;
    EXPECT_EQ(phantom.pixels_with(question), count(truth, 1.0F));
  }
  for (const char* const question : {"count_Li", "count_Ni", "count_Mn", "count_Co"}) {
    std::set<float> values;
    for (const float value : truth_of(phantom, question)) {
      if (!std::isnan(value)) values.insert(value);
    }
    EXPECT_GE(values.size(), 2U) << question;
  }
  std::vector<float> li = truth_of(phantom, "li_content");
  std::erase_if(li, [](float value) { return std::isnan(value); });
  EXPECT_LT(*std::ranges::min_element(li), 0.1F);
  EXPECT_GT(*std::ranges::max_element(li), 0.9F);
}

// What a pixel is made of is what its truth says, and none of it was in a training with the same split.
TEST(PhantomOfTheNmcLibrary, IsMadeOfWhatItsTruthSays) {
  ELVER_NEEDS(kLibrary);
  const Library library = load_library(kLibrary);
  const phantom::Cast cast = phantom::make_cast(library, phantom::make_scene(24, 36), 3, 1, RunContext{});
  const std::vector<train::Side> held = train::hold_out(library.structures, 1);
  for (const std::size_t structure : cast.structures) EXPECT_EQ(held[structure], train::Side::held_out);
  const Subshell& oxygen = library.subshells[library.find("O_K").value()];
  for (const phantom::Pixel& pixel : cast.pixels) {
    if (pixel.parts.empty()) continue;
    double li = 0, total = 0;
    bool average = false;
    for (const train::Part& part : pixel.parts) {
      total += part.weight;
      for (std::size_t s = 0; s < library.structures.size(); ++s) {
        if (cast.pool.averages[s] != part.specimen) continue;
        average = true;
        li += part.weight * library.structures[s].lithiation;
        EXPECT_EQ(library.structures[s].defect == DefectKind::oxygen_vacancy, pixel.oxygen_vacancy == 1.0F);
      }
      for (std::size_t i = 0; i < oxygen.sites.size(); ++i) {
        if (cast.pool.neighbourhoods[i] != part.specimen) continue;
        const Site& site = oxygen.sites[i];
        const bool antisite = library.structures[site.structure].defect == DefectKind::antisite;
        EXPECT_EQ(antisite, pixel.antisite == 1.0F);
        if (antisite) {
          EXPECT_LT(site.defect_distance_angstrom, 3.0);
        }
        for (std::size_t e = 0; e < 4; ++e) {
          if (!std::isnan(pixel.counts[e])) {
            EXPECT_EQ(static_cast<float>(site.neighbours[e]), pixel.counts[e]);
          }
        }
      }
    }
    EXPECT_NEAR(total, 1.0, 1e-9);
    EXPECT_EQ(average, !std::isnan(pixel.li_content));
    if (average) {
      EXPECT_NEAR(li, static_cast<double>(pixel.li_content), 1e-6);
    }
    if (!std::isnan(pixel.counts[0])) {
      EXPECT_EQ(pixel.counts[1] + pixel.counts[2] + pixel.counts[3], 3.0F);
    }
  }
}

PhantomOptions small() {
  PhantomOptions options;
  options.rows = 12;
  options.columns = 18;
  options.channels = 500;
  options.dispersion_ev = 0.9;
  return options;
}

TEST(PhantomImage, IsTheSameWhateverIsReadOfIt) {
  const Library library = test::synthetic_library(2);
  const Phantom phantom(library, small());
  const std::unique_ptr<Image> image = phantom.image({});
  std::vector<float> all(image->pixels() * 500), some(5 * 20);
  image->read_tile({0, image->pixels()}, {0, 500}, all);
  image->read_tile({100, 105}, {90, 110}, some);
  for (std::size_t c = 0; c < 20; ++c) {
    for (std::size_t p = 0; p < 5; ++p) EXPECT_EQ(some[c * 5 + p], all[(90 + c) * image->pixels() + 100 + p]);
  }
}

// The truth of a drift is what following the edges finds, but for what chemistry moves them by: a tenth of the drift.
TEST(PhantomOfTheNmcLibrary, DriftsAsItsTruthSays) {
  ELVER_NEEDS(kLibrary);
  const Library library = load_library(kLibrary);
  PhantomOptions options;
  options.rows = 16;
  options.columns = 24;
  options.counts_per_channel = 1e4;
  EXPECT_TRUE(truth_of(Phantom(library, options), "energy_offset").empty());
  options.drift = drift_named("smooth");
  options.drift_ev = 5;
  const Phantom phantom(library, options);
  const std::vector<float> truth = truth_of(phantom, "energy_offset"), thick = truth_of(phantom, "thickness");
  EXPECT_NEAR(*std::ranges::max_element(truth) - *std::ranges::min_element(truth), 5, 1.5);  // and a wave of half an eV
  const Alignment found = align_edges(*phantom.image({}), std::vector<std::string>{"O_K"}, {});
  std::vector<double> apart;
  for (std::size_t p = 0; p < truth.size(); ++p) {
    if (thick[p] > 0) apart.push_back(found.offset_ev[p] - static_cast<double>(truth[p]));
  }
  ASSERT_GT(apart.size(), 100U);
  double mean = 0, square = 0;
  for (const double d : apart) mean += d / static_cast<double>(apart.size());
  for (const double d : apart) square += (d - mean) * (d - mean) / static_cast<double>(apart.size());
  EXPECT_LT(std::sqrt(square), 0.5);
  EXPECT_THROW(drift_named("wild"), Error);
}

/// Writes a file of float maps with these titles.
void write_maps(const std::filesystem::path& path,
                const std::vector<std::pair<std::string, std::vector<float>>>& maps) {
  HspyWriter writer(path);
  for (const auto& [title, values] : maps) {
    SignalHeader header;
    header.title = title;
    header.map = true;
    header.type = NumberType::f32;
    header.axes = {{"y", "nm", 1, 0, 1, AxisRole::navigation}, {"x", "nm", 1, 0, values.size(), AxisRole::navigation}};
    writer.add(header, std::as_bytes(std::span(values)));
  }
  writer.commit();
}

TEST(ScoreMaps, CountsByHand) {
  const test::TempDir dir;
  const float none = std::nanf("");
  write_maps(dir / "truth.hspy", {{"truth_li_content", {0.0F, 0.5F, 1.0F, none}},
                                  {"truth_count_Ni", {3, 3, 2, 1}},
                                  {"truth_antisite", {0, 0, 0, 1}},
                                  {"truth_oxygen_vacancy", {0, 0, 0, 0}}});
  write_maps(dir / "maps.hspy", {{"li_content", {0.3F, 0.1F, 1.0F, 9.0F}},
                                 {"count_Ni", {3, 2, 2, none}},
                                 {"probability_antisite", {0.2F, 0.4F, 0.9F, 0.6F}},
                                 {"probability_oxygen_vacancy", {0.1F, 0.1F, 0.9F, 0.1F}}});
  std::map<std::string, MapScore> scores;
  for (const MapScore& score : score_maps(dir / "maps.hspy", dir / "truth.hspy")) scores[score.map] = score;
  ASSERT_EQ(scores.size(), 4U);
  const MapScore &li = scores["li_content"], &ni = scores["count_Ni"], &antisite = scores["probability_antisite"],
                 &vacancy = scores["probability_oxygen_vacancy"];
  EXPECT_NEAR(li.value, std::sqrt((0.09 + 0.16 + 0.0) / 3), 1e-6);
  EXPECT_NEAR(li.guess, std::sqrt(0.5 / 3), 1e-6);
  EXPECT_EQ(li.pixels, 3U);
  EXPECT_NEAR(ni.value, 2.0 / 3, 1e-9);
  EXPECT_NEAR(ni.guess, 2.0 / 3, 1e-9);
  EXPECT_NEAR(antisite.value, (2.0 / 3 + 1.0) / 2, 1e-9);
  EXPECT_NEAR(antisite.guess, 0.5, 1e-9);
  // A truth without a single vacancy cannot tell a good answer from a bad one.
  EXPECT_TRUE(std::isnan(vacancy.value));
  EXPECT_TRUE(std::isnan(vacancy.guess));
  EXPECT_EQ(vacancy.pixels, 4U);
}

}  // namespace
}  // namespace elver
