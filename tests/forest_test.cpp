#include "elver/forest.hpp"

#include <nlohmann/json.hpp>

#include "support.hpp"

namespace elver {
namespace {

TEST(Forest, SharedBoostersGiveTheirExpectedOutputs) {
  const test::fs::path folder = test::shared_data("xgboost-models") / "boosters-3.1.1";
  ELVER_NEEDS(folder);
  int compared = 0;
  for (const char* kind : {"gbtree", "dart"}) {
    for (const auto& entry : test::fs::directory_iterator(folder / kind)) {
      const std::string path = entry.path().string();
      const std::size_t stem = path.rfind(".model.json");
      if (stem == std::string::npos) continue;
      SCOPED_TRACE(entry.path().filename().string());
      const Booster booster = Booster::load(path);
      const auto input = nlohmann::json::parse(test::read_text(path.substr(0, stem) + ".input.json"));
      const auto expected = nlohmann::json::parse(test::read_text(path.substr(0, stem) + ".expected.json"));
      std::vector<float> x, margins, predictions;
      for (const auto& row : input["features"]) {
        for (const auto& value : row) x.push_back(value.is_null() ? NAN : static_cast<float>(value.get<double>()));
      }
      for (const auto& value : expected["predictions"].flatten()) margins.push_back(value.get<float>());
      for (const auto& value : expected["predictions_transformed"].flatten()) predictions.push_back(value.get<float>());
      const auto rows = input["num_rows"].get<std::size_t>();
      std::vector<float> out(rows * booster.output_count());
      booster.margins(x, rows, out);
      EXPECT_EQ(out, margins);
      booster.transform(out, rows);
      for (std::size_t i = 0; i < out.size(); ++i)
        EXPECT_NEAR(out[i], predictions[i], 2e-7 * std::max(1.0F, std::abs(predictions[i])));
      ++compared;
    }
  }
  EXPECT_GE(compared, 12);
}

}  // namespace
}  // namespace elver
