#pragma once
#include <filesystem>

namespace elver {

/// While one lives, a file that was opened to be read is not written over, whatever the names that lead to it: the program
/// keeps one. Readers say what they open, writers ask.
class KeepInputs {
 public:
  KeepInputs();
  ~KeepInputs();
  KeepInputs(const KeepInputs&) = delete;
  KeepInputs& operator=(const KeepInputs&) = delete;
};

void note_input(const std::filesystem::path& path);
/// Throws Error{usage} where `target` is one of the files that were read; they are spoken of as `name`.
void refuse_input(const std::filesystem::path& target, const std::filesystem::path& name);

}  // namespace elver
