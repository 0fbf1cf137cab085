#include "report/canvas.hpp"

#include <cairo-svg.h>

#include <cmath>
#include <cstring>
#include <numbers>

#include "elver/error.hpp"
#include "io/partial_file.hpp"
#include "report/png_file.hpp"

namespace elver::report {

Canvas::Canvas()
    : recording_(cairo_recording_surface_create(CAIRO_CONTENT_COLOR_ALPHA, nullptr), &cairo_surface_destroy),
      cr_(cairo_create(recording_.get()), &cairo_destroy) {
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_set_font_options(cr_.get(), options);
  cairo_font_options_destroy(options);
}

void Canvas::select(double size, bool bold) {
  cairo_select_font_face(cr_.get(), "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                         bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cr_.get(), size);
}

void Canvas::colour(Colour c) { cairo_set_source_rgb(cr_.get(), c.r / 255.0, c.g / 255.0, c.b / 255.0); }

double Canvas::text_width(const std::string& line, double size, bool bold) {
  select(size, bold);
  cairo_text_extents_t extents;
  cairo_text_extents(cr_.get(), line.c_str(), &extents);
  return extents.x_advance;
}

void Canvas::text(double x, double y, const std::string& line, double size, Colour ink, bool bold, Align align) {
  const double width = text_width(line, size, bold);
  colour(ink);
  cairo_move_to(cr_.get(), align == Align::left ? x : align == Align::right ? x - width : x - width / 2, y);
  cairo_show_text(cr_.get(), line.c_str());
}

void Canvas::fill(double x, double y, double width, double height, Colour c) {
  colour(c);
  cairo_rectangle(cr_.get(), x, y, width, height);
  cairo_fill(cr_.get());
}

void Canvas::frame(double x, double y, double width, double height, Colour c) {
  fill(x - 1, y - 1, width + 2, 1, c);
  fill(x - 1, y + height, width + 2, 1, c);
  fill(x - 1, y, 1, height, c);
  fill(x + width, y, 1, height, c);
}

void Canvas::triangle(double x1, double y1, double x2, double y2, double x3, double y3, Colour c) {
  colour(c);
  cairo_move_to(cr_.get(), x1, y1);
  cairo_line_to(cr_.get(), x2, y2);
  cairo_line_to(cr_.get(), x3, y3);
  cairo_close_path(cr_.get());
  cairo_fill(cr_.get());
}

void Canvas::line(const Points& points, double width, Colour c, Stroke stroke) {
  constexpr double kDash[] = {6, 5};
  colour(c);
  cairo_set_line_width(cr_.get(), width);
  cairo_set_line_join(cr_.get(), CAIRO_LINE_JOIN_ROUND);
  cairo_set_dash(cr_.get(), kDash, stroke == Stroke::dashed ? 2 : 0, 0);
  cairo_new_path(cr_.get());  // text leaves a point behind
  for (const auto& [x, y] : points) cairo_line_to(cr_.get(), x, y);
  cairo_stroke(cr_.get());
}

void Canvas::polygon(const Points& points, Colour c, double opacity) {
  cairo_set_source_rgba(cr_.get(), c.r / 255.0, c.g / 255.0, c.b / 255.0, opacity);
  cairo_new_path(cr_.get());
  for (const auto& [x, y] : points) cairo_line_to(cr_.get(), x, y);
  cairo_close_path(cr_.get());
  cairo_fill(cr_.get());
}

void Canvas::disc(double x, double y, double radius, Colour inside, Colour rim) {
  cairo_new_sub_path(cr_.get());
  cairo_arc(cr_.get(), x, y, radius, 0, 2 * std::numbers::pi);
  colour(inside);
  cairo_fill_preserve(cr_.get());
  colour(rim);
  cairo_set_dash(cr_.get(), nullptr, 0, 0);
  cairo_set_line_width(cr_.get(), 1.5);
  cairo_stroke(cr_.get());
}

void Canvas::pixels(int x, int y, int width, int height, const std::vector<Colour>& colours) {
  const Colour* colour = colours.data();
  pixels(x, y, width, height, [&](int, std::uint32_t* row) {
    for (int column = 0; column < width; ++column) row[column] = word(*colour++);
    return Row::drawn;
  });
}

void Canvas::pixels(int x, int y, int width, int height, const DrawRow& draw) {
  const Surface block(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height), &cairo_surface_destroy);
  unsigned char* const data = cairo_image_surface_get_data(block.get());
  const int stride = cairo_image_surface_get_stride(block.get());
  if (data == nullptr)
    throw Error(ErrorKind::resources, "not enough memory for a picture",
                cairo_status_to_string(cairo_surface_status(block.get())));
  for (int row = 0; row < height; ++row) {
    unsigned char* const at = data + static_cast<std::ptrdiff_t>(row) * stride;  // aligned for words: Cairo's promise
    if (draw(row, reinterpret_cast<std::uint32_t*>(at)) == Row::again)
      std::memcpy(at, at - stride, static_cast<std::size_t>(stride));
  }
  cairo_surface_mark_dirty(block.get());
  cairo_set_source_surface(cr_.get(), block.get(), x, y);
  cairo_pattern_set_filter(cairo_get_source(cr_.get()), CAIRO_FILTER_NEAREST);
  cairo_rectangle(cr_.get(), x, y, width, height);
  cairo_fill(cr_.get());
}

void Canvas::save_svg(const std::filesystem::path& path, double margin) {
  double x = 0, y = 0, width = 0, height = 0;
  cairo_recording_surface_ink_extents(recording_.get(), &x, &y, &width, &height);
  const Surface picture(cairo_svg_surface_create(path.c_str(), width + 2 * margin, height + 2 * margin),
                        &cairo_surface_destroy);
  cairo_svg_surface_set_document_unit(picture.get(), CAIRO_SVG_UNIT_PX);
  const Context cr(cairo_create(picture.get()), &cairo_destroy);
  cairo_set_source_rgb(cr.get(), kPaper.r / 255.0, kPaper.g / 255.0, kPaper.b / 255.0);
  cairo_paint(cr.get());
  cairo_set_source_surface(cr.get(), recording_.get(), margin - x, margin - y);
  cairo_paint(cr.get());
  const cairo_status_t drawn = cairo_status(cr.get());
  cairo_surface_finish(picture.get());
  for (const cairo_status_t status : {cairo_status(cr_.get()), drawn, cairo_surface_status(picture.get())}) {
    if (status != CAIRO_STATUS_SUCCESS) cannot_write(path, cairo_status_to_string(status));
  }
}

void Canvas::save_png(const std::filesystem::path& path, double margin) {
  double x = 0, y = 0, width = 0, height = 0;
  cairo_recording_surface_ink_extents(recording_.get(), &x, &y, &width, &height);
  const double left = std::floor(x) - margin, top = std::floor(y) - margin;
  const Surface picture(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(std::ceil(x + width + margin - left)),
                                 static_cast<int>(std::ceil(y + height + margin - top))),
      &cairo_surface_destroy);
  const Context cr(cairo_create(picture.get()), &cairo_destroy);
  cairo_set_source_rgb(cr.get(), kPaper.r / 255.0, kPaper.g / 255.0, kPaper.b / 255.0);
  cairo_paint(cr.get());
  cairo_set_source_surface(cr.get(), recording_.get(), -left, -top);
  cairo_paint(cr.get());
  if (cairo_status(cr_.get()) != CAIRO_STATUS_SUCCESS)
    cannot_write(path, cairo_status_to_string(cairo_status(cr_.get())));
  if (cairo_status(cr.get()) != CAIRO_STATUS_SUCCESS) cannot_write(path, cairo_status_to_string(cairo_status(cr.get())));
  cairo_surface_flush(picture.get());
  const std::string why = write_png(path, cairo_image_surface_get_data(picture.get()),
                                    {static_cast<std::size_t>(cairo_image_surface_get_width(picture.get())),
                                     static_cast<std::size_t>(cairo_image_surface_get_height(picture.get())),
                                     static_cast<std::size_t>(cairo_image_surface_get_stride(picture.get()))});
  if (!why.empty()) cannot_write(path, why);
}

}  // namespace elver::report
