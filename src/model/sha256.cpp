#include "model/sha256.hpp"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

#include "elver/error.hpp"
#include "types/reads_for.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

[[noreturn]] void cannot_read(const std::filesystem::path& path) {
  throw Error(ErrorKind::input, "cannot read " + path.string(), std::strerror(errno != 0 ? errno : EIO));
}

void check(int success) {
  if (success != 1) throw Error(ErrorKind::resources, "cannot make a checksum", "libcrypto refuses SHA-256");
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void Sha256::add(std::span<const std::byte> bytes) {
  check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  check(EVP_DigestFinal_ex(context_.get(), digest.data(), &size));
  std::string out;
  for (unsigned i = 0; i < size; ++i) out += text("%02x", digest[i]);
  return out;
}

std::string sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::vector<char> buffer(std::size_t{1} << 16);
  Sha256 hash;
  while (check_reading(), stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || stream.gcount() > 0) {
    hash.add(std::as_bytes(std::span(buffer).first(static_cast<std::size_t>(stream.gcount()))));
  }
  if (stream.bad() || !stream.eof()) cannot_read(path);
  return hash.hex();
}

std::string sampled_sha256_of_file(const std::filesystem::path& path) {
  constexpr std::uint64_t kEnd = 1 << 20, kBlock = 1 << 16, kBlocks = 64;
  errno = 0;
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  const std::streamoff found = stream.tellg();
  if (!stream || found < static_cast<std::streamoff>(2 * kEnd + kBlock)) cannot_read(path);
  const auto size = static_cast<std::uint64_t>(found);
  Sha256 hash;
  std::array<std::byte, 8> head;
  for (std::size_t i = 0; i < head.size(); ++i) head[i] = static_cast<std::byte>(size >> (8 * i));
  hash.add(head);
  std::vector<char> buffer(kEnd);
  const auto add = [&](std::uint64_t first, std::uint64_t bytes) {
    check_reading();
    stream.seekg(static_cast<std::streamoff>(first));
    if (!stream.read(buffer.data(), static_cast<std::streamsize>(bytes))) cannot_read(path);
    hash.add(std::as_bytes(std::span(buffer).first(bytes)));
  };
  add(0, kEnd);
  for (std::uint64_t i = 0; i < kBlocks; ++i) add(kEnd + i * ((size - 2 * kEnd - kBlock) / (kBlocks - 1)), kBlock);
  add(size - kEnd, kEnd);
  return hash.hex();
}

}  // namespace elver
