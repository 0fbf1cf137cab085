#include "report/png_file.hpp"

#include <png.h>
#include <zlib.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace elver::report {
namespace {

/// libpng's errors end here. What it jumps over is plain C.
[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  *static_cast<const char**>(png_get_error_ptr(png)) = message;
  png_longjmp(png, 1);
}
void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}

struct Source {
  const unsigned char* pixels;
  PictureSize size;
  unsigned char* row;  ///< room for one row as RGB
};

/// False where libpng gave up. Nothing in here has a destructor.
bool encode(png_structp png, png_infop info, std::FILE* file, const Source& from) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_init_io(png, file);
  png_set_IHDR(png, info, static_cast<png_uint_32>(from.size.width), static_cast<png_uint_32>(from.size.height), 8,
               PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png, 1);
  png_set_compression_strategy(png, Z_RLE);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB | PNG_FILTER_UP);  // at first both, so that rows are kept
  png_write_info(png, info);
  for (std::size_t y = 0; y < from.size.height; ++y) {
    const unsigned char* const line = from.pixels + y * from.size.stride;
    const bool same = y > 0 && std::memcmp(line, line - from.size.stride, 4 * from.size.width) == 0;
    if (y > 0) png_set_filter(png, PNG_FILTER_TYPE_BASE, same ? PNG_FILTER_UP : PNG_FILTER_SUB);
    for (std::size_t x = 0; x < from.size.width; ++x) {
      std::uint32_t word;
      std::memcpy(&word, line + 4 * x, 4);
      from.row[3 * x] = static_cast<unsigned char>(word >> 16);
      from.row[3 * x + 1] = static_cast<unsigned char>(word >> 8);
      from.row[3 * x + 2] = static_cast<unsigned char>(word);
    }
    png_write_row(png, from.row);
  }
  png_write_end(png, info);
  return true;
}

}  // namespace

std::string write_png(const std::filesystem::path& path, const unsigned char* pixels, PictureSize size) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wbe"), &std::fclose);
  if (!file) return std::strerror(errno);
  const char* message = "libpng cannot be used";
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &message, &on_error, &on_warning);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;
  std::vector<unsigned char> row(3 * size.width);
  errno = 0;
  const bool written = info != nullptr && encode(png, info, file.get(), {pixels, size, row.data()});
  std::string why = written ? "" : errno != 0 ? std::strerror(errno) : message;
  png_destroy_write_struct(&png, &info);
  if (why.empty() && std::fflush(file.get()) != 0) why = std::strerror(errno);
  return why;
}

}  // namespace elver::report
