#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "elver/io.hpp"

/// What the tests share: a folder of their own, data that may not be there, the program run as a user would.
namespace elver::test {

namespace fs = std::filesystem;

/// A folder that is gone with the test.
class TempDir {
 public:
  TempDir() {
    std::string name = (fs::temp_directory_path() / "elver-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// The image alone in a .hspy file.
inline void save_image(const Image& image, const fs::path& path) {
  HspyWriter writer(path);
  writer.add(header_of(image), image);
  writer.commit();
}

/// `../shared/data/NAME` beside the source tree (or under ELVER_SHARED).
inline fs::path shared_data(const std::string& name) {
  const char* given = std::getenv("ELVER_SHARED");
  const fs::path shared = given != nullptr ? fs::path(given) : fs::path(ELVER_SOURCE_DIR).parent_path() / "shared";
  return shared / "data" / name;
}

struct Ran {
  int code = -1;
  std::string out, err;
};

inline std::string read_text(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

inline std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// Runs the program with these arguments and no standard input.
inline Ran run_elver(const std::vector<std::string>& arguments) {
  const TempDir dir;
  std::string command = quoted(ELVER_PROGRAM);
  for (const std::string& argument : arguments) (command += ' ') += quoted(argument);
  command += " </dev/null >" + quoted((dir / "out").string()) + " 2>" + quoted((dir / "err").string());
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(dir / "out"), read_text(dir / "err")};
}

}  // namespace elver::test

/// Skips the test, with the reason, where the development data is not at hand.
#define ELVER_NEEDS(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs " << (path) << ", which is not here"
