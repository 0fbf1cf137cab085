#include "types/deflated.hpp"

#include <libdeflate.h>

#include <memory>

#include "elver/error.hpp"

namespace elver {

std::vector<std::byte> deflated(std::span<const std::byte> bytes, Packed what) {
  const int level = what == Packed::rows ? 2 : 1;
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> packer(
      ::libdeflate_alloc_compressor(level), &::libdeflate_free_compressor);
  if (!packer) throw Error(ErrorKind::resources, "not enough memory", "nothing can be packed");
  std::vector<std::byte> out(::libdeflate_zlib_compress_bound(packer.get(), bytes.size()));
  out.resize(::libdeflate_zlib_compress(packer.get(), bytes.data(), bytes.size(), out.data(), out.size()));
  return out;
}

}  // namespace elver
