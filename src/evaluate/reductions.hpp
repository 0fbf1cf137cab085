#pragma once
#include <functional>
#include <string_view>

#include "evaluate/study.hpp"

namespace elver::evaluate {

/// The paper's ways to fewer dimensions, each to the fewest that explain 90 % of the variance: truncated SVD, PCA (of
/// what is left after the mean), Isomap (of the distances along the graph of ten nearest neighbours).
enum class Reduction : std::uint8_t { none, svd, pca, isomap };
std::string_view name_of(Reduction reduction);

/// Found from training rows, applied to any.
struct Reducer {
  std::size_t dimensions = 0;
  std::function<Matrix(const Matrix&)> apply;
};
Reducer fit_reduction(Reduction reduction, const Matrix& training);

}  // namespace elver::evaluate
