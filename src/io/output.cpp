#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/partial_file.hpp"
#include "types/inputs.hpp"

namespace elver {
namespace {

namespace fs = std::filesystem;

void write_bytes(const fs::path& path, std::span<const std::byte> bytes) {
  errno = 0;
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream) cannot_write(path, std::strerror(errno != 0 ? errno : EIO));
}

}  // namespace

OutputSet::OutputSet(fs::path directory) : directory_(std::move(directory)) {
  if (directory_.empty()) {
    throw Error(ErrorKind::usage, "no folder to write into", "its name is empty", "Name one with --out");
  }
  staging_ = directory_ / hidden_name();
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
  refuse_input(directory_ / name, directory_ / name);
  names_.push_back(name);
  return staging_ / name;
}

void OutputSet::write_text(const std::string& name, std::string_view content) {
  write_bytes(stage(name), std::as_bytes(std::span(content)));
}

void OutputSet::supersede(const std::string& name) {
  refuse_input(directory_ / name, directory_ / name);
  superseded_.push_back(name);
}

namespace {

/// One commit into a folder at a time: of two runs the files of one are left, not some of each.
class Turn {
 public:
  explicit Turn(const fs::path& directory) : folder_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (folder_ >= 0) ::flock(folder_, LOCK_EX);
  }
  ~Turn() {
    if (folder_ >= 0) ::close(folder_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  int folder_;
};

}  // namespace

void OutputSet::commit() {
  const Turn turn(directory_);
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
  PartialFile file(path);
  file.put(0, bytes);
  file.commit();
}

}  // namespace elver
