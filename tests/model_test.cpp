#include "elver/model.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

#include "elver/error.hpp"
#include "io/hdf5.hpp"
#include "model/model.hpp"
#include "model/sha256.hpp"
#include "support.hpp"

namespace elver {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using test::TempDir;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

void write_text(const fs::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

/// One tree a class (at least one): feature 0 < 0.5 ? -1 : 1, as XGBoost 3.2 writes it.
json booster(const std::string& objective, int features, int classes = 0, const json& attributes = json::object()) {
  const int trees = std::max(classes, 1);
  json list = json::array(), info = json::array();
  for (int i = 0; i < trees; ++i) {
    info.push_back(i);
    list.push_back({{"base_weights", {0.0, -1.0, 1.0}},
                    {"categories", json::array()},
                    {"categories_nodes", json::array()},
                    {"categories_segments", json::array()},
                    {"categories_sizes", json::array()},
                    {"default_left", {0, 0, 0}},
                    {"id", i},
                    {"left_children", {1, -1, -1}},
                    {"loss_changes", {1.0, 0.0, 0.0}},
                    {"parents", {2147483647, 0, 0}},
                    {"right_children", {2, -1, -1}},
                    {"split_conditions", {0.5, -1.0, 1.0}},
                    {"split_indices", {0, 0, 0}},
                    {"split_type", {0, 0, 0}},
                    {"sum_hessian", {3.0, 1.0, 2.0}},
                    {"tree_param",
                     {{"num_deleted", "0"},
                      {"num_feature", std::to_string(features)},
                      {"num_nodes", "3"},
                      {"size_leaf_vector", "1"}}}});
  }
  const json model{{"gbtree_model_param", {{"num_parallel_tree", "1"}, {"num_trees", std::to_string(trees)}}},
                   {"iteration_indptr", {0, trees}},
                   {"tree_info", info},
                   {"trees", list}};
  std::string score = "[";
  for (int i = 0; i < trees; ++i) score += std::string(i == 0 ? "" : ",") + "5E-1";
  return {{"learner",
           {{"attributes", attributes},
            {"feature_names", json::array()},
            {"feature_types", json::array()},
            {"gradient_booster", {{"model", model}, {"name", "gbtree"}}},
            {"learner_model_param",
             {{"base_score", score + "]"},
              {"boost_from_average", "1"},
              {"num_class", std::to_string(classes)},
              {"num_feature", std::to_string(features)},
              {"num_target", "1"}}},
            {"objective", {{"name", objective}}}}},
          {"version", {3, 2, 0}}};
}

/// A recipe of two edges (5 + 3 points) and three tasks, with its boosters, in a folder of its own.
class ModelTest : public ::testing::Test {
 protected:
  ModelTest() {
    write_text(dir / "li.json", booster("reg:squarederror", 8).dump());
    const std::vector<std::uint8_t> ubj = json::to_ubjson(booster("multi:softprob", 8, 3));
    write_text(dir / "ni.ubj", std::string(ubj.begin(), ubj.end()));
    write_text(dir / "vacancy.json", booster("binary:logistic", 8, 0, {{"best_iteration", "0"}}).dump(1));
    recipe = json::parse(R"({"name":"small","purpose":"tests",
      "edges":[{"name":"O_K","fit":[490,522],"grid":{"start":525,"stop":563.5,"count":5}},
               {"name":"Ni_L","fit":[800.5,840],"grid":{"start":850,"stop":880,"count":3}}],
      "features":{"kind":"cdf","sum":"exclusive","divide_by":"max","clip_negative":false},
      "background":{"method":"log-lsq","minimum_counts":12,"r_min":-1,"r_max":9.5},
      "tasks":[{"name":"li_content","unit":"Li per formula unit","booster":"li.json"},
               {"name":"count_Ni","classes":[0,1,2.5],"booster":"ni.ubj"},
               {"name":"oxygen_vacancy","booster":"vacancy.json","rounds":"best"}],
      "references":[{"edge":"O_K","energy_ev":[525.1,526,528],"intensity":[0,1.5,-2]}],
      "training":{"library":"none","rmse":0.25}})");
  }

  Model make(const json& changed) {
    write_text(dir / "recipe.json", changed.dump());
    return make_model(dir / "recipe.json");
  }

  /// The law: the recipe so changed is refused with exit code 3, and the error holds all these words.
  void refuses(const std::function<void(json&)>& change, const std::vector<std::string>& words) {
    json changed = recipe;
    change(changed);
    try {
      make(changed);
      ADD_FAILURE() << "accepted " << changed.dump();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input) << error.what();
      for (const std::string& word : words) EXPECT_THAT(error.what(), HasSubstr(word));
    }
  }

  TempDir dir;
  json recipe;
};

void expect_equal(const Model& a, const Model& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.purpose, b.purpose);
  ASSERT_EQ(a.edges.size(), b.edges.size());
  for (std::size_t i = 0; i < a.edges.size(); ++i) {
    EXPECT_EQ(a.edges[i].name, b.edges[i].name);
    EXPECT_EQ(a.edges[i].fit.start_ev, b.edges[i].fit.start_ev);
    EXPECT_EQ(a.edges[i].fit.stop_ev, b.edges[i].fit.stop_ev);
    EXPECT_EQ(a.edges[i].grid.start_ev, b.edges[i].grid.start_ev);
    EXPECT_EQ(a.edges[i].grid.stop_ev, b.edges[i].grid.stop_ev);
    EXPECT_EQ(a.edges[i].grid.count, b.edges[i].grid.count);
  }
  EXPECT_EQ(a.features.kind, b.features.kind);
  EXPECT_EQ(a.features.sum, b.features.sum);
  EXPECT_EQ(a.features.divide_by, b.features.divide_by);
  EXPECT_EQ(a.features.clip_negative, b.features.clip_negative);
  EXPECT_EQ(a.background.method, b.background.method);
  EXPECT_EQ(a.background.minimum_counts, b.background.minimum_counts);
  EXPECT_EQ(a.background.r_minimum, b.background.r_minimum);
  EXPECT_EQ(a.background.r_maximum, b.background.r_maximum);
  ASSERT_EQ(a.tasks.size(), b.tasks.size());
  for (std::size_t i = 0; i < a.tasks.size(); ++i) {
    EXPECT_EQ(a.tasks[i].name, b.tasks[i].name);
    EXPECT_EQ(a.tasks[i].unit, b.tasks[i].unit);
    EXPECT_EQ(a.tasks[i].classes, b.tasks[i].classes);
    EXPECT_EQ(a.tasks[i].best_rounds, b.tasks[i].best_rounds);
    EXPECT_EQ(a.tasks[i].booster.bytes(), b.tasks[i].booster.bytes());
    EXPECT_EQ(a.tasks[i].base.parts, b.tasks[i].base.parts);
    EXPECT_EQ(a.tasks[i].base.intercept, b.tasks[i].base.intercept);
    EXPECT_EQ(a.tasks[i].base.weights, b.tasks[i].base.weights);
    ASSERT_EQ(a.tasks[i].gated.has_value(), b.tasks[i].gated.has_value());
    if (a.tasks[i].gated) {
      EXPECT_EQ(a.tasks[i].gated->levels, b.tasks[i].gated->levels);
      EXPECT_EQ(a.tasks[i].gated->projections, b.tasks[i].gated->projections);
      EXPECT_EQ(a.tasks[i].gated->linear.weights, b.tasks[i].gated->linear.weights);
    }
    ASSERT_EQ(a.tasks[i].trust.has_value(), b.tasks[i].trust.has_value());
    if (!a.tasks[i].trust) continue;
    EXPECT_EQ(a.tasks[i].trust->coverage, b.tasks[i].trust->coverage);
    EXPECT_EQ(a.tasks[i].trust->quantile, b.tasks[i].trust->quantile);
    EXPECT_EQ(a.tasks[i].trust->error.per_edge, b.tasks[i].trust->error.per_edge);
    EXPECT_EQ(a.tasks[i].trust->error.levels, b.tasks[i].trust->error.levels);
    EXPECT_EQ(a.tasks[i].trust->error.per_level, b.tasks[i].trust->error.per_level);
    EXPECT_EQ(a.tasks[i].trust->least_probability, b.tasks[i].trust->least_probability);
    EXPECT_EQ(a.tasks[i].trust->slope, b.tasks[i].trust->slope);
    EXPECT_EQ(a.tasks[i].trust->offset, b.tasks[i].trust->offset);
  }
  ASSERT_EQ(a.domain.has_value(), b.domain.has_value());
  if (a.domain) {
    EXPECT_EQ(a.domain->limit, b.domain->limit);
    EXPECT_EQ(a.domain->projections.weights, b.domain->projections.weights);
    ASSERT_EQ(a.domain->variance.size(), b.domain->variance.size());
    EXPECT_EQ(a.domain->variance[0].per_edge, b.domain->variance[0].per_edge);
  }
  ASSERT_EQ(a.references.size(), b.references.size());
  for (std::size_t i = 0; i < a.references.size(); ++i) {
    EXPECT_EQ(a.references[i].edge, b.references[i].edge);
    EXPECT_EQ(a.references[i].energy_ev, b.references[i].energy_ev);
    EXPECT_EQ(a.references[i].intensity, b.references[i].intensity);
  }
  EXPECT_EQ(json::parse(a.training_json), json::parse(b.training_json));
}

// FIPS 180-4's own examples; one million letters a goes through many blocks and pieces.
TEST(Sha256, GivesTheStandardsDigests) {
  const auto of = [](const std::string& text) { return sha256(std::as_bytes(std::span(text))); };
  EXPECT_EQ(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(of(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (std::size_t size = 0; size < 130; ++size) {  // the padding's edge cases: the pieces do not matter
    const std::string text(size, 'x');
    Sha256 pieces;
    for (const char& c : text) pieces.add(std::as_bytes(std::span(&c, 1)));
    EXPECT_EQ(pieces.hex(), of(text)) << size;
  }
}

// run.json names large inputs by a sample of their bytes: what is written beside it says which, so anybody can check.
TEST(Sha256, OfASampleIsThatOfTheBytesItNames) {
  const TempDir dir;
  std::string bytes(9'000'001, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 7);
  std::ofstream(dir / "large", std::ios::binary) << bytes;
  constexpr std::size_t kMebi = 1 << 20, kBlock = 1 << 16;
  std::string sample("\x41\x54\x89\0\0\0\0\0", 8);
  sample += bytes.substr(0, kMebi);
  for (std::size_t i = 0; i < 64; ++i) sample += bytes.substr(kMebi + i * ((bytes.size() - 2 * kMebi - kBlock) / 63), kBlock);
  sample += bytes.substr(bytes.size() - kMebi);
  EXPECT_EQ(sampled_sha256_of_file(dir / "large"), sha256(std::as_bytes(std::span(sample))));
  EXPECT_THROW(sampled_sha256_of_file(dir / "none"), Error);
}

TEST_F(ModelTest, SavedAndLoadedIsTheSameModel) {
  const Model made = make(recipe);
  EXPECT_EQ(made.feature_count(), 8U);
  save_model(made, dir / "small.elver");
  const Model loaded = load_model(dir / "small.elver");
  expect_equal(made, loaded);
  EXPECT_EQ(loaded.sha256, sha256_of_file(dir / "small.elver"));
  EXPECT_EQ(made.sha256, "");
}

TEST_F(ModelTest, BasesTrustAndDomainAreKeptToTheLastBit) {
  Model model = make(recipe);
  const auto base = [](std::size_t outputs) {
    LinearBase out{{5, 3}, {}, {}};
    for (std::size_t k = 0; k < outputs; ++k) out.intercept.push_back(0.1F * static_cast<float>(k + 1));
    for (std::size_t i = 0; i < 8 * outputs; ++i) out.weights.push_back(std::ldexp(1.0F / 3.0F, static_cast<int>(i)));
    return out;
  };
  model.tasks[0].base = base(1);
  model.tasks[1].base = base(3);
  model.tasks[1].gated = GatedTerm{base(10), {0.25, 0.5}, 1};
  model.tasks[0].trust = Trust{.coverage = 0.8, .error = {0.1, {0.2, 1.0 / 3}, {0.03, 0.3}, {0.5, 0}}, .quantile = 1.1};
  model.tasks[1].trust = Trust{.error = {}, .least_probability = 0.07};
  model.tasks[2].trust = Trust{.error = {}, .slope = 1.5, .offset = -0.25};
  model.domain = Domain{base(2), {{1, {0, 1}}, {2, {3, 4}}}, 2.5};
  model.references[0] = {"O_K", std::vector<float>(64), std::vector<float>(64, -0.1F)};  // long: numbers, not text
  std::ranges::generate(model.references[0].energy_ev, [i = 500.0F]() mutable { return i += 0.1F; });
  save_model(model, dir / "small.elver");
  expect_equal(model, load_model(dir / "small.elver"));
  extract_model(model, dir / "out");
  expect_equal(model, make_model(dir / "out/recipe.json"));
  // What does not fit the model is refused when it is made, not met at a pixel.
  model.tasks[1].base.weights.pop_back();
  EXPECT_THROW(save_model(model, dir / "bad.elver"), Error);
  model.tasks[1].base = base(3);
  model.tasks[0].base.parts = {4, 4};
  EXPECT_THROW(save_model(model, dir / "bad.elver"), Error);
  model.tasks[0].base = base(1);
  model.tasks[0].trust->error.per_edge = {1};
  EXPECT_THROW(save_model(model, dir / "bad.elver"), Error);
  model.tasks[0].trust->error = {0.1, {0.2, 0.3}, {0.03}, {}};
  EXPECT_THROW(save_model(model, dir / "bad.elver"), Error);
  model.tasks[0].trust.reset();
  model.tasks[1].gated->levels = {0.25};  // of one edge of two
  EXPECT_THROW(save_model(model, dir / "bad.elver"), Error);
  model.tasks[1].gated->levels.clear();  // and the functions of their gates left
  EXPECT_THROW(save_model(model, dir / "bad.elver"), Error);
  model.tasks[1].gated.reset();
  model.domain->limit = 0;
  EXPECT_THROW(save_model(model, dir / "bad.elver"), Error);
}

// A file may not name numbers that it does not hold, nor make much of few by naming them twice.
TEST_F(ModelTest, LongListsAreNumbersOfTheFile) {
  Model model = make(recipe);
  model.references[0] = {"O_K", std::vector<float>(70, 1), std::vector<float>(70, 2)};
  std::iota(model.references[0].energy_ev.begin(), model.references[0].energy_ev.end(), 500.0F);
  save_model(model, dir / "long.elver");
  const auto changed = [&](const std::string& from, const std::string& to) {
    const hdf5::Handle file = hdf5::open_file((dir / "long.elver").string());
    std::string text = json::parse(hdf5::read_strings(file.get(), "recipe").at(0)).dump();
    EXPECT_THAT(text, HasSubstr(from));
    text.replace(text.find(from), from.size(), to);
    const std::string path = (dir / "changed").string();
    hdf5::Handle out = hdf5::create_file(path);
    hdf5::set_attribute(out.get(), "format", "elver model");
    hdf5::set_attribute(out.get(), "format_version", 2LL);
    const auto sum = [&](const char* name, std::span<const std::byte> bytes) {
      hdf5::set_attribute(hdf5::open_dataset(out.get(), name).get(), "sha256", sha256(bytes));
    };
    hdf5::write_strings(out.get(), "recipe", {text});
    sum("recipe", std::as_bytes(std::span(text)));
    const auto numbers = hdf5::read<float>(file.get(), "numbers");
    EXPECT_EQ(numbers.size(), 140U);
    hdf5::write<float>(out.get(), "numbers", numbers, {numbers.size()});
    sum("numbers", std::as_bytes(std::span(numbers)));
    hdf5::create_group(out.get(), "boosters");
    for (const Task& task : model.tasks) {
      const std::string name = "boosters/" + task.name;
      hdf5::write<std::byte>(out.get(), name, task.booster.bytes(), {task.booster.bytes().size()});
      sum(name.c_str(), task.booster.bytes());
    }
    hdf5::close_file(std::move(out));
    const std::string bytes = test::read_text(path);
    return read_model(std::as_bytes(std::span(bytes)), "changed");
  };
  expect_equal(model, changed("[70,70]", "[70,70]"));
  for (const char* wrong : {"[71,70]", "[0,71]", "[-1,70]", "[70,-1]", "[70]", "[0,140]", "[1e300,1e300]", "\"all\""}) {
    try {
      changed("[70,70]", wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input) << error.what();
    }
  }
}

TEST_F(ModelTest, TheSameModelGivesTheSameBytes) {
  save_model(make(recipe), dir / "one.elver");
  save_model(load_model(dir / "one.elver"), dir / "two.elver");
  EXPECT_EQ(sha256_of_file(dir / "one.elver"), sha256_of_file(dir / "two.elver"));
}

TEST_F(ModelTest, ExtractGivesTheBoostersByteForByteAndARecipeOfAnEqualModel) {
  const Model made = make(recipe);
  extract_model(made, dir / "out");
  EXPECT_EQ(test::read_text(dir / "out/li_content.json"), test::read_text(dir / "li.json"));
  EXPECT_EQ(test::read_text(dir / "out/count_Ni.ubj"), test::read_text(dir / "ni.ubj"));
  EXPECT_EQ(test::read_text(dir / "out/oxygen_vacancy.json"), test::read_text(dir / "vacancy.json"));
  expect_equal(made, make_model(dir / "out/recipe.json"));
}

TEST_F(ModelTest, ShownJsonIsTheRecipeWithMetadataAndMakesTheModelAgain) {
  save_model(make(recipe), dir / "small.elver");
  const Model model = load_model(dir / "small.elver");
  const json shown = json::parse(model_json(model));
  for (const char* const key : {"name", "purpose", "edges", "features", "background", "training"})
    EXPECT_EQ(shown[key], recipe[key]) << key;
  EXPECT_EQ(shown["feature_count"], 8);
  EXPECT_EQ(shown["sha256"], model.sha256);
  const json& counts = shown["tasks"][1];
  EXPECT_EQ(counts["name"], "count_Ni");
  EXPECT_EQ(counts["classes"], json::parse("[0,1,2.5]"));
  EXPECT_EQ(counts["booster"], "count_Ni.ubj");
  EXPECT_EQ(counts["objective"], "multi:softprob");
  EXPECT_EQ(counts["trees"], 3);
  EXPECT_EQ(counts["depth"], 1);
  EXPECT_EQ(counts["xgboost_version"], "3.2.0");
  EXPECT_EQ(shown["tasks"][2]["best_iteration"], 0);
  EXPECT_EQ(shown["tasks"][0]["best_iteration"], nullptr);
  extract_model(model, dir / "out");
  write_text(dir / "out/shown.json", shown.dump());
  expect_equal(model, make_model(dir / "out/shown.json"));
}

TEST_F(ModelTest, WhatARecipeLeavesOutHasADefault) {
  for (const char* const key : {"purpose", "features", "background", "references", "training"}) recipe.erase(key);
  recipe["tasks"][1].erase("classes");
  const Model model = make(recipe);
  EXPECT_EQ(model.features.sum, CdfSum::inclusive);
  EXPECT_EQ(model.features.divide_by, Divisor::last);
  EXPECT_TRUE(model.features.clip_negative);
  EXPECT_EQ(model.background.method, BackgroundMethod::poisson_ml);
  EXPECT_EQ(model.tasks[1].classes, (std::vector<double>{0, 1, 2}));
  EXPECT_TRUE(model.tasks[0].classes.empty());
  EXPECT_FALSE(model.tasks[0].best_rounds);
}

TEST_F(ModelTest, AWrongRecipeIsRefusedWithTheKeyAndWhatIsExpected) {
  refuses([](json& r) { r.erase("edges"); }, {"key edges", "missing"});
  refuses([](json& r) { r["edges"] = json::array(); }, {"edges", "at least one"});
  refuses([](json& r) { r["edges"][1]["fit"] = "800:840"; }, {"key edges[1].fit", "800:840", "[start, stop]"});
  refuses([](json& r) { r["edges"][1]["fit"] = {840, 800}; }, {"key edges[1].fit", "start below stop"});
  refuses([](json& r) { r["edges"][0]["fit"] = {-5, 20}; }, {"edge O_K", "above 0"});
  refuses([](json& r) { r["edges"][0]["grid"]["count"] = 1; }, {"key edges[0].grid.count", "found 1"});
  refuses([](json& r) { r["edges"][0]["grid"]["count"] = 1e18; }, {"key edges[0].grid.count"});
  refuses([](json& r) { r["edges"][0]["grid"]["count"] = 5.5; }, {"key edges[0].grid.count", "whole number"});
  refuses([](json& r) { r["edges"][0]["grid"]["stop"] = nullptr; }, {"key edges[0].grid.stop", "null"});
  refuses([](json& r) { r["edges"][0]["grid"]["step"] = 0.2; },
          {"key edges[0].grid", "unknown key \"step\"", "start, stop, count"});
  refuses([](json& r) { r["edge"] = 1; }, {"unknown key \"edge\"", "edges"});
  refuses([](json& r) { r["edges"][1]["name"] = "O_K"; }, {"edge O_K", "two of this name"});
  refuses([](json& r) { r["tasks"][1]["name"] = "../x"; }, {"task \"../x\"", "file name"});
  refuses([](json& r) { r["tasks"][1]["name"] = "status"; }, {"status", "two maps"});
  refuses([](json& r) { r["tasks"][1]["name"] = "A_O_K"; }, {"A_O_K", "two maps"});
  refuses([](json& r) { r["tasks"][0].erase("booster"); }, {"key tasks[0].booster", "missing"});
  refuses([](json& r) { r["tasks"][0]["booster"] = "nowhere.json"; }, {"nowhere.json"});
  refuses([](json& r) { r["tasks"][0]["rounds"] = 5; }, {"key tasks[0].rounds", "\"all\", \"best\""});
  refuses([](json& r) { r["tasks"][0]["rounds"] = "best"; }, {"task li_content", "best_iteration"});
  refuses([](json& r) { r["tasks"][0]["classes"] = {0, 1}; }, {"task li_content", "reg:squarederror"});
  refuses([](json& r) { r["tasks"][1]["classes"] = {0, 1, 2, 3}; }, {"task count_Ni", "3 classes", "names 4"});
  refuses([](json& r) { r["tasks"][1]["classes"] = {0, 1, 1}; }, {"task count_Ni", "same value"});
  refuses([](json& r) { r["features"]["kind"] = "CDF"; }, {"key features.kind", "\"cdf\", \"raw\""});
  refuses([](json& r) { r["features"]["divide_by"] = "area"; }, {"key features.divide_by"});
  refuses([](json& r) { r["features"] = {{"kind", "raw"}}; }, {"key features.divide_by", "missing"});
  refuses([](json& r) { r["features"]["clip_negative"] = 1; }, {"key features.clip_negative", "true or false"});
  refuses([](json& r) { r["background"]["method"] = "magic"; }, {"key background.method", "poisson-ml"});
  refuses([](json& r) { r["background"]["r_min"] = 20; }, {"r_min"});
  refuses([](json& r) { r["references"][0]["intensity"] = {1, 2}; }, {"reference spectrum O_K", "3 energies and 2"});
  refuses([](json& r) { r["training"] = 3; }, {"key training"});
}

TEST_F(ModelTest, ABoosterOfOtherFeaturesIsRefusedWithBothCounts) {
  write_text(dir / "li.json", booster("reg:squarederror", 9).dump());
  refuses([](json&) {}, {"task li_content", "9 features", "give 8", "O_K 5 + Ni_L 3"});
}

TEST_F(ModelTest, BadJsonIsRefusedWithLineAndColumn) {
  write_text(dir / "bad.json", "{\n  \"name\": \"x\",\n  oops\n}");
  try {
    make_model(dir / "bad.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_THAT(error.what(), HasSubstr("line 3, column 3"));
  }
  for (const std::string& content :
       {std::string(), std::string("[1,2]"), std::string("\xff\xfe"), std::string("{\"name\":1e999}"),
        std::string(100000, '['), "{\"training\":" + std::string(500, '[') + std::string(500, ']') + "}"}) {
    write_text(dir / "bad.json", content);
    EXPECT_THROW(make_model(dir / "bad.json"), Error) << content.substr(0, 40);
  }
  EXPECT_THROW(make_model(dir / "absent.json"), Error);
  EXPECT_THROW(make_model(dir.path()), Error);
}

TEST_F(ModelTest, ATruncatedOrChangedFileIsRefusedAndNeverLoadedAsSomethingElse) {
  const Model made = make(recipe);
  save_model(made, dir / "small.elver");
  const std::string whole = test::read_text(dir / "small.elver");
  const auto load = [&](const std::string& content) {
    write_text(dir / "bad.elver", content);
    return load_model(dir / "bad.elver");
  };
  for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 40) {
    try {
      load(whole.substr(0, size));
      ADD_FAILURE() << "accepted " << size << " of " << whole.size() << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input) << error.what();
    }
  }
  for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 100) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x21);
    try {
      load(changed);
      ADD_FAILURE() << "accepted with byte " << at << " changed";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input) << error.what();
    }
  }
  EXPECT_THROW(load("not HDF5"), Error);
  EXPECT_THROW(load(whole + "more"), Error);
  // The seal stands in the block that HDF5 leaves to its users: other programs open the file as it is.
  EXPECT_TRUE(hdf5::exists(hdf5::open_file((dir / "small.elver").string()).get(), "boosters/count_Ni"));
  EXPECT_THROW(load_model(dir / "absent.elver"), Error);
  EXPECT_THROW(load_model(dir.path()), Error);
}

TEST_F(ModelTest, WhatCannotBeLoadedIsNotSaved) {
  Model model = make(recipe);
  model.edges[0].grid.count = 6;
  EXPECT_THROW(save_model(model, dir / "bad.elver"), Error);
  EXPECT_FALSE(fs::exists(dir / "bad.elver"));
}

TEST_F(ModelTest, TheCommandsMakeShowCheckAndExtract) {
  write_text(dir / "recipe.json", recipe.dump());
  const std::string model = (dir / "small.elver").string();
  const test::Ran made = test::run_elver({"model", "make", (dir / "recipe.json").string(), "--out", model});
  ASSERT_EQ(made.code, 0) << made.err;
  const test::Ran shown = test::run_elver({"model", "show", model, "--json"});
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_EQ(json::parse(shown.out)["edges"], recipe["edges"]);
  const test::Ran card = test::run_elver({"model", "show", model});
  EXPECT_THAT(card.out, HasSubstr("Li per formula unit"));
  EXPECT_THAT(card.out, HasSubstr("multi:softprob"));
  const test::Ran checked = test::run_elver({"model", "check", model});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("490 to 880 eV"));
  const test::Ran extracted = test::run_elver({"model", "extract", model, "--out", (dir / "out").string()});
  EXPECT_EQ(extracted.code, 0) << extracted.err;
  EXPECT_EQ(test::read_text(dir / "out/count_Ni.ubj"), test::read_text(dir / "ni.ubj"));

  const test::Ran bad = test::run_elver({"model", "check", (dir / "recipe.json").string()});
  EXPECT_EQ(bad.code, 3);
  EXPECT_THAT(bad.err, testing::StartsWith("elver: error: "));
  EXPECT_EQ(std::count(bad.err.begin(), bad.err.end(), '\n'), 1);
  EXPECT_EQ(test::run_elver({"model", "make", (dir / "recipe.json").string(), "--out", "/proc/none/x.elver"}).code, 5);
  EXPECT_EQ(
      test::run_elver({"model", "make", (dir / "recipe.json").string(), "--out", (dir / "no/x.elver").string()}).code,
      5);
  EXPECT_FALSE(fs::exists(dir / "no"));
  EXPECT_EQ(test::run_elver({"model"}).code, 2);
}

}  // namespace
}  // namespace elver
