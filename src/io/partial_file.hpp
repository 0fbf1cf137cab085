#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

/// How results come to their places whole or not at all: what OutputSet and all that writes a single file share.
namespace elver {

/// A path as the user knows it: without hidden folders of ours.
std::filesystem::path shown(const std::filesystem::path& path);
/// Error{output}.
[[noreturn]] void cannot_write(const std::filesystem::path& path, const std::string& why);

/// Takes away what killed runs left in a folder: hidden files and folders, named below, whose process is gone and that
/// nobody holds a lock on. A folder of a run that was killed while it renamed its files gives the older ones back first.
void sweep(const std::filesystem::path& directory);
/// The hidden name that sweep knows: folders have no `number`.
std::string hidden_name(int number = -1);

/// A hidden file beside the place of a result. commit() renames it there; without it nothing is left. Throws
/// Error{output} that speaks of the place.
class PartialFile {
 public:
  explicit PartialFile(std::filesystem::path target);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  const std::filesystem::path& target() const { return target_; }
  const std::filesystem::path& hidden() const { return hidden_; }
  /// Thread-safe.
  void put(std::uint64_t offset, std::span<const std::byte> bytes);
  void put(std::uint64_t offset, const std::string& text) { put(offset, std::as_bytes(std::span(text))); }
  void commit();

 private:
  std::filesystem::path target_, hidden_;
  int file_ = -1;  ///< locked as long as the process lives
};

}  // namespace elver
