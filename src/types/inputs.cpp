#include "types/inputs.hpp"

#include <sys/stat.h>

#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "elver/error.hpp"

namespace elver {
namespace {

using FileNumber = std::pair<dev_t, ino_t>;

std::optional<FileNumber> number_of(const std::filesystem::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  return FileNumber{facts.st_dev, facts.st_ino};
}

std::mutex mutex;
int keepers = 0;
std::set<FileNumber> inputs;

}  // namespace

KeepInputs::KeepInputs() {
  const std::lock_guard held(mutex);
  ++keepers;
}

KeepInputs::~KeepInputs() {
  const std::lock_guard held(mutex);
  if (--keepers == 0) inputs.clear();
}

void note_input(const std::filesystem::path& path) {
  const std::lock_guard held(mutex);
  if (keepers == 0) return;
  if (const auto number = number_of(path)) inputs.insert(*number);
}

void refuse_input(const std::filesystem::path& target, const std::filesystem::path& name) {
  const std::lock_guard held(mutex);
  const auto number = keepers > 0 ? number_of(target) : std::nullopt;
  if (!number || !inputs.contains(*number)) return;
  throw Error(ErrorKind::usage, "cannot write " + name.string(), "it is a file that is read", "Give another name with --out");
}

}  // namespace elver
