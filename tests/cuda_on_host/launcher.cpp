#include "cuda_on_host/launcher.hpp"

#include <boost/context/fiber.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "cuda_on_host/counting.hpp"
#include "cuda_on_host/kernel_words.hpp"
#include "cuda_on_host/stacks.hpp"

thread_local uint3 threadIdx{}, blockIdx{};
thread_local dim3 blockDim{}, gridDim{};

namespace cuda_on_host {

Options options;
std::recursive_mutex device_mutex;

namespace {

enum class State : std::uint8_t { ready, at_barrier, in_warp, returned };

std::string text(const Where& where) {
  const std::string file = where.file_name();
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}
std::string text(uint3 i) {
  return "(" + std::to_string(i.x) + "," + std::to_string(i.y) + "," + std::to_string(i.z) + ")";
}
bool same_place(const Where& a, const Where& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

struct Thread {
  boost::context::fiber fiber;
  Switches switches;
  uint3 at{};
  unsigned index = 0;
  State state = State::ready;
  Collective collective = Collective::sync;
  unsigned mask = 0, source = 0;
  std::uint64_t value = 0, result = 0;
  Where where;
};

/// One block on its way.
class Block {
 public:
  Block(dim3 block, uint3 index, std::size_t shared_bytes, const std::function<void()>& body, std::mt19937_64& random)
      : index_(index), body_(body), random_(random), dynamic_(allocate(shared_bytes), &std::free) {
    threads_.resize(block.x * block.y * block.z);
    for (unsigned i = 0; i < threads_.size(); ++i) {
      threads_[i].index = i;
      threads_[i].at = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
    }
  }
  ~Block() { abandon(); }
  void run();

  void* dynamic() { return dynamic_.get(); }
  void* statics(const void* tag, std::size_t bytes) {
    for (const auto& [known, memory] : statics_) {
      if (known == tag) return memory.get();
    }
    return statics_.emplace_back(tag, Memory(allocate(bytes), &std::free)).second.get();
  }
  int barrier(int term, const Where& where);
  std::uint64_t meet(Collective what, unsigned mask, std::uint64_t value, unsigned source, const Where& where);
  Thread& current() { return *current_; }
  AccessCounter& counter() { return counter_; }

 private:
  using Memory = std::unique_ptr<void, void (*)(void*)>;
  void start(Thread& thread);
  void resume(Thread& thread);
  void wait();
  void try_barrier();
  void try_meeting(Thread& any);
  void abandon();
  std::string waiting() const;
  [[noreturn]] void fail(const std::string& what) const {
    throw Misuse(what + " in block " + text(index_) + ", thread " + text(current_->at) + waiting());
  }

  uint3 index_;
  const std::function<void()>& body_;
  std::mt19937_64& random_;
  std::vector<Thread> threads_;
  Memory dynamic_;
  std::vector<std::pair<const void*, Memory>> statics_;
  Thread* current_ = nullptr;
  boost::context::fiber scheduler_;
  std::exception_ptr error_;
  unsigned arrived_ = 0, returned_ = 0;
  int sum_ = 0, barrier_result_ = 0;
  Where barrier_where_;
  AccessCounter counter_;
};

thread_local Block* running = nullptr;

void Block::start(Thread& thread) {
  thread.fiber = boost::context::fiber(std::allocator_arg, StackPool(thread.switches), [this, &thread](boost::context::fiber&& from) {
    scheduler_ = std::move(from);
    const Switches::Life life(thread.switches);
    try {
      body_();
      thread.state = State::returned;
      ++returned_;
      try_barrier();
      for (unsigned i = thread.index / 32 * 32; i < std::min<std::size_t>(threads_.size(), thread.index / 32 * 32 + 32);
           ++i) {
        if (threads_[i].state == State::in_warp) try_meeting(threads_[i]);
      }
    } catch (const boost::context::detail::forced_unwind&) {
      throw;
    } catch (...) {
      error_ = std::current_exception();
      thread.state = State::returned;
    }
    return std::move(scheduler_);
  });
}

void Block::resume(Thread& thread) {
  current_ = &thread;
  threadIdx = thread.at;
  if (!thread.fiber && thread.state == State::ready) start(thread);
  const Switches::Visit visit(thread.switches);
  thread.fiber = std::move(thread.fiber).resume();
}

/// The running thread cannot go on: back to the scheduler, which returns when it can.
void Block::wait() {
  Thread& me = *current_;
  const Switches::Leave leave(me.switches);
  scheduler_ = std::move(scheduler_).resume();
}

void Block::run() {
  std::vector<unsigned> order;
  while (returned_ < threads_.size()) {
    order.clear();
    for (const Thread& thread : threads_) {
      if (thread.state == State::ready) order.push_back(thread.index);
    }
    if (order.empty()) throw Misuse("threads wait for each other for ever in block " + text(index_) + waiting());
    if (options.order == Order::reverse) std::ranges::reverse(order);
    if (options.order == Order::random) std::ranges::shuffle(order, random_);
    for (const unsigned i : order) {
      resume(threads_[i]);
      if (error_) std::rethrow_exception(error_);
    }
  }
  if (options.counts != nullptr) {
    counter_.flush(*options.counts);
    ++options.counts->blocks;
  }
}

/// Ends the threads that never will by themselves.
void Block::abandon() {
  for (Thread& thread : threads_) {
    if (!thread.fiber) continue;
    current_ = &thread;
    const Switches::Visit visit(thread.switches);
    thread.fiber = boost::context::fiber();
  }
}

std::string Block::waiting() const {
  std::map<std::string, std::pair<unsigned, uint3>> groups;
  for (const Thread& t : threads_) {
    std::string what = "can run";
    if (t.state == State::returned) what = "returned";
    if (t.state == State::at_barrier) what = "at the barrier of " + text(t.where);
    if (t.state == State::in_warp) what = "in a warp's meeting at " + text(t.where) + ", mask " + std::to_string(t.mask);
    ++groups.try_emplace(what, 0U, t.at).first->second.first;
  }
  std::string out;
  for (const auto& [what, group] : groups) {
    out += "; " + std::to_string(group.first) + " threads " + what + ", first " + text(group.second);
  }
  return out;
}

void Block::try_barrier() {
  if (arrived_ == 0 || arrived_ + returned_ < threads_.size()) return;
  if (returned_ > 0) fail("divergent __syncthreads: some threads returned");
  barrier_result_ = sum_;
  arrived_ = 0;
  sum_ = 0;
  if (options.counts != nullptr) ++options.counts->barriers;
  for (Thread& t : threads_) t.state = State::ready;
}

int Block::barrier(int term, const Where& where) {
  Thread& me = *current_;
  if (arrived_++ == 0) barrier_where_ = where;
  me.where = where;
  me.state = State::at_barrier;
  if (!same_place(barrier_where_, where)) fail("divergent __syncthreads: two places in the source");
  sum_ += term;
  try_barrier();
  if (me.state != State::ready) wait();
  return barrier_result_;
}

void Block::try_meeting(Thread& any) {
  Thread* const warp = &threads_[any.index / 32 * 32];
  const unsigned width = std::min<unsigned>(32, static_cast<unsigned>(threads_.size()) - any.index / 32 * 32);
  unsigned here = 0;
  for (unsigned i = 0; i < width; ++i) {
    if ((any.mask >> i & 1) == 0 || warp[i].state == State::returned) continue;
    if (warp[i].state != State::in_warp || warp[i].mask != any.mask || warp[i].collective != any.collective) return;
    here |= 1U << i;
  }
  unsigned ballot = 0;
  for (unsigned i = 0; i < width; ++i) {
    if ((here >> i & 1) != 0 && warp[i].value != 0) ballot |= 1U << i;
  }
  for (unsigned i = 0; i < width; ++i) {
    if ((here >> i & 1) == 0) continue;
    if (any.collective == Collective::shuffle) {
      if ((here >> warp[i].source & 1) == 0) {
        fail("lane " + std::to_string(i) + " reads lane " + std::to_string(warp[i].source) +
             ", which the mask does not name or which has returned,");
      }
      warp[i].result = warp[warp[i].source].value;
    } else {
      warp[i].result = ballot;
    }
    warp[i].state = State::ready;
  }
}

std::uint64_t Block::meet(Collective what, unsigned mask, std::uint64_t value, unsigned source, const Where& where) {
  Thread& me = *current_;
  me.collective = what;
  me.mask = mask;
  me.value = value;
  me.source = source;
  me.where = where;
  if ((mask >> me.index % 32 & 1) == 0) fail("the mask does not name the calling lane");
  me.state = State::in_warp;
  try_meeting(me);
  if (me.state != State::ready) wait();
  return me.result;
}

}  // namespace

void* dynamic_shared() { return running->dynamic(); }
void* static_shared(const void* tag, std::size_t bytes) { return running->statics(tag, bytes); }
int wait_block(int term, Where where) { return running->barrier(term, where); }
std::uint64_t wait_warp(Collective what, unsigned mask, std::uint64_t value, unsigned source, Where where) {
  return running->meet(what, mask, value, source, where);
}
unsigned lane_index() { return running->current().index % 32; }
void record(const void* address, std::size_t bytes, Space space, const Where& where) {
  running->counter().record(running->current().index, address, bytes, space, where);
}

void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 1024, std::max<std::size_t>(bytes, 1)) != 0) throw std::bad_alloc();
  return std::memset(memory, 0xFF, bytes);
}

void run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& body) {
  const std::lock_guard lock(device_mutex);
  std::mt19937_64 random(options.seed);
  std::vector<unsigned> order(static_cast<std::size_t>(grid.x) * grid.y * grid.z);
  std::iota(order.begin(), order.end(), 0U);
  if (options.order == Order::reverse) std::ranges::reverse(order);
  if (options.order == Order::random) std::ranges::shuffle(order, random);
  blockDim = block;
  gridDim = grid;
  for (const unsigned k : order) {
    blockIdx = {k % grid.x, k / grid.x % grid.y, k / (grid.x * grid.y)};
    Block one(block, blockIdx, shared_bytes, body, random);
    running = &one;
    one.run();
  }
  running = nullptr;
}

}  // namespace cuda_on_host
