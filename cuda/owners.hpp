#pragma once
#include <cuda_runtime.h>

#include <utility>
#include <vector>

#include "check.hpp"

/// Owners of what CUDA hands out. They are closed without a word: what failed was told where it failed.
namespace elver::cuda {

class StreamOwner {
 public:
  StreamOwner() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"); }
  ~StreamOwner() {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }
  StreamOwner(StreamOwner&& o) noexcept : stream_(std::exchange(o.stream_, nullptr)) {}
  StreamOwner& operator=(StreamOwner&&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class EventOwner {
 public:
  EventOwner() { check(cudaEventCreateWithFlags(&event_, cudaEventDefault), "cudaEventCreateWithFlags"); }
  ~EventOwner() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  EventOwner(EventOwner&& o) noexcept : event_(std::exchange(o.event_, nullptr)) {}
  EventOwner& operator=(EventOwner&&) = delete;
  void record(cudaStream_t stream) const { check(cudaEventRecord(event_, stream), "cudaEventRecord"); }
  /// Seconds from this one to a later one; both have happened.
  double seconds_to(const EventOwner& later) const {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, event_, later.event_), "cudaEventElapsedTime");
    return 1e-3 * static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Device memory of a stream: free when the stream's work is done. The stream must outlive it.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(std::size_t bytes, cudaStream_t stream) : stream_(stream) {
    if (bytes > 0) check(cudaMallocAsync(&data_, bytes, stream), "cudaMallocAsync");
  }
  /// A copy of `values`, which must stay until the stream is waited for.
  template <class T>
  DeviceMemory(const std::vector<T>& values, cudaStream_t stream) : DeviceMemory(values.size() * sizeof(T), stream) {
    if (values.empty()) return;
    check(cudaMemcpyAsync(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, stream),
          "cudaMemcpyAsync");
  }
  ~DeviceMemory() {
    if (data_ != nullptr) cudaFreeAsync(data_, stream_);
  }
  DeviceMemory(DeviceMemory&& o) noexcept : data_(std::exchange(o.data_, nullptr)), stream_(o.stream_) {}
  DeviceMemory& operator=(DeviceMemory&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(stream_, o.stream_);
    return *this;
  }
  template <class T>
  T* as(std::size_t byte = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(data_) + byte);
  }

 private:
  void* data_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

/// Host memory that a device copies from and to by itself.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  explicit PinnedMemory(std::size_t bytes) : bytes_(bytes) {
    if (bytes > 0) check(cudaHostAlloc(&data_, bytes, cudaHostAllocDefault), "cudaHostAlloc");
  }
  ~PinnedMemory() {
    if (data_ != nullptr) cudaFreeHost(data_);
  }
  PinnedMemory(PinnedMemory&& o) noexcept : data_(std::exchange(o.data_, nullptr)), bytes_(o.bytes_) {}
  PinnedMemory& operator=(PinnedMemory&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  template <class T>
  T* as(std::size_t byte = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(data_) + byte);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace elver::cuda
