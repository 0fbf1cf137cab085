#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "forest/reader.hpp"
#include "types/text.hpp"

namespace elver::forest {
namespace {

/// Bytes of a value of fixed size; 0 for the others.
std::size_t size_of(char type) {
  switch (type) {
    case 'i':
    case 'U':
    case 'C':
      return 1;
    case 'I':
      return 2;
    case 'l':
    case 'd':
      return 4;
    case 'L':
    case 'D':
      return 8;
    default:
      return 0;
  }
}

/// UBJSON (draft 12): one byte for the type, then a big-endian value; arrays may say their type and length once.
class UbjsonReader final : public Reader {
 public:
  UbjsonReader(std::span<const std::byte> bytes, const std::string& name)
      : Reader(name), begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  Kind peek() override {
    switch (type()) {
      case '{':
        return Kind::object;
      case '[':
        return Kind::array;
      case 'S':
      case 'H':
        return Kind::string;
      case 'T':
      case 'F':
        return Kind::boolean;
      case 'Z':
        return Kind::null;
      default:
        return Kind::number;
    }
  }

  void object(const std::function<void(std::string_view)>& member) override {
    const Level level(*this);
    take('{', "an object");
    const Header header = read_header();
    for (std::uint64_t i = 0; header.counted ? i < header.count : !closed('}'); ++i) {
      const std::string_view key = characters();
      element_type_ = header.type;
      member(key);
    }
    element_type_ = 0;
  }

  void array(const std::function<void()>& element) override {
    const Level level(*this);
    take('[', "an array");
    const Header header = read_header();
    for (std::uint64_t i = 0; header.counted ? i < header.count : !closed(']'); ++i) {
      element_type_ = header.type;
      element();
    }
    element_type_ = 0;
  }

  std::string string() override {
    const char found = type();
    if (found != 'S' && found != 'H') wrong("a string", found);
    consume_type();
    return std::string(characters());
  }

  float number() override {
    const char found = type();
    if (size_of(found) == 0) wrong("a number", found);
    consume_type();
    float value = 0;
    convert(found, 1, [&](auto v) { value = static_cast<float>(v); });
    return value;
  }

  std::int64_t integer() override {
    const char found = type();
    if (size_of(found) == 0 || found == 'd' || found == 'D') wrong("an integer", found);
    consume_type();
    std::int64_t value = 0;
    convert(found, 1, [&](auto v) { value = static_cast<std::int64_t>(v); });
    return value;
  }

  bool boolean() override {
    const char found = type();
    if (found != 'T' && found != 'F') wrong("true or false", found);
    consume_type();
    return found == 'T';
  }

  void numbers(std::vector<float>& out) override {
    fill(out, [&] { return number(); });
  }

  void integers(std::vector<std::int32_t>& out) override {
    fill(out, [&]() -> std::int32_t {
      if (peek() == Kind::boolean) return boolean() ? 1 : 0;
      return checked(integer());
    });
  }

  void skip() override {
    switch (peek()) {
      case Kind::object:
        return object([&](std::string_view) { skip(); });
      case Kind::array:
        return skip_array();
      case Kind::string:
        static_cast<void>(string());
        return;
      case Kind::boolean:
        static_cast<void>(boolean());
        return;
      case Kind::number:
        static_cast<void>(number());
        return;
      case Kind::null:
        consume_type();
        return;
    }
  }

  void finish() override {
    while (at_ != end_ && static_cast<char>(*at_) == 'N') ++at_;
    if (at_ != end_) fail(where("something follows the end of the document"));
  }

 private:
  struct Header {
    char type = 0;  ///< of every element; 0 where each says its own
    bool counted = false;
    std::uint64_t count = 0;
  };

  /// What may follow '[' or '{': "$t#n", "#n" or nothing. No count can exceed the bytes left.
  Header read_header() {
    Header header;
    if (look() == '$') {
      ++at_;
      header.type = look();
      ++at_;
      if (size_of(header.type) == 0 && std::string_view("[{S").find(header.type) == std::string_view::npos) {
        fail(where(text("an array of type '%c' is not understood", printable(header.type))));
      }
      if (look() != '#') fail(where("a typed array does not say its length"));
    }
    if (look() != '#') return header;
    ++at_;
    header.counted = true;
    header.count = length_of();
    const std::uint64_t least = header.type == 0 ? 1 : std::max<std::size_t>(size_of(header.type), 1);
    if (header.count > static_cast<std::uint64_t>(end_ - at_) / least) {
      fail(where(text("an array of %llu elements does not fit in the %lld bytes left",
                      static_cast<unsigned long long>(header.count), static_cast<long long>(end_ - at_))));
    }
    return header;
  }

  template <class Value, class Element>
  void fill(std::vector<Value>& out, const Element& element) {
    out.clear();
    const Level level(*this);
    take('[', "an array");
    const Header header = read_header();
    if (header.type != 0) {
      if (size_of(header.type) == 0) wrong("an array of numbers", header.type);
      if (std::is_integral_v<Value> && (header.type == 'd' || header.type == 'D'))
        wrong("an array of integers", header.type);
      out.reserve(header.count);
      convert(header.type, header.count, [&](auto v) {
        if constexpr (std::is_integral_v<Value>) {
          out.push_back(checked(static_cast<std::int64_t>(v)));
        } else {
          out.push_back(static_cast<Value>(v));
        }
      });
      return;
    }
    for (std::uint64_t i = 0; header.counted ? i < header.count : !closed(']'); ++i) out.push_back(element());
  }

  void skip_array() {
    const Level level(*this);
    take('[', "an array");
    const Header header = read_header();
    if (const std::size_t size = size_of(header.type); size > 0) {
      at_ += static_cast<std::ptrdiff_t>(size * header.count);  // fits: read_header has seen to it
      return;
    }
    for (std::uint64_t i = 0; header.counted ? i < header.count : !closed(']'); ++i) {
      element_type_ = header.type;
      skip();
    }
    element_type_ = 0;
  }

  std::int32_t checked(std::int64_t value) const {
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::uint32_t>::max()) {
      fail(where(text("%lld is too large an integer", static_cast<long long>(value))));
    }
    return static_cast<std::int32_t>(value);
  }

  /// `count` values of one type, handed over in the type they have in the file.
  template <class Use>
  void convert(char type, std::uint64_t count, const Use& use) {
    switch (type) {
      case 'i':
        return each_of<std::int8_t>(count, use);
      case 'U':
      case 'C':
        return each_of<std::uint8_t>(count, use);
      case 'I':
        return each_of<std::int16_t>(count, use);
      case 'l':
        return each_of<std::int32_t>(count, use);
      case 'L':
        return each_of<std::int64_t>(count, use);
      case 'd':
        return each_of<float>(count, use);
      case 'D':
        return each_of<double>(count, use);
      default:
        wrong("a number", type);
    }
  }

  template <class Value, class Use>
  void each_of(std::uint64_t count, const Use& use) {
    if (count > static_cast<std::uint64_t>(end_ - at_) / sizeof(Value)) cut_off();
    for (std::uint64_t i = 0; i < count; ++i) {
      std::byte bytes[sizeof(Value)];
      for (std::size_t b = 0; b < sizeof(Value); ++b) bytes[sizeof(Value) - 1 - b] = at_[b];
      static_assert(std::endian::native == std::endian::little);
      Value value;
      std::memcpy(&value, bytes, sizeof value);
      at_ += sizeof(Value);
      use(value);
    }
  }

  /// The type of the next value, not consumed; no-ops are passed over.
  char type() {
    if (element_type_ != 0) return element_type_;
    while (look() == 'N') ++at_;
    return look();
  }
  void consume_type() {
    if (element_type_ != 0) {
      element_type_ = 0;
    } else {
      ++at_;
    }
  }
  void take(char wanted, const char* what) {
    if (const char found = type(); found != wanted) wrong(what, found);
    consume_type();
  }
  bool closed(char close) {
    while (look() == 'N') ++at_;
    if (look() != close) return false;
    ++at_;
    return true;
  }

  std::uint64_t length_of() {
    const std::int64_t length = integer();
    if (length < 0) fail(where("a length is negative"));
    return static_cast<std::uint64_t>(length);
  }

  std::string_view characters() {
    const std::uint64_t length = length_of();
    if (length > static_cast<std::uint64_t>(end_ - at_)) cut_off();
    const std::string_view out(reinterpret_cast<const char*>(at_), length);
    at_ += static_cast<std::ptrdiff_t>(length);
    return out;
  }

  char look() const {
    if (at_ == end_) cut_off();
    return static_cast<char>(*at_);
  }
  static char printable(char c) { return c >= ' ' && c <= '~' ? c : '?'; }
  [[noreturn]] void cut_off() const { fail("it ends too early: the file is cut off"); }
  [[noreturn]] void wrong(const std::string& due, char found) const {
    fail(where(text("type '%c' stands where %s is due", printable(found), due.c_str())));
  }
  std::string where(const std::string& why) const {
    return why + text(", at byte %lld", static_cast<long long>(at_ - begin_));
  }

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  char element_type_ = 0;  ///< of the next value, where its container has said it
};

}  // namespace

std::unique_ptr<Reader> make_ubjson_reader(std::span<const std::byte> bytes, const std::string& name) {
  return std::make_unique<UbjsonReader>(bytes, name);
}

}  // namespace elver::forest
