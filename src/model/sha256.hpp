#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace elver {

/// SHA-256 (FIPS 180-4) of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  void add(std::span<const std::byte> bytes);
  /// 64 lower-case hexadecimal digits. Call once, at the end.
  std::string hex();

 private:
  std::shared_ptr<evp_md_ctx_st> context_;  ///< libcrypto's
};

std::string sha256(std::span<const std::byte> bytes);
/// Of a file's content. Throws Error{input} when it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

/// What sampled_sha256_of_file reads, for people.
inline constexpr const char* kSampledBytes =
    "the size (8 bytes, little-endian), the first and last MiB, 64 blocks of 64 KiB evenly spaced between";
/// Enough to tell a large file from others without reading it all: the SHA-256 of kSampledBytes, block i of the 64
/// beginning at byte 2^20 + i * ((size - 2^21 - 2^16) / 63), rounded down. For files of 8 MiB and more.
/// Throws Error{input} when it cannot be read.
std::string sampled_sha256_of_file(const std::filesystem::path& path);

}  // namespace elver
