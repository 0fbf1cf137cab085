#include <unistd.h>

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

}  // namespace

OutputSet::OutputSet(fs::path directory) : directory_(std::move(directory)) {
  staging_ = directory_ / text(".elver-%d.partial", static_cast<int>(::getpid()));
  std::error_code error;
  for (fs::path path = fs::absolute(directory_, error).lexically_normal();
       !error && !path.empty() && !fs::exists(path, error); path = path.parent_path()) {
    if (path.has_filename()) made_.push_back(path);
  }
  fs::create_directories(staging_, error);
  if (!error) return;
  const std::string why = error.message();
  for (const fs::path& path : made_) fs::remove(path, error);
  cannot_write(directory_, why);
}

OutputSet::~OutputSet() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
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

namespace {

void write_npy_shape(const fs::path& path, std::span<const float> values, const std::string& shape) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr std::size_t kPreamble = 10;  // magic, version, header length
  header.append(63 - (kPreamble + header.size()) % 64, ' ');
  header.push_back('\n');
  std::vector<std::byte> bytes(kPreamble + header.size() + values.size_bytes());
  const auto length = static_cast<std::uint16_t>(header.size());
  std::memcpy(bytes.data(), "\x93NUMPY\x01\x00", 8);
  std::memcpy(bytes.data() + 8, &length, 2);
  std::memcpy(bytes.data() + kPreamble, header.data(), header.size());
  if (!values.empty()) std::memcpy(bytes.data() + kPreamble + header.size(), values.data(), values.size_bytes());
  write_file(path, bytes);
}

}  // namespace

void write_npy(const fs::path& path, std::span<const float> values) {
  write_npy_shape(path, values, text("%zu,", values.size()));
}

void write_npy(const fs::path& path, std::span<const float> values, std::uint64_t rows, std::uint64_t columns) {
  write_npy_shape(path, values,
                  text("%llu, %llu", static_cast<unsigned long long>(rows), static_cast<unsigned long long>(columns)));
}

}  // namespace elver
