#pragma once
#include <cstddef>

#include "elver/model.hpp"

namespace elver::engine {

/// A linear base's values of a block of pixels: [output][kForestBlock] to `out`, which is 64-byte aligned, from
/// `features`, [feature][stride], of which kForestBlock values can be read. Compiled for every kind of vector register;
/// all give the bits of LinearBase::values.
void linear_values(const LinearBase& base, const float* features, std::size_t stride, float* out);

}  // namespace elver::engine
