#include "elver/error.hpp"
#include "elver/io.hpp"

namespace elver {

std::unique_ptr<Image> open_image(const std::filesystem::path& path, const OpenOptions& /*options*/) {
  throw Error(ErrorKind::input, "cannot read " + path.string(), "no reader is built in yet");
}

}  // namespace elver
