#include <algorithm>
#include <charconv>

#include "elver/error.hpp"
#include "model/json_value.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using nlohmann::json;

constexpr int kDeepest = 64;  // printing and copying recurse: a hostile file must not choose how deep

/// Plain JSON to the tree that nlohmann makes of it, in a sixth of the time: a recipe's linear models are a hundred thousand
/// numbers, and that library copies each of them, character by character, for strtod. What is unusual, and all that is wrong,
/// is left to it.
class PlainJson {
 public:
  explicit PlainJson(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  /// False where it is for the library to say what the text is.
  bool parse(json& out) { return value(out, 0) && (space(), at_ == end_); }

 private:
  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool take(char c) {
    space();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  bool value(json& out, int depth) {
    space();
    if (at_ == end_ || depth >= kDeepest) return false;
    switch (*at_) {
      case '{':
        return object(out, depth);
      case '[':
        return array(out, depth);
      case '"':
        return string(out);
      case 't':
        out = true;
        return take_word("true");
      case 'f':
        out = false;
        return take_word("false");
      case 'n':
        return take_word("null");
      default:
        return number(out);
    }
  }

  bool object(json& out, int depth) {
    out = json::object();
    auto& members = out.get_ref<json::object_t&>();
    ++at_;
    if (take('}')) return true;
    do {
      json key;
      space();
      if (at_ == end_ || *at_ != '"' || !string(key) || !take(':')) return false;
      json member;
      if (!value(member, depth + 1)) return false;
      members[key.get_ref<json::string_t&>()] = std::move(member);  // of two of one name the last holds
    } while (take(','));
    return take('}');
  }

  bool array(json& out, int depth) {
    out = json::array();
    auto& elements = out.get_ref<json::array_t&>();
    ++at_;
    if (take(']')) return true;
    do {
      if (!value(elements.emplace_back(), depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  bool string(json& out) {
    const char* const start = at_ + 1;
    for (at_ = start; at_ != end_ && *at_ != '"'; ++at_) {
      if (*at_ < ' ' || *at_ > '~' || *at_ == '\\') return other_string(start, out);
    }
    if (at_ == end_) return false;
    out = std::string(start, at_++);
    return true;
  }

  /// With escapes or letters that are not ASCII.
  bool other_string(const char* start, json& out) {
    while (at_ != end_ && *at_ != '"') {
      if (*at_ == '\\' && ++at_ == end_) return false;
      ++at_;
    }
    if (at_ == end_) return false;
    out = json::parse(start - 1, ++at_, nullptr, false);
    return !out.is_discarded();
  }

  bool digits() {
    const char* const first = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != first;
  }

  bool number(json& out) {
    const char* const start = at_;
    const bool negative = *at_ == '-';
    if (negative) ++at_;
    if (at_ != end_ && *at_ == '0') {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    bool whole = true;
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      whole = false;
      if (!digits()) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      whole = false;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!digits()) return false;
    }
    const auto as = [&](auto found) {
      const auto [rest, code] = std::from_chars(start, at_, found);
      if (code != std::errc{} || rest != at_) return false;  // out of range
      out = found;
      return true;
    };
    return !whole ? as(double{}) : negative ? as(json::number_integer_t{}) : as(json::number_unsigned_t{});
  }

  const char* at_;
  const char* end_;
};

}  // namespace

json parse_json(std::string_view content, const std::string& file) {
  json plain;
  if (PlainJson(content).parse(plain)) return plain;
  const auto shallow = [&](int depth, json::parse_event_t, json&) {
    if (depth > kDeepest) throw Error(ErrorKind::input, file, text("nested deeper than %d levels", kDeepest));
    return true;
  };
  try {
    return json::parse(content.begin(), content.end(), shallow);
  } catch (const json::parse_error& error) {
    const std::size_t at = std::min(error.byte > 0 ? error.byte - 1 : 0, content.size());
    const auto line = 1 + std::count(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const std::size_t newline = content.substr(0, at).rfind('\n');
    const std::size_t column = at - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    const char* const why =
        content.find_first_not_of(" \t\r\n") == std::string_view::npos ? "it is empty" : "syntax error";
    throw Error(ErrorKind::input, file,
                text("not JSON: %s at line %ld, column %zu", why, static_cast<long>(line), column));
  } catch (const json::exception&) {
    throw Error(ErrorKind::input, file, "not JSON that elver can hold: a number is out of range");
  }
}

}  // namespace elver
