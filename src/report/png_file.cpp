#include "report/png_file.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "types/deflated.hpp"

namespace elver::report {
namespace {

using Bytes = std::vector<unsigned char>;

void put(Bytes& out, std::uint32_t number) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<unsigned char>(number >> shift));
}

/// Length, name, content, checksum of both.
void put_chunk(Bytes& out, std::string_view name, std::span<const std::byte> content) {
  put(out, static_cast<std::uint32_t>(content.size()));
  const std::size_t start = out.size();
  out.insert(out.end(), name.begin(), name.end());
  const auto* const bytes = reinterpret_cast<const unsigned char*>(content.data());
  out.insert(out.end(), bytes, bytes + content.size());
  put(out, ::libdeflate_crc32(0, out.data() + start, out.size() - start));
}

/// The rows as PNG filters them: a byte that names the filter, then what the filter leaves.
std::unique_ptr<unsigned char[]> filtered(const unsigned char* pixels, PictureSize size) {
  constexpr unsigned char kSub = 1, kUp = 2;
  const std::size_t row_bytes = 1 + 3 * size.width;
  auto out = std::make_unique_for_overwrite<unsigned char[]>(row_bytes * size.height);
  for (std::size_t y = 0; y < size.height; ++y) {
    unsigned char* to = out.get() + y * row_bytes;
    const unsigned char* const line = pixels + y * size.stride;
    if (y > 0 && std::memcmp(line, line - size.stride, 4 * size.width) == 0) {
      *to = kUp;
      std::fill_n(to + 1, row_bytes - 1, static_cast<unsigned char>(0));
      continue;
    }
    *to++ = kSub;
    std::uint32_t left = 0;
    for (std::size_t x = 0; x < size.width; ++x) {
      std::uint32_t word;
      std::memcpy(&word, line + 4 * x, 4);
      for (const int shift : {16, 8, 0}) *to++ = static_cast<unsigned char>((word >> shift) - (left >> shift));
      left = word;
    }
  }
  return out;
}

}  // namespace

std::string write_png(const std::filesystem::path& path, const unsigned char* pixels, PictureSize size) {
  constexpr std::array<unsigned char, 8> kSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  const std::unique_ptr<unsigned char[]> rows = filtered(pixels, size);
  const std::vector<std::byte> packed =
      deflated(std::as_bytes(std::span(rows.get(), (1 + 3 * size.width) * size.height)), Packed::rows);

  Bytes header, out(kSignature.begin(), kSignature.end());
  put(header, static_cast<std::uint32_t>(size.width));
  put(header, static_cast<std::uint32_t>(size.height));
  header.insert(header.end(), {8, 2, 0, 0, 0});  // bits of a sample, RGB; the only compression and filters; not interlaced
  put_chunk(out, "IHDR", std::as_bytes(std::span(header)));
  put_chunk(out, "IDAT", packed);
  put_chunk(out, "IEND", {});

  errno = 0;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wbe"), &std::fclose);
  if (!file) return std::strerror(errno);
  const bool written = std::fwrite(out.data(), 1, out.size(), file.get()) == out.size();
  const bool closed = std::fclose(file.release()) == 0;
  return written && closed ? "" : std::strerror(errno != 0 ? errno : EIO);
}

}  // namespace elver::report
