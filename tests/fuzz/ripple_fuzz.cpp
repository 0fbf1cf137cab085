#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "image_fuzz.hpp"

namespace {

/// A folder with the values, input.raw, that any .rpl finds beside it; gone with the program.
struct Beside {
  std::filesystem::path folder;
  Beside() {
    std::string name = (std::filesystem::temp_directory_path() / "elver-fuzz-XXXXXX").string();
    folder = mkdtemp(name.data());
    std::ofstream raw(folder / "input.raw", std::ios::binary);
    for (int i = 0; i < 4096; ++i) raw.put(static_cast<char>(i * 7));
  }
  ~Beside() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Beside beside;
  fuzz_images(elver::ripple_reader, data, size, beside.folder / "input.rpl");
  return 0;
}
