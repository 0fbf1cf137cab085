#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <utility>

#include "elver/error.hpp"
#include "io/reader.hpp"

namespace elver {
namespace {

[[noreturn]] void cannot_read(const std::filesystem::path& path, const std::string& why, const std::string& todo) {
  throw Error(ErrorKind::input, "cannot read " + path.string(), why, todo);
}

/// Closes a file descriptor on the way out.
struct Descriptor {
  explicit Descriptor(int opened) : number(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

/// The size of an open file that is one: not a folder, a pipe or a device.
std::size_t size_of(const Descriptor& file, const std::filesystem::path& path) {
  if (file.number < 0) cannot_read(path, std::strerror(errno), "Check the name and the permissions");
  struct stat facts {};
  if (::fstat(file.number, &facts) != 0) cannot_read(path, std::strerror(errno), "");
  if (S_ISDIR(facts.st_mode)) {
    std::error_code ignored;
    for (const char* mark : {".zgroup", "zarr.json"}) {
      if (std::filesystem::exists(path / mark, ignored))
        cannot_read(path, "it is a Zarr store (HyperSpy's .zspy), which elver does not read", "Save it as .hspy");
    }
    cannot_read(path, "it is a folder", "Give a file");
  }
  if (!S_ISREG(facts.st_mode)) cannot_read(path, "it is not a regular file", "Save it to disk first");
  if (facts.st_size == 0) cannot_read(path, "it is empty", "");
  return static_cast<std::size_t>(facts.st_size);
}

/// Without waiting for whoever may write into a pipe.
constexpr int kReadAtOnce = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

}  // namespace

void check_file(const std::filesystem::path& path) { size_of(Descriptor(::open(path.c_str(), kReadAtOnce)), path); }

/// A mapped file. Linux answers a read behind the end of a file that has become shorter with SIGBUS.
struct Mapping {
  Mapping(std::filesystem::path from, Descriptor&& opened, std::size_t bytes);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::filesystem::path path;
  int file;
  std::byte* start = nullptr;
  std::size_t size;
  mutable std::atomic<bool> cut{false};  ///< a page of it was not there
};

namespace {

/// All mappings, for the signal handler. One that finds no place is not guarded.
std::array<std::atomic<const Mapping*>, 1024> mappings;
struct sigaction before_ours;
const auto page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));

/// Puts a page of zeros where the file has none any more: the read goes on, and check_whole says what happened. Nothing
/// but what a signal handler may do.
void on_missing_page(int signal, siginfo_t* facts, void* context) {
  const std::uintptr_t page = page_bytes;
  const auto at = reinterpret_cast<std::uintptr_t>(facts->si_addr);
  for (const auto& place : mappings) {
    const Mapping* const mapping = place.load(std::memory_order_acquire);
    if (mapping == nullptr) continue;
    const auto start = reinterpret_cast<std::uintptr_t>(mapping->start);
    if (at < start || at >= start + mapping->size) continue;
    void* const zeros = ::mmap(reinterpret_cast<void*>(at / page * page), page, PROT_READ,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    mapping->cut.store(true);
    return;
  }
  if ((before_ours.sa_flags & SA_SIGINFO) != 0) return before_ours.sa_sigaction(signal, facts, context);
  if (before_ours.sa_handler != SIG_DFL && before_ours.sa_handler != SIG_IGN) return before_ours.sa_handler(signal);
  ::signal(signal, SIG_DFL);  // not ours: the read is tried again, and ends the program
}

void guard_pages() {
  static const bool guarded = [] {
    struct sigaction ours {};
    ours.sa_sigaction = on_missing_page;
    ours.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&ours.sa_mask);
    return ::sigaction(SIGBUS, &ours, &before_ours) == 0;
  }();
  static_cast<void>(guarded);
}

}  // namespace

Mapping::Mapping(std::filesystem::path from, Descriptor&& opened, std::size_t bytes)
    : path(std::move(from)), file(opened.number), size(bytes) {
  guard_pages();
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapped == MAP_FAILED) cannot_read(path, std::strerror(errno), "");
  opened.number = -1;
  start = static_cast<std::byte*>(mapped);
  for (auto& place : mappings) {
    const Mapping* none = nullptr;
    if (place.compare_exchange_strong(none, this)) break;
  }
}

Mapping::~Mapping() {
  for (auto& place : mappings) {
    const Mapping* self = this;
    if (place.compare_exchange_strong(self, nullptr)) break;
  }
  ::munmap(start, size);
  ::close(file);
}

Bytes map_file(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), kReadAtOnce));
  const std::size_t size = size_of(file, path);
  const auto mapping = std::make_shared<const Mapping>(path, std::move(file), size);
  return {{mapping->start, size}, mapping, mapping->file, mapping.get()};
}

Bytes map_again(const Bytes& bytes) {
  if (bytes.mapping == nullptr) return bytes;
  const Mapping& first = *bytes.mapping;
  Descriptor file(::fcntl(first.file, F_DUPFD_CLOEXEC, 0));
  if (file.number < 0) return bytes;
  try {
    const auto mapping = std::make_shared<const Mapping>(first.path, std::move(file), first.size);
    return {{mapping->start, first.size}, mapping, mapping->file, mapping.get()};
  } catch (const Error&) {
    return bytes;  // no room for it among the addresses
  }
}

namespace {

[[noreturn]] void fail_on(const Bytes& bytes, const std::string& why) {
  throw Error(ErrorKind::input, "cannot read on in " + (bytes.mapping != nullptr ? bytes.mapping->path.string() : "the file"), why,
              "Wait until whoever writes it is done, and check the disk");
}

constexpr const char* kShorter = "it has become shorter while it was read, or its disk fails";

}  // namespace

void check_whole(const Bytes& bytes) {
  if (bytes.mapping != nullptr && bytes.mapping->cut) fail_on(bytes, kShorter);
}

void copy_from_file(const Bytes& bytes, std::size_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = ::pread(bytes.file, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail_on(bytes, got < 0 ? std::strerror(errno) : kShorter);
    offset += static_cast<std::size_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

namespace {

struct Pages {
  void* first;
  std::size_t bytes;
};

/// The pages that hold some bytes of a mapping.
Pages pages_of(std::span<const std::byte> part) {
  const std::uintptr_t page = page_bytes;
  const auto start = reinterpret_cast<std::uintptr_t>(part.data());
  const std::uintptr_t first = start / page * page;
  return {reinterpret_cast<void*>(first), start + part.size() - first};
}

}  // namespace

void will_need(const Bytes& bytes, std::span<const std::byte> part) noexcept {
  if (bytes.file < 0 || part.empty()) return;
  const Pages pages = pages_of(part);
  ::madvise(pages.first, pages.bytes, MADV_WILLNEED);
}

void fetch(const Bytes& bytes, std::span<const std::byte> part) {
  if (bytes.file < 0 || part.empty()) return;
  // Around a page that is read Linux maps its neighbours, 64 KiB that are aligned. To ask for all pages at once
  // (MADV_POPULATE_READ) takes longer: there each page is looked up by itself.
  constexpr std::uintptr_t kAround = 64 << 10;
  const volatile std::byte* at = part.data();
  const volatile std::byte* const end = at + part.size();
  while (at < end) {
    static_cast<void>(*at);
    at += kAround - reinterpret_cast<std::uintptr_t>(at) % kAround;
  }
  check_whole(bytes);
}

void give_back_pages(const Bytes& bytes) noexcept {
  if (bytes.file < 0) return;
  // Read-only and never changed: who reads on finds the same bytes, out of the system's own cache.
  ::madvise(const_cast<std::byte*>(bytes.span.data()), bytes.span.size(), MADV_DONTNEED);
}

}  // namespace elver
