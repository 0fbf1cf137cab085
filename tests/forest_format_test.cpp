#include "forest_support.hpp"

// Formats are found by content, and whatever the bytes say they are either a booster that can be run or one Error.
namespace elver {
namespace {

using namespace elver::test;
using ::testing::HasSubstr;
using ::testing::Not;

/// UBJSON as XGBoost writes it: lengths as int64, arrays of one type typed.
std::string ubjson(const json& value) {
  const auto big_endian = [](std::uint64_t bits, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(bits >> (8 * i));
    return out;
  };
  const auto text_of = [&](const std::string& text) {
    std::string out("L");
    return out.append(big_endian(text.size(), 8)).append(text);
  };
  const auto float_of = [&](const json& number) {
    return big_endian(std::bit_cast<std::uint32_t>(number.get<float>()), 4);
  };
  if (value.is_string()) return std::string("S").append(text_of(value.get<std::string>()));
  if (value.is_number_float()) return std::string("d").append(float_of(value));
  if (value.is_number())
    return std::string("l").append(big_endian(static_cast<std::uint64_t>(value.get<std::int64_t>()), 4));
  std::string out;
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) out += text_of(key) + ubjson(member);
    return std::string("{").append(out).append("}");
  }
  const std::string count = std::string("#L").append(big_endian(value.size(), 8));
  const auto all = [&](auto is) { return !value.empty() && std::all_of(value.begin(), value.end(), is); };
  if (all([](const json& v) { return v.is_number_float(); })) {
    for (const json& element : value) out += float_of(element);
    return std::string("[$d").append(count).append(out);
  }
  if (all([](const json& v) { return v.is_number_integer(); })) {
    for (const json& element : value) out += big_endian(static_cast<std::uint64_t>(element.get<std::int64_t>()), 4);
    return std::string("[$l").append(count).append(out);
  }
  for (const json& element : value) out += ubjson(element);
  return std::string("[").append(count).append(out);
}

std::string as_text(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

/// Something of everything: two splits, a category, an attribute.
json sample() {
  json tree = stump(0.25F, 1.5F, -2.5F, true, 1);
  tree["split_type"] = {1, 0, 0};
  tree["categories"] = {2, 5};
  tree["categories_nodes"] = {0};
  tree["categories_segments"] = {0};
  tree["categories_sizes"] = {2};
  json text = document({stump(0.5F, 1.25F, 2.125F), tree, leaf(0.0625F)}, "[5E-1]");
  text["learner"]["attributes"]["best_iteration"] = "1";
  return text;
}

const std::vector<float> kRows = {0.25F, 2, 0.75F, 5, kNan, kNan, -1, 16777216.0F, kInf, -kInf};

TEST(ForestFormat, JsonAndUbjsonOfAnyWriterMeanTheSame) {
  const std::vector<float> wanted = margins_of(booster_of(sample()), kRows);
  const std::string json_text = sample().dump();
  for (const std::string& text :
       {sample().dump(4), "\n \t" + json_text + " \r\n", "\xEF\xBB\xBF" + json_text, ubjson(sample()),
        ubjson(sample()) + "NN", as_text(json::to_ubjson(sample())), as_text(json::to_ubjson(sample(), true)),
        as_text(json::to_ubjson(sample(), true, true))}) {
    EXPECT_EQ(margins_of(booster_of(text), kRows), wanted);
  }
}

TEST(ForestFormat, ACheckpointHoldsItsModel) {
  const json checkpoint = {{"Config", {{"learner", {{"gradient_booster", 3}}}, {"version", {9, 9, 9}}}},
                           {"Model", sample()}};
  for (const std::string& text : {checkpoint.dump(), ubjson(checkpoint)}) {
    const Booster booster = booster_of(text);
    EXPECT_EQ(booster.tree_count(), 3u);
    EXPECT_EQ(booster.version(), "3.2.0");
  }
}

TEST(ForestFormat, WhatIsNoBoosterIsNamed) {
  EXPECT_THAT(refusal_of(std::string()), HasSubstr("empty"));
  EXPECT_THAT(refusal_of(std::string(R"([{"nodeid": 0, "leaf": 1}])")), HasSubstr("dump"));
  EXPECT_THAT(refusal_of(std::string("booster[0]:\n0:leaf=1\n")), HasSubstr("dump"));
  EXPECT_THAT(refusal_of(std::string("\x80\x04\x95")), HasSubstr("pickle"));
  EXPECT_THAT(refusal_of(std::string("\x89HDF\r\n\x1a\n")), HasSubstr("neither JSON nor UBJSON"));
  EXPECT_THAT(refusal_of(std::string("\xEF\xBB\xBF")), HasSubstr("neither JSON nor UBJSON"));
  EXPECT_THAT(refusal_of(std::string("binf") + std::string(400, '\0')), HasSubstr("old binary format"));
  EXPECT_THAT(refusal_of(std::string("{}")), HasSubstr("learner"));
  EXPECT_THAT(refusal_of(sample().dump() + "x"), HasSubstr("follows the end"));
}

TEST(ForestFormat, WhatElverCannotRunIsAMismatchNotDamage) {
  json unknown = sample();
  unknown["learner"]["objective"]["name"] = "dist:\nnew";
  const std::string message = refusal_of(unknown, ErrorKind::mismatch);
  EXPECT_THAT(message, HasSubstr("dist:?new"));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
}

TEST(ForestFormat, ATreeMustBeATree) {
  const auto refused = [](const std::string& key, const json& value) {
    json text = document({stump(0.5F, 1, 2)});
    model_of(text)["trees"][0][key] = value;
    return refusal_of(text);
  };
  EXPECT_THAT(refused("left_children", {0, -1, -1}), HasSubstr("child 0")) << "a circle through the root";
  EXPECT_THAT(refused("left_children", {2, -1, -1}), HasSubstr("twice"));
  EXPECT_THAT(refused("left_children", {1, 2, -1}), HasSubstr("twice"));
  EXPECT_THAT(refused("right_children", {3, -1, -1}), HasSubstr("child 3"));
  EXPECT_THAT(refused("right_children", {-1, -1, -1}), HasSubstr("child -1"));
  EXPECT_THAT(refused("right_children", {2, -1}), HasSubstr("2 right_children"));
  EXPECT_THAT(refused("left_children", json::array()), HasSubstr("0 nodes"));
  EXPECT_THAT(refused("split_indices", {2, 0, 0}), HasSubstr("feature 2 of 2"));
  EXPECT_THAT(refused("split_indices", {-1, 0, 0}), HasSubstr("feature -1"));
  EXPECT_THAT(refused("split_indices", {0.5, 0, 0}), HasSubstr("integer"));
  EXPECT_THAT(refused("split_indices", {99999999999, 0, 0}), HasSubstr("too large"));
  EXPECT_THAT(refused("parents", {0, 3, 0}), HasSubstr("parent"));
  EXPECT_THAT(refused("loss_changes", {1.0}), HasSubstr("statistics"));
  EXPECT_THAT(refused("id", 1), HasSubstr("no place for tree 1"));
  EXPECT_THAT(refused("tree_param", {{"num_nodes", "4"}}), HasSubstr("4 nodes"));
  EXPECT_THAT(refused("tree_param", {{"num_nodes", "three"}}), HasSubstr("three"));
  EXPECT_THAT(refused("tree_param", {{"num_nodes", "3"}, {"size_leaf_vector", "5"}}), HasSubstr("leaves of 5"));
  EXPECT_THAT(refused("tree_param", {{"num_nodes", "3"}, {"size_leaf_vector", "2"}}), HasSubstr("outside"));
  EXPECT_THAT(refused("categories_nodes", {0}), HasSubstr("0 segments"));
}

TEST(ForestFormat, CategoriesMustLieInTheirArray) {
  const auto refused = [](const json& categories, const json& nodes, const json& segments, const json& sizes) {
    json text = sample();
    json& tree = model_of(text)["trees"][1];
    tree["categories"] = categories;
    tree["categories_nodes"] = nodes;
    tree["categories_segments"] = segments;
    tree["categories_sizes"] = sizes;
    return refusal_of(text);
  };
  EXPECT_THAT(refused({2, 5}, {0}, {0}, {3}), HasSubstr("outside"));
  EXPECT_THAT(refused({2, 5}, {0}, {-1}, {2}), HasSubstr("outside"));
  EXPECT_THAT(refused({2, 5}, {0}, {2147483647}, {2147483647}), HasSubstr("outside"));
  EXPECT_THAT(refused({2, 5}, {0}, {0}, {0}), HasSubstr("outside"));
  EXPECT_THAT(refused({2, 5}, {0, 1}, {0, 0}, {2, 2}), HasSubstr("outside")) << "shared sets could grow without bound";
  EXPECT_THAT(refused({2, -5}, {0}, {0}, {2}), HasSubstr("-5 is no category"));
  EXPECT_THAT(refused({2, 16777216}, {0}, {0}, {2}), HasSubstr("no category"));
  EXPECT_THAT(refused({2, 5}, {1, 0}, {0, 1}, {1, 1}), HasSubstr("order"));
}

TEST(ForestFormat, TheForestMustFitTogether) {
  const auto refused = [](const auto& change) {
    json text = document({leaf(1), leaf(2)});
    change(text);
    return refusal_of(text);
  };
  const auto parameter = [&](const char* key, const json& value) {
    return refused([&](json& text) { parameters_of(text)[key] = value; });
  };
  const auto model = [&](const char* key, const json& value) {
    return refused([&](json& text) { model_of(text)[key] = value; });
  };
  EXPECT_THAT(model("tree_info", {0}), HasSubstr("1 entries for 2 trees"));
  EXPECT_THAT(model("tree_info", {0, 1}), HasSubstr("output 1 of 1"));
  EXPECT_THAT(model("tree_info", {0, -1}), HasSubstr("output -1"));
  EXPECT_THAT(model("iteration_indptr", {0, 1}), HasSubstr("iteration_indptr"));
  EXPECT_THAT(model("iteration_indptr", {1, 2}), HasSubstr("iteration_indptr"));
  EXPECT_THAT(model("iteration_indptr", {0, 3, 2}), HasSubstr("iteration_indptr"));
  EXPECT_THAT(model("gbtree_model_param", {{"num_trees", "3"}}), HasSubstr("2 trees, not 3"));
  EXPECT_THAT(refused([](json& text) {
                model_of(text).erase("iteration_indptr");
                model_of(text)["gbtree_model_param"]["num_parallel_tree"] = "9223372036854775807";
              }),
              HasSubstr("do not make rounds"));
  EXPECT_THAT(refused([](json& text) { model_of(text)["trees"][1]["id"] = 0; }), HasSubstr("no place for tree 0"));
  EXPECT_THAT(parameter("num_class", "2000000000"), HasSubstr("absurd"));
  EXPECT_THAT(parameter("num_target", "-3"), HasSubstr("absurd"));
  EXPECT_THAT(parameter("num_feature", "-1"), HasSubstr("absurd"));
  EXPECT_THAT(parameter("base_score", "NaN"), HasSubstr("base_score"));
  EXPECT_THAT(parameter("base_score", "[1,2]"), HasSubstr("2 base scores for 1 outputs"));
  EXPECT_THAT(parameter("base_score", "half"), HasSubstr("half"));
  EXPECT_THAT(parameter("base_score", ""), HasSubstr("base_score"));
  EXPECT_THAT(refusal_of(document({leaf(1)}, "1.5", "binary:logistic")), HasSubstr("out of the range"));
  EXPECT_THAT(refusal_of(document({leaf(1)}, "-1", "reg:gamma")), HasSubstr("out of the range"));
}

TEST(ForestFormat, CountsCannotExceedTheFile) {
  // Each says that much more follows than the file holds; nothing of that size may be allocated.
  const std::string key = std::string("{i\x07learner{");
  for (const std::string& text : {key + "i\x10gradient_booster{i\x04name[$d#L\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
                                  key + "i\x0D"
                                        "feature_names[#l\x7F\xFF\xFF\xFF",
                                  key + "L\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFFx",
                                  key + "i\x0D"
                                        "feature_names[$T#l\x7F\xFF\xFF\xFF",
                                  key + "i\x01"
                                        "x[$d#i\xFF"}) {
    EXPECT_THAT(refusal_of(text), HasSubstr("cannot read booster"));
  }
  for (const std::string& open : {std::string(100000, '['), std::string("{\"a\":") + std::string(100000, '[')}) {
    EXPECT_THAT(refusal_of(std::string(R"({"x":)") + open), HasSubstr("nested too deeply"));
  }
  EXPECT_THAT(refusal_of("{i\x01"
                         "x" +
                         std::string(100000, '[')),
              HasSubstr("nested too deeply"));
}

// An error may quote the file, and goes to a terminal: nothing of it is a control sequence or breaks the line.
TEST(ForestFormat, QuotesNoControlCharacters) {
  json file = sample();
  file["learner"]["gradient_booster"]["name"] = "gb\x1b[31m\ntree";
  for (const std::string& text : {file.dump(), ubjson(file)}) {
    const std::string refusal = refusal_of(text);
    EXPECT_THAT(refusal, HasSubstr("gb?[31m?tree"));
    EXPECT_TRUE(std::ranges::all_of(refusal, [](char c) { return c >= ' ' && c <= '~'; })) << refusal;
  }
}

/// Parses these bytes and, where they are a booster, runs it.
bool survives(const std::string& text) {
  try {
    const Booster booster = booster_of(text);
    if (booster.feature_count() < 1000) margins_of(booster, std::vector<float>(booster.feature_count() * 3, 0.5F));
    return true;
  } catch (const Error& error) {
    EXPECT_TRUE(error.kind() == ErrorKind::input || error.kind() == ErrorKind::mismatch) << error.what();
    return false;
  }
}

TEST(ForestFormat, AnyByteMayBeWrongOrMissing) {
  for (const std::string& text : {sample().dump(), ubjson(sample())}) {
    ASSERT_TRUE(survives(text));
    for (std::size_t i = 0; i < text.size(); ++i) {
      EXPECT_FALSE(survives(text.substr(0, i))) << "cut at " << i;
      for (const char byte : {'\x00', '\x01', '\x7F', '\xFF', '9', '{', '[', ']', '"', 'N', '#', '$'}) {
        std::string changed = text;
        changed[i] = byte;
        survives(changed);
      }
    }
  }
}

}  // namespace
}  // namespace elver
