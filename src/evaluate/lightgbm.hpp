#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// LightGBM through its C API, loaded at run time. Declarations are our own; signatures as in LightGBM's c_api.h.
namespace elver::lightgbm {

/// Why it cannot be used; "" if it can. Looked for once: $ELVER_LIGHTGBM_LIBRARY, the one found at configure, ../lib
/// beside the program, and wherever the system keeps libraries.
std::string problem();

/// One booster and its data.
class Booster {
 public:
  /// `values` row-major, copied. Throws Error{resources} where LightGBM is missing, Error{mismatch} where it refuses.
  Booster(std::span<const float> values, std::size_t rows, std::size_t columns, std::span<const float> labels,
          std::span<const float> weights, const std::string& settings);
  /// One round; false where there is nothing left to split.
  bool update();
  /// [row][class]
  std::vector<float> predict(std::span<const float> values, std::size_t rows, std::size_t columns) const;

 private:
  using Handle = std::unique_ptr<void, int (*)(void*)>;
  Handle data_{nullptr, nullptr}, booster_{nullptr, nullptr};
};

}  // namespace elver::lightgbm
