#include <cstdint>
#include <span>

#include "elver/error.hpp"
#include "model/model.hpp"

/// Any bytes as what lies under a model file's seal: loaded, or refused with an Error. What loads can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    static_cast<void>(elver::model_json(elver::read_model(std::as_bytes(std::span(data, size)), "model")));
  } catch (const elver::Error&) {
  }
  return 0;
}
