#include "model/json_value.hpp"

#include <algorithm>
#include <cmath>

#include "elver/error.hpp"
#include "types/text.hpp"

namespace elver {

using nlohmann::json;

json parse_json(std::string_view content, const std::string& file) {
  constexpr int kDeepest = 64;  // printing and copying recurse: a hostile file must not choose how deep
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

nlohmann::ordered_json plain_number(double value) {
  if (std::nearbyint(value) == value && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
  return value;
}

std::string JsonValue::where() const { return key_.empty() ? file_ : file_ + ", key " + key_; }

void JsonValue::wrong(const std::string& why, const std::string& todo) const {
  throw Error(ErrorKind::input, where(), why, todo);
}

void JsonValue::must_be(const std::string& expected) const {
  std::string found = value_->dump(-1, ' ', false, json::error_handler_t::replace);
  if (found.size() > 40) found = found.substr(0, 37) + "...";
  wrong("found " + found, "It must be " + expected);
}

const JsonValue& JsonValue::object(std::initializer_list<std::string_view> known) const {
  std::string all;
  for (const std::string_view key : known) all += (all.empty() ? "" : ", ") + std::string(key);
  if (!value_->is_object()) must_be("an object with the keys " + all);
  for (const auto& [key, unused] : value_->items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      wrong("unknown key \"" + key.substr(0, 40) + "\"", "Known are: " + all);
    }
  }
  return *this;
}

JsonValue JsonValue::at(const std::string& key, const std::string& expected) const {
  const std::string full = key_.empty() ? key : key_ + "." + key;
  const auto found = value_->find(key);
  if (found == value_->end())
    throw Error(ErrorKind::input, file_ + ", key " + full, "it is missing", "It must be " + expected);
  return {*found, file_, full};
}

std::string JsonValue::text(const std::string& expected) const {
  if (!value_->is_string()) must_be(expected);
  return value_->get<std::string>();
}

double JsonValue::number(const std::string& expected) const {
  if (!value_->is_number() || !std::isfinite(value_->get<double>())) must_be(expected);
  return value_->get<double>();
}

bool JsonValue::boolean(const std::string& expected) const {
  if (!value_->is_boolean()) must_be(expected);
  return value_->get<bool>();
}

std::size_t JsonValue::count(std::size_t least, std::size_t most, const std::string& expected) const {
  const double n = number(expected);
  if (std::floor(n) != n || n < static_cast<double>(least) || n > static_cast<double>(most)) must_be(expected);
  return static_cast<std::size_t>(n);
}

std::vector<JsonValue> JsonValue::list(const std::string& expected) const {
  if (!value_->is_array()) must_be(expected);
  std::vector<JsonValue> out;
  for (const nlohmann::json& item : *value_)
    out.emplace_back(item, file_, key_ + "[" + std::to_string(out.size()) + "]");
  return out;
}

std::vector<double> JsonValue::numbers(const std::string& expected) const {
  std::vector<double> out;
  for (const JsonValue& item : list(expected)) out.push_back(item.number("a number"));
  return out;
}

}  // namespace elver
