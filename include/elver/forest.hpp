#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace elver {

/// One tree ensemble as XGBoost wrote it, JSON or UBJSON, versions 0.9 to 3.x.
class Booster {
 public:
  /// One without trees or features, whose only output is 0.
  Booster();
  /// `name` is for error texts. Throws Error{input} when malformed, Error{mismatch} for unknown objectives. A linear
  /// booster (gblinear) is read, and run by ForestEngine::xgboost only.
  static Booster parse(std::vector<std::byte> bytes, const std::string& name);
  static Booster load(const std::string& path);
  /// One without trees, whose outputs are 0: for what is linear in the features alone.
  static Booster bare(std::size_t features, std::size_t outputs);

  std::size_t feature_count() const;
  std::size_t output_count() const;   ///< classes, targets, or 1
  std::size_t tree_count() const;
  std::size_t round_count() const;
  std::size_t max_depth() const;
  bool has_trees() const;             ///< false for gblinear
  void require_trees() const;         ///< throws Error{mismatch} without trees, which elver itself cannot run
  std::string objective() const;
  bool is_classifier() const;         ///< binary:* or multi:*
  std::optional<std::size_t> best_iteration() const;
  std::vector<std::string> feature_names() const;
  std::string version() const;        ///< of the XGBoost that wrote it, "3.2.0"; "" if absent
  const std::vector<std::byte>& bytes() const;

  /// Margins [row][output] of row-major features [row][feature]; bit-equal to XGBoost's CPU predictor.
  /// `rounds` 0: all of them. Runs on the calling thread. Throws Error{mismatch} for a booster without trees (gblinear).
  void margins(std::span<const float> features, std::size_t rows, std::span<float> out, std::size_t rounds = 0) const;
  /// The same, added to what `sums` holds in place of the booster's base score: XGBoost's base_margin.
  void add_trees(std::span<const float> features, std::size_t rows, std::span<float> sums, std::size_t rounds = 0) const;
  /// Margins to predictions in place, [row][output] (probabilities, expected values); softmax class indices for
  /// multi:softmax come as probabilities too: take the largest.
  void transform(std::span<float> margins, std::size_t rows) const;

  /// The checked trees, for back ends (src/forest/forest.hpp).
  struct Forest;
  const Forest& forest() const { return *forest_; }

 private:
  std::shared_ptr<const Forest> forest_;
};

}  // namespace elver
