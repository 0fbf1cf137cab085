// Compiled once for every target: foreach_target.h includes this file again and again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/linear_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/linear.hpp"
#include "engine/packed_forest.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::engine::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// kOutputs outputs of the pixels of one register: their sums stay in registers while the features go by. Multiply and
/// add are two roundings, as in core/linear.hpp: Highway's MulAdd would be one where the processor has it.
template <std::size_t kOutputs>
void sum_outputs(const LinearBase& base, std::size_t first, std::size_t width, const float* features,
                 std::size_t stride, float* out) {
  const hn::ScalableTag<float> d;
  for (std::size_t p = 0; p < kForestBlock; p += hn::Lanes(d)) {
    hn::Vec<decltype(d)> total[kOutputs], sum[kOutputs];
    for (std::size_t k = 0; k < kOutputs; ++k) total[k] = hn::Set(d, base.intercept[first + k]);
    const float* weight = base.weights.data() + first * width;
    const float* x = features + p;
    for (const std::size_t part : base.parts) {
      for (std::size_t k = 0; k < kOutputs; ++k) sum[k] = hn::Zero(d);
      for (std::size_t i = 0; i < part; ++i, x += stride, ++weight) {
        const auto feature = hn::LoadU(d, x);
        for (std::size_t k = 0; k < kOutputs; ++k)
          sum[k] = hn::Add(sum[k], hn::Mul(hn::Set(d, weight[k * width]), feature));
      }
      for (std::size_t k = 0; k < kOutputs; ++k) total[k] = hn::Add(total[k], sum[k]);
    }
    for (std::size_t k = 0; k < kOutputs; ++k) hn::Store(total[k], d, out + (first + k) * kForestBlock + p);
  }
}

void linear_values(const LinearBase& base, const float* features, std::size_t stride, float* out) {
  const std::size_t outputs = base.intercept.size(), width = base.feature_count();
  std::size_t k = 0;
  for (; k + 8 <= outputs; k += 8) sum_outputs<8>(base, k, width, features, stride, out);
  for (; k < outputs; ++k) sum_outputs<1>(base, k, width, features, stride, out);
}

}  // namespace elver::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace elver::engine {

HWY_EXPORT(linear_values);

void linear_values(const LinearBase& base, const float* features, std::size_t stride, float* out) {
  HWY_DYNAMIC_DISPATCH(linear_values)(base, features, stride, out);
}

}  // namespace elver::engine
#endif
