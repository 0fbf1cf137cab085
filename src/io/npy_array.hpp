#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elver/image.hpp"

namespace elver {

/// Where the values of a .npy lie in its bytes.
struct NpyArray {
  NumberType type = NumberType::f32;
  bool half = false;     ///< IEEE half floats in the file
  bool swapped = false;  ///< the file's byte order is not this machine's
  std::string refusal;   ///< why the values cannot be read (complex), or ""
  std::size_t start = 0;
  std::vector<std::uint64_t> shape;      ///< as NumPy gives it; at least one axis
  std::vector<std::ptrdiff_t> strides;   ///< bytes, for each axis
};

/// Reads the header of NumPy's format, versions 1 to 3, and checks that the values are there. Throws std::runtime_error
/// that says what is wrong.
NpyArray find_npy_array(std::span<const std::byte> bytes);

}  // namespace elver
