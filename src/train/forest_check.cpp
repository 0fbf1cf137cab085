#include "train/forest_check.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "forest/forest.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using forest::Node;

/// Each feature's thresholds, or its categories.
std::vector<std::vector<float>> values_asked_for(const Booster::Forest& forest) {
  std::vector<std::vector<float>> out(forest.feature_count);
  for (const forest::Tree& tree : forest.trees) {
    for (std::uint32_t k = 0; k < tree.node_count; ++k) {
      const Node& node = forest.nodes[tree.first_node + k];
      if (node.left == static_cast<std::int32_t>(k) - 1) continue;  // a leaf
      std::vector<float>& values = out[node.index()];
      if ((node.feature & Node::kCategorical) == 0) {
        values.push_back(node.threshold);
        continue;
      }
      const forest::CategorySet set = forest.category_sets[node.extra];
      for (std::uint32_t c = set.first; c < set.last; ++c) {
        const auto category = static_cast<float>(forest.categories[c]);
        values.insert(values.end(), {category, category + 1.0F, category + 0.5F});
      }
      values.insert(values.end(), {-1.0F, -0.5F, 16777216.0F});
    }
  }
  return out;
}

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

bool has_infinity(std::span<const float> values) {
  return std::ranges::any_of(values, [](float x) { return std::isinf(x); });
}

}  // namespace

std::string not_comparable(const Booster& booster) {
  if (!booster.has_trees()) return "it is a linear booster (gblinear), which elver leaves to XGBoost";
  return xgboost::why_not(booster);
}

std::vector<float> trying_rows(const Booster& booster, std::size_t rows, std::uint64_t seed) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
  constexpr auto kOddities = std::to_array({kMissing, kInfinity, -kInfinity, 0.0F, -0.0F, 1e-45F, 3e38F, -3e38F, 1.0F});
  const std::size_t width = booster.feature_count();
  const std::vector<std::vector<float>> asked = values_asked_for(booster.forest());
  std::mt19937_64 random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto unit = [&] { return static_cast<float>(random() >> 40) * 0x1p-24F; };
  std::vector<float> out(rows * width);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::span<float> row = std::span(out).subspan(r * width, width);
    // A running sum of positive steps that ends at 1 is what a feature vector looks like.
    float sum = 0;
    for (float& x : row) x = sum += unit();
    for (float& x : row) x /= sum;
    const std::size_t kind = r % 4;  // 0: as it is
    for (std::size_t f = 0; f < width; ++f) {
      const bool at_threshold = kind != 0 && !asked[f].empty() && below(2) == 0;
      if (at_threshold) {
        row[f] = asked[f][below(asked[f].size())];
        if (kind == 2) row[f] = std::nextafter(row[f], below(2) == 0 ? kInfinity : -kInfinity);
      }
      if (kind == 3 && below(8) == 0) row[f] = kOddities[below(kOddities.size())];
    }
  }
  return out;
}

ForestComparison::ForestComparison(const Booster& booster, unsigned threads) : booster_(booster), theirs_(booster) {
  theirs_.set("nthread", std::to_string(threads));
}

void ForestComparison::add(std::span<const float> features, std::size_t rows) {
  const std::size_t width = booster_.feature_count();
  std::vector<float> finite;
  xgboost::XgbBooster::Prediction theirs;
  if (booster_.forest().dart) {
    // Without a DMatrix XGBoost takes base_score off each tree of a DART booster and adds it again, which rounds; with
    // one it adds weight times leaf, as everywhere. A DMatrix takes no infinities.
    finite.assign(features.begin(), features.end());
    if (has_infinity(finite)) {
      constexpr float kLargest = std::numeric_limits<float>::max();
      for (float& x : finite) x = std::isinf(x) ? std::copysign(kLargest, x) : x;
      features = finite;
    }
    theirs = theirs_.predict(xgboost::DMatrix(features, rows, width), true);
  } else {
    theirs = theirs_.predict(features, rows, width, true);
  }
  std::vector<float> ours(rows * booster_.output_count());
  booster_.margins(features, rows, ours);
  result_.rows += rows;
  if (theirs.values.size() != ours.size()) {
    result_.different_rows += rows;
    return;
  }
  for (std::size_t r = 0; r < rows; ++r) {
    bool different = false;
    for (std::size_t k = r * booster_.output_count(); k < (r + 1) * booster_.output_count(); ++k) {
      if (same(ours[k], theirs.values[k])) continue;
      different = true;
      result_.largest_difference = std::fmax(result_.largest_difference, std::fabs(ours[k] - theirs.values[k]));
    }
    result_.different_rows += different ? 1 : 0;
  }
}

}  // namespace elver
