#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "report/canvas.hpp"
#include "report/colours.hpp"
#include "report/layout.hpp"

/// What several pictures have: the panel, its scale, swatches.
namespace elver::report {

inline constexpr double kMargin = 24;
inline constexpr double kTitle = 24, kLabel = 18, kNote = 15;  ///< text sizes

/// What a pixel of a map looks like: a colour, and another on slanted lines.
struct Paint {
  Colour colour, line;
  Paint(Colour plain) : colour(plain), line(plain) {}  // NOLINT: a colour is a paint
  Paint(Colour between, Colour on_lines) : colour(between), line(on_lines) {}
  static constexpr int kPeriod = 8;
  Colour at(int x, int y) const { return (x + y) % kPeriod < 2 ? line : colour; }
};
/// What pixels without a value look like.
inline Paint hatching() { return {kFailed, kHatch}; }
inline Colour hatched(int x, int y) { return hatching().at(x, y); }

/// The panel, framed. `paint_of(pixel)` says what a pixel of the map looks like.
template <class PaintOf>
void draw_paints(Canvas& canvas, int left, int top, const Panel& panel, PaintOf&& paint_of) {
  std::vector<Paint> paints;  // of a row of the map
  bool plain = true;
  canvas.pixels(left, top, panel.width(), panel.height(), [&](int y, std::uint32_t* row) {
    if (y % panel.row_pixels == 0) {
      paints.clear();
      plain = true;
      for (int x = 0; x < panel.width(); x += panel.column_pixels) {
        paints.push_back(paint_of(panel.pixel(x, y)));
        plain = plain && paints.back().colour == paints.back().line;
      }
    } else if (plain) {
      return Canvas::Row::again;
    }
    int x = 0;
    for (const Paint& paint : paints) {
      for (const int end = x + panel.column_pixels; x < end; ++x) row[x] = Canvas::word(paint.at(x, y));
    }
    return Canvas::Row::drawn;
  });
  canvas.frame(left, top, panel.width(), panel.height(), kInk);
}

/// The panel, framed. `colour_of(pixel, x, y)` gives the colour of a pixel of the map at a place of the panel.
template <class ColourOf>
void draw_pixels(Canvas& canvas, int left, int top, const Panel& panel, ColourOf&& colour_of) {
  const auto width = static_cast<std::size_t>(panel.width()), height = static_cast<std::size_t>(panel.height());
  std::vector<Colour> colours(width * height);
  for (int y = 0; y < panel.height(); ++y) {
    for (int x = 0; x < panel.width(); ++x)
      colours[static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)] = colour_of(panel.pixel(x, y), x, y);
  }
  canvas.pixels(left, top, panel.width(), panel.height(), colours);
  canvas.frame(left, top, panel.width(), panel.height(), kInk);
}

/// The scale bar and what is to be said of the scale, below y; returns the y under them.
double draw_scale(Canvas& canvas, double y, const Panel& panel, const Axis& column_axis);

struct Swatch {
  Colour colour;
  std::string label;
  bool hatched = false;
  std::vector<Colour> stripes = {};  ///< these in place of the one colour
};
/// Several colours in one place, each seen.
inline Colour striped(const std::vector<Colour>& colours, int x, int y) {
  constexpr int kStripe = 4;
  return colours[static_cast<std::size_t>((x + y) / kStripe) % colours.size()];
}
/// Swatches with their names, as many to a line as fit; returns the y under them.
double draw_swatches(Canvas& canvas, double y, double width, const std::vector<Swatch>& swatches);

/// "(12.5 %)"
std::string share(std::uint64_t part, std::uint64_t whole);

}  // namespace elver::report
