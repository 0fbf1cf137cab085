#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <map>
#include <stdexcept>

#include "elver/error.hpp"
#include "io/reader.hpp"
#include "io/strided_image.hpp"
#include "io/utf8.hpp"
#include "types/text.hpp"

/// Ripple (Lispix, Oxford, Bruker, HyperSpy): a text of keys and values, .rpl, and the plain values beside it, .raw.
namespace elver {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBlank = " \t\r\f\v";
constexpr std::size_t kMostKeys = 1000;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  return first == text.npos ? std::string_view{} : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

class Keys {
 public:
  /// A line is key, tab, value, then perhaps a comment behind ";". INCA writes "(MLX::key : value)".
  explicit Keys(std::string_view text) {
    while (!text.empty() && keys_.size() < kMostKeys) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = trimmed(text.substr(0, std::min(end, text.find(';'))));
      text.remove_prefix(std::min(text.size(), end + 1));
      if (line.starts_with("(MLX::")) {
        line.remove_prefix(6);
        if (line.ends_with(')')) line.remove_suffix(1);
      }
      const std::size_t cut = std::min(line.find_first_of(" \t:"), line.size());
      std::string_view value = trimmed(line.substr(cut));
      if (value.starts_with(':')) value = trimmed(value.substr(1));
      if (!value.empty()) keys_.emplace(lower(line.substr(0, cut)), value);
    }
  }
  std::string word(const std::string& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() || found->second == "<undefined>" || found->second == "None" ? "" : utf8_of(found->second);
  }
  std::optional<double> number(const std::string& key) const {
    const std::string value = word(key);
    double number = 0;
    const auto [rest, code] = std::from_chars(value.data(), value.data() + value.size(), number);
    return code == std::errc{} && rest == value.data() + value.size() && std::isfinite(number) ? std::optional(number)
                                                                                               : std::nullopt;
  }
  /// A size. Throws std::runtime_error where it is absent or no whole number.
  std::uint64_t size(const std::string& key) const {
    const std::string value = word(key);
    std::uint64_t number = 0;
    const auto [rest, code] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (code != std::errc{} || rest != value.data() + value.size())
      throw std::runtime_error("its key \"" + key + "\" is " + (value.empty() ? "missing" : "\"" + value + "\""));
    return number;
  }
  bool describes_a_cube() const {
    return std::ranges::all_of(std::initializer_list<const char*>{"width", "height", "depth", "data-length"},
                               [&](const char* key) { return keys_.contains(key); });
  }

 private:
  std::map<std::string, std::string_view> keys_;
};

NumberType number_type(const Keys& keys) {
  const std::string kind = keys.word("data-type"), length = keys.word("data-length");
  constexpr struct {
    std::string_view kind, length;
    NumberType type;
  } kTypes[] = {{"unsigned", "1", NumberType::u8},  {"signed", "1", NumberType::i8},  {"unsigned", "2", NumberType::u16},
                {"signed", "2", NumberType::i16},   {"unsigned", "4", NumberType::u32}, {"signed", "4", NumberType::i32},
                {"unsigned", "8", NumberType::u64}, {"signed", "8", NumberType::i64}, {"float", "4", NumberType::f32},
                {"float", "8", NumberType::f64}};
  for (const auto& entry : kTypes) {
    if (entry.kind == kind && entry.length == length) return entry.type;
  }
  throw std::runtime_error("its values are of data-type \"" + kind + "\" and data-length \"" + length +
                           "\", which elver does not read");
}

/// The file of the values: the same name with .raw.
fs::path raw_of(const fs::path& rpl) {
  for (const char* extension : {".raw", ".RAW", ".Raw"}) {
    fs::path raw = rpl;
    raw.replace_extension(extension);
    std::error_code ignored;
    if (fs::exists(raw, ignored)) return raw;
  }
  throw std::runtime_error("its values, " + fs::path(rpl).replace_extension(".raw").filename().string() +
                           ", are not beside it");
}

Axis axis_of(const Keys& keys, const std::string& key, std::uint64_t size) {
  constexpr std::array<std::pair<std::string_view, const char*>, 3> kNames{
      {{"depth", "Energy loss"}, {"height", "y"}, {"width", "x"}}};
  Axis axis;
  axis.size = size;
  axis.name = keys.word(key + "-name");
  for (const auto& [name, usual] : kNames) {
    if (axis.name.empty() && name == key) axis.name = usual;
  }
  axis.scale = keys.number(key + "-scale").value_or(1.0);
  axis.offset = keys.number(key + "-origin").value_or(0.0);
  axis.units = keys.word(key + "-units");
  if (key == "depth" && !keys.number("depth-scale")) {
    if (const auto per_channel = keys.number("ev-per-chan")) {
      axis.scale = *per_channel;
      if (axis.units.empty()) axis.units = "eV";
    }
  }
  return axis;
}

std::unique_ptr<Image> make_image(const Keys& keys, const fs::path& path, const OpenOptions& options) {
  const std::string record_by = keys.word("record-by").empty() ? "vector" : keys.word("record-by");
  const bool vector = record_by == "vector";
  if (!vector && record_by != "image" && record_by != "dont-care")
    throw std::runtime_error("its key \"record-by\" is \"" + record_by + "\"");
  const std::array<std::string, 3> order = vector ? std::array<std::string, 3>{"height", "width", "depth"}
                                                  : std::array<std::string, 3>{"depth", "height", "width"};
  ImageInfo info;
  info.id = "0";
  info.title = keys.word("title");
  if (info.title.empty()) info.title = utf8_of(path.stem().string());
  info.type = number_type(keys);
  const std::string signal = keys.word("signal");
  if (signal == "EELS") info.signal_type = signal;
  if (const auto energy = keys.number("beam-energy")) info.beam_energy_kev = kilovolts(*energy);
  if (const auto angle = keys.number("convergence-angle"); angle && *angle > 0) info.convergence_mrad = angle;
  if (const auto angle = keys.number("collection-angle"); angle && *angle > 0) info.collection_mrad = angle;
  const Bytes bytes = map_file(raw_of(path));
  const std::size_t one = bytes_of(info.type);
  std::vector<std::uint64_t> sizes;
  for (const std::string& key : order) sizes.push_back(keys.size(key));
  const std::uint64_t first = keys.word("offset").empty() ? 0 : keys.size("offset");
  const auto values = checked_product(sizes);
  std::uint64_t wanted = 0;
  if (!values || __builtin_mul_overflow(*values, one, &wanted) || first > bytes.span.size() || wanted > bytes.span.size() - first) {
    throw std::runtime_error(text("it declares %llu x %llu x %llu values of %zu bytes from byte %llu on and the .raw file has %zu bytes",
                                  static_cast<unsigned long long>(sizes[0]), static_cast<unsigned long long>(sizes[1]),
                                  static_cast<unsigned long long>(sizes[2]), one, static_cast<unsigned long long>(first),
                                  bytes.span.size()));
  }
  std::vector<std::ptrdiff_t> strides;
  std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(*values * one);
  std::optional<std::size_t> depth;
  for (std::size_t i = 0; i < 3; ++i) {
    stride /= static_cast<std::ptrdiff_t>(sizes[i]);
    if (sizes[i] == 1 && !(order[i] == "depth" && vector)) continue;
    if (order[i] == "depth") depth = info.axes.size();
    info.axes.push_back(axis_of(keys, order[i], sizes[i]));
    strides.push_back(stride);
  }
  if (info.axes.empty()) throw std::runtime_error("it holds one number, not a spectrum");
  const bool swapped = keys.word("byte-order") == (std::endian::native == std::endian::little ? "big-endian" : "little-endian");
  StridedLayout layout{bytes, first, {}, swapped, false};
  // Stacks of images may be anything; spectra say so by their unit, or by being stored as such.
  for (const std::size_t place : arrange_axes(info, vector ? depth : std::nullopt, options, true))
    layout.strides.push_back(strides[place]);
  return std::make_unique<StridedImage>(std::move(info), std::move(layout));
}

bool recognises(const fs::path& /*path*/, std::span<const std::byte> head) {
  const std::string_view bytes(reinterpret_cast<const char*>(head.data()), head.size());
  return bytes.find('\0') == bytes.npos && Keys(bytes).describes_a_cube();
}

File read(const Bytes& bytes, const fs::path& path, const OpenOptions& options) {
  const Keys keys({reinterpret_cast<const char*>(bytes.span.data()), bytes.span.size()});
  File file{path, "ripple", {}};
  file.images.push_back(make_image(keys, path, options));
  return file;
}

}  // namespace

const Reader ripple_reader{{"ripple", "Ripple", ".rpl with .raw", "one array of one to three axes; axes, units; beam energy, angles"},
                           recognises,
                           read,
                           "Write .rpl and .raw again, under one name"};

}  // namespace elver
