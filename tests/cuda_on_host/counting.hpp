#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "cuda_on_host/launcher.hpp"

namespace cuda_on_host {

/// What the accesses of one block cost by the hardware's rules: the k-th visit of a place in the source by each lane of a
/// warp is one instruction. Shared memory: as many wavefronts as the fullest of the 32 banks has different words. Global
/// memory: one for each different 32-byte sector.
class AccessCounter {
 public:
  void record(unsigned thread, const void* address, std::size_t bytes, Space space, const Where& where) {
    Visits& visits = pending_[Key{where.file_name(), where.line(), where.column(), space, thread / 32}];
    visits.bytes = bytes;
    const std::size_t k = visits.done[thread % 32]++;
    if (visits.groups.size() <= k) visits.groups.resize(k + 1);
    Group& group = visits.groups[k];
    group.at[thread % 32] = reinterpret_cast<std::uintptr_t>(address);
    group.mask |= 1U << thread % 32;
  }
  void flush(Counts& counts) {
    for (const auto& [key, visits] : pending_) {
      const auto& [file, line, column, space, warp] = key;
      Cost& cost = counts.sites[Site{file, line, column, space}];
      for (const Group& group : visits.groups) {
        ++cost.instructions;
        cost.lanes += static_cast<unsigned>(std::popcount(group.mask));
        cost.cost += space == Space::shared ? wavefronts(group, visits.bytes) : sectors(group, visits.bytes);
      }
    }
    pending_.clear();
  }

 private:
  using Key = std::tuple<const char*, unsigned, unsigned, Space, unsigned>;
  struct Group {
    std::array<std::uintptr_t, 32> at{};
    unsigned mask = 0;
  };
  struct Visits {
    std::vector<Group> groups;
    std::array<std::size_t, 32> done{};
    std::size_t bytes = 0;
  };

  static std::vector<std::uintptr_t> units(const Group& group, std::size_t bytes, unsigned first, unsigned last,
                                           std::size_t unit) {
    std::vector<std::uintptr_t> out;
    for (unsigned i = first; i < last; ++i) {
      if ((group.mask >> i & 1) == 0) continue;
      for (std::uintptr_t u = group.at[i] / unit; u <= (group.at[i] + bytes - 1) / unit; ++u) out.push_back(u);
    }
    std::ranges::sort(out);
    out.erase(std::ranges::unique(out).begin(), out.end());
    return out;
  }
  static std::uint64_t sectors(const Group& group, std::size_t bytes) { return units(group, bytes, 0, 32, 32).size(); }
  static std::uint64_t wavefronts(const Group& group, std::size_t bytes) {
    const unsigned lanes = 32 / static_cast<unsigned>(std::max<std::size_t>(1, bytes / 4));  // 8 bytes: half a warp
    std::uint64_t total = 0;
    for (unsigned first = 0; first < 32; first += lanes) {
      std::array<unsigned, 32> banks{};
      for (const std::uintptr_t word : units(group, bytes, first, first + lanes, 4)) ++banks[word % 32];
      total += *std::ranges::max_element(banks);
    }
    return total;
  }

  std::map<Key, Visits> pending_;
};

/// An index that knows where in the source it was written.
struct At {
  std::ptrdiff_t i;
  Where where;
  template <class Integer>
    requires std::is_integral_v<Integer>
  At(Integer index, Where w = Where::current()) : i(static_cast<std::ptrdiff_t>(index)), where(w) {}
};

/// A pointer whose accesses are counted, when somebody counts.
template <class T, Space space>
class Counted {
 public:
  Counted() = default;
  Counted(T* p) : p_(p) {}
  template <class U>
    requires std::is_convertible_v<U*, T*>
  Counted(const Counted<U, space>& other) : p_(other.get()) {}
  T& operator[](At at) const {
    if (options.counts != nullptr) record(p_ + at.i, sizeof(T), space, at.where);
    return p_[at.i];
  }
  Counted operator+(std::ptrdiff_t n) const { return p_ + n; }
  T* get() const { return p_; }

 private:
  T* p_ = nullptr;
};

}  // namespace cuda_on_host
