#include <charconv>
#include <limits>

#include "forest/reader.hpp"
#include "types/text.hpp"

namespace elver::forest {
namespace {

/// JSON as XGBoost writes it: with bare NaN, Infinity and -Infinity, which the standard does not know.
class JsonReader final : public Reader {
 public:
  JsonReader(std::span<const std::byte> bytes, const std::string& name)
      : Reader(name), begin_(reinterpret_cast<const char*>(bytes.data())), at_(begin_), end_(begin_ + bytes.size()) {}

  Kind peek() override {
    switch (next()) {
      case '{':
        return Kind::object;
      case '[':
        return Kind::array;
      case '"':
        return Kind::string;
      case 't':
      case 'f':
        return Kind::boolean;
      case 'n':
        return Kind::null;
      default:
        return Kind::number;
    }
  }

  void object(const std::function<void(std::string_view)>& member) override {
    const Level level(*this);
    expect('{');
    if (next() == '}') {
      ++at_;
      return;
    }
    while (true) {
      const std::string key = string();
      expect(':');
      member(key);
      if (!more('}')) return;
    }
  }

  void array(const std::function<void()>& element) override { each(element); }

  std::string string() override {
    expect('"');
    std::string out;
    while (true) {
      const char* const run = at_;
      while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
      out.append(run, at_);
      if (at_ == end_) fail(where("a string does not end"));
      if (*at_++ == '"') return out;
      escape(out);
    }
  }

  float number() override {
    float value = 0;
    if (quick(value)) return value;
    const std::string_view word = take_word();
    if (!parse_float(word, value)) bad(word, "a number");
    return value;
  }

  std::int64_t integer() override {
    std::int64_t value = 0;
    if (quick(value)) return value;
    const std::string_view word = take_word();
    const auto [rest, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc{} || rest != word.data() + word.size()) bad(word, "an integer");
    return value;
  }

  bool boolean() override {
    const std::string_view word = take_word();
    if (word != "true" && word != "false") bad(word, "true or false");
    return word == "true";
  }

  void numbers(std::vector<float>& out) override {
    out.clear();
    each([&] { out.push_back(number()); });
  }

  void integers(std::vector<std::int32_t>& out) override {
    out.clear();
    each([&] {
      if (peek() == Kind::boolean) {
        out.push_back(boolean() ? 1 : 0);
        return;
      }
      const std::int64_t value = integer();
      if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::uint32_t>::max()) {
        fail(where(text("%lld is too large an integer", static_cast<long long>(value))));
      }
      out.push_back(static_cast<std::int32_t>(value));
    });
  }

  void skip() override {
    switch (peek()) {
      case Kind::object:
        return object([&](std::string_view) { skip(); });
      case Kind::array:
        return each([&] { skip(); });
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
        if (const std::string_view word = take_word(); word != "null") bad(word, "null");
        return;
    }
  }

  void finish() override {
    skip_space();
    if (at_ != end_) fail(where("something follows the end of the document"));
  }

 private:
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  /// The next character that is no space, not consumed.
  char next() {
    skip_space();
    if (at_ == end_) fail("it ends too early: the file is cut off");
    return *at_;
  }

  void expect(char c) {
    if (const char found = next(); found != c) fail(where(text("'%c' stands where '%c' is due", printable(found), c)));
    ++at_;
  }

  /// After an element: true at a comma, false at the closing bracket.
  bool more(char close) {
    const char found = next();
    if (found != ',' && found != close)
      fail(where(text("'%c' stands where ',' or '%c' is due", printable(found), close)));
    ++at_;
    return found == ',';
  }

  template <class Element>
  void each(const Element& element) {
    const Level level(*this);
    expect('[');
    if (next() == ']') {
      ++at_;
      return;
    }
    do element();
    while (more(']'));
  }

  /// A number that a delimiter follows; false, with nothing consumed, where something else may be the matter.
  template <class Number>
  bool quick(Number& value) {
    static_cast<void>(next());
    const auto [rest, code] = std::from_chars(at_, end_, value);
    if (code != std::errc{} || rest == end_ || (*rest != ',' && *rest != ']')) return false;
    at_ = rest;
    return true;
  }

  /// A number or a literal: everything up to the next delimiter.
  std::string_view take_word() {
    static_cast<void>(next());
    const char* const word = at_;
    while (at_ != end_ && std::string_view(",]}: \n\r\t\"[{").find(*at_) == std::string_view::npos) ++at_;
    return {word, static_cast<std::size_t>(at_ - word)};
  }

  void escape(std::string& out) {
    if (at_ == end_) fail(where("a string does not end"));
    const char c = *at_++;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out += c;
        return;
      case 'b':
        out += '\b';
        return;
      case 'f':
        out += '\f';
        return;
      case 'n':
        out += '\n';
        return;
      case 'r':
        out += '\r';
        return;
      case 't':
        out += '\t';
        return;
      case 'u':
        unicode(out);
        return;
      default:
        fail(where(text("'\\%c' is no escape in a string", printable(c))));
    }
  }

  std::uint32_t hexadecimal() {
    std::uint32_t code = 0;
    if (end_ - at_ < 4) fail(where("a string does not end"));
    if (std::from_chars(at_, at_ + 4, code, 16).ptr != at_ + 4)
      fail(where("\\u is not followed by four hexadecimal digits"));
    at_ += 4;
    return code;
  }

  void unicode(std::string& out) {
    std::uint32_t code = hexadecimal();
    if (code >= 0xD800 && code < 0xDC00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
      at_ += 2;
      code = 0x10000 + ((code - 0xD800) << 10) + ((hexadecimal() - 0xDC00) & 0x3FF);
    }
    const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(bits); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
      byte(0xC0 | (code >> 6));
    } else {
      if (code < 0x10000) {
        byte(0xE0 | (code >> 12));
      } else {
        byte(0xF0 | (code >> 18));
        byte(0x80 | ((code >> 12) & 0x3F));
      }
      byte(0x80 | ((code >> 6) & 0x3F));
    }
    byte(0x80 | (code & 0x3F));
  }

  static char printable(char c) { return c >= ' ' && c <= '~' ? c : '?'; }
  [[noreturn]] void bad(std::string_view word, const char* due) const {
    std::string shown(word.substr(0, 40));
    for (char& c : shown) c = printable(c);
    fail(where("\"" + shown + "\" stands where " + due + " is due"));
  }
  std::string where(const std::string& why) const {
    return why + text(", at byte %lld", static_cast<long long>(at_ - begin_));
  }

  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace

std::unique_ptr<Reader> make_json_reader(std::span<const std::byte> bytes, const std::string& name) {
  return std::make_unique<JsonReader>(bytes, name);
}

}  // namespace elver::forest
