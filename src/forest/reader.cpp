#include "forest/reader.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver::forest {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// XGBoost's binary format from before JSON: a fixed block of parameters, then the objective's name with its length.
/// "binf" may stand before it, and "bs64" is the same in base 64.
bool is_old_binary(std::string_view bytes) {
  if (bytes.starts_with("bs64") || bytes.starts_with("CONFIG-offset:")) return true;
  const bool marked = bytes.starts_with("binf");
  if (marked) bytes.remove_prefix(4);
  constexpr std::size_t kParameters = 136;
  if (bytes.size() < kParameters + 8) return marked;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i)
    length |= std::uint64_t{static_cast<unsigned char>(bytes[kParameters + i])} << (8 * i);
  if (length == 0 || length > 64 || length > bytes.size() - kParameters - 8) return marked;
  for (const char c : bytes.substr(kParameters + 8, length)) {
    if ((c < 'a' || c > 'z') && c != ':' && c != '_') return marked;
  }
  return true;
}

constexpr const char* kResave =
    "Load it in the XGBoost that wrote it and save it as .json or .ubj (Booster.save_model)";

}  // namespace

std::unique_ptr<Reader> Reader::make(std::span<const std::byte> bytes, const std::string& name) {
  std::string_view content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto refuse = [&](const std::string& why, const std::string& todo) -> Error {
    return {ErrorKind::input, "cannot read booster " + name, why, todo};
  };
  if (content.empty()) throw refuse("it is empty", "Give a booster saved by XGBoost as .json or .ubj");
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (content.starts_with(kByteOrderMark)) content.remove_prefix(kByteOrderMark.size());
  const std::size_t offset = bytes.size() - content.size();
  std::size_t i = 0;
  while (i < content.size() && is_space(content[i])) ++i;
  if (i < content.size() && content[i] == '{') {
    // A JSON object goes on with a quote, a brace or space; a UBJSON one with the type of a length.
    const char next = i + 1 < content.size() ? content[i + 1] : ' ';
    if (next == '"' || next == '}' || is_space(next)) return make_json_reader(bytes.subspan(offset), name);
    if (i == 0 && std::string_view("LliIU#$N").find(next) != std::string_view::npos)
      return make_ubjson_reader(bytes, name);
  }
  if (i < content.size() && (content[i] == '[' || content.substr(i).starts_with("booster["))) {
    throw refuse("it is a dump of trees for people to read, which leaves out what prediction needs",
                 "Save the booster with save_model instead of dump_model");
  }
  if (is_old_binary(content)) throw refuse("it is in XGBoost's old binary format", kResave);
  if (content.starts_with('\x80')) throw refuse("it is a Python pickle", kResave);
  throw refuse("it is neither JSON nor UBJSON", "Give a booster saved by XGBoost as .json or .ubj");
}

std::int64_t Reader::loose_integer() {
  if (peek() != Kind::string) return integer();
  const std::string text = string();
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || rest != end) fail("\"" + text.substr(0, 40) + "\" stands where an integer is due");
  return value;
}

std::string Reader::loose_text() {
  if (peek() == Kind::string) return string();
  if (peek() == Kind::array) {
    std::string out = "[";
    array([&] {
      if (out.size() > 1) out += ',';
      out += loose_text();
    });
    return out + "]";
  }
  return text("%.9g", static_cast<double>(number()));
}

std::size_t Reader::length() {
  std::size_t count = 0;
  array([&] {
    skip();
    ++count;
  });
  return count;
}

void Reader::fail(const std::string& why) const {
  std::string shown = why;  // which may quote the file: no control sequence of it reaches a terminal
  for (char& c : shown) c = c >= ' ' && c <= '~' ? c : '?';
  throw Error(ErrorKind::input, "cannot read booster " + name_, shown,
              "The file is damaged or was not written by XGBoost");
}

Reader::Level::Level(Reader& reader) : reader_(reader) {
  constexpr int kDeepest = 100;  // XGBoost's own documents are eight levels deep
  if (reader_.depth_ >= kDeepest) reader_.fail("it is nested too deeply");
  ++reader_.depth_;
}

bool parse_float(std::string_view text, float& out) {
  const char* const end = text.data() + text.size();
  const auto [rest, code] = std::from_chars(text.data(), end, out);
  if (code == std::errc{}) return rest == end;
  if (code != std::errc::result_out_of_range || rest != end) return false;
  out = std::strtof(std::string(text).c_str(), nullptr);
  return true;
}

}  // namespace elver::forest
