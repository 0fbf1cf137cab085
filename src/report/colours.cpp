#include "report/colours.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace elver::report {
namespace {

struct Linear {
  double r, g, b;
  bool in_gamut() const { return std::min({r, g, b}) >= 0.0 && std::max({r, g, b}) <= 1.0; }
};

/// Oklab in cylinder coordinates to linear sRGB; the matrices are the published ones.
Linear from_oklch(double lightness, double chroma, double hue_degrees) {
  const double hue = hue_degrees * std::numbers::pi / 180.0;
  const double a = chroma * std::cos(hue), b = chroma * std::sin(hue);
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

std::uint8_t gamma_coded(double linear) {
  const double v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
  return static_cast<std::uint8_t>(std::lround(255 * std::clamp(v, 0.0, 1.0)));
}

/// The colour, made paler until a screen can show it.
Colour shown(double lightness, double chroma, double hue) {
  while (chroma > 0 && !from_oklch(lightness, chroma, hue).in_gamut()) chroma -= 0.002;
  const Linear c = from_oklch(lightness, std::max(chroma, 0.0), hue);
  return {gamma_coded(c.r), gamma_coded(c.g), gamma_coded(c.b)};
}

/// Cubic Hermite curve through equally spaced values (Catmull-Rom), t in [0, 1].
template <std::size_t N>
double curve(const std::array<double, N>& values, double t) {
  const double x = t * (N - 1);
  const auto i = std::min<std::size_t>(static_cast<std::size_t>(x), N - 2);
  const double u = x - static_cast<double>(i);
  const double p1 = values[i], p2 = values[i + 1];
  const double m1 = i > 0 ? (p2 - values[i - 1]) / 2 : p2 - p1;
  const double m2 = i + 2 < N ? (values[i + 2] - p1) / 2 : p2 - p1;
  return p1 + u * (m1 + u * (3 * (p2 - p1) - 2 * m1 - m2 + u * (2 * (p1 - p2) + m1 + m2)));
}

}  // namespace

const std::array<Colour, 256>& perceptual() {
  static const std::array<Colour, 256> colours = [] {
    constexpr double kDark = 0.25, kLight = 0.94;
    constexpr std::array<double, 5> kHue{300, 262, 205, 150, 103};
    constexpr std::array<double, 5> kChroma{0.110, 0.115, 0.095, 0.150, 0.160};
    std::array<Colour, 256> out;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double t = static_cast<double>(i) / 255.0;
      out[i] = shown(kDark + t * (kLight - kDark), curve(kChroma, t), curve(kHue, t));
    }
    return out;
  }();
  return colours;
}

Colour perceptual_at(double position) {
  static const std::array<Colour, 256>& colours = perceptual();
  return colours[static_cast<std::size_t>(255 * std::clamp(position, 0.0, 1.0) + 0.5)];
}

Colour class_colour(std::size_t index, std::size_t count) {
  constexpr double kFirst = 0.06;  // off the ends: neither black nor paper
  const double step = count > 1 ? static_cast<double>(index) / static_cast<double>(count - 1) : 0.5;
  return perceptual_at(kFirst + (1 - 2 * kFirst) * step);
}

Colour status_colour(PixelStatus status) {
  switch (status) {
    case PixelStatus::ok:
      return {74, 144, 120};
    case PixelStatus::masked:
      return kMasked;
    case PixelStatus::not_finite:
      return {40, 40, 40};
    case PixelStatus::non_positive_window:
      return {148, 72, 160};
    case PixelStatus::too_few_counts:
      return {236, 180, 60};
    case PixelStatus::r_out_of_range:
      return {204, 76, 56};
    case PixelStatus::edge_absent:
      return {120, 180, 222};
  }
  return kInk;
}

}  // namespace elver::report
