#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

/// A small writer of Gatan DM3 and DM4 files: enough to put any image, and anything malformed, before the reader.
namespace elver::test {

struct DmAxis {
  std::int64_t size = 1;
  double origin = 0.0;  ///< value(i) = scale * (i - origin)
  double scale = 1.0;
  std::string units;
};

struct DmImage {
  std::string title = "cube";
  std::string format = "Spectrum image";  ///< "": no such tag
  std::string signal = "EELS";            ///< "": no such tag
  std::vector<DmAxis> axes;               ///< DM's order, the fastest first
  int type = 2;
  std::string data_tag;  ///< the whole tag "Data"
  bool swapped = false;
  std::vector<std::string> tags;  ///< more of them below ImageTags
};

class DmWriter {
 public:
  DmWriter(int version, bool little) : version_(version), little_(little) {}

  std::string group(const std::string& name, const std::vector<std::string>& tags) const {
    return tag(20, name, body(tags));
  }
  template <class Number>
  std::string number(const std::string& name, Number value) const {
    return tag(21, name, "%%%%" + word(1) + word(code_of<Number>()) + bytes(value));
  }
  template <class Number>
  std::string array(const std::string& name, const std::vector<Number>& values) const {
    std::string out =
        "%%%%" + word(3) + word(20) + word(code_of<Number>()) + word(static_cast<std::int64_t>(values.size()));
    for (const Number value : values) out += bytes(value);
    return tag(21, name, out);
  }
  /// ASCII or Latin-1, written as UTF-16.
  std::string text(const std::string& name, const std::string& value) const {
    std::vector<std::uint16_t> units;
    for (const char c : value) units.push_back(static_cast<unsigned char>(c));
    return array(name, units);
  }
  /// A structure of floats, as points and rectangles are.
  std::string structure(const std::string& name, const std::vector<float>& fields) const {
    std::string out = "%%%%" + word(static_cast<std::int64_t>(3 + 2 * fields.size())) + structure_type(fields.size());
    for (const float field : fields) out += bytes(field);
    return tag(21, name, out);
  }
  /// `count` structures of two floats: how complex numbers are stored.
  std::string pairs(const std::string& name, const std::vector<float>& values) const {
    std::string out =
        "%%%%" + word(9) + word(20) + structure_type(2) + word(static_cast<std::int64_t>(values.size() / 2));
    for (const float value : values) out += bytes(value);
    return tag(21, name, out);
  }
  std::string image(const DmImage& image) const {
    std::vector<std::string> sizes, calibrations, meta;
    for (const DmAxis& axis : image.axes) {
      sizes.push_back(number("", static_cast<std::int32_t>(axis.size)));
      calibrations.push_back(group("", {number("Origin", static_cast<float>(axis.origin)),
                                        number("Scale", static_cast<float>(axis.scale)), text("Units", axis.units)}));
    }
    if (!image.format.empty()) meta.push_back(text("Format", image.format));
    if (!image.signal.empty()) meta.push_back(text("Signal", image.signal));
    if (image.swapped) meta.push_back(number("Data Order Swapped", true));
    std::vector<std::string> tags = image.tags;
    tags.push_back(group("Meta Data", meta));
    return group("", {group("ImageData",
                            {group("Calibrations", {group("Dimension", calibrations)}), image.data_tag,
                             number("DataType", static_cast<std::int32_t>(image.type)), group("Dimensions", sizes)}),
                      group("ImageTags", tags), text("Name", image.title)});
  }
  /// A whole file of these tags.
  std::string file(const std::vector<std::string>& tags) const {
    const std::string root = body(tags);
    return big<std::int32_t>(version_) + word(static_cast<std::int64_t>(root.size())) +
           big<std::int32_t>(little_ ? 1 : 0) + root + std::string(8, '\0');
  }
  std::string file_of(const std::vector<DmImage>& images) const {
    std::vector<std::string> list;
    for (const DmImage& each : images) list.push_back(image(each));
    return file({structure("ApplicationBounds", {0, 0, 100, 200}), group("ImageList", list)});
  }

  std::string tag(char id, const std::string& name, const std::string& content) const {
    std::string out(1, id);
    out += big<std::int16_t>(static_cast<std::int16_t>(name.size())) + name;
    if (version_ == 4) out += word(static_cast<std::int64_t>(content.size()));
    return out + content;
  }
  /// A count, length or code: 4 bytes in DM3, 8 in DM4, big-endian.
  std::string word(std::int64_t value) const {
    return version_ == 4 ? big<std::int64_t>(value) : big<std::int32_t>(static_cast<std::int32_t>(value));
  }
  std::string body(const std::vector<std::string>& tags) const {
    std::string out(2, '\0');
    out += word(static_cast<std::int64_t>(tags.size()));
    for (const std::string& each : tags) out += each;
    return out;
  }

 private:
  template <class Number>
  static constexpr std::int64_t code_of() {
    if constexpr (std::is_same_v<Number, bool>) return 8;
    if constexpr (std::is_same_v<Number, float>) return 6;
    if constexpr (std::is_same_v<Number, double>) return 7;
    constexpr bool is_signed = std::is_signed_v<Number>;
    switch (sizeof(Number)) {
      case 1:
        return is_signed ? 9 : 10;
      case 2:
        return is_signed ? 2 : 4;
      case 4:
        return is_signed ? 3 : 5;
      default:
        return is_signed ? 11 : 12;
    }
  }
  template <class Number>
  static std::string raw(Number value, bool reverse) {
    std::array<char, sizeof(Number)> out{};
    std::memcpy(out.data(), &value, sizeof(Number));
    if (reverse) std::ranges::reverse(out);
    return {out.data(), out.size()};
  }
  template <class Number>
  static std::string big(Number value) {
    return raw(value, true);  // the tests run on little-endian machines
  }
  template <class Number>
  std::string bytes(Number value) const {
    return raw(value, !little_);
  }
  std::string structure_type(std::size_t fields) const {
    std::string out = word(15) + word(0) + word(static_cast<std::int64_t>(fields));
    for (std::size_t i = 0; i < fields; ++i) out += word(0) + word(6);
    return out;
  }

  int version_;
  bool little_;
};

}  // namespace elver::test
