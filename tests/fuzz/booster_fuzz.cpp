#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "elver/error.hpp"
#include "elver/forest.hpp"

/// Any bytes as a booster: refused with an Error, or run on rows that take every kind of turn.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const elver::Booster booster = elver::Booster::parse({bytes.begin(), bytes.end()}, "fuzz");
    if (booster.feature_count() > 10000 || booster.output_count() > 10000) return 0;  // right, and slow
    constexpr auto kValues = std::to_array(
        {0.0F, 1.0F, -0.5F, 3.0F, 0.25F, std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity, 16777216.0F});
    std::vector<float> features(kValues.size() * booster.feature_count());
    for (std::size_t i = 0; i < features.size(); ++i) {
      features[i] = kValues[(i + i / kValues.size()) % kValues.size()];
    }
    std::vector<float> out(kValues.size() * booster.output_count());
    booster.margins(features, kValues.size(), out, booster.round_count() / 2);
    booster.margins(features, kValues.size(), out);
    booster.transform(out, kValues.size());
    static_cast<void>(booster.best_iteration());
  } catch (const elver::Error&) {
  }
  return 0;
}
