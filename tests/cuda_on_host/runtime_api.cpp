#include "cuda_on_host/runtime_api.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <set>
#include <utility>

#include "cuda_on_host/stacks.hpp"

namespace cuda_on_host {

struct Event {
  std::chrono::steady_clock::time_point at;
};

class Stream {
 public:
  void add(std::function<void()> work) {
    const std::lock_guard lock(device_mutex);
    work_.push_back(std::move(work));
    if (!options.lazy) run();
  }
  void run() {
    const std::lock_guard lock(device_mutex);
    while (!work_.empty()) {
      const std::function<void()> next = std::move(work_.front());
      work_.pop_front();
      next();
    }
  }

 private:
  std::deque<std::function<void()>> work_;
};

namespace {

struct State {
  std::map<char*, std::pair<std::size_t, int>> memory;  ///< bytes, device
  std::map<const void*, int> shared_limits;
  std::set<cudaStream_t> streams;
  std::size_t objects = 0;
  cudaError_t last = cudaSuccess;
};
State& state() {
  static State s;
  return s;
}
thread_local int current_device = 0;

cudaError_t set(cudaError_t error) {
  if (error != cudaSuccess) state().last = error;
  return error;
}
/// True when the test wants this call to fail.
bool fails(const char* call) {
  if (options.fail_call != call) return false;
  options.fail_call.clear();
  return true;
}

bool on_device(const void* p, std::size_t bytes) {
  auto& memory = state().memory;
  auto after = memory.upper_bound(static_cast<char*>(const_cast<void*>(p)));
  if (after == memory.begin()) return false;
  --after;
  return static_cast<const char*>(p) + bytes <= after->first + after->second.first;
}

/// Device memory is out of bounds for the host, except while the device works.
void poison([[maybe_unused]] bool on) {
#if defined(__SANITIZE_ADDRESS__)
  for (const auto& [p, held] : state().memory) {
    if (on) {
      __asan_poison_memory_region(p, held.first);
    } else {
      __asan_unpoison_memory_region(p, held.first);
    }
  }
#endif
}
struct Open {
  Open() { poison(false); }
  ~Open() { poison(true); }
};

}  // namespace

cudaError_t allocate_device(void** p, std::size_t bytes, const char* call) {
  const std::lock_guard lock(device_mutex);
  if (fails(call)) return set(cudaErrorUnknown);
  std::size_t held = 0;
  for (const auto& [at, block] : state().memory) held += block.second == current_device ? block.first : 0;
  if (held + bytes > options.device_bytes) return set(cudaErrorMemoryAllocation);
  *p = allocate(bytes);
  state().memory[static_cast<char*>(*p)] = {bytes, current_device};
  poison(true);
  return cudaSuccess;
}

cudaError_t check_launch(const cudaLaunchConfig_t& c, const void* kernel) {
  const std::lock_guard lock(device_mutex);
  if (fails("cudaLaunchKernelEx")) return set(cudaErrorUnknown);
  const unsigned long long threads = 1ULL * c.blockDim.x * c.blockDim.y * c.blockDim.z;
  const unsigned long long blocks = 1ULL * c.gridDim.x * c.gridDim.y * c.gridDim.z;
  if (threads == 0 || threads > 1024 || c.blockDim.z > 64 || blocks == 0 || c.gridDim.x > 0x7FFFFFFFU ||
      c.gridDim.y > 65535 || c.gridDim.z > 65535) {
    return set(cudaErrorInvalidConfiguration);
  }
  const auto limit = state().shared_limits.find(kernel);
  const std::size_t allowed = limit == state().shared_limits.end() ? 48U << 10 : static_cast<std::size_t>(limit->second);
  return set(c.dynamicSmemBytes > allowed ? cudaErrorInvalidValue : cudaSuccess);
}

void enqueue(cudaStream_t stream, std::function<void()> work) {
  stream->add([work = std::move(work)] {
    const Open open;
    work();
  });
}

cudaError_t allow_shared(const void* kernel, int bytes) {
  const std::lock_guard lock(device_mutex);
  if (fails("cudaFuncSetAttribute")) return set(cudaErrorUnknown);
  if (bytes < 0 || bytes > 227 << 10) return set(cudaErrorInvalidValue);
  state().shared_limits[kernel] = bytes;
  return cudaSuccess;
}

std::size_t live_device_bytes() {
  std::size_t held = 0;
  for (const auto& [at, block] : state().memory) held += block.first;
  return held;
}
std::size_t live_objects() { return state().objects; }

}  // namespace cuda_on_host

using namespace cuda_on_host;

cudaError_t cudaFree(void* p) {
  const std::lock_guard lock(device_mutex);
  if (p == nullptr) return cudaSuccess;
  if (state().memory.count(static_cast<char*>(p)) == 0) return set(cudaErrorInvalidValue);
  poison(false);
  state().memory.erase(static_cast<char*>(p));
  std::free(p);
  poison(true);
  return cudaSuccess;
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  stream->add([p] { cudaFree(p); });
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** p, std::size_t bytes, unsigned) {
  const std::lock_guard lock(device_mutex);
  if (fails("cudaHostAlloc")) return set(cudaErrorUnknown);
  *p = allocate(bytes);
  ++state().objects;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  const std::lock_guard lock(device_mutex);
  std::free(p);
  --state().objects;
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const std::lock_guard lock(device_mutex);
  if (fails("cudaMemcpyAsync")) return set(cudaErrorUnknown);
  if (bytes == 0) return cudaSuccess;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (on_device(to, to_device ? bytes : 1) != to_device || on_device(from, from_device ? bytes : 1) != from_device) {
    return set(cudaErrorInvalidValue);
  }
  enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, std::size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(device_mutex);
  if (fails("cudaMemsetAsync")) return set(cudaErrorUnknown);
  if (bytes > 0 && !on_device(p, bytes)) return set(cudaErrorInvalidValue);
  enqueue(stream, [=] { std::memset(p, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(device_mutex);
  if (fails("cudaStreamCreateWithFlags")) return set(cudaErrorUnknown);
  *stream = new Stream;
  state().streams.insert(*stream);
  ++state().objects;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(device_mutex);
  stream->run();
  state().streams.erase(stream);
  delete stream;
  --state().objects;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  stream->run();
  const std::lock_guard lock(device_mutex);
  return fails("cudaStreamSynchronize") ? set(cudaErrorUnknown) : cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  const std::lock_guard lock(device_mutex);
  for (const cudaStream_t stream : state().streams) stream->run();
  return fails("cudaDeviceSynchronize") ? set(cudaErrorUnknown) : cudaSuccess;
}
/// From memory that others may own: which side it lies on is not looked at.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
  const std::lock_guard lock(device_mutex);
  if (fails("cudaMemcpy")) return set(cudaErrorUnknown);
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  const std::lock_guard lock(device_mutex);
  if (fails("cudaEventCreateWithFlags")) return set(cudaErrorUnknown);
  *event = new Event;
  ++state().objects;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(device_mutex);
  delete event;
  --state().objects;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (fails("cudaEventRecord")) return set(cudaErrorUnknown);
  stream->add([event] { event->at = std::chrono::steady_clock::now(); });
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t first, cudaEvent_t last) {
  if (fails("cudaEventElapsedTime")) return set(cudaErrorUnknown);
  *milliseconds = std::chrono::duration<float, std::milli>(last->at - first->at).count();
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = options.devices;
  return set(options.devices > 0 ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) {
  if (fails("cudaSetDevice")) return set(cudaErrorUnknown);
  if (device < 0 || device >= options.devices) return set(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  if (fails("cudaGetDeviceProperties")) return set(cudaErrorUnknown);
  *p = {};
  std::snprintf(p->name, sizeof p->name, "this processor, by fibers");
  p->major = 9;
  p->multiProcessorCount = 4;
  p->totalGlobalMem = options.device_bytes;
  p->sharedMemPerBlockOptin = 227 << 10;
  p->sharedMemPerMultiprocessor = 228 << 10;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 0, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = 0, cudaSuccess; }
cudaError_t cudaGetLastError() { return std::exchange(state().last, cudaSuccess); }
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    default:
      return "unknown error";
  }
}
