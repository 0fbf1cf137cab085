#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_write(const fs::path& path, const std::string& why) {
  throw Error(ErrorKind::output, "cannot write " + path.string(), why,
              "Check the folder, its permissions and the space left");
}

fs::path beside(const fs::path& path) {
  return path.parent_path() / text(".%s.%d.partial", path.filename().c_str(), static_cast<int>(::getpid()));
}

void write_bytes(const fs::path& path, std::span<const std::byte> bytes) {
  errno = 0;
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream) cannot_write(path, std::strerror(errno != 0 ? errno : EIO));
}

/// What runs that were killed left in a folder: their process is gone, and nobody holds the lock on their staging folder.
/// One that was killed while it renamed its files gets the older ones back first.
void sweep(const fs::path& directory) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    int process = 0, end = 0;
    if (std::sscanf(name.c_str(), ".elver-%d.partial%n", &process, &end) != 1 || end != static_cast<int>(name.size())) continue;
    const bool gone = process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
    if (!gone && process != ::getpid()) continue;  // numbers come again: one of ours is another's, or locked
    const int folder = ::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0) continue;
    if (::flock(folder, LOCK_EX | LOCK_NB) == 0) {
      std::error_code ignored;
      for (const fs::directory_entry& old : fs::directory_iterator(entry.path() / "older", ignored))
        fs::rename(old.path(), directory / old.path().filename(), ignored);
      fs::remove_all(entry.path(), ignored);
    }
    ::close(folder);
  }
}

}  // namespace

OutputSet::OutputSet(fs::path directory) : directory_(std::move(directory)) {
  if (directory_.empty()) {
    throw Error(ErrorKind::usage, "no folder to write into", "its name is empty", "Name one with --out");
  }
  staging_ = directory_ / text(".elver-%d.partial", static_cast<int>(::getpid()));
  std::error_code error;
  for (fs::path path = fs::absolute(directory_, error).lexically_normal();
       !error && !path.empty() && !fs::exists(path, error); path = path.parent_path()) {
    if (path.has_filename()) made_.push_back(path);
  }
  sweep(directory_);
  fs::create_directories(staging_, error);
  if (!error) {
    lock_ = ::open(staging_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ >= 0) ::flock(lock_, LOCK_EX | LOCK_NB);  // where locks are not to be had, the process number serves
    return;
  }
  const std::string why = error.message();
  for (const fs::path& path : made_) fs::remove(path, error);
  cannot_write(directory_, why);
}

OutputSet::~OutputSet() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  if (lock_ >= 0) ::close(lock_);
  for (const fs::path& path : made_) fs::remove(path, ignored);  // only empty ones can be removed
}

fs::path OutputSet::stage(const std::string& name) {
  names_.push_back(name);
  return staging_ / name;
}

void OutputSet::write_text(const std::string& name, std::string_view content) {
  write_bytes(stage(name), std::as_bytes(std::span(content)));
}

void OutputSet::supersede(const std::string& name) { superseded_.push_back(name); }

void OutputSet::commit() {
  const fs::path older = staging_ / "older";
  std::vector<std::pair<fs::path, fs::path>> done;  // from, to: undone backwards when one fails
  const auto move = [&](const fs::path& from, const fs::path& to) {
    std::error_code error;
    fs::rename(from, to, error);
    if (!error) {
      done.emplace_back(from, to);
      return;
    }
    std::error_code ignored;
    for (auto step = done.rbegin(); step != done.rend(); ++step) fs::rename(step->second, step->first, ignored);
    cannot_write(to, error.message());
  };
  std::error_code error;
  fs::create_directory(older, error);
  if (error) cannot_write(directory_, error.message());
  for (const std::vector<std::string>* list : {&superseded_, &names_}) {
    for (const std::string& name : *list) {
      if (fs::is_regular_file(directory_ / name, error)) move(directory_ / name, older / name);
    }
  }
  for (const std::string& name : names_) move(staging_ / name, directory_ / name);
  names_.clear();
  made_.clear();
}

void write_file(const fs::path& path, std::span<const std::byte> bytes) {
  const fs::path partial = beside(path);
  try {
    write_bytes(partial, bytes);
    fs::rename(partial, path);
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    fs::remove(partial, ignored);
    cannot_write(path, error.code().message());
  } catch (...) {
    std::error_code ignored;
    fs::remove(partial, ignored);
    throw;
  }
}

NpyWriter::NpyWriter(const fs::path& path, const std::string& shape) : path_(path), partial_(beside(path)) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr std::size_t kPreamble = 10;  // magic, version, header length
  header.append(63 - (kPreamble + header.size()) % 64, ' ');
  header.push_back('\n');
  const auto length = static_cast<std::uint16_t>(header.size());
  const std::string preamble("\x93NUMPY\x01\x00", 8);
  header = preamble + static_cast<char>(length & 0xff) + static_cast<char>(length >> 8) + header;
  file_ = ::open(partial_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
  if (file_ < 0) cannot_write(path_, std::strerror(errno));
  data_start_ = header.size();
  try {
    put(0, std::as_bytes(std::span(header)));
  } catch (...) {  // a constructor that throws has no destructor
    ::close(file_);
    std::error_code ignored;
    fs::remove(partial_, ignored);
    throw;
  }
}

NpyWriter::NpyWriter(const fs::path& path, std::uint64_t rows, std::uint64_t columns)
    : NpyWriter(path,
                text("%llu, %llu", static_cast<unsigned long long>(rows), static_cast<unsigned long long>(columns))) {}

NpyWriter::~NpyWriter() {
  if (file_ < 0) return;
  ::close(file_);
  std::error_code ignored;
  fs::remove(partial_, ignored);
}

void NpyWriter::put(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      cannot_write(path_, std::strerror(written < 0 ? errno : ENOSPC));
    }
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void NpyWriter::write(std::uint64_t first, std::span<const float> values) {
  put(data_start_ + first * sizeof(float), std::as_bytes(values));
}

void NpyWriter::commit() {
  const int closed = ::close(std::exchange(file_, -1));
  const int why = errno;
  std::error_code error;
  if (closed == 0) fs::rename(partial_, path_, error);
  if (closed == 0 && !error) return;
  std::error_code ignored;
  fs::remove(partial_, ignored);
  cannot_write(path_, closed != 0 ? std::strerror(why) : error.message());
}

void write_npy(const fs::path& path, std::span<const float> values) {
  NpyWriter writer(path, text("%zu,", values.size()));
  writer.write(0, values);
  writer.commit();
}

void write_npy(const fs::path& path, std::span<const float> values, std::uint64_t rows, std::uint64_t columns) {
  NpyWriter writer(path, rows, columns);
  writer.write(0, values);
  writer.commit();
}

}  // namespace elver
