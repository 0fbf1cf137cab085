// A register of pixels for the loops over channels; included once for every target (see edge_fit_simd.cpp).
#if defined(ELVER_EDGE_PACK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ELVER_EDGE_PACK_INL
#undef ELVER_EDGE_PACK_INL
#else
#define ELVER_EDGE_PACK_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "background/edge_block.hpp"

HWY_BEFORE_NAMESPACE();
namespace elver::HWY_NAMESPACE {

/// A register of pixels, whose sums stay in registers while the channels go by.
#if HWY_TARGET <= HWY_AVX3
constexpr std::size_t kLanes = 16;
#elif HWY_TARGET <= HWY_AVX2
constexpr std::size_t kLanes = 8;
#else
constexpr std::size_t kLanes = 4;
#endif
typedef float Pack __attribute__((vector_size(4 * kLanes)));
typedef std::uint32_t PackBits __attribute__((vector_size(4 * kLanes)));

inline Pack load(const float* from) {
  Pack out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
inline void store(const Pack& pack, float* to) { __builtin_memcpy(to, &pack, sizeof pack); }

/// Counts, channel after channel, from some pixel on.
struct Rows {
  const float* first = nullptr;
  std::size_t stride = 0, count = 0;
  const float* x = nullptr;
  const float* operator[](std::size_t channel) const { return first + channel * stride; }
};
inline Rows rows_of(const EdgeView& edge, const TileBlock& pixels, ChannelRange channels, std::size_t first_pixel) {
  return {pixels.tile.channel(channels.first) + pixels.first + first_pixel, pixels.tile.pixels, channels.size(),
          edge.x + channels.first};
}

/// Asks for a line of Ahead at every step, so that the requests fill the time that the steps take.
class Prefetch {
 public:
  explicit Prefetch(const Ahead& ahead) {
    if (ahead.pixels.count == 0 || ahead.channels.size() == 0) return;
    first_ = reinterpret_cast<const char*>(ahead.pixels.tile.channel(ahead.channels.first) + ahead.pixels.first);
    stride_ = ahead.pixels.tile.pixels * sizeof(float);
    bytes_ = ahead.pixels.count * sizeof(float);
    channels_ = ahead.channels.size();
  }
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;
  ~Prefetch() {
    while (channels_ > 0) step();
  }
  void step() {
    if (channels_ == 0) return;
    __builtin_prefetch(first_ + at_, 0, 2);
    at_ += kLine;
    if (at_ < bytes_) return;
    at_ = 0;
    first_ += stride_;
    --channels_;
  }

 private:
  static constexpr std::size_t kLine = 64;
  const char* first_ = nullptr;
  std::size_t stride_ = 0, bytes_ = 0, at_ = 0, channels_ = 0;
};

/// Whether a curve's exponents are all such as exp2_within takes.
inline bool within(const EdgeBlock& block, std::size_t first, float farthest, float curved) {
  constexpr float kMost = 125.0f;  // the curve is rounded otherwise than its bound
  int beyond = 0;
  for (std::size_t p = first; p < first + kLanes; ++p) {
    const float slope = std::abs(block.c1[p]) + farthest * std::abs(block.c2[p]) * curved;
    beyond |= std::abs(block.c0[p]) + farthest * slope > kMost ? 1 : 0;
  }
  return beyond == 0;
}
inline float farthest(const EdgeView& edge, ChannelRange channels) {
  return std::max(std::abs(edge.x[channels.first]), std::abs(edge.x[channels.last - 1]));
}

}  // namespace elver::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
