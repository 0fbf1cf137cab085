#include <cuda_runtime.h>
#include <gmock/gmock.h>

#include <cmath>
#include <vector>

#include "device.hpp"

// The launcher that the other CUDA tests stand on: it computes what a GPU would, and finds what a GPU would hang on.
namespace elver::test {
namespace {

using ::testing::HasSubstr;
using cuda_on_host::Misuse;
using cuda_on_host::Order;

class Launcher : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess); }
  void TearDown() override {
    cudaStreamDestroy(stream_);
    cuda_on_host::options = {};
  }
  template <class... P, class... A>
  void run(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared, A... arguments) {
    ASSERT_EQ(device::launch(kernel, grid, block, shared, stream_, arguments...), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  }
  template <class... P, class... A>
  std::string misuse(void (*kernel)(P...), dim3 block, std::size_t shared, A... arguments) {
    try {
      run(kernel, dim3(1), block, shared, arguments...);
    } catch (const Misuse& error) {
      return error.what();
    }
    return "no misuse";
  }
  cudaStream_t stream_ = nullptr;
};

__global__ void sum_kernel(const int* in, int n, int* out) {
  struct Partial;
  int* const partial = device::static_shared<Partial, int, 8>();
  int* const all = device::dynamic_shared<int>();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  all[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();
  int sum = all[(threadIdx.x + 1) % blockDim.x];  // somebody else's
  for (int by = 16; by > 0; by /= 2) sum += __shfl_sync(0xFFFFFFFFU, sum, static_cast<int>(threadIdx.x % 32) ^ by);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  const int odd = __syncthreads_or(threadIdx.x == 77 ? 1 : 0);
  if (threadIdx.x == 0 && odd != 0) {
    for (unsigned w = 1; w < blockDim.x / 32; ++w) sum += partial[w];
    atomicAdd(out, sum);
  }
}

TEST_F(Launcher, SumsByEveryWayThatThreadsMeet) {
  std::vector<int> values(1000);
  int wanted = 0;
  for (int i = 0; i < 1000; ++i) wanted += values[static_cast<std::size_t>(i)] = i * i % 37;
  for (const Order order : {Order::forward, Order::reverse, Order::random}) {
    cuda_on_host::options.order = order;
    int sum = 0;
    run(sum_kernel, dim3(4), dim3(256), 1024, values.data(), 1000, &sum);
    EXPECT_EQ(sum, wanted);
  }
}

__global__ void return_kernel() {
  if (threadIdx.x == 5) return;
  __syncthreads();
}
__global__ void two_places_kernel() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void absent_lane_kernel() {
  if (threadIdx.x < 31) __syncwarp();
  if (threadIdx.x == 31) __syncthreads();
}
__global__ void unnamed_kernel() { __ballot_sync(0xFFFFU, 1); }

TEST_F(Launcher, FindsThreadsThatWouldWaitForEver) {
  EXPECT_THAT(misuse(return_kernel, dim3(64), 0), HasSubstr("some threads returned"));
  EXPECT_THAT(misuse(two_places_kernel, dim3(64), 0), HasSubstr("two places in the source"));
  EXPECT_THAT(misuse(absent_lane_kernel, dim3(32), 0), HasSubstr("wait for each other for ever"));
  EXPECT_THAT(misuse(unnamed_kernel, dim3(32), 0), HasSubstr("does not name the calling lane"));
}

__global__ void unset_kernel(float* out) { *out = device::dynamic_shared<float>()[0]; }
__global__ void race_kernel(int* out) {
  int* const shared = device::dynamic_shared<int>();
  shared[0] = static_cast<int>(threadIdx.x);  // no barrier between
  *out = shared[0];
}

TEST_F(Launcher, ShowsUnsetMemoryAndOrderThatMatters) {
  float unset = 0;
  run(unset_kernel, dim3(1), dim3(1), 4, &unset);
  EXPECT_TRUE(std::isnan(unset));
  int forward = 0, reverse = 0;
  run(race_kernel, dim3(1), dim3(64), 4, &forward);
  cuda_on_host::options.order = Order::reverse;
  run(race_kernel, dim3(1), dim3(64), 4, &reverse);
  EXPECT_NE(forward, reverse);
}

__global__ void copy_kernel(const int* from, int* to) { to[threadIdx.x] = from[threadIdx.x]; }

// Work waits until somebody waits for it: what is read too early is not there.
TEST_F(Launcher, DoesNothingBeforeItIsWaitedFor) {
  const std::vector<int> from(8, 3);
  std::vector<int> to(8, 0);
  ASSERT_EQ(device::launch(copy_kernel, dim3(1), dim3(8), 0, stream_, from.data(), to.data()), cudaSuccess);
  EXPECT_EQ(to[0], 0);
  cudaStreamSynchronize(stream_);
  EXPECT_EQ(to[7], 3);
}

TEST_F(Launcher, RefusesWhatADeviceRefuses) {
  float out = 0;
  EXPECT_EQ(device::launch(unset_kernel, dim3(1), dim3(2048), 0, stream_, &out), cudaErrorInvalidConfiguration);
  EXPECT_EQ(device::launch(unset_kernel, dim3(1), dim3(1), 64 << 10, stream_, &out), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(unset_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 << 10), cudaSuccess);
  EXPECT_EQ(device::launch(unset_kernel, dim3(1), dim3(1), 64 << 10, stream_, &out), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);  // the kernel writes into this frame
  char* device = nullptr;
  ASSERT_EQ(cudaMalloc(&device, 16), cudaSuccess);
  char host[32] = {};
  EXPECT_EQ(cudaMemcpyAsync(device, host, 32, cudaMemcpyHostToDevice, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(device, host, 16, cudaMemcpyDeviceToHost, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
  EXPECT_EQ(cudaFree(device), cudaErrorInvalidValue);
}

__global__ void banks_kernel(float* out) {
  const device::shared_ptr<float> shared = device::dynamic_shared<float>();
  const device::global_ptr<float> to = out;
  shared[threadIdx.x] = 1;      // each lane its bank
  shared[threadIdx.x * 32] = 1; // all lanes one bank
  to[threadIdx.x] = 1;          // 128 bytes
  to[threadIdx.x * 16] = 1;     // each lane a sector
}

TEST_F(Launcher, CountsBanksAndSectors) {
  cuda_on_host::Counts counts;
  cuda_on_host::options.counts = &counts;
  void* block = cuda_on_host::allocate(32 * 16 * 4);  // aligned as device memory is
  run(banks_kernel, dim3(1), dim3(32), 32 * 32 * 4, static_cast<float*>(block));
  std::free(block);
  std::vector<std::uint64_t> cost;
  for (const auto& [site, c] : counts.sites) cost.push_back(c.cost);  // by line
  EXPECT_THAT(cost, ::testing::ElementsAre(1, 32, 4, 32));
}

}  // namespace
}  // namespace elver::test
