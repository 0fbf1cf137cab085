#include "io/dm_tags.hpp"

#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "io/utf8.hpp"
#include "types/text.hpp"

namespace elver::dm {
namespace {

constexpr std::size_t kDeepest = 64;  ///< groups in groups; real files stay under 20
constexpr int kDeepestType = 8;       ///< arrays of structures of ...

using Unsigned = unsigned long long;

[[noreturn]] void malformed(const std::string& why) { throw std::runtime_error(why); }

std::uint64_t load(std::span<const std::byte> bytes, bool little) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t at = little ? bytes.size() - 1 - i : i;
    out = out << 8 | std::to_integer<std::uint64_t>(bytes[at]);
  }
  return out;
}

/// Reads forward through the file and never past its end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> file, std::size_t position, int version)
      : file_(file), position_(position), wide_(version == 4) {}
  std::size_t position() const { return position_; }
  std::size_t left() const { return file_.size() - position_; }
  std::size_t word() const { return wide_ ? 8 : 4; }
  bool wide() const { return wide_; }

  std::span<const std::byte> take(std::uint64_t size, const char* what) {
    if (size > left()) {
      malformed(text("the file ends within %s at byte %zu: %llu bytes are declared and %zu are left", what, position_,
                     static_cast<Unsigned>(size), left()));
    }
    const auto out = file_.subspan(position_, static_cast<std::size_t>(size));
    position_ += static_cast<std::size_t>(size);
    return out;
  }
  std::uint64_t unsigned_number(std::size_t bytes, const char* what) { return load(take(bytes, what), false); }
  /// A count or length: 4 bytes in DM3, 8 in DM4, signed; negative ones are malformed.
  std::uint64_t count(const char* what) {
    const std::size_t start = position_;
    const std::uint64_t value = unsigned_number(word(), what);
    const std::uint64_t limit = wide_ ? std::uint64_t{1} << 63 : std::uint64_t{1} << 31;
    if (value >= limit) malformed(text("%s at byte %zu is negative", what, start));
    return value;
  }

 private:
  std::span<const std::byte> file_;
  std::size_t position_;
  bool wide_;
};

std::uint64_t product(std::uint64_t a, std::uint64_t b, std::size_t position) {
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) malformed(text("the value at byte %zu is absurdly large", position));
  return out;
}

/// The type description of a value: what it is and how many bytes one of it takes.
struct Type {
  std::uint64_t code = 0;
  std::uint64_t bytes = 0;
  bool is_array = false;
  std::uint64_t element = 0;  ///< code of the elements of an array, or of the fields of a structure (0: they differ)
  std::uint64_t count = 1;
};

Type read_type(Cursor& info, int depth) {
  const std::size_t start = info.position();
  Type type;
  type.code = info.count("a type code");
  if (depth > kDeepestType) malformed(text("the type at byte %zu is nested too deep", start));
  if (const std::size_t simple = bytes_of(type.code); simple > 0) {
    type.bytes = simple;
  } else if (type.code == static_cast<std::uint64_t>(Code::string)) {
    type.count = type.bytes = info.count("the length of a string");
  } else if (type.code == static_cast<std::uint64_t>(Code::structure)) {
    info.count("the name of a structure");
    const std::uint64_t fields = info.count("the fields of a structure");
    for (std::uint64_t i = 0; i < fields; ++i) {  // each takes bytes of the description, so the file bounds the loop
      info.count("the name of a field");
      const Type field = read_type(info, depth + 1);
      type.element = i == 0 || field.code == type.element ? field.code : 0;
      if (__builtin_add_overflow(type.bytes, field.bytes, &type.bytes)) {
        malformed(text("the structure at byte %zu is absurdly large", start));
      }
    }
  } else if (type.code == static_cast<std::uint64_t>(Code::array)) {
    const Type element = read_type(info, depth + 1);
    type.is_array = true;
    type.element = element.code;
    type.count = info.count("the length of an array");
    type.bytes = product(element.bytes, type.count, start);
  } else {
    malformed(text("byte %zu holds the unknown type code %llu", start, static_cast<Unsigned>(type.code)));
  }
  return type;
}

Value read_value(Cursor& at, std::span<const std::byte> file, bool little) {
  const std::size_t start = at.position();
  const auto mark = at.take(4, "a tag");
  if (std::memcmp(mark.data(), "%%%%", 4) != 0) malformed(text("the tag at byte %zu has no %%%%%%%% mark", start));
  const std::uint64_t entries = at.count("the size of a type description");
  const std::size_t info_start = at.position();
  const std::size_t info_bytes = at.take(product(entries, at.word(), start), "a type description").size();
  Cursor info(file.first(info_start + info_bytes), info_start, at.wide() ? 4 : 3);
  const Type type = read_type(info, 0);
  if (info.left() != 0) malformed(text("the type description at byte %zu is longer than its type", info_start));
  Value value;
  value.code = type.is_array ? type.element : type.code;
  value.field = type.is_array ? 0 : type.element;
  value.is_array = type.is_array;
  value.count = type.count;
  value.little = little;
  value.offset = at.position();
  value.bytes = at.take(type.bytes, "a value");
  return value;
}

class Walker {
 public:
  Walker(std::span<const std::byte> file, const Header& header, const Visit& visit)
      : file_(file), header_(header), visit_(visit), at_(file, header.version == 4 ? 16 : 12, header.version) {}

  void group(std::size_t depth) {
    at_.take(2, "a tag group");  // sorted, open
    const std::size_t start = at_.position();
    const std::uint64_t tags = at_.count("the number of tags");
    // The smallest tag is an empty group: id, name length, (DM4: byte count), sorted, open, number of tags.
    const std::size_t smallest = header_.version == 4 ? 21 : 9;
    if (tags > at_.left() / smallest) {
      malformed(text("the group at byte %zu declares %llu tags and %zu bytes are left", start,
                     static_cast<Unsigned>(tags), at_.left()));
    }
    std::uint64_t nameless_groups = 0;
    std::uint64_t nameless_values = 0;
    for (std::uint64_t i = 0; i < tags; ++i) {
      const std::size_t tag_start = at_.position();
      const std::uint64_t id = at_.unsigned_number(1, "a tag");
      const auto name = at_.take(at_.unsigned_number(2, "the name of a tag"), "the name of a tag");
      if (header_.version == 4) at_.count("the byte count of a tag");
      Step step{{reinterpret_cast<const char*>(name.data()), name.size()}};
      if (id == 20) {
        if (depth >= kDeepest)
          malformed(text("the groups at byte %zu are nested deeper than %zu", tag_start, kDeepest));
        if (name.empty()) step.index = nameless_groups++;
        path_.push_back(step);
        group(depth + 1);
        path_.pop_back();
      } else if (id == 21) {
        if (name.empty()) step.index = nameless_values++;
        path_.push_back(step);
        visit_(path_, read_value(at_, file_, header_.little));
        path_.pop_back();
      } else {
        malformed(text("byte %zu begins a tag of the unknown kind %llu", tag_start, static_cast<Unsigned>(id)));
      }
    }
  }

 private:
  std::span<const std::byte> file_;
  Header header_;
  const Visit& visit_;
  Cursor at_;
  std::vector<Step> path_;
};

}  // namespace

std::size_t bytes_of(std::uint64_t code) {
  switch (code) {
    case 8:
    case 9:
    case 10:
      return 1;
    case 2:
    case 4:
      return 2;
    case 3:
    case 5:
    case 6:
      return 4;
    case 7:
    case 11:
    case 12:
      return 8;
    default:
      return 0;
  }
}

std::optional<Header> read_header(std::span<const std::byte> head) {
  if (head.size() < 12) return std::nullopt;
  const std::uint64_t version = load(head.first(4), false);
  if (version != 3 && version != 4) return std::nullopt;
  const std::size_t order_at = version == 4 ? 12 : 8;
  if (head.size() < order_at + 4) return std::nullopt;
  const std::uint64_t order = load(head.subspan(order_at, 4), false);
  if (order > 1) return std::nullopt;
  return Header{static_cast<int>(version), order == 1};
}

std::optional<double> Value::number() const {
  if (is_array || bytes_of(code) == 0) return std::nullopt;
  const std::uint64_t bits = load(bytes, little);
  if (code == static_cast<std::uint64_t>(Code::f32)) {
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  if (code == static_cast<std::uint64_t>(Code::f64)) return std::bit_cast<double>(bits);
  if (code == static_cast<std::uint64_t>(Code::u64)) return static_cast<double>(bits);
  if (const auto whole = integer()) return static_cast<double>(*whole);
  return std::nullopt;
}

std::optional<std::int64_t> Value::integer() const {
  if (is_array || bytes_of(code) == 0) return std::nullopt;
  const std::uint64_t bits = load(bytes, little);
  switch (static_cast<Code>(code)) {
    case Code::i8:
      return static_cast<std::int8_t>(bits);
    case Code::i16:
      return static_cast<std::int16_t>(bits);
    case Code::i32:
      return static_cast<std::int32_t>(bits);
    case Code::i64:
      return static_cast<std::int64_t>(bits);
    case Code::f32:
    case Code::f64:
      return std::nullopt;
    default:
      break;
  }
  if (bits > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return static_cast<std::int64_t>(bits);
}

std::vector<double> Value::numbers() const {
  const std::size_t size = bytes_of(field);
  if (is_array || code != static_cast<std::uint64_t>(Code::structure) || size == 0) return {};
  std::vector<double> out;
  for (std::size_t at = 0; at + size <= bytes.size(); at += size) {
    Value one;
    one.code = field;
    one.bytes = bytes.subspan(at, size);
    one.little = little;
    out.push_back(one.number().value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  return out;
}

std::optional<std::string> Value::text() const {
  std::string out;
  if (is_array && code == static_cast<std::uint64_t>(Code::u16)) {
    std::u16string units(bytes.size() / 2, u'\0');
    for (std::size_t i = 0; i < units.size(); ++i)
      units[i] = static_cast<char16_t>(load(bytes.subspan(2 * i, 2), little));
    out = utf8_of(units);
  } else if (!is_array && code == static_cast<std::uint64_t>(Code::string)) {
    out = utf8_of(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  } else {
    return std::nullopt;
  }
  out.erase(std::min(out.find('\0'), out.size()));
  return out;
}

void walk(std::span<const std::byte> file, const Visit& visit) {
  const std::optional<Header> header = read_header(file);
  if (!header) malformed("it does not begin as a DM3 or DM4 file does");
  Walker(file, *header, visit).group(0);
}

}  // namespace elver::dm
