#include "check.hpp"
#include "device.hpp"
#include "stages.hpp"

namespace elver::cuda {
namespace {

constexpr unsigned kSide = 32, kHeight = 8;

/// Squares through shared memory, so that both sides are read and written in whole lines.
template <class Word>
__global__ void __launch_bounds__(kSide* kHeight)
    transpose_kernel(const Word* __restrict__ from, std::size_t pixels, std::size_t channels, Word* __restrict__ to,
                     std::size_t stride) {
  struct Square;
  Word* const square = device::static_shared<Square, Word, kSide*(kSide + 1)>();
  const std::size_t pixel = static_cast<std::size_t>(blockIdx.x) * kSide, channel = static_cast<std::size_t>(blockIdx.y) * kSide;
  for (unsigned i = threadIdx.y; i < kSide; i += kHeight) {
    if (pixel + i < pixels && channel + threadIdx.x < channels) {
      square[i * (kSide + 1) + threadIdx.x] = from[(pixel + i) * channels + channel + threadIdx.x];
    }
  }
  __syncthreads();
  for (unsigned i = threadIdx.y; i < kSide; i += kHeight) {
    if (pixel + threadIdx.x < pixels && channel + i < channels) {
      to[(channel + i) * stride + pixel + threadIdx.x] = square[threadIdx.x * (kSide + 1) + i];
    }
  }
}

template <class Word>
void start(const void* from, std::size_t pixels, std::size_t channels, void* to, std::size_t stride, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((pixels + kSide - 1) / kSide), static_cast<unsigned>((channels + kSide - 1) / kSide));
  check(device::launch(transpose_kernel<Word>, grid, dim3(kSide, kHeight), 0, stream, static_cast<const Word*>(from), pixels,
                       channels, static_cast<Word*>(to), stride),
        "transpose_kernel");
}

}  // namespace

void transpose(const void* from, std::size_t pixels, std::size_t channels, std::size_t bytes, void* to,
               std::size_t stride, cudaStream_t stream) {
  if (pixels == 0 || channels == 0) return;
  switch (bytes) {
    case 1:
      return start<std::uint8_t>(from, pixels, channels, to, stride, stream);
    case 2:
      return start<std::uint16_t>(from, pixels, channels, to, stride, stream);
    case 4:
      return start<std::uint32_t>(from, pixels, channels, to, stride, stream);
    default:
      return start<std::uint64_t>(from, pixels, channels, to, stride, stream);
  }
}

}  // namespace elver::cuda
