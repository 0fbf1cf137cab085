#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "elver/background.hpp"

/// The colours of the pictures. Every gradient is monotonic in lightness, so it survives grey printing and the common
/// colour-vision deficiencies.
namespace elver::report {

struct Colour {
  std::uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Colour&) const = default;
};

/// 256 colours from dark violet over blue and green to light yellow, equal steps of lightness in Oklab (B. Ottosson,
/// 2020).
const std::array<Colour, 256>& perceptual();
/// The colour of `position`, 0 to 1, clamped.
Colour perceptual_at(double position);
/// Colour of class `index` of `count`: spread over the gradient, which keeps the order of the classes visible.
Colour class_colour(std::size_t index, std::size_t count);
Colour status_colour(PixelStatus status);

inline constexpr Colour kPaper{255, 255, 255};
inline constexpr Colour kInk{34, 34, 34};
inline constexpr Colour kFaint{110, 110, 110};
inline constexpr Colour kMasked{190, 190, 190};
inline constexpr Colour kFailed{236, 236, 236};  ///< with a hatch in kHatch over it
inline constexpr Colour kHatch{120, 120, 120};

}  // namespace elver::report
