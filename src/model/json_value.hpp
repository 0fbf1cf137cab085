#pragma once
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace elver {

/// JSON text as a tree. `file` is for error texts. Throws Error{input} with line and column when it is not JSON, and
/// when it is nested deeper than any file of ours.
nlohmann::json parse_json(std::string_view text, const std::string& file);

/// A number as people write it: 3 rather than 3.0.
nlohmann::ordered_json plain_number(double value);

/// A value of a JSON file that knows its key, so that an error can name both: it is asked for what it must be.
/// Every question throws Error{input} when the answer is another. A view: the tree must outlive it.
class JsonValue {
 public:
  JsonValue(const nlohmann::json& value, std::string file, std::string key = {})
      : value_(&value), file_(std::move(file)), key_(std::move(key)) {}
  const nlohmann::json& json() const { return *value_; }

  /// An object that has no other key than these: what is written wrong must not be ignored in silence.
  const JsonValue& object(std::initializer_list<std::string_view> known) const;
  bool has(const std::string& key) const { return value_->contains(key); }
  JsonValue at(const std::string& key, const std::string& expected) const;

  std::string text(const std::string& expected) const;
  double number(const std::string& expected) const;
  bool boolean(const std::string& expected) const;
  std::size_t count(std::size_t least, std::size_t most, const std::string& expected) const;
  std::vector<JsonValue> list(const std::string& expected) const;
  std::vector<double> numbers(const std::string& expected) const;

  [[noreturn]] void must_be(const std::string& expected) const;
  [[noreturn]] void wrong(const std::string& why, const std::string& todo = {}) const;

 private:
  std::string where() const;
  const nlohmann::json* value_;
  std::string file_, key_;
};

}  // namespace elver
