#include <array>
#include <bit>
#include <charconv>
#include <stdexcept>

#include "elver/error.hpp"
#include "io/npy_array.hpp"
#include "io/reader.hpp"
#include "io/strided_image.hpp"
#include "io/utf8.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostAxes = 3;        ///< of an image
constexpr std::size_t kMostShapeAxes = 32;  ///< NumPy's own limit

/// The header's dictionary.
struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
};

/// Reads the Python literal {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, keys in any order.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : text_(text) {}

  Header read() {
    Header header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = true;
        if (peek() != '\'' && peek() != '"') throw std::runtime_error("its values are records, not numbers");
        header.descr = quoted();
      } else if (key == "fortran_order" && !order) {
        order = true;
        header.fortran_order = truth();
      } else if (key == "shape" && !shape) {
        shape = true;
        header.shape = tuple();
      } else {
        malformed();
      }
      if (!accept(',') && peek() != '}') malformed();
    }
    if (!descr || !order || !shape) malformed();
    return header;
  }

 private:
  [[noreturn]] void malformed() const {
    throw std::runtime_error(text("its header is malformed at character %zu", at_));
  }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    const bool there = peek() == c;
    at_ += there ? 1 : 0;
    return there;
  }
  void expect(char c) {
    if (!accept(c)) malformed();
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') malformed();
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) malformed();
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }
  bool truth() {
    peek();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return word == "True";
    }
    malformed();
  }
  std::vector<std::uint64_t> tuple() {
    std::vector<std::uint64_t> out;
    expect('(');
    while (!accept(')')) {
      peek();
      std::uint64_t size = 0;
      const char* const start = text_.data() + at_;
      const auto [rest, code] = std::from_chars(start, text_.data() + text_.size(), size);
      if (code != std::errc{}) malformed();
      at_ += static_cast<std::size_t>(rest - start);
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote long integers so
      if (out.size() > kMostShapeAxes) malformed();
      out.push_back(size);
      if (!accept(',') && peek() != ')') malformed();
    }
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

struct PixelType {
  NumberType type = NumberType::u8;
  std::size_t bytes = 1;  ///< in the file
  bool half = false;
  std::string refusal;
};

PixelType pixel_type(std::string_view descr) {
  const std::string_view code = descr.size() > 1 ? descr.substr(1) : std::string_view{};
  if (code == "f2") return {NumberType::f32, 2, true, ""};
  if (code == "c8") return {NumberType::c64, 8, false, "its values are complex numbers"};
  if (code == "c16") return {NumberType::c128, 16, false, "its values are complex numbers"};
  constexpr std::array<std::pair<std::string_view, NumberType>, 11> kTypes{{{"u1", NumberType::u8},
                                                                            {"i1", NumberType::i8},
                                                                            {"u2", NumberType::u16},
                                                                            {"i2", NumberType::i16},
                                                                            {"u4", NumberType::u32},
                                                                            {"i4", NumberType::i32},
                                                                            {"u8", NumberType::u64},
                                                                            {"i8", NumberType::i64},
                                                                            {"f4", NumberType::f32},
                                                                            {"f8", NumberType::f64},
                                                                            {"b1", NumberType::boolean}}};
  for (const auto& [name, type] : kTypes) {
    if (code == name) return {type, bytes_of(type), false, ""};
  }
  throw std::runtime_error("its values are of type " + utf8_of(descr) + ", which elver does not read");
}

/// The dictionary of the header and the byte at which the values begin.
std::pair<Header, std::size_t> read_header(std::span<const std::byte> file) {
  const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])); };
  if (bytes.size() < 10) throw std::runtime_error("it ends within its header");
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) throw std::runtime_error(text("version %zu of the format is unknown", version));
  const std::size_t start = version == 1 ? 10 : 12;
  if (bytes.size() < start) throw std::runtime_error("it ends within its header");
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - start) {
    throw std::runtime_error(text("its header declares %zu bytes and %zu are there", length, bytes.size() - start));
  }
  return {HeaderText(bytes.substr(start, length)).read(), start + length};
}

std::unique_ptr<Image> make_image(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  const NpyArray array = find_npy_array(bytes.span);
  const std::size_t axes = array.shape.size();
  if (axes > kMostAxes) throw std::runtime_error("it has more than three axes");
  ImageInfo info;
  info.id = "0";
  info.title = utf8_of(path.stem().string());
  info.type = array.type;
  info.refusal = array.refusal;
  constexpr std::array kNames{"Energy loss", "x", "y"};
  for (std::size_t i = 0; i < axes; ++i) {
    info.axes.push_back({kNames[axes - 1 - i], "", 1.0, 0.0, array.shape[i], AxisRole::navigation});
  }
  StridedLayout layout{bytes, array.start, {}, array.swapped, array.half};
  for (const std::size_t place : arrange_axes(info, axes - 1, options, true)) layout.strides.push_back(array.strides[place]);
  if (info.axes.back().name != "Energy loss") {  // --energy-axis said otherwise
    for (std::size_t i = 0; i < axes; ++i) info.axes[i].name = kNames[axes - 1 - i];
  }
  return std::make_unique<StridedImage>(std::move(info), std::move(layout));
}

bool recognises(const std::filesystem::path& /*path*/, std::span<const std::byte> head) {
  return std::string_view(reinterpret_cast<const char*>(head.data()), head.size()).starts_with(kMagic);
}

File read(const Bytes& bytes, const std::filesystem::path& path, const OpenOptions& options) {
  if (!recognises(path, bytes.span)) throw std::runtime_error("it does not begin as a NumPy file does");
  File file{path, "npy", {}};
  file.images.push_back(make_image(bytes, path, options));
  return file;
}

}  // namespace

const Reader npy_reader{{"npy", "NumPy", ".npy",
                           "one array of one to three axes; --offset-ev and --dispersion-ev calibrate it"},
                         recognises,
                          read,
                         "Write real numbers, (rows, columns, channels), (pixels, channels) or (channels), with numpy.save"};

NpyArray find_npy_array(std::span<const std::byte> bytes) {
  const auto [header, start] = read_header(bytes);
  const PixelType pixel = pixel_type(header.descr);
  const char order = header.descr[0];
  if (order != '<' && order != '>' && order != '|' && order != '=') {
    throw std::runtime_error("its values have the unknown byte order " + utf8_of(header.descr.substr(0, 1)));
  }
  const std::size_t axes = header.shape.size();
  if (axes == 0) throw std::runtime_error("it holds one number, not a spectrum");
  const auto values = checked_product(header.shape);
  std::uint64_t wanted = 0;
  if (!values || __builtin_mul_overflow(*values, pixel.bytes, &wanted) || wanted > bytes.size() - start) {
    std::string shape;
    for (const std::uint64_t size : header.shape) {
      shape += text("%s%llu", shape.empty() ? "" : " x ", static_cast<unsigned long long>(size));
    }
    throw std::runtime_error("it declares " + shape + text(" values of %zu bytes and holds %zu bytes of them", pixel.bytes,
                                                           bytes.size() - start));
  }
  const bool big = order == '>';
  NpyArray array{pixel.type, pixel.half, order != '=' && big != (std::endian::native == std::endian::big),
                 pixel.refusal, start, header.shape, std::vector<std::ptrdiff_t>(axes)};
  std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(pixel.bytes);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::size_t axis = header.fortran_order ? i : axes - 1 - i;
    array.strides[axis] = stride;
    stride *= static_cast<std::ptrdiff_t>(header.shape[axis]);
  }
  return array;
}

}  // namespace elver
