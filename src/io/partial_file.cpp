#include "io/partial_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "elver/error.hpp"
#include "types/inputs.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

/// The process in a hidden name; 0 where it is none.
int process_of(const std::string& name) {
  int process = 0, end = 0, number = 0;
  const auto whole = [&] { return end == static_cast<int>(name.size()) && process > 0; };
  if (std::sscanf(name.c_str(), ".elver-%d.partial%n", &process, &end) == 1 && whole()) return process;
  end = 0;
  if (std::sscanf(name.c_str(), ".elver-%d-%d.partial%n", &process, &number, &end) == 2 && whole()) return process;
  return 0;
}

void take_away(const fs::path& left, const fs::path& directory) {
  std::error_code ignored;
  for (const fs::directory_entry& old : fs::directory_iterator(left / "older", ignored))
    fs::rename(old.path(), directory / old.path().filename(), ignored);
  fs::remove_all(left, ignored);
}

}  // namespace

fs::path shown(const fs::path& path) {
  fs::path out;
  for (const fs::path& part : path) {
    if (process_of(part.string()) == 0) out /= part;
  }
  return out;
}

void cannot_write(const fs::path& path, const std::string& why) {
  throw Error(ErrorKind::output, "cannot write " + shown(path).string(), why,
              "Check the folder, its permissions and the space left");
}

std::string hidden_name(int number) {
  const int process = static_cast<int>(::getpid());
  return number < 0 ? text(".elver-%d.partial", process) : text(".elver-%d-%d.partial", process, number);
}

void sweep(const fs::path& directory) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const int process = process_of(entry.path().filename().string());
    const bool gone = process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
    if (!gone && process != ::getpid()) continue;  // numbers come again: one of ours is another's, or locked
    const int left = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (left < 0) continue;
    if (::flock(left, LOCK_EX | LOCK_NB) == 0) take_away(entry.path(), directory);
    ::close(left);
  }
}

PartialFile::PartialFile(fs::path target) : target_(std::move(target)) {
  static std::atomic<int> count{0};
  std::error_code ignored;
  if (target_.filename().empty() || fs::is_directory(target_, ignored)) {
    throw Error(ErrorKind::output, "cannot write " + shown(target_).string(), "it is a folder", "Name a file");
  }
  refuse_input(target_, shown(target_));
  for (int links = 0; links < 8 && fs::is_symlink(target_, ignored); ++links)  // where they lead to, as any program would
    target_ = target_.parent_path() / fs::read_symlink(target_, ignored);
  const fs::path directory = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  sweep(directory);
  hidden_ = directory / hidden_name(count.fetch_add(1));
  file_ = ::open(hidden_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666);
  if (file_ < 0) cannot_write(target_, std::strerror(errno));
  ::flock(file_, LOCK_EX | LOCK_NB);  // where locks are not to be had, the process number serves
}

PartialFile::~PartialFile() {
  if (file_ < 0) return;
  std::error_code ignored;
  fs::remove(hidden_, ignored);
  ::close(file_);
}

void PartialFile::put(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) cannot_write(target_, std::strerror(written < 0 ? errno : ENOSPC));
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void PartialFile::commit() {
  const int closed = ::close(std::exchange(file_, -1));
  const int why = errno;  // a network drive says so only now
  std::error_code error, ignored;
  if (closed == 0) fs::rename(hidden_, target_, error);
  if (closed == 0 && !error) return;
  fs::remove(hidden_, ignored);
  cannot_write(target_, closed != 0 ? std::strerror(why) : error.message());
}

}  // namespace elver
