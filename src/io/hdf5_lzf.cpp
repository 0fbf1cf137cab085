#include <hdf5.h>
#include <lzf.h>

#include <cstdlib>

#include "io/hdf5.hpp"

/// h5py's and HyperSpy's filter LZF, by liblzf: HDF5 brings none, and Debian's plug-in for it lacks the library.
namespace elver::hdf5 {
namespace {

constexpr H5Z_filter_t kLzf = 32000;
constexpr std::size_t kMostGrowth = 100;  ///< LZF's best is 264 bytes for 3

/// Unpacks only: elver writes gzip, and what asks to pack is told that it failed. values[2] is the size of a chunk, where the writer said so.
std::size_t unpack(unsigned flags, std::size_t count, const unsigned values[], std::size_t bytes, std::size_t* size,
                   void** buffer) {
  if ((flags & H5Z_FLAG_REVERSE) == 0) return 0;
  const std::size_t most = bytes * kMostGrowth;
  for (std::size_t room = count >= 3 && values[2] != 0 ? values[2] : 4 * bytes; room <= most; room *= 2) {
    void* const out = std::malloc(room);
    if (out == nullptr) return 0;
    const unsigned got = ::lzf_decompress(*buffer, static_cast<unsigned>(bytes), out, static_cast<unsigned>(room));
    if (got > 0) {
      std::free(*buffer);
      *buffer = out;
      *size = room;
      return got;
    }
    std::free(out);
  }
  return 0;
}

}  // namespace

void register_lzf() {
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, kLzf, 1, 1, "lzf", nullptr, nullptr, unpack};
  H5Zregister(&filter);
}

}  // namespace elver::hdf5
