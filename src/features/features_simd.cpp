// Compiled once for every target: foreach_target.h includes this file again and again. See edge_fit_simd.cpp.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "features/features_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "elver/core/features.hpp"
#include "features/grid_features.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::HWY_NAMESPACE {

/// `rule` is a constant where the caller makes it one: then the loop over pixels holds no choices.
template <class Rule>
void sum_points(const GridView& grid, Rule rule, const float* net, float* __restrict out, Lane& divisors) {
  alignas(64) Lane sum{}, previous{};
  float* __restrict divisor = divisors;
  for (std::size_t p = 0; p < kBlock; ++p) divisor[p] = 0.0f;
  for (std::size_t i = 0; i < grid.count; ++i) {
    const float weight = grid.weight[i];
    const float* __restrict left = net + (grid.channel[i] - grid.first_channel) * kBlock;
    const float* __restrict right = weight > 0 ? left + kBlock : left;
    const bool first = i == 0;
    for (std::size_t p = 0; p < kBlock; ++p) {
      core::Accumulator<float> sums{sum[p], previous[p], divisor[p]};
      const float point = core::interpolated(left[p], right[p], weight, rule().clip_negative);
      out[i * kBlock + p] = core::accumulate(sums, point, rule(), first);
      sum[p] = sums.sum;
      previous[p] = sums.previous;
      divisor[p] = sums.divisor;
    }
  }
}

void sum_grid(const GridView& grid, const FeatureRule& rule, const float* net, float* out, Lane& divisor) {
  const auto is = [&rule](Divisor divide_by, bool clip) {
    return rule.kind == FeatureKind::cdf && rule.sum == CdfSum::inclusive && rule.divide_by == divide_by &&
           rule.clip_negative == clip;
  };
  if (is(Divisor::last, true)) {
    sum_points(
        grid,
        [] {
          return FeatureRule{FeatureKind::cdf, CdfSum::inclusive, Divisor::last, true};
        },
        net, out, divisor);
  } else if (is(Divisor::last, false)) {
    sum_points(
        grid,
        [] {
          return FeatureRule{FeatureKind::cdf, CdfSum::inclusive, Divisor::last, false};
        },
        net, out, divisor);
  } else if (is(Divisor::max, true)) {
    sum_points(
        grid,
        [] {
          return FeatureRule{FeatureKind::cdf, CdfSum::inclusive, Divisor::max, true};
        },
        net, out, divisor);
  } else {
    sum_points(
        grid, [rule] { return rule; }, net, out, divisor);
  }
}

void divide_grid(std::size_t points, const Lane& divisor, const std::int32_t (&absent)[kBlock], const float* line,
                 float* out) {
  for (std::size_t i = 0; i < points; ++i) {
    float* __restrict at = out + i * kBlock;
    const float instead = line[i];
    for (std::size_t p = 0; p < kBlock; ++p) {
      const float feature = at[p] / divisor[p];
      at[p] = absent[p] != 0 ? instead : feature;
    }
  }
}

void overwrite(std::size_t points, const std::int32_t (&where)[kBlock], float value, float* out) {
  for (std::size_t i = 0; i < points; ++i) {
    float* __restrict at = out + i * kBlock;
    for (std::size_t p = 0; p < kBlock; ++p) at[p] = where[p] != 0 ? value : at[p];
  }
}

}  // namespace elver::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace elver {

HWY_EXPORT(sum_grid);
HWY_EXPORT(divide_grid);
HWY_EXPORT(overwrite);

void sum_grid(const GridView& grid, const FeatureRule& rule, const float* net, float* out, Lane& divisor) {
  HWY_DYNAMIC_DISPATCH(sum_grid)(grid, rule, net, out, divisor);
}

void divide_grid(std::size_t points, const Lane& divisor, const std::int32_t (&absent)[kBlock], const float* line,
                 float* out) {
  HWY_DYNAMIC_DISPATCH(divide_grid)(points, divisor, absent, line, out);
}

void overwrite(std::size_t points, const std::int32_t (&where)[kBlock], float value, float* out) {
  HWY_DYNAMIC_DISPATCH(overwrite)(points, where, value, out);
}

}  // namespace elver
#endif
