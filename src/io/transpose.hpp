#pragma once
#include <cstddef>

#include "elver/image.hpp"

namespace elver {

/// Spectra to channels: `rows` rows of `n` contiguous numbers of `type` (u16, i16, i32 or f32, this machine's byte
/// order), `stride` bytes apart, become out[i * out_step + row] as float. Compiled for every kind of vector register.
void transpose_to_floats(const std::byte* from, NumberType type, std::size_t rows, std::ptrdiff_t stride, std::size_t n,
                         float* out, std::size_t out_step);
/// The same numbers, rows that stay rows: out[r * out_step + i]. Short rows that lie far apart are asked for ahead.
void rows_to_floats(const std::byte* from, NumberType type, std::size_t rows, std::ptrdiff_t stride, std::size_t n, float* out,
                    std::size_t out_step);

}  // namespace elver
