#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "elver/model.hpp"

/// Any bytes as a model file: loaded, or refused with an Error. What loads can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("elver-model-fuzz-" + std::to_string(::getpid()) + ".elver");
  elver::write_file(path, std::as_bytes(std::span(data, size)));
  try {
    static_cast<void>(elver::model_json(elver::load_model(path)));
  } catch (const elver::Error&) {
  }
  std::filesystem::remove(path);
  return 0;
}
