#include <bit>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "bench/made_image.hpp"
#include "elver/error.hpp"

/// A Gatan DM4 file, with no more in it than its image: tags within tags, each with the bytes of what it holds, of which the
/// values are the last.
namespace elver::bench {
namespace {

std::string word(std::uint64_t value, int bytes = 8) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
  return out;
}

std::string tag(char kind, const std::string& name, const std::string& content, std::uint64_t data = 0) {
  return std::string(1, kind) + word(name.size(), 2) + name + word(content.size() + data) + content;
}

/// A tag of tags; `data` bytes follow the last of them.
std::string group(const std::string& name, const std::vector<std::string>& tags, std::uint64_t data = 0) {
  std::string content("\x01\x00", 2);
  content += word(tags.size());
  for (const std::string& each : tags) content += each;
  return tag(20, name, content, data);
}

template <class Number>
std::string number(const std::string& name, int code, Number value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return tag(21, name, "%%%%" + word(1) + word(code) + bytes);
}

std::string words(const std::string& name, const std::string& value) {
  std::string units;
  for (const char c : value) units += {c, '\0'};
  return tag(21, name, "%%%%" + word(3) + word(20) + word(4) + word(value.size()) + units);
}

struct Kind {
  int tag, image;  ///< codes of a number, and of an image of such numbers
};
Kind kind_of(NumberType type) { return type == NumberType::u16 ? Kind{4, 10} : type == NumberType::i32 ? Kind{3, 7} : Kind{6, 2}; }

std::string before_values(const Image& image, Order order) {
  const std::uint64_t values = image.pixels() * image.channels(), data = values * bytes_of(image.info().type);
  const Kind kind = kind_of(image.info().type);
  const EnergyAxis energy = image.energy();
  struct Along {
    std::uint64_t size;
    double first, scale;
    const char* unit;
  };
  const Along x{image.columns(), 0, 1, "nm"}, y{image.rows(), 0, 1, "nm"},
      e{image.channels(), energy.offset_ev, energy.dispersion_ev, "eV"};
  std::vector<std::string> sizes, calibrations;
  for (const Along& axis : order == Order::energy_major ? std::vector{x, y, e} : std::vector{e, x, y}) {  // fastest first
    sizes.push_back(number("", 3, static_cast<std::int32_t>(axis.size)));
    calibrations.push_back(group("", {number("Origin", 6, static_cast<float>(-axis.first / axis.scale)),
                                      number("Scale", 6, static_cast<float>(axis.scale)), words("Units", axis.unit)}));
  }
  std::vector<std::string> about{words("Format", "Spectrum image"), words("Signal", "EELS")};
  if (order == Order::pixel_major) about.push_back(number("Data Order Swapped", 8, std::uint8_t{1}));
  const std::string array = tag(21, "Data", "%%%%" + word(3) + word(20) + word(kind.tag) + word(values), data);
  const std::string numbers = group("ImageData", {group("Calibrations", {group("Dimension", calibrations)}), group("Dimensions", sizes),
                                                  number("DataType", 3, std::int32_t{kind.image}), array}, data);
  const std::string whole = group("", {group("ImageTags", {group("Meta Data", about)}), words("Name", image.info().title), numbers}, data);
  // The root is a group without a head of its own.
  const std::string root = group("", {group("ImageList", {whole}, data)}, data).substr(1 + 2 + 8);
  return word(4, 4) + word(root.size() + data) + word(1, 4) + root;
}

}  // namespace

OpenOptions write_dm4(const Image& image, Order order, const std::filesystem::path& path, const RunContext& context) {
  static_assert(std::endian::native == std::endian::little, "the file says so of its values");
  std::ofstream out(path, std::ios::binary);
  const std::string start = before_values(image, order);
  out.write(start.data(), static_cast<std::streamsize>(start.size()));
  const std::size_t number = bytes_of(image.info().type), channels = image.channels();
  const std::uint64_t at_once = 4096;
  const std::uint64_t steps = order == Order::energy_major ? channels : (image.pixels() + at_once - 1) / at_once;
  std::vector<std::byte> part;
  for (std::uint64_t i = 0; i < steps && out; ++i) {
    context.check_interrupt();
    if (order == Order::energy_major) {
      part.resize(image.pixels() * number);
      image.read_channels({0, image.pixels()}, {i, i + 1}, part);
    } else {
      const PixelRange some{i * at_once, std::min(image.pixels(), (i + 1) * at_once)};
      part.resize(some.size() * channels * number);
      image.read(some, {0, channels}, part);
    }
    out.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size()));
  }
  out << std::string(8, '\0');
  out.close();
  if (!out) throw Error(ErrorKind::output, "cannot write " + path.string(), "the disk is full or not writable");
  const EnergyAxis axis = image.energy();
  OpenOptions options;  // the file's own are of single precision
  options.offset_ev = axis.offset_ev;
  options.dispersion_ev = axis.dispersion_ev;
  return options;
}

}  // namespace elver::bench
