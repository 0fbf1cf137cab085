#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

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
  if (S_ISDIR(facts.st_mode)) cannot_read(path, "it is a folder", "Give a file");
  if (!S_ISREG(facts.st_mode)) cannot_read(path, "it is not a regular file", "Save it to disk first");
  if (facts.st_size == 0) cannot_read(path, "it is empty", "");
  return static_cast<std::size_t>(facts.st_size);
}

/// Without waiting for whoever may write into a pipe.
constexpr int kReadAtOnce = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

}  // namespace

void check_file(const std::filesystem::path& path) { size_of(Descriptor(::open(path.c_str(), kReadAtOnce)), path); }

Bytes map_file(const std::filesystem::path& path) {
  const auto file = std::make_shared<Descriptor>(::open(path.c_str(), kReadAtOnce));
  const std::size_t size = size_of(*file, path);
  void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file->number, 0);
  if (start == MAP_FAILED) cannot_read(path, std::strerror(errno), "");
  return {{static_cast<const std::byte*>(start), size},
          std::shared_ptr<const void>(start, [size, file](void* mapped) { ::munmap(mapped, size); }),
          file->number};
}

void copy_from_file(const Bytes& bytes, std::size_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = ::pread(bytes.file, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw Error(ErrorKind::input, "cannot read on", got < 0 ? std::strerror(errno) : "the file has become shorter");
    }
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
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
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
#ifdef MADV_POPULATE_READ  // Linux 5.14; elsewhere each page is fetched when it is first read
  const Pages pages = pages_of(part);
  while (::madvise(pages.first, pages.bytes, MADV_POPULATE_READ) != 0) {
    if (errno == EINTR) continue;
    if (errno == EFAULT) throw Error(ErrorKind::input, "cannot read on", "the file has become shorter, or its disk fails");
    return;
  }
#endif
}

void give_back(const Bytes& bytes, std::span<const std::byte> part) noexcept {
  if (bytes.file < 0 || part.empty()) return;
  // Around a page that is fetched Linux maps its neighbours, 64 KiB at most: those behind were given back before.
  constexpr std::ptrdiff_t kAround = 64 << 10;
  const std::ptrdiff_t before = std::min(kAround, part.data() - bytes.span.data());
  const Pages pages = pages_of({part.data() - before, part.size() + static_cast<std::size_t>(before)});
  ::madvise(pages.first, pages.bytes, MADV_DONTNEED);
}

void give_back_pages(const Bytes& bytes) noexcept {
  if (bytes.file < 0) return;
  // Read-only and never changed: who reads on finds the same bytes, out of the system's own cache.
  ::madvise(const_cast<std::byte*>(bytes.span.data()), bytes.span.size(), MADV_DONTNEED);
}

}  // namespace elver
