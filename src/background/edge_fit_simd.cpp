// Compiled once for every target: foreach_target.h includes this file again and again. The loops are plain; each target
// turns them into its own vector instructions, in the same order of operations, so with the same bits. What a pixel's
// numbers are is core's to say (edge_fit.hpp).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "background/edge_fit_simd.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "background/edge_pack-inl.hpp"
#include "elver/core/chebyshev.hpp"
#include "elver/core/edge_fit.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::HWY_NAMESPACE {

using core::code_of;

void sum_window(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block) {
  std::size_t p = 0;
  for (; p + kLanes <= pixels.count; p += kLanes) {
    const Rows y = rows_of(edge, pixels, edge.fit, p);
    core::WindowSums<Pack> sums;
    for (std::size_t c = 0; c < y.count; ++c) sums.add(load(y[c]), y.x[c]);
    store(sums.counts, block.counts + p);
    store(sums.moment, block.moment + p);
  }
  for (; p < pixels.count; ++p) {
    const Rows y = rows_of(edge, pixels, edge.fit, p);
    core::WindowSums<float> sums;
    for (std::size_t c = 0; c < y.count; ++c) sums.add(*y[c], y.x[c]);
    block.counts[p] = sums.counts;
    block.moment[p] = sums.moment;
  }
  for (p = 0; p < pixels.count; ++p)
    block.status[p] = block.counts[p] > 0 ? code_of(PixelStatus::ok) : code_of(PixelStatus::non_positive_window);
}

void fit_poisson(const EdgeView& edge, std::size_t count, EdgeBlock& block) {
  const PoissonWindow& window = *edge.poisson;
  const auto channels = static_cast<float>(edge.fit.size());
  alignas(64) Lane u;
  for (std::size_t p = 0; p < count; ++p) {
    block.q[p] = block.moment[p] / block.counts[p];
    u[p] = (block.q[p] - window.q_centre) * window.q_half_inverse;
  }
  const auto series = [&](const std::vector<float>& coefficients, Lane& out) {
    alignas(64) Lane b1{}, b2{};
    for (int k = window.count - 1; k > 0; --k) {
      const float c = coefficients[static_cast<std::size_t>(k)];
      for (std::size_t p = 0; p < count; ++p) core::clenshaw_step(c, u[p] + u[p], b1[p], b2[p]);
    }
    for (std::size_t p = 0; p < count; ++p) out[p] = core::clenshaw_end(coefficients[0], u[p] + u[p], b1[p], b2[p]);
  };
  series(window.r, block.r);
  series(window.log2_mean, block.log2_mean);
  series(window.variance, block.variance);
  series(window.skew, block.skew);
  const auto log2_e0 = static_cast<float>(edge.log2_e0);
  for (std::size_t p = 0; p < count; ++p) {
    block.set_curve(p, core::poisson_curve(block.state(p), block.q[p], block.counts[p], channels, 1.0f));
    block.amplitude[p] = core::amplitude(block.state(p), block.counts[p], channels, log2_e0);
  }
  for (std::size_t p = 0; p < count; ++p) {
    const bool left = !core::in_series(u[p]) && block.status[p] == code_of(PixelStatus::ok);
    block.status[p] = left ? code_of(PixelStatus::r_out_of_range) : block.status[p];
  }
}

void begin_fit(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block) {
  sum_window(edge, pixels, block);
  if (edge.poisson != nullptr) fit_poisson(edge, pixels.count, block);
}

void chi_square(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block, Prefetch prefetch) {
  const float most_x = farthest(edge, edge.fit);
  for (std::size_t p = 0; p < pixels.count;) {
    const Rows y = rows_of(edge, pixels, edge.fit, p);
    if (p + kLanes <= pixels.count && within(block, p, most_x, 0.0f)) {
      const Pack scale = load(block.scale + p), c0 = load(block.c0 + p), c1 = load(block.c1 + p);
      Pack sum{};
      for (std::size_t c = 0; c < y.count; ++c) {
        prefetch.step();
        sum += core::chi_square_term(scale * core::exp2_within<PackBits>(c0 + y.x[c] * c1), load(y[c]));
      }
      store(sum, block.chi + p);
      p += kLanes;
      continue;
    }
    for (std::size_t c = 0; c < y.count; ++c)
      block.chi[p] += core::chi_square_term(core::straight(block.curve(p), y.x[c]), *y[c]);
    ++p;
  }
  const float freedom = static_cast<float>(edge.fit.size()) - 2.0f;
  for (std::size_t p = 0; p < pixels.count; ++p) block.chi[p] /= freedom;
}

void finish_curve(const EdgeView& edge, const TileBlock& pixels, ChannelRange next, EdgeBlock& block) {
  chi_square(edge, pixels, block, Prefetch({pixels, next}));
  const auto channels = static_cast<float>(edge.fit.size()), given = static_cast<float>(edge.options->phi);
  for (std::size_t p = 0; p < pixels.count; ++p)
    block.phi[p] = core::variance_of_counts(block.chi[p], block.counts[p], channels, given);
  if (edge.poisson != nullptr) {
    for (std::size_t p = 0; p < pixels.count; ++p)
      block.set_curve(
          p, core::unbiased_poisson_curve(block.state(p), block.q[p], block.counts[p], channels, block.phi[p]));
  } else if (edge.options->method == BackgroundMethod::two_area) {
    for (std::size_t p = 0; p < pixels.count; ++p) {
      block.level[p] *= block.phi[p];
      block.slope[p] *= block.phi[p];
    }
  }
}

}  // namespace elver::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace elver {

HWY_EXPORT(begin_fit);
HWY_EXPORT(finish_curve);

void begin_fit(const EdgeView& edge, const TileBlock& pixels, EdgeBlock& block) {
  HWY_DYNAMIC_DISPATCH(begin_fit)(edge, pixels, block);
}

void finish_curve(const EdgeView& edge, const TileBlock& pixels, ChannelRange next, EdgeBlock& block) {
  HWY_DYNAMIC_DISPATCH(finish_curve)(edge, pixels, next, block);
}

}  // namespace elver
#endif
