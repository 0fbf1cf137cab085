#pragma once
#include <cairo.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "report/colours.hpp"

namespace elver::report {

/// Cairo with owners. It records what is drawn; the picture is then as large as what was drawn, so nothing is ever cut
/// off. Coordinates are picture pixels from any origin, y down; text positions are of the baseline's start.
class Canvas {
 public:
  enum class Align { left, centre, right };

  Canvas();
  void text(double x, double y, const std::string& line, double size, Colour colour = kInk, bool bold = false,
            Align align = Align::left);
  double text_width(const std::string& line, double size, bool bold = false);
  void fill(double x, double y, double width, double height, Colour colour);
  void frame(double x, double y, double width, double height, Colour colour);
  void triangle(double x1, double y1, double x2, double y2, double x3, double y3, Colour colour);
  using Points = std::vector<std::pair<double, double>>;
  enum class Stroke { whole, dashed };
  /// A line through the points.
  void line(const Points& points, double width, Colour colour, Stroke stroke = Stroke::whole);
  /// The area within the points, so opaque: 0 to 1.
  void polygon(const Points& points, Colour colour, double opacity = 1);
  void disc(double x, double y, double radius, Colour inside, Colour rim);
  /// Pixels as they are, row by row: no smoothing.
  void pixels(int x, int y, int width, int height, const std::vector<Colour>& colours);
  /// The same, from one who draws them: `draw(y, row)` writes words of the row, or says that it is as the one above.
  enum class Row { drawn, again };
  using DrawRow = std::function<Row(int y, std::uint32_t* row)>;
  void pixels(int x, int y, int width, int height, const DrawRow& draw);
  static std::uint32_t word(Colour c) {
    return static_cast<std::uint32_t>(c.r) << 16 | static_cast<std::uint32_t>(c.g) << 8 | c.b;
  }
  /// Throw Error{output}. The same drawing as pixels and as shapes (text becomes outlines).
  void save_svg(const std::filesystem::path& path, double margin);
  void save_png(const std::filesystem::path& path, double margin);

 private:
  using Surface = std::unique_ptr<cairo_surface_t, decltype(&cairo_surface_destroy)>;
  using Context = std::unique_ptr<cairo_t, decltype(&cairo_destroy)>;
  void select(double size, bool bold);
  void colour(Colour c);
  Surface recording_;
  Context cr_;
};

}  // namespace elver::report
