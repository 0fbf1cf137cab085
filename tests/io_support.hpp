#pragma once
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "elver/error.hpp"
#include "elver/io.hpp"
#include "io/reader.hpp"
#include "support.hpp"

namespace elver::test {

/// Text as the bytes of a file.
inline Bytes bytes_of(const std::string& content) {
  const auto kept = std::make_shared<std::string>(content);
  return {std::as_bytes(std::span(*kept)), kept};
}

inline fs::path write_text(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

/// Everything of an image, [pixel][channel], in its own number type.
template <class Number>
std::vector<Number> values_of(const Image& image) {
  std::vector<Number> out(image.pixels() * image.channels());
  image.read({0, image.pixels()}, {0, image.channels()}, std::as_writable_bytes(std::span(out)));
  return out;
}

/// Everything of an image, [channel][pixel], as the rest of elver sees it.
inline std::vector<float> tile_of(const Image& image) {
  std::vector<float> out(image.pixels() * image.channels());
  image.read_tile({0, image.pixels()}, {0, image.channels()}, out);
  return out;
}

/// The message of the Error that `work` throws, which must be of this kind; "" when it throws nothing.
template <class Work>
std::string refusal_of(ErrorKind kind, Work work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return "";
}

}  // namespace elver::test
